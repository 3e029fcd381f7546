"""The embedded emulator: MiniStack as a child process that only this machine can reach."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from localstack.emulators import certificate
from localstack.emulators.embedded_environment import ministack_version
from localstack.errors import EmulatorError

HOST = "127.0.0.1"
"""It runs whatever code is uploaded to it, so nobody else may reach it."""

ACCOUNT = "000000000000"
ACCESS_KEY = "test"
"""Key and secret alike: emulators take any, and these are the customary ones."""
ASYNC_RETRY_BASE_SECONDS = 0.05
"""Wait before the first retry of a failed asynchronous invocation, doubled before the second (AWS: 60 and 120 s)."""

READY_TIMEOUT = 30.0
POLL_INTERVAL = 0.02

_CHILD = Path(__file__).with_name("embedded_child.py")
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")
"""All that the emulator, and the functions it runs, see of the caller's environment; some Pythons need the second."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started emulator: where it answers, its process and the file it logs to.

    `ca_bundle` is the certificate by which to know it, where it answers over TLS.
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
        """Return the end of its log."""
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

    Its state lives in a temporary folder and goes with it, the log too unless `log` names a file for it. `settings` are
    more of its environment variables: with ``USE_SSL=1`` it answers over TLS only, by a certificate made for it.
    Without `port` a free one is taken.

    Raises:
        EmulatorError: the port is taken, or it ended or did not answer in time (with the end of its log), or others
            could reach it.
    """
    port = free_port() if port is None else _checked(port)
    state = Path(tempfile.mkdtemp(prefix="tapstack-emulator-"))
    log = log or state / "ministack.log"
    nonce = uuid.uuid4().hex
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        ca_bundle = None
        if _over_tls(settings):
            made = certificate.create(state, HOST)
            ca_bundle, settings = made.certificate, {**_known_by(made), **settings}
        environment = child_environment(
            os.environ, port=port, region=region, state=state, settings={"MINISTACK_EDITION": nonce, **settings}
        )
        endpoint = f"{'https' if ca_bundle else 'http'}://{HOST}:{port}"
        process = _spawn([str(python), "-P", "-u", str(_CHILD), module], environment, log)
        try:
            _wait_until_ready(process, endpoint, nonce=nonce, log=log, timeout=READY_TIMEOUT, ca_bundle=ca_bundle)
            _refuse_to_be_exposed(port)
            yield Running(endpoint=endpoint, pid=process.pid, log=log, ca_bundle=ca_bundle)
        finally:
            _stop(process)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def child_environment(
    parent: Mapping[str, str], *, port: int, region: str, state: Path, settings: Mapping[str, str]
) -> dict[str, str]:
    """Return the emulator's whole environment: AWS profiles, endpoints, proxies and the like of `parent` stay out."""
    return {
        **{name: parent[name] for name in _PASSED_ON if name in parent},
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
        # listeners and helpers that nobody here uses; the last keeps it from looking at the user's containers
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state}/no-docker.sock",
        **settings,
    }


def _over_tls(settings: Mapping[str, str]) -> bool:
    return settings.get("USE_SSL", "").lower() in {"1", "true", "yes"}  # as it reads it


def _known_by(made: certificate.Certificate) -> dict[str, str]:
    """Settings with which it answers by a certificate, and the functions that it runs can call it."""
    return {
        "MINISTACK_SSL_CERT": str(made.certificate),
        "MINISTACK_SSL_KEY": str(made.key),
        "AWS_CA_BUNDLE": str(made.certificate),
    }


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def tail(log: Path, lines: int) -> str:
    """Return the last lines of a log file; nothing if it is not there (yet, or any more)."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _checked(port: int) -> int:
    with socket.socket() as probe:
        # a socket that lingers after its owner has gone does not count
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
                start_new_session=True,  # Ctrl-C is for the parent, which then stops it
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
        # the nonce tells it from a stranger that took the same free port in the meantime
        if _edition(f"{endpoint}/_localstack/health", ca_bundle) == nonce:
            return
        time.sleep(POLL_INTERVAL)
    raise EmulatorError(
        f"the embedded emulator did not answer at {endpoint} within {timeout:g} s; the end of its log:\n{tail(log, 30)}"
    )


def _edition(health: str, ca_bundle: Path | None) -> str | None:
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # no proxy of the environment
    try:
        if ca_bundle:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_bundle)))
        direct = urllib.request.build_opener(*handlers)
        with direct.open(health, timeout=2) as answer:
            edition: object = json.load(answer).get("edition")
    except (OSError, ValueError):
        return None
    return edition if isinstance(edition, str) else None


def _refuse_to_be_exposed(port: int) -> None:
    if exposed := [address for address in _other_addresses() if _answers(address, port)]:
        raise EmulatorError(
            f"port {port} answers on {', '.join(exposed)} too, but the emulator must be reachable on {HOST} alone, "
            "since it runs whatever code is uploaded to it; it was stopped. If another program listens there, "
            "choose another port"
        )


def _other_addresses() -> set[str]:
    """Return addresses of this machine where a listener on every interface would answer."""
    addresses = {"127.0.0.2"} if sys.platform == "linux" else set()
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which address such a packet would leave from
        addresses.add(probe.getsockname()[0])
    return addresses - {HOST, "0.0.0.0"}  # noqa: S104  nothing is bound here


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and the functions that it runs: they are one group, and none of them has anything to save."""
    with suppress(ProcessLookupError, PermissionError):  # it has ended already, and nothing of its group is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
