"""Starts an AWS to test against and hands out clients that talk to it and to nothing else."""

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
"""A boto3 client. boto3 makes their classes at run time, so no type says what they can do."""

Session: TypeAlias = Any
"""A boto3 session. Its type stubs would accept only services that are named literally."""

DEFAULT_REGION = "us-east-1"

KINDS = ("auto", "embedded", "container")
ENFORCING = MappingProxyType({"AUTH": "true", "USE_SSL": "1"})
"""Settings with which the embedded emulator enforces roles, bucket policies and CORS. TLS is a part of it: the stack's
policies refuse everything else."""
READ_TIMEOUT = 60
"""Seconds; a synchronous invocation that starts a function takes the longest."""


class Emulator:
    """A running emulator.

    Attributes:
        kind: "embedded" or "container".
        name: product and version, for people.
        endpoint: the URL at which all its services answer.
        region: the region of its clients.
        why: a sentence on why this one was chosen and how to get the other.
        ca_bundle: the certificate by which clients know it, where it answers over TLS.
    """

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        endpoint: str,
        region: str,
        why: str,
        logs: Callable[[int], str],
        ca_bundle: Path | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.endpoint = endpoint
        self.region = region
        self.why = why
        self.ca_bundle = ca_bundle
        self._logs = logs
        self._clients: dict[tuple[str, str], Client] = {}
        self._lock = threading.Lock()

    @cached_property
    def _session(self) -> Session:
        return _session_of_its_own()

    def client(self, service: str, *, region: str | None = None) -> Client:
        """Return the boto3 client of a service: path-style, dummy credentials, one attempt. For any thread."""
        key = (service, region or self.region)
        with self._lock:  # making a client is not thread-safe, using it is
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
        """Return what to export so that boto3, the AWS CLI or any other AWS program talks to this emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **({"AWS_CA_BUNDLE": str(self.ca_bundle)} if self.ca_bundle else {}),
        }

    def logs(self, lines: int = 50) -> str:
        """Return the end of the emulator's log."""
        return self._logs(lines)

    def __str__(self) -> str:
        return f"{self.kind} ({self.name}) at {self.endpoint}"


@dataclass(frozen=True)
class Choice:
    """Which kind of emulator will be started, and a sentence on why this one."""

    kind: str
    why: str


def choose(kind: str = "auto") -> Choice:
    """Say what `start` would take, without starting anything.

    Raises:
        EmulatorError: there is no such emulator, or it cannot be had here, and the remedy.
    """
    if kind not in KINDS:
        raise EmulatorError(f"there is no emulator {kind!r}: choose one of {', '.join(KINDS)}")
    if kind == "embedded":
        return Choice("embedded", "it was asked for")
    from localstack.emulators import container  # noqa: PLC0415  Docker's client takes half a second, and only this needs it

    # what nobody asked for by name is not pulled: that would be a gigabyte
    problem = container.problem(may_pull=kind == "container")
    if kind == "container":
        if problem:
            raise EmulatorError(problem)
        return Choice("container", f"it was asked for, with the image {container.image()}")
    if problem:
        return Choice("embedded", f"no container can be started: {problem}")
    why = f"Docker answers and has the image {container.image()}; `--emulator embedded` takes the one without Docker"
    return Choice("container", why)


@contextmanager
def start(
    kind: str = "auto",
    *,
    port: int | None = None,
    region: str = DEFAULT_REGION,
    settings: Mapping[str, str] = MappingProxyType({}),
    log: Path | None = None,
    report: Callable[[str], None] | None = None,
) -> Iterator[Emulator]:
    """Run an emulator until the block is left.

    `kind` is one of `KINDS`; one that is named is started or fails, `auto` takes what is there. Without `port` a free
    one is taken. `settings` are environment variables of the emulator's own: `ENFORCING` makes the embedded one enforce
    policies. `log` is where its log shall stay. `report` is told of anything that takes long; without it, standard
    error is.

    Raises:
        EmulatorError: what is missing or wrong, and the remedy.
    """
    choice = choose(kind)
    said = report or _to_standard_error
    running: AbstractContextManager[_Started]
    if choice.kind == "container":
        from localstack.emulators import container  # noqa: PLC0415  as above

        running = container.running(port=port, region=region, settings=settings, log=log, report=said)
    else:
        python = embedded_environment.ensure(said)
        running = embedded.running(python, port=port, region=region, settings=settings, log=log)
    with running as started:
        yield Emulator(
            kind=choice.kind,
            name=started.name,
            endpoint=started.endpoint,
            region=region,
            why=choice.why,
            logs=started.tail,
            ca_bundle=started.ca_bundle,
        )


class _Started(Protocol):
    """What emulators of both kinds tell."""

    @property
    def name(self) -> str:
        """Product and version."""

    @property
    def endpoint(self) -> str:
        """Where it answers."""

    @property
    def ca_bundle(self) -> Path | None:
        """The certificate by which clients know it, where it answers over TLS."""

    def tail(self, lines: int) -> str:
        """Return the end of its log."""


_CLIENT_CONFIG = Config(
    s3={"addressing_style": "path"},
    proxies={},  # an empty dictionary, unlike None, keeps the environment's proxies out
    retries={"mode": "standard", "total_max_attempts": 1},  # a local emulator that fails shall be seen to fail
    read_timeout=READ_TIMEOUT,
    max_pool_connections=32,
)


def _session_of_its_own() -> Session:
    """Return a session that reads neither the shell's AWS variables nor anybody's ~/.aws."""
    variables = {
        name: (in_file, None, default, convert)
        for name, (in_file, _variable, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    variables["config_file"] = variables["credentials_file"] = (None, None, os.devnull, None)
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))


def _to_standard_error(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
