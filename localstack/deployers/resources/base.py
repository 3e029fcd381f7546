"""What all resources have in common: what they may use to make themselves, and how they are undone."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from localstack.errors import HarnessError

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs
    from localstack.emulators.emulator import Client

ACTIVE_TIMEOUT = 60.0
"""Seconds for a table or a function to become usable; the slowest emulator needs about one."""
POLL_INTERVAL = 0.02


Phases = Callable[[str], AbstractContextManager[object]]
"""What is told of a phase of a deployment: it is entered when the phase begins, in any thread, and left when it ends.

* program: the program runs, until it has asked for everything.
* packaging: files become an archive.
* waiting: a resource was asked for and is not there yet.
"""


def unobserved(_phase: str) -> AbstractContextManager[object]:
    """Tell nobody."""
    return nullcontext()


class ClientFactory(Protocol):
    """Where clients come from: an emulator."""

    def client(self, service: str, *, region: str | None = None) -> Client:
        """Return the boto3 client of a service."""


@dataclass(frozen=True, kw_only=True)
class Aws:
    """The account that resources are made in. `folder` is the program's, where relative paths in its archives start."""

    clients: ClientFactory
    region: str
    partition: str
    dns_suffix: str
    folder: Path
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    token: Callable[[], str] = field(default=lambda: secrets.token_hex(4)[:7])
    phases: Phases = unobserved

    def client(self, service: str) -> Client:
        """Return the client of a service in this region."""
        return self.clients.client(service, region=self.region)

    def wait_until(self, what: str, state: Callable[[], str], wanted: str) -> None:
        """Poll until `state` returns `wanted`.

        Raises:
            HarnessError: it did not within `ACTIVE_TIMEOUT`; the message has the last state.
        """
        deadline = self.clock() + ACTIVE_TIMEOUT
        with self.phases("waiting"):
            while (seen := state()) != wanted:
                if self.clock() > deadline:
                    raise HarnessError(f"{what} is {seen!r} after {ACTIVE_TIMEOUT:g} s and not {wanted!r}")
                self.sleep(POLL_INTERVAL)

    def physical_name(self, logical_name: str, given: str | None) -> str:
        """Return the name that was given, or one as Pulumi makes it: the logical name and seven random digits."""
        return given or f"{logical_name}-{self.token()}"


@dataclass(frozen=True, kw_only=True)
class Removal:
    """How to undo one thing that was made.

    Attributes:
        delete: removes it; may raise a ClientError that says it is not there.
        exists: returns something true while it is there; None if it is a part of something else and cannot outlive it.
        unlock: takes away what would make `delete` fail (data, deletion protection); for half-made stacks only.
    """

    delete: Callable[[], object]
    exists: Callable[[], object] | None = None
    unlock: Callable[[], object] | None = None


Made = Callable[[Removal], None]
"""Told of a thing as soon as it exists, so that it can be undone even if what follows fails."""


@dataclass(frozen=True, kw_only=True)
class Created:
    """A finished resource: its id, and the attributes that AWS gave it, under Pulumi's names."""

    id: str
    state: dict[str, Any]


Create = Callable[[Made], Created]
"""Creates a resource; AWS's errors pass through."""

Planner = Callable[[str, "Inputs", Aws], Create]
"""Takes a resource's name and reads its inputs, all of them; returns what creates it, and only that calls AWS."""


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags in the shape that most services want."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def given(**arguments: Any) -> dict[str, Any]:
    """Return those arguments that have a value: AWS's defaults are not ours to repeat."""
    return {name: value for name, value in arguments.items() if value not in (None, {}, [])}
