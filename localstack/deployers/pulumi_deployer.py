"""Deploys to an emulator with the Pulumi CLI. If the deployment fails, the created resources are destroyed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi import automation

from localstack.deployers import pulumi_cli
from localstack.deployers.deployment import Deployment, Progress
from localstack.deployers.pulumi_stack import PulumiStack, SelectStack, label
from localstack.errors import DeploymentError

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator


def deploy(
    emulator: Emulator,
    *,
    stack: str,
    config_overrides: Mapping[str, str],
    program: Path,
    on_resource: Callable[[Progress], None],
    install_pulumi: bool = False,
    find_cli: Callable[..., automation.PulumiCommand] = pulumi_cli.find,
    select_stack: SelectStack = automation.Stack.create_or_select,
) -> Deployment:
    """Deploy a Pulumi program as a new stack with the Pulumi CLI.

    Args:
        emulator: running emulator.
        stack: name of the Pulumi stack.
        config_overrides: configuration that takes precedence; its keys may omit the project's name.
        program: file of the Pulumi program.
        on_resource: called after the creation of each resource, by one thread at a time.
        install_pulumi: whether to download the Pulumi CLI instead of searching it on the PATH.
        find_cli: returns the Pulumi CLI.
        select_stack: creates the stack.
    """
    began = time.monotonic()
    if not program.is_file():
        raise DeploymentError(f"the program {program} does not exist")
    pulumi_stack = PulumiStack(
        emulator,
        program=program,
        stack=stack,
        install_pulumi=install_pulumi,
        find_cli=find_cli,
        select_stack=select_stack,
    )
    with _rolled_back_on_failure(pulumi_stack):
        pulumi_stack.configure(config_overrides)
        outcome = pulumi_stack.up(on_resource)
        outputs = pulumi_stack.outputs()
    return Deployment(
        outputs=outputs,
        resources=outcome.created,
        seconds=time.monotonic() - began,
        _destroy=_Destroyer(pulumi_stack),
    )


class _Destroyer:
    """Destroys a Pulumi stack if none of its resources is protected. Another call after success does nothing."""

    def __init__(self, stack: PulumiStack) -> None:
        self._stack = stack
        self._done = False

    def __call__(self) -> None:
        if self._done:
            return
        if protected := [label(each) for each in self._stack.resources() if each.get("protect")]:
            raise DeploymentError(
                f"nothing was destroyed, because of protected resources: {', '.join(protected)}. "
                "Deploy without protection (TapStack: protectData false), or stop the emulator to delete its data"
            )
        self._stack.destroy()
        self._stack.close()
        self._done = True


@contextmanager
def _rolled_back_on_failure(stack: PulumiStack) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        rollback = _roll_back(stack)
        if not isinstance(error, Exception):  # Only an Exception, not a KeyboardInterrupt, becomes a DeploymentError.
            raise
        # Do not chain a DeploymentError, because the message of the new DeploymentError contains its message.
        raise DeploymentError(f"{error}\n{rollback}") from (None if isinstance(error, DeploymentError) else error)


def _roll_back(stack: PulumiStack) -> str:
    """Destroy all resources of a failed deployment, even protected ones, and return a message about the result."""
    try:
        if not (created := stack.resources()):
            return "no resource had been created"
        stack.unlock()
        stack.destroy()
    except DeploymentError as error:
        return f"not all created resources could be destroyed: {error}"
    finally:
        stack.close()
    return f"the created resources were destroyed ({len(created)} resource{'s' if len(created) > 1 else ''})"
