"""Runs the embedded emulator: MiniStack, as a child process that accepts connections only from this machine."""

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from localstack.emulators import certificate
from localstack.emulators.embedded_environment import ministack_version
from localstack.emulators.health import get_json
from localstack.errors import EmulatorError

HOST = "127.0.0.1"
"""Loopback address. Other machines must not reach the emulator, because it runs any uploaded code."""

ACCOUNT = "000000000000"
ACCESS_KEY = "test"
"""Value of both the access key and the secret key. Emulators accept any value; "test" is the convention."""
ASYNC_RETRY_BASE_SECONDS = 0.05
"""Delay before the first retry of an asynchronous invocation; doubled for the second retry. AWS waits 60 and 120 s."""

READY_TIMEOUT = 30.0
NON_EPHEMERAL_PORTS = range(20_000, 32_768)
"""Port numbers for servers, below the ephemeral ports of Linux, which start at 32768."""
POLL_INTERVAL = 0.02

_CHILD = Path(__file__).with_name("embedded_child.py")
_INHERITED = ("PATH", "LD_LIBRARY_PATH")
"""The only environment variables of the caller that the emulator inherits.

Some Python installations need LD_LIBRARY_PATH.
"""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running embedded emulator.

    Attributes:
        endpoint: URL of all services.
        pid: process ID.
        log: log file.
        exit_code: waits at most a number of seconds for the end of the emulator, and returns its exit code; None if it
            is still running.
        ca_bundle: certificate with which clients verify the emulator; None if it serves plain HTTP.
    """

    endpoint: str
    pid: int
    log: Path
    exit_code: Callable[[float], int | None]
    ca_bundle: Path | None = None

    @property
    def name(self) -> str:
        """Name and version of the emulator."""
        return f"MiniStack {ministack_version()}"

    def tail(self, lines: int) -> str:
        """Return the last lines of the emulator's log."""
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
    """Context manager that runs MiniStack, with its state in a temporary folder that is deleted on exit.

    Args:
        python: Python interpreter of the environment in which MiniStack is installed.
        port: local port of the emulator; None for a free one.
        region: default AWS region of the emulator.
        settings: additional environment variables; with ``USE_SSL=1`` the emulator serves only TLS.
        log: log file; None for a temporary file.
        module: Python module that is run as the emulator.

    Raises:
        EmulatorError: the port is in use, the emulator exited or did not respond in time (with the end of its log), or
            other machines can connect to it.
    """
    port = free_port() if port is None else unused(port)
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
        process = _spawn([str(python), "-P", "-u", str(_CHILD), str(os.getpid()), module], environment, log)
        try:
            _wait_until_ready(process, endpoint, nonce=nonce, log=log, timeout=READY_TIMEOUT, ca_bundle=ca_bundle)
            _check_not_exposed(port)
            exit_code = partial(_exit_code, process)
            yield Running(endpoint=endpoint, pid=process.pid, log=log, exit_code=exit_code, ca_bundle=ca_bundle)
        finally:
            _stop(process)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def child_environment(
    parent: Mapping[str, str], *, port: int, region: str, state: Path, settings: Mapping[str, str]
) -> dict[str, str]:
    """Return all environment variables of the emulator, without AWS profiles, endpoints and proxies of the caller.

    Args:
        parent: environment variables of the caller.
        port: local port of the emulator.
        region: default AWS region of the emulator.
        state: folder for the emulator's state and temporary files.
        settings: environment variables that take precedence.
    """
    return {
        **{name: parent[name] for name in _INHERITED if name in parent},
        "HOME": str(state),
        "TMPDIR": str(state),
        "LANG": "C.UTF-8",
        "TZ": "UTC",  # AWS Lambda also sets the time zone to UTC.
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "STATE_DIR": str(state / "state"),
        "S3_DATA_DIR": str(state / "s3"),
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(ASYNC_RETRY_BASE_SECONDS),
        # Disable MiniStack's SFTP and IoT servers, and prevent its access to the user's Docker containers.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state}/no-docker.sock",
        **settings,
    }


def _uses_tls(settings: Mapping[str, str]) -> bool:
    # MiniStack enables TLS if the environment variable USE_SSL is 1, true or yes.
    return settings.get("USE_SSL", "").lower() in {"1", "true", "yes"}


def _tls_settings(created: certificate.Certificate) -> dict[str, str]:
    """Return environment variables with which MiniStack uses a TLS certificate and its Lambda functions trust it."""
    return {
        "MINISTACK_SSL_CERT": str(created.certificate),
        "MINISTACK_SSL_KEY": str(created.key),
        "AWS_CA_BUNDLE": str(created.certificate),
    }


def free_port() -> int:
    """Return a local port that is not in use and is not an ephemeral port.

    An outgoing connection could use an ephemeral port before the emulator listens on it.
    """
    while True:
        with suppress(EmulatorError):
            return unused(random.choice(NON_EPHEMERAL_PORTS))  # noqa: S311  not a secret


def tail(log: Path, lines: int) -> str:
    """Return the end of a log file.

    Args:
        log: log file; the result is an empty string if it does not exist.
        lines: maximum number of lines.
    """
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def unused(port: int) -> int:
    """Return a port number if a server can listen on this port of 127.0.0.1.

    Raises:
        EmulatorError: the port is in use, or it is not a valid port. The message has the remedy.
    """
    with socket.socket() as probe:
        # With SO_REUSEADDR, a closed connection in the state TIME_WAIT does not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise EmulatorError(
                f"the emulator cannot listen on port {port} of {HOST}: {error}. Choose a port from 1024 to 65535, "
                f"or none for a free one; `lsof -i :{port}` shows the process that uses this one"
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
                start_new_session=True,  # Ctrl-C interrupts only this process, which then stops the emulator.
            )
        except OSError as error:
            raise EmulatorError(
                f"the embedded emulator could not be started: {error}. "
                f"Delete {Path(command[0]).parents[1]}; the next start creates it again"
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
                f"the embedded emulator exited at once with exit code {process.returncode}; "
                f"the end of its log:\n{tail(log, 30)}"
            )
        # The nonce distinguishes this emulator from another program that started to listen on the same port.
        if (get_json(f"{endpoint}/_localstack/health", ca_bundle) or {}).get("edition") == nonce:
            return
        time.sleep(POLL_INTERVAL)
    raise EmulatorError(
        f"the embedded emulator did not respond at {endpoint} within {timeout:g} s; the end of its log:\n"
        f"{tail(log, 30)}"
    )


def _check_not_exposed(port: int) -> None:
    if exposed := [address for address in _other_addresses() if _accepts_connections(address, port)]:
        raise EmulatorError(
            f"port {port} also accepts connections on {', '.join(exposed)}. The emulator was stopped, because it runs "
            f"any uploaded code and must be reachable only on {HOST}. If another program uses this port, "
            "choose another port"
        )


def _other_addresses() -> set[str]:
    """Return addresses of this machine other than 127.0.0.1, to check that the emulator does not listen on them."""
    addresses = {"127.0.0.2"} if sys.platform == "linux" else set()
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # Connecting a UDP socket sends nothing; it only selects the source address.
        addresses.add(probe.getsockname()[0])
    return addresses - {HOST, "0.0.0.0"}  # noqa: S104  no socket listens here


def _accepts_connections(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def _exit_code(process: subprocess.Popen[bytes], timeout: float) -> int | None:
    """Return the exit code of a process; None if it is still running after `timeout` seconds."""
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill the emulator and its Lambda functions, which are in the same process group."""
    with suppress(ProcessLookupError, PermissionError):  # All processes of the group may already have exited.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
