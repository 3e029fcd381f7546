"""The embedded emulator: MiniStack as a child process that only this machine can reach."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from localstack.emulators import certificate
from localstack.emulators.embedded_environment import ministack_version
from localstack.emulators.health import get_json
from localstack.errors import EmulatorError

HOST = "127.0.0.1"
"""The emulator runs any uploaded code, so it must not be reachable from other machines."""

ACCOUNT = "000000000000"
ACCESS_KEY = "test"
"""Access key and secret key: emulators accept any, and this is the customary value."""
ASYNC_RETRY_BASE_SECONDS = 0.05
"""Wait before the first retry of a failed asynchronous invocation, doubled before the second (AWS: 60 and 120 s)."""

READY_TIMEOUT = 30.0
NON_EPHEMERAL_PORTS = range(20_000, 32_768)
"""Ports for servers. Linux's ephemeral ports start at 32,768 (net.ipv4.ip_local_port_range), IANA's at 49,152."""
POLL_INTERVAL = 0.02

_CHILD = Path(__file__).with_name("embedded_child.py")
_INHERITED = ("PATH", "LD_LIBRARY_PATH")
"""The only variables of the caller's environment that the emulator inherits; some Pythons need the second."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started emulator: its endpoint, its process and its log file.

    `ca_bundle` is the certificate that clients verify it with, if it serves over TLS.
    """

    endpoint: str
    pid: int
    log: Path
    ca_bundle: Path | None = None

    @property
    def name(self) -> str:
        """Return the product and its version."""
        return f"MiniStack {ministack_version()}"

    def tail(self, lines: int) -> str:
        """Return the last lines of its log."""
        return tail(self.log, lines)


@contextmanager
def running(
    python: Path,
    *,
    port: int | None = None,
    region: str,
    settings: Mapping[str, str],
    log: Path | None = None,
    module: str = "ministack",
) -> Iterator[Running]:
    """Run MiniStack with the interpreter `python` until the block is left.

    Its state is in a temporary folder, which is deleted at the end; so is the log, unless `log` names a file for it.
    `settings` are additional environment variables: with ``USE_SSL=1`` it serves only over TLS, with its own
    certificate. Without `port` a free one is used.

    Raises:
        EmulatorError: the port is in use, the emulator ended or did not respond in time (with the end of its log), or
            it is reachable from other machines.
    """
    port = free_port() if port is None else _unused(port)
    state = Path(tempfile.mkdtemp(prefix="tapstack-emulator-"))
    log = log or state / "ministack.log"
    nonce = uuid.uuid4().hex
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        ca_bundle = None
        if _uses_tls(settings):
            created = certificate.create(state, HOST)
            ca_bundle, settings = created.certificate, {**_tls_settings(created), **settings}
        environment = child_environment(
            os.environ, port=port, region=region, state=state, settings={"MINISTACK_EDITION": nonce, **settings}
        )
        endpoint = f"{'https' if ca_bundle else 'http'}://{HOST}:{port}"
        process = _spawn([str(python), "-P", "-u", str(_CHILD), module], environment, log)
        try:
            _wait_until_ready(process, endpoint, nonce=nonce, log=log, timeout=READY_TIMEOUT, ca_bundle=ca_bundle)
            _check_not_exposed(port)
            yield Running(endpoint=endpoint, pid=process.pid, log=log, ca_bundle=ca_bundle)
        finally:
            _stop(process)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def child_environment(
    parent: Mapping[str, str], *, port: int, region: str, state: Path, settings: Mapping[str, str]
) -> dict[str, str]:
    """Return the emulator's whole environment, without the AWS profiles, endpoints and proxies of `parent`."""
    return {
        **{name: parent[name] for name in _INHERITED if name in parent},
        "HOME": str(state),
        "TMPDIR": str(state),
        "LANG": "C.UTF-8",
        "TZ": "UTC",  # as in Lambda
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "STATE_DIR": str(state / "state"),
        "S3_DATA_DIR": str(state / "s3"),
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(ASYNC_RETRY_BASE_SECONDS),
        # unused listeners and helpers; the last prevents access to the user's containers
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state}/no-docker.sock",
        **settings,
    }


def _uses_tls(settings: Mapping[str, str]) -> bool:
    return settings.get("USE_SSL", "").lower() in {"1", "true", "yes"}  # the values that MiniStack accepts


def _tls_settings(created: certificate.Certificate) -> dict[str, str]:
    """Return the settings for serving with a certificate, which the emulator's functions trust too."""
    return {
        "MINISTACK_SSL_CERT": str(created.certificate),
        "MINISTACK_SSL_KEY": str(created.key),
        "AWS_CA_BUNDLE": str(created.certificate),
    }


def free_port() -> int:
    """Return a port of the loopback interface that is not in use at this moment.

    It is below the ephemeral ports, from which the system takes the port of each outgoing connection: an ephemeral port
    could be in use again before the emulator listens on it.
    """
    while True:
        with suppress(EmulatorError):
            return _unused(random.choice(NON_EPHEMERAL_PORTS))  # noqa: S311  nothing secret


def tail(log: Path, lines: int) -> str:
    """Return the last lines of a log file; an empty text if the file does not exist."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _unused(port: int) -> int:
    with socket.socket() as probe:
        # a socket in TIME_WAIT does not count as in use
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise EmulatorError(
                f"the emulator cannot listen on port {port} of {HOST}: {error}. Choose a port from 1024 to 65535, "
                f"or none for a free one; `lsof -i :{port}` shows who has this one"
            ) from error
    return port


def _spawn(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        try:
            return subprocess.Popen(  # noqa: S603  our own command, no shell
                command,
                env=environment,
                cwd=environment["TMPDIR"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # only the parent gets Ctrl-C, and then stops it
            )
        except OSError as error:
            raise EmulatorError(
                f"the embedded emulator could not be started: {error}. "
                f"Remove {Path(command[0]).parents[1]}; it is made again"
            ) from error


def _wait_until_ready(
    process: subprocess.Popen[bytes],
    endpoint: str,
    *,
    nonce: str,
    log: Path,
    timeout: float,
    ca_bundle: Path | None = None,
) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise EmulatorError(
                f"the embedded emulator ended at once with exit code {process.returncode}; "
                f"the end of its log:\n{tail(log, 30)}"
            )
        # the nonce distinguishes it from another program that bound the same free port in the meantime
        if (get_json(f"{endpoint}/_localstack/health", ca_bundle) or {}).get("edition") == nonce:
            return
        time.sleep(POLL_INTERVAL)
    raise EmulatorError(
        f"the embedded emulator did not answer at {endpoint} within {timeout:g} s; the end of its log:\n{tail(log, 30)}"
    )


def _check_not_exposed(port: int) -> None:
    if exposed := [address for address in _other_addresses() if _accepts_connections(address, port)]:
        raise EmulatorError(
            f"port {port} answers on {', '.join(exposed)} too, but the emulator must be reachable on {HOST} alone, "
            "since it runs whatever code is uploaded to it; it was stopped. If another program listens there, "
            "choose another port"
        )


def _other_addresses() -> set[str]:
    """Return addresses of this machine on which a listener on all interfaces would accept connections."""
    addresses = {"127.0.0.2"} if sys.platform == "linux" else set()
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only selects the source address of such a packet
        addresses.add(probe.getsockname()[0])
    return addresses - {HOST, "0.0.0.0"}  # noqa: S104  nothing is bound here


def _accepts_connections(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and the functions that it runs: they are one group, and have no state to save."""
    with suppress(ProcessLookupError, PermissionError):  # the whole group has ended already
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
