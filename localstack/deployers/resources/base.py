"""Interface of the resource handlers, the functions that create AWS resources with boto3."""

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
"""Maximum seconds until a DynamoDB table or Lambda function becomes active. The slowest emulator needs about 1 s."""
POLL_INTERVAL = 0.02


Phases = Callable[[str], AbstractContextManager[object]]
"""Function that returns a context manager for a phase of the deployment, which any thread may enter.

* program: the Pulumi program runs and registers its resources.
* packaging: the files of a Lambda function are packed into a zip file.
* waiting: a resource was created, but is not ready for use.
"""


def unobserved(_phase: str) -> AbstractContextManager[object]:
    """Return a context manager that does nothing. It is used if phases of the deployment are not measured."""
    return nullcontext()


class ClientFactory(Protocol):
    """Interface of an object that creates boto3 clients for an emulator."""

    def client(self, service: str, *, region: str | None = None) -> Client:
        """Return the boto3 client of an AWS service."""


@dataclass(frozen=True, kw_only=True)
class Aws:
    """The AWS account and region of a deployment.

    Attributes:
        clients: creates boto3 clients.
        region: AWS region, such as "us-east-1".
        partition: AWS partition, such as "aws" or "aws-cn".
        dns_suffix: domain of AWS endpoints, such as "amazonaws.com".
        folder: folder of the Pulumi program. Relative paths in archives start there.
        clock: monotonic clock, in seconds.
        sleep: waits a number of seconds.
        token: returns the random suffix of a generated resource name.
        phases: returns a context manager for each phase of the deployment.
    """

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
        """Return the boto3 client of an AWS service in the region of the deployment."""
        return self.clients.client(service, region=self.region)

    def wait_until(self, name: str, get_state: Callable[[], str], expected: str) -> None:
        """Poll until a resource has the expected state.

        Args:
            name: name of the resource in the error message.
            get_state: returns the current state.
            expected: state that ends the wait.

        Raises:
            HarnessError: the resource has another state after `ACTIVE_TIMEOUT`.
        """
        deadline = self.clock() + ACTIVE_TIMEOUT
        with self.phases("waiting"):
            while (state := get_state()) != expected:
                if self.clock() > deadline:
                    raise HarnessError(f"{name} is {state!r} after {ACTIVE_TIMEOUT:g} s and not {expected!r}")
                self.sleep(POLL_INTERVAL)

    def physical_name(self, logical_name: str, name: str | None) -> str:
        """Return the name of a resource in AWS.

        Args:
            logical_name: name of the resource in the Pulumi program.
            name: configured name; None or an empty string for the logical name with a random suffix, as in Pulumi.
        """
        return name or f"{logical_name}-{self.token()}"


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Functions that remove one created AWS resource.

    Attributes:
        delete: deletes the resource; may raise a ClientError if the resource does not exist.
        exists: returns a true value while the resource exists; None for a part of another resource.
        unlock: deletes data and disables deletion protection, which would prevent the deletion. Only used to roll back
            a failed deployment.
    """

    delete: Callable[[], object]
    exists: Callable[[], object] | None = None
    unlock: Callable[[], object] | None = None


RegisterRemoval = Callable[[Removal], None]
"""Function that registers how to remove a resource.

It must be called as soon as the resource exists, so that the resource is removed even if the next step fails.
"""


@dataclass(frozen=True, kw_only=True)
class ResourceResult:
    """A created resource: its ID, and the attributes that AWS returned, by their names in Pulumi."""

    id: str
    state: dict[str, Any]


Create = Callable[[RegisterRemoval], ResourceResult]
"""Function that creates a resource in AWS; raises a ClientError if AWS rejects a request."""

ResourceHandler = Callable[[str, "Inputs", Aws], Create]
"""Function that reads all inputs of a resource and returns a second function, which creates the resource.

Its parameters are the name of the resource in the Pulumi program, the inputs, and the AWS account. Only the returned
function sends requests to AWS.
"""


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Convert a dictionary of tags to a list of `{"Key": …, "Value": …}`, the format of most AWS services."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def non_empty(**arguments: Any) -> dict[str, Any]:
    """Return the keyword arguments as a dictionary, without None, {} and [], so that AWS uses its defaults instead."""
    return {name: value for name, value in arguments.items() if value not in (None, {}, [])}
