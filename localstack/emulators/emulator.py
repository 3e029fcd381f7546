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

import boto3
import botocore.session
from botocore.config import Config

from localstack.emulators import embedded, embedded_environment
from localstack.emulators.embedded import ACCESS_KEY
from localstack.errors import EmulatorError

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


class Emulator:
    """A running AWS emulator.

    Attributes:
        kind: "embedded" or "container".
        name: product and version, for messages.
        endpoint: URL of all services.
        region: default region of its clients.
        reason: why this kind of emulator was chosen, and how to choose the other kind.
        ca_bundle: certificate with which clients verify the emulator; None if it serves plain HTTP.
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
        """Return environment variables with which boto3, the AWS CLI and other AWS programs use this emulator."""
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
        EmulatorError: the emulator cannot be started. The message has the remedy.
    """
    choice = choose(kind)
    running: AbstractContextManager[_Started]
    if choice.kind == "container":
        from localstack.emulators import container  # noqa: PLC0415  the import takes 0.5 s

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
