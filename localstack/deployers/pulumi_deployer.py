"""Pulumi's own engine, through its Automation API: the same files as `pulumi up`, with a state that is thrown away.

It needs the Pulumi CLI, and the AWS plugin that the CLI downloads. The program runs with the interpreter that runs
this, and its folder is only read.
"""

from __future__ import annotations

import copy
import os
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from botocore.exceptions import ClientError
from pulumi import automation

from localstack.deployers import pulumi_cli, pulumi_project
from localstack.deployers.deployment import Deployment, Progress, Resource, texts
from localstack.deployers.pulumi_events import PROVIDERS, Change, Events, in_lines, name_in
from localstack.errors import DeploymentError

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

State: TypeAlias = dict[str, Any]
"""A resource as Pulumi's state has it: urn, type, id, inputs, outputs, protect and more."""


class Stack(Protocol):
    """What is used here of `pulumi.automation.Stack`."""

    def set_all_config(self, config: automation.ConfigMap, /) -> None:
        """Set configuration."""

    def remove_all_config(self, keys: list[str], /) -> None:
        """Take configuration away."""

    def preview(self, *, on_event: automation.OnEvent) -> object:
        """Plan an update."""

    def up(self, *, on_event: automation.OnEvent) -> object:
        """Update."""

    def destroy(self, *, on_event: automation.OnEvent) -> object:
        """Delete everything."""

    def outputs(self) -> automation.OutputMap:
        """Tell the program's exports."""

    def export_stack(self) -> automation.Deployment:
        """Show the state, secrets included."""

    def import_stack(self, state: automation.Deployment, /) -> None:
        """Replace the state."""


Automation: TypeAlias = Callable[[str, automation.LocalWorkspace], Stack]
"""Finds the stack of this name, or makes it."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an operation did, or a preview would do: each resource once, those created, and what was complained of."""

    changes: tuple[Change, ...]
    created: tuple[Resource, ...]
    complaints: tuple[str, ...]

    @property
    def changed(self) -> set[Change]:
        """All changes but those of what stays as it is."""
        return {change for change in self.changes if change.op != "same"}


class PulumiStack:
    """A stack on an emulator, with its state in a temporary folder, which `close` removes.

    All operations raise DeploymentError with what the engine says about a failure.

    Attributes:
        folder: holds Pulumi's files, and its state in `state`.
    """

    def __init__(
        self,
        emulator: Emulator,
        *,
        program: Path,
        stack: str = "localstack",
        install_pulumi: bool = False,
        find_cli: Callable[..., automation.PulumiCommand] = pulumi_cli.find,
        automation_api: Automation = automation.Stack.create_or_select,
    ) -> None:
        self._emulator = emulator
        self._name = stack
        self._automation_api = automation_api
        self._cli = find_cli(install=install_pulumi)
        self._passphrase = secrets.token_hex()
        self.folder = Path(tempfile.mkdtemp(prefix="tapstack-pulumi-"))
        # a deployment that nobody destroys goes with its emulator, and so does this, at the latest when Python ends
        self._remove_folder = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        try:
            (self.folder / "state").mkdir()
            pulumi_project.copy_stack_file(program.parent, stack, self.folder)
            self.run_from(program)
        except BaseException:
            self.close()
            raise

    def run_from(self, program: Path) -> None:
        """Take this program from now on; configuration and state stay what they are."""
        pulumi_project.write_project(program, self.folder)
        environment = pulumi_cli.environment(
            os.environ,
            aws=self._emulator.environment(),
            state=self.folder / "state",
            passphrase=self._passphrase,
        )
        workspace = automation.LocalWorkspace(
            work_dir=str(self.folder),
            secrets_provider="passphrase",
            pulumi_command=pulumi_cli.Cli(self._cli, environment),
        )
        with _explained(f"Pulumi could not make the stack {self._name!r}"):
            self._stack = self._automation_api(self._name, workspace)

    def configure(self, values: Mapping[str, str], *, secret: bool = False) -> None:
        """Set configuration, as `pulumi config set` does; keys may leave out the project's name."""
        if values:
            config = {key: automation.ConfigValue(value=value, secret=secret) for key, value in values.items()}
            with _explained("Pulumi could not set the configuration"):
                self._stack.set_all_config(config)

    def unconfigure(self, *keys: str) -> None:
        """Take configuration away again, as `pulumi config rm` does."""
        with _explained("Pulumi could not change the configuration"):
            self._stack.remove_all_config(list(keys))

    def preview(self) -> Outcome:
        """Plan an update, and do nothing."""
        return self._told("the preview", self._stack.preview)

    def up(self, on_resource: Callable[[Progress], None] = lambda _progress: None) -> Outcome:
        """Create, update, replace and delete until what is there is what the program says."""
        return self._told("the update", self._stack.up, on_resource)

    def destroy(self) -> Outcome:
        """Delete everything, as `pulumi destroy` does: what is protected fails, what is not may be gone by then."""
        outcome = self._told("destroying", self._stack.destroy)
        if remaining := [_called(each) for each in self.resources()]:
            raise DeploymentError(f"destroyed, but still there: {', '.join(remaining)}")
        return outcome

    def outputs(self) -> dict[str, str]:
        """Return what the program exports, secrets included."""
        with _explained("Pulumi could not tell the outputs"):
            found = self._stack.outputs()
        return texts({name: output.value for name, output in found.items()})

    def resources(self) -> list[State]:
        """Return what exists at AWS, as the state has it, secrets included, the oldest first."""
        return [each for each in self._state().get("resources", ()) if _is_at_aws(each)]

    def unlock(self) -> None:
        """Let `destroy` delete what is protected, by Pulumi or by AWS, and buckets with all their objects."""
        with _explained("Pulumi could not take away the protection"):
            exported = self._stack.export_stack()
            state = copy.deepcopy(dict(exported.deployment or {}))
            for each in state.get("resources", ()):
                each.pop("protect", None)
                for properties in (each.get("inputs", {}), each.get("outputs", {})):
                    if "forceDestroy" in properties:
                        properties["forceDestroy"] = True
            self._stack.import_stack(automation.Deployment(exported.version, state))
        for each in self.resources():
            if each.get("inputs", {}).get("deletionProtectionEnabled"):
                dynamodb = self._emulator.client("dynamodb", region=each["outputs"]["arn"].split(":")[3])
                with suppress(ClientError):  # deleting it says why
                    dynamodb.update_table(TableName=each["id"], DeletionProtectionEnabled=False)

    def close(self) -> None:
        """Remove the folder, and with it all that is known about the stack."""
        self._remove_folder()

    def _state(self) -> State:
        with _explained("Pulumi could not show its state"):
            return dict(self._stack.export_stack().deployment or {})

    def _told(
        self,
        what: str,
        operation: Callable[..., object],
        on_resource: Callable[[Progress], None] = lambda _progress: None,
    ) -> Outcome:
        events = Events(on_resource=on_resource)
        with _explained(f"{what} of the stack {self._name!r} failed", events):
            operation(on_event=events)
        events.check()
        return Outcome(
            changes=tuple(events.changes), created=tuple(events.created), complaints=tuple(events.complaints)
        )


def deploy(
    emulator: Emulator,
    *,
    stack: str,
    config_overrides: Mapping[str, str],
    program: Path,
    on_resource: Callable[[Progress], None],
    install_pulumi: bool = False,
    find_cli: Callable[..., automation.PulumiCommand] = pulumi_cli.find,
    automation_api: Automation = automation.Stack.create_or_select,
) -> Deployment:
    """Update a fresh stack; see `localstack.deployers.deployment.deploy`."""
    began = time.monotonic()
    if not program.is_file():
        raise DeploymentError(f"the program {program} does not exist")
    made = PulumiStack(
        emulator,
        program=program,
        stack=stack,
        install_pulumi=install_pulumi,
        find_cli=find_cli,
        automation_api=automation_api,
    )
    with _rolled_back_on_failure(made):
        made.configure(config_overrides)
        outcome = made.up(on_resource)
        outputs = made.outputs()
    return Deployment(
        outputs=outputs,
        resources=outcome.created,
        seconds=time.monotonic() - began,
        _destroy=_Destroyer(made),
    )


class _Destroyer:
    """Destroys a stack once, and only if all of it may go."""

    def __init__(self, stack: PulumiStack) -> None:
        self._stack = stack
        self._done = False

    def __call__(self) -> None:
        if self._done:
            return
        if protected := [_called(each) for each in self._stack.resources() if each.get("protect")]:
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
        aftermath = _roll_back(stack)
        if not isinstance(error, Exception):  # Ctrl-C, for example
            raise
        # not a chain: the SDK's error repeats all of this, with the tracebacks of the program
        raise DeploymentError(f"{error}\n{aftermath}") from (None if isinstance(error, DeploymentError) else error)


def _roll_back(stack: PulumiStack) -> str:
    """Destroy what a failed update left, protected or not; return a sentence about it."""
    try:
        if not (made := stack.resources()):
            return "nothing had been created"
        stack.unlock()
        stack.destroy()
    except DeploymentError as error:
        return f"what had been created could not all be destroyed again: {error}"
    finally:
        stack.close()
    return f"what had been created was destroyed again ({len(made)} resource{'s' if len(made) > 1 else ''})"


@contextmanager
def _explained(what: str, events: Events | None = None) -> Iterator[None]:
    """Say what the engine says, or else what the CLI wrote last."""
    try:
        yield
    except automation.CommandError as error:
        told = events.errors if events else ()
        # not a chain: its text repeats all of this, with the tracebacks of the program
        raise DeploymentError(f"{what}:\n{in_lines(told or (_last_words(error),))}") from None


def _last_words(error: automation.CommandError) -> str:
    """The standard error of the CLI; its standard output, or its exit status, if that is empty."""
    written, _, complaints = str(error).partition("\n stderr: ")
    return complaints.strip() or written.strip()


def _is_at_aws(resource: State) -> bool:
    return bool(resource.get("custom")) and not resource["type"].startswith(PROVIDERS)


def _called(resource: State) -> str:
    return f"{resource['type']} {name_in(resource['urn'])!r}"
