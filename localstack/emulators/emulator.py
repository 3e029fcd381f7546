"""Starts an AWS emulator and creates boto3 clients for it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from localstack.emulators import embedded, embedded_environment
from localstack.emulators.embedded import ACCESS_KEY
from localstack.errors import EmulatorError, HarnessError

Client: TypeAlias = Any
"""A boto3 client. It has no static type, because boto3 creates the classes of clients at run time."""

Session: TypeAlias = Any
"""A boto3 session. It has no static type, because boto3's type stubs accept only string literals as service names."""

DEFAULT_REGION = "us-east-1"

KINDS = ("auto", "embedded", "container")
ENFORCING = MappingProxyType({"AUTH": "true", "USE_SSL": "1"})
"""Settings with which the embedded emulator enforces IAM roles, bucket policies and CORS.

They enable TLS, because the policies of the stack deny requests without TLS.
"""
READ_TIMEOUT = 60
"""Maximum seconds to wait for a response of the emulator. Synchronous Lambda invocations take the longest."""
EXIT_TIMEOUT = 1.0
"""Seconds to wait for the end of the emulator after a request to it failed."""
LOG_LINES = 30
"""Lines of the log in the message about an emulator that exited."""


class Emulator:
    """A running AWS emulator.

    Attributes:
        kind: "embedded" or "container".
        name: product and version, for messages.
        endpoint: URL of all services.
        region: default region of its clients.
        reason: why this kind of emulator was chosen, and how to choose the other kind.
        ca_bundle: certificate with which clients verify the emulator; None if it serves plain HTTP.

    Args:
        logs: returns the last lines of the emulator's log.
        exit_code: waits at most a number of seconds for the end of the emulator, and returns its exit code; None if it
            is still running.
    """

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        endpoint: str,
        region: str,
        reason: str,
        logs: Callable[[int], str],
        exit_code: Callable[[float], int | None] = lambda _timeout: None,
        ca_bundle: Path | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.endpoint = endpoint
        self.region = region
        self.reason = reason
        self.ca_bundle = ca_bundle
        self._logs = logs
        self._exit_code = exit_code
        self._clients: dict[tuple[str, str], Client] = {}
        self._lock = threading.Lock()

    @cached_property
    def _session(self) -> Session:
        return _isolated_session()

    def client(self, service: str, *, region: str | None = None) -> Client:
        """Return a boto3 client for the emulator. It has dummy credentials and does not retry. Thread-safe.

        Args:
            service: boto3's name of the AWS service, such as "s3".
            region: AWS region; None for the default region of the emulator.
        """
        key = (service, region or self.region)
        with self._lock:  # Threads may share a boto3 client, but must not create clients at the same time.
            if key not in self._clients:
                self._clients[key] = self._session.client(
                    service,
                    region_name=key[1],
                    endpoint_url=self.endpoint,
                    verify=str(self.ca_bundle) if self.ca_bundle else None,
                    aws_access_key_id=ACCESS_KEY,
                    aws_secret_access_key=ACCESS_KEY,
                    config=_CLIENT_CONFIG,
                )
            return self._clients[key]

    def environment(self) -> dict[str, str]:
        """Return environment variables with which boto3, the AWS CLI and other AWS programs use this emulator.

        Requests to the emulator use no proxy. Other hosts that the user excludes from the proxy stay excluded.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **({"AWS_CA_BUNDLE": str(self.ca_bundle)} if self.ca_bundle else {}),
            **_no_proxy(str(urlsplit(self.endpoint).hostname)),
        }

    def check(self, timeout: float = 0.0) -> None:
        """Check that the emulator is running.

        Args:
            timeout: seconds to wait for its end. After a failed request, a process may take a moment to exit.

        Raises:
            EmulatorError: the emulator exited.
        """
        code = self._exit_code(timeout)
        if code is not None:
            raise EmulatorError(
                f"the emulator {self.name} exited with exit code {code} while it was in use, and its data is lost. Run "
                f"the command again. The end of its log:\n{self.logs(LOG_LINES)}"
            )

    def logs(self, lines: int = 50) -> str:
        """Return the last lines of the emulator's log."""
        return self._logs(lines)

    def __str__(self) -> str:
        return f"{self.kind} ({self.name}) at {self.endpoint}"


@dataclass(frozen=True)
class Choice:
    """The kind of emulator to start ("embedded" or "container"), and the reason for the choice."""

    kind: str
    reason: str


def choose(kind: str = "auto") -> Choice:
    """Return the kind of emulator that `start` would start.

    Args:
        kind: "embedded", "container", or "auto" for the container if it can be started, otherwise the embedded one.

    Raises:
        EmulatorError: the kind is invalid, or this machine cannot run it. The message has the remedy.
    """
    if kind not in KINDS:
        raise EmulatorError(f"there is no emulator {kind!r}: choose one of {', '.join(KINDS)}")
    if kind == "embedded":
        return Choice("embedded", "this kind of emulator was requested")
    from localstack.emulators import container  # noqa: PLC0415  the import takes 0.5 s, and only containers need it

    # Pull the Docker image, which has 1 GB, only for the kind "container", not for "auto".
    problem = container.problem(may_pull=kind == "container")
    if kind == "container":
        if problem:
            raise EmulatorError(problem)
        return Choice("container", f"this kind of emulator was requested, with the image {container.image()}")
    if problem:
        return Choice("embedded", f"no container can be started: {problem}")
    reason = f"Docker has the image {container.image()}; to use the emulator without Docker, add `--emulator embedded`"
    return Choice("container", reason)


def _no_proxy(host: str) -> dict[str, str]:
    """Return the variables that exclude a host from the proxy, in addition to the hosts that the user excludes.

    Programs read the name in upper case, in lower case, or prefer one of them.
    """
    excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if excluded.strip() != "*":  # The asterisk excludes all hosts, but only if it is alone.
        excluded = ",".join(dict.fromkeys([host, *filter(None, excluded.split(","))]))
    return {"NO_PROXY": excluded, "no_proxy": excluded}


def _to_standard_error(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


@contextmanager
def start(
    kind: str = "auto",
    *,
    port: int | None = None,
    region: str = DEFAULT_REGION,
    settings: Mapping[str, str] = MappingProxyType({}),
    log: Path | None = None,
    report: Callable[[str], None] = _to_standard_error,
) -> Iterator[Emulator]:
    """Context manager that runs an AWS emulator.

    Args:
        kind: "embedded", "container", or "auto" for the container if it can be started, otherwise the embedded one.
        port: local port of the emulator; None for a free one.
        region: default AWS region of its clients.
        settings: environment variables of the emulator; with `ENFORCING` the embedded one enforces policies.
        log: log file; None for a temporary file.
        report: called with a message before each slow step; by default the message is written to stderr.

    Raises:
        EmulatorError: the emulator cannot be started, or it exited while it was in use, which explains the exception of
            a failed request. The message has the remedy.
    """
    if port is not None:
        embedded.unused(port)  # before the installation of the emulator or the download of its image
    choice = choose(kind)
    running: AbstractContextManager[_Started]
    if choice.kind == "container":
        from localstack.emulators import container  # noqa: PLC0415  the import takes 0.5 s

        running = container.running(port=port, region=region, settings=settings, log=log, report=report)
    else:
        python = embedded_environment.ensure(report)
        running = embedded.running(python, port=port, region=region, settings=settings, log=log)
    with running as started:
        emulator = Emulator(
            kind=choice.kind,
            name=started.name,
            endpoint=started.endpoint,
            region=region,
            reason=choice.reason,
            logs=started.tail,
            exit_code=started.exit_code,
            ca_bundle=started.ca_bundle,
        )
        try:
            yield emulator
        except (BotoCoreError, ClientError, HarnessError):
            emulator.check(EXIT_TIMEOUT)
            raise


class _Started(Protocol):
    """Interface of a running emulator, embedded or in a container."""

    @property
    def name(self) -> str:
        """Name and version of the emulator."""

    @property
    def endpoint(self) -> str:
        """URL of all services of the emulator."""

    @property
    def ca_bundle(self) -> Path | None:
        """Certificate with which clients verify the emulator; None if it serves plain HTTP."""

    @property
    def exit_code(self) -> Callable[[float], int | None]:
        """Function that waits for the end of the emulator, as in `Emulator`."""

    def tail(self, lines: int) -> str:
        """Return the last lines of the emulator's log."""


_CLIENT_CONFIG = Config(
    s3={"addressing_style": "path"},
    proxies={},  # An empty dictionary disables proxies, whereas None would use those of the environment.
    retries={"mode": "standard", "total_max_attempts": 1},  # A retry could hide a failure of the emulator.
    read_timeout=READ_TIMEOUT,
    max_pool_connections=32,
)


def _isolated_session() -> Session:
    """Return a boto3 session that ignores the AWS_* environment variables and the user's files in ~/.aws."""
    variables = {
        name: (in_file, None, default, convert)
        for name, (in_file, _variable, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    variables["config_file"] = variables["credentials_file"] = (None, None, os.devnull, None)
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))
