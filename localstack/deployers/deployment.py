"""Data about a deployed Pulumi stack, in the same format for every deployer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localstack.errors import DeploymentError


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Notification about a created resource: type and name in the Pulumi program, and duration in seconds."""

    type: str
    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A created resource: type and name in the Pulumi program, and ID in AWS."""

    type: str
    name: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployed Pulumi stack.

    Attributes:
        outputs: exported values of the Pulumi program, by name.
        resources: created resources in the order of creation.
        seconds: duration of the deployment.
    """

    outputs: dict[str, str]
    resources: tuple[Resource, ...]
    seconds: float
    _destroy: Callable[[], None] = field(repr=False)

    def destroy(self) -> None:
        """Delete all resources, newest first, and wait until they no longer exist. A second call does nothing.

        Raises:
            DeploymentError: a resource is protected (then none was deleted), cannot be deleted, or still exists.
        """
        self._destroy()


def texts(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Convert the outputs of a Pulumi program to strings. Values other than strings become JSON.

    Raises:
        DeploymentError: an output has no value.
    """
    if missing := sorted(name for name, value in outputs.items() if value is None):
        raise DeploymentError(f"the program exports {', '.join(missing)} without a value")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in outputs.items()}
