"""A deployed stack as plain data, the same for every deployer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localstack.errors import DeploymentError


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A resource that was just created: its type and name in the program, and the duration in seconds."""

    type: str
    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource of a deployment: its type and name in the program, and the id that AWS knows it by."""

    type: str
    name: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployed stack: its outputs, its resources in the order of their creation, and the duration in seconds."""

    outputs: dict[str, str]
    resources: tuple[Resource, ...]
    seconds: float
    _destroy: Callable[[], None] = field(repr=False)

    def destroy(self) -> None:
        """Delete everything, newest first, and wait until it no longer exists. A second call does nothing.

        Raises:
            DeploymentError: a resource is protected (then nothing was deleted), could not be deleted, or still exists.
        """
        self._destroy()


def texts(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the outputs of a program as texts; values other than texts become JSON.

    Raises:
        DeploymentError: an output has no value.
    """
    if missing := sorted(name for name, value in outputs.items() if value is None):
        raise DeploymentError(f"the program exports {', '.join(missing)} without a value")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in outputs.items()}
