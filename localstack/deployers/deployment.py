"""Deploys the Pulumi program to an emulator and takes it away again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from localstack.errors import DeploymentError

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

PROGRAM = Path(__file__).parents[2] / "tap_stack.py"

ENGINES = ("in-process", "pulumi")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A resource that was just created: its type and name in the program, and the seconds that it took."""

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
    """A deployed stack: its outputs, its resources in the order of their creation, and the seconds that it took."""

    outputs: dict[str, str]
    resources: tuple[Resource, ...]
    seconds: float
    _destroy: Callable[[], None] = field(repr=False)

    def destroy(self) -> None:
        """Delete everything, newest first, and make sure that it is gone. Doing it twice is allowed.

        Raises:
            DeploymentError: something is protected (nothing was deleted then), could not be deleted, or is still there.
        """
        self._destroy()


def deploy(
    emulator: Emulator,
    *,
    engine: str = "in-process",
    stack: str = "localstack",
    config_overrides: Mapping[str, str] = MappingProxyType({}),
    program: Path = PROGRAM,
    on_resource: Callable[[Progress], None] | None = None,
    install_pulumi: bool = False,
) -> Deployment:
    """Deploy `program` with the configuration of `stack`, which lies beside it, and with `config_overrides` on top.

    Keys of `config_overrides` may leave out the project's name. `on_resource` hears of each resource once it is there,
    of one at a time. `install_pulumi` downloads the CLI that the engine "pulumi" otherwise expects on the path.

    Raises:
        DeploymentError: the configuration, the program, or one or more resources failed. Nothing that was created
            stays behind.
    """
    if engine not in ENGINES:
        raise DeploymentError(f"there is no engine {engine!r}: choose one of {', '.join(ENGINES)}")
    heard = on_resource or (lambda _progress: None)
    # importing Pulumi takes most of a second, and only these need it
    if engine == "pulumi":
        from localstack.deployers import pulumi_deployer  # noqa: PLC0415

        return pulumi_deployer.deploy(
            emulator,
            stack=stack,
            config_overrides=config_overrides,
            program=program,
            on_resource=heard,
            install_pulumi=install_pulumi,
        )
    from localstack.deployers import in_process  # noqa: PLC0415

    return in_process.deploy(
        emulator, stack=stack, config_overrides=config_overrides, program=program, on_resource=heard
    )


def texts(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the outputs of a program as texts: what is none already, as JSON.

    Raises:
        DeploymentError: an output has no value.
    """
    if missing := sorted(name for name, value in outputs.items() if value is None):
        raise DeploymentError(f"the program exports {', '.join(missing)} without a value")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in outputs.items()}
