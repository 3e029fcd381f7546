"""The deployer that runs the Pulumi CLI: updates a fresh stack, and destroys what a failed update created."""

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
    """Update a fresh stack; see `localstack.deployers.deploy.deploy`."""
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
    """Destroys a stack once, and only if none of its resources is protected."""

    def __init__(self, stack: PulumiStack) -> None:
        self._stack = stack
        self._done = False

    def __call__(self) -> None:
        if self._done:
            return
        if protected := [label(each) for each in self._stack.resources() if each.get("protect")]:
            raise DeploymentError(
                f"nothing was destroyed, because of protected resources: {', '.join(protected)}. "
                "Deploy without protection (in TapStack: protectData false), or end the emulator with all its data"
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
        if not isinstance(error, Exception):  # Ctrl-C, for example
            raise
        # not a chain: the SDK's error repeats all of this, with the tracebacks of the program
        raise DeploymentError(f"{error}\n{rollback}") from (None if isinstance(error, DeploymentError) else error)


def _roll_back(stack: PulumiStack) -> str:
    """Destroy all resources of a failed update, protected or not; return a sentence about the result."""
    try:
        if not (created := stack.resources()):
            return "nothing had been created"
        stack.unlock()
        stack.destroy()
    except DeploymentError as error:
        return f"what had been created could not all be destroyed again: {error}"
    finally:
        stack.close()
    return f"what had been created was destroyed again ({len(created)} resource{'s' if len(created) > 1 else ''})"
