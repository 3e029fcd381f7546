"""The interface of all resource handlers: what they get, what they return, and how resources are removed."""

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
"""Returns a context manager that is entered when a phase of a deployment begins, in any thread, and left at its end.

* program: the program runs, until it has registered all resources.
* packaging: files become an archive.
* waiting: a resource was requested and does not exist yet.
"""


def unobserved(_phase: str) -> AbstractContextManager[object]:
    """Ignore the phase."""
    return nullcontext()


class ClientFactory(Protocol):
    """The part of an emulator that handlers use."""

    def client(self, service: str, *, region: str | None = None) -> Client:
        """Return the boto3 client of a service."""


@dataclass(frozen=True, kw_only=True)
class Aws:
    """The account of the resources. `folder` is the program's, to which relative paths in its archives refer."""

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

    def wait_until(self, name: str, get_state: Callable[[], str], expected: str) -> None:
        """Poll until `get_state` returns `expected`.

        Raises:
            HarnessError: it did not within `ACTIVE_TIMEOUT`; the message has the last state.
        """
        deadline = self.clock() + ACTIVE_TIMEOUT
        with self.phases("waiting"):
            while (state := get_state()) != expected:
                if self.clock() > deadline:
                    raise HarnessError(f"{name} is {state!r} after {ACTIVE_TIMEOUT:g} s and not {expected!r}")
                self.sleep(POLL_INTERVAL)

    def physical_name(self, logical_name: str, name: str | None) -> str:
        """Return the given name, or one as Pulumi generates it: the logical name and seven random digits."""
        return name or f"{logical_name}-{self.token()}"


@dataclass(frozen=True, kw_only=True)
class Removal:
    """How to remove one object that was created at AWS.

    Attributes:
        delete: deletes the object; may raise the ClientError of an object that does not exist.
        exists: returns a true value while the object exists; None for a part of another object, deleted with it.
        unlock: removes what makes `delete` fail (data, deletion protection); only used to roll back failed deployments.
    """

    delete: Callable[[], object]
    exists: Callable[[], object] | None = None
    unlock: Callable[[], object] | None = None


RegisterRemoval = Callable[[Removal], None]
"""Called with the removal of an object as soon as it exists, so that it is removed even if the next step fails."""


@dataclass(frozen=True, kw_only=True)
class ResourceResult:
    """A created resource: its id, and the attributes that AWS returned, under Pulumi's names."""

    id: str
    state: dict[str, Any]


Create = Callable[[RegisterRemoval], ResourceResult]
"""Creates a resource; raises AWS's errors."""

ResourceHandler = Callable[[str, "Inputs", Aws], Create]
"""Reads all inputs of the named resource; returns the function that creates it. Only that function calls AWS."""


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags in the shape that most services require."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def non_empty(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that have a value; AWS's defaults apply to the others."""
    return {name: value for name, value in arguments.items() if value not in (None, {}, [])}
