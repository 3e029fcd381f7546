"""Starts an AWS emulator and provides clients for it."""

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

import boto3
import botocore.session
from botocore.config import Config

from localstack.emulators import embedded, embedded_environment
from localstack.emulators.embedded import ACCESS_KEY
from localstack.errors import EmulatorError

Client: TypeAlias = Any
"""A boto3 client. boto3 creates their classes at run time, so there is no type for them."""

Session: TypeAlias = Any
"""A boto3 session. Its type stubs would accept only services that are named literally."""

DEFAULT_REGION = "us-east-1"

KINDS = ("auto", "embedded", "container")
ENFORCING = MappingProxyType({"AUTH": "true", "USE_SSL": "1"})
"""Settings with which the embedded emulator enforces roles, bucket policies and CORS. They include TLS, since the
stack's policies deny all requests without it."""
READ_TIMEOUT = 60
"""Seconds; a synchronous invocation that starts a function takes the longest."""


class Emulator:
    """A running emulator.

    Attributes:
        kind: "embedded" or "container".
        name: product and version, for messages.
        endpoint: the URL of all its services.
        region: the region of its clients.
        reason: a sentence on why this one was chosen and how to get the other.
        ca_bundle: the certificate that clients verify it with, if it serves over TLS.
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
        ca_bundle: Path | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.endpoint = endpoint
        self.region = region
        self.reason = reason
        self.ca_bundle = ca_bundle
        self._logs = logs
        self._clients: dict[tuple[str, str], Client] = {}
        self._lock = threading.Lock()

    @cached_property
    def _session(self) -> Session:
        return _isolated_session()

    def client(self, service: str, *, region: str | None = None) -> Client:
        """Return the boto3 client of a service: path-style, dummy credentials, one attempt. Thread-safe."""
        key = (service, region or self.region)
        with self._lock:  # creating a client is not thread-safe, using it is
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
        """Return the variables to export so that boto3, the AWS CLI or any other AWS program uses this emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **({"AWS_CA_BUNDLE": str(self.ca_bundle)} if self.ca_bundle else {}),
        }

    def logs(self, lines: int = 50) -> str:
        """Return the last lines of the emulator's log."""
        return self._logs(lines)

    def __str__(self) -> str:
        return f"{self.kind} ({self.name}) at {self.endpoint}"


@dataclass(frozen=True)
class Choice:
    """The kind of emulator to start, and a sentence on why this one."""

    kind: str
    reason: str


def choose(kind: str = "auto") -> Choice:
    """Return the emulator that `start` would start.

    Raises:
        EmulatorError: there is no such emulator, or it cannot run here, with the remedy.
    """
    if kind not in KINDS:
        raise EmulatorError(f"there is no emulator {kind!r}: choose one of {', '.join(KINDS)}")
    if kind == "embedded":
        return Choice("embedded", "it was asked for")
    from localstack.emulators import container  # noqa: PLC0415  Docker's client takes half a second, and only this needs it

    # an image is only pulled if the container was requested by name: it has a gigabyte
    problem = container.problem(may_pull=kind == "container")
    if kind == "container":
        if problem:
            raise EmulatorError(problem)
        return Choice("container", f"it was asked for, with the image {container.image()}")
    if problem:
        return Choice("embedded", f"no container can be started: {problem}")
    reason = f"Docker answers and has the image {container.image()}; `--emulator embedded` takes the one without Docker"
    return Choice("container", reason)


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
    """Run an emulator until the block is left.

    Args:
        kind: one of `KINDS`. An emulator that is requested by name is started or fails; `auto` starts an available one.
        port: the port of the endpoint; by default a free one.
        region: the default region of its clients.
        settings: environment variables of the emulator: with `ENFORCING` the embedded one enforces policies.
        log: the file of its log; by default a temporary file.
        report: called with a sentence before each step that takes long.

    Raises:
        EmulatorError: what is missing or wrong, and the remedy.
    """
    choice = choose(kind)
    running: AbstractContextManager[_Started]
    if choice.kind == "container":
        from localstack.emulators import container  # noqa: PLC0415  as above

        running = container.running(port=port, region=region, settings=settings, log=log, report=report)
    else:
        python = embedded_environment.ensure(report)
        running = embedded.running(python, port=port, region=region, settings=settings, log=log)
    with running as started:
        yield Emulator(
            kind=choice.kind,
            name=started.name,
            endpoint=started.endpoint,
            region=region,
            reason=choice.reason,
            logs=started.tail,
            ca_bundle=started.ca_bundle,
        )


class _Started(Protocol):
    """The interface of a started emulator of either kind."""

    @property
    def name(self) -> str:
        """Product and version."""

    @property
    def endpoint(self) -> str:
        """The URL of all its services."""

    @property
    def ca_bundle(self) -> Path | None:
        """The certificate that clients verify it with, if it serves over TLS."""

    def tail(self, lines: int) -> str:
        """Return the last lines of its log."""


_CLIENT_CONFIG = Config(
    s3={"addressing_style": "path"},
    proxies={},  # an empty dictionary, unlike None, keeps the environment's proxies out
    retries={"mode": "standard", "total_max_attempts": 1},  # no retry hides a failure of a local emulator
    read_timeout=READ_TIMEOUT,
    max_pool_connections=32,
)


def _isolated_session() -> Session:
    """Return a session that reads neither the shell's AWS variables nor the user's ~/.aws."""
    variables = {
        name: (in_file, None, default, convert)
        for name, (in_file, _variable, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    variables["config_file"] = variables["credentials_file"] = (None, None, os.devnull, None)
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))
