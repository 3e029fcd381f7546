"""Deploys the Pulumi program to an emulator with the chosen deployer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from localstack.errors import DeploymentError

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment, Progress
    from localstack.emulators.emulator import Emulator

PROGRAM = Path(__file__).parents[2] / "tap_stack.py"

DEPLOYERS = ("in-process", "pulumi")


def deploy(
    emulator: Emulator,
    *,
    deployer: str = "in-process",
    stack: str = "localstack",
    config_overrides: Mapping[str, str] = MappingProxyType({}),
    program: Path = PROGRAM,
    on_resource: Callable[[Progress], None] = lambda _progress: None,
    install_pulumi: bool = False,
) -> Deployment:
    """Deploy a program to an emulator.

    Args:
        emulator: running emulator.
        deployer: "in-process" (boto3) or "pulumi" (Pulumi CLI).
        stack: name of the Pulumi stack. Its configuration file is in the folder of the program.
        config_overrides: configuration that takes precedence; its keys may omit the project's name.
        program: file of the Pulumi program.
        on_resource: called after the creation of each resource, by one thread at a time.
        install_pulumi: whether the deployer "pulumi" downloads the Pulumi CLI instead of searching it on the PATH.

    Raises:
        DeploymentError: the configuration is invalid, the program failed, or resources could not be created. All
            created resources are destroyed first.
    """
    # Each deployer is imported only when it is used, because importing Pulumi takes almost a second.
    match deployer:
        case "pulumi":
            from localstack.deployers import pulumi_deployer  # noqa: PLC0415

            return pulumi_deployer.deploy(
                emulator,
                stack=stack,
                config_overrides=config_overrides,
                program=program,
                on_resource=on_resource,
                install_pulumi=install_pulumi,
            )
        case "in-process":
            from localstack.deployers import in_process  # noqa: PLC0415

            return in_process.deploy(
                emulator, stack=stack, config_overrides=config_overrides, program=program, on_resource=on_resource
            )
        case _:
            raise DeploymentError(f"there is no deployer {deployer!r}: choose one of {', '.join(DEPLOYERS)}")
