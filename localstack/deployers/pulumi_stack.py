"""Manages a Pulumi stack on an emulator through Pulumi's Automation API, with a temporary state.

The stack uses the same program and configuration files as `pulumi up`. It requires the Pulumi CLI, which downloads the
AWS plugin. The Pulumi program runs with the current Python interpreter, and no file in its folder changes.
"""

from __future__ import annotations

import copy
import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError
from pulumi import automation

from localstack.deployers import pulumi_cli, pulumi_project
from localstack.deployers.deployment import Progress, Resource, texts
from localstack.deployers.pulumi_events import PROVIDERS, Change, EventRecorder, indented, name_in
from localstack.errors import DeploymentError

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

State: TypeAlias = dict[str, Any]
"""A resource in Pulumi's state, as a dictionary with the keys urn, type, id, inputs, outputs, protect and others."""


SelectStack: TypeAlias = Callable[[str, automation.LocalWorkspace], automation.Stack]
"""Function that returns the Pulumi stack with the given name in a workspace; creates the stack if it does not exist."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a Pulumi operation or preview: one change per resource, the created resources, and warnings."""

    changes: tuple[Change, ...]
    created: tuple[Resource, ...]
    warnings: tuple[str, ...]

    @property
    def changed(self) -> set[Change]:
        """Return the changes of resources that are not "same" (unchanged)."""
        return {change for change in self.changes if change.op != "same"}


class PulumiStack:
    """A Pulumi stack on an emulator, with its state in a temporary folder that `close` removes.

    If an operation fails, it raises a DeploymentError with the error messages of Pulumi's engine.

    Attributes:
        folder: temporary folder with Pulumi's files; its subfolder `state` contains the state.
    """

    def __init__(
        self,
        emulator: Emulator,
        *,
        program: Path,
        stack: str = "localstack",
        install_pulumi: bool = False,
        find_cli: Callable[..., automation.PulumiCommand] = pulumi_cli.find,
        select_stack: SelectStack = automation.Stack.create_or_select,
    ) -> None:
        self._emulator = emulator
        self._name = stack
        self._select_stack = select_stack
        self._cli = find_cli(install=install_pulumi)
        self._passphrase = secrets.token_hex()
        self.folder = Path(tempfile.mkdtemp(prefix="tapstack-pulumi-"))
        # The folder is also removed if this method fails and when Python exits, because the state is then useless.
        self._remove_folder = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "state").mkdir()
        pulumi_project.copy_stack_file(program.parent, stack, self.folder)
        self.run_from(program)

    def run_from(self, program: Path) -> None:
        """Use another Pulumi program for later operations of this stack. Configuration and state stay unchanged."""
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
        with _explained(f"Pulumi could not create the stack {self._name!r}"):
            self._stack = self._select_stack(self._name, workspace)

    def configure(self, values: Mapping[str, str], *, secret: bool = False) -> None:
        """Set configuration values of the stack, as `pulumi config set` does.

        Args:
            values: values by key; keys may omit the project's name.
            secret: whether to encrypt the values.
        """
        if values:
            config = {key: automation.ConfigValue(value=value, secret=secret) for key, value in values.items()}
            with _explained("Pulumi could not set the configuration"):
                self._stack.set_all_config(config)

    def unconfigure(self, *keys: str) -> None:
        """Remove configuration values of the stack, as `pulumi config rm` does."""
        with _explained("Pulumi could not change the configuration"):
            self._stack.remove_all_config(list(keys))

    def preview(self) -> Outcome:
        """Return the changes that `up` would apply to the resources of the stack, without applying them."""
        return self._run("the preview", self._stack.preview)

    def up(self, on_resource: Callable[[Progress], None] = lambda _progress: None) -> Outcome:
        """Create, update, replace and delete AWS resources so that they match the Pulumi program."""
        return self._run("the update", self._stack.up, on_resource)

    def destroy(self) -> Outcome:
        """Delete all resources, as `pulumi destroy` does.

        A protected resource causes a failure, possibly after other resources were deleted.
        """
        outcome = self._run("the destruction", self._stack.destroy)
        if remaining := [label(each) for each in self.resources()]:
            raise DeploymentError(f"the stack was destroyed, but these resources still exist: {', '.join(remaining)}")
        return outcome

    def outputs(self) -> dict[str, str]:
        """Return the exported values of the Pulumi program, including secrets in plain text."""
        with _explained("Pulumi could not read the outputs"):
            outputs = self._stack.outputs()
        return texts({name: output.value for name, output in outputs.items()})

    def resources(self) -> list[State]:
        """Return the AWS resources in Pulumi's state, oldest first. Secret values are included in plain text."""
        return [each for each in self._state().get("resources", ()) if _is_at_aws(each)]

    def unlock(self) -> None:
        """Allow `destroy` to delete protected resources, DynamoDB tables with deletion protection, and full buckets."""
        with _explained("Pulumi could not remove the deletion protection of the resources"):
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
                # Ignore the error here, because the later deletion of the table will fail with a clearer error.
                with suppress(ClientError):
                    dynamodb.update_table(TableName=each["id"], DeletionProtectionEnabled=False)

    def close(self) -> None:
        """Remove the temporary folder with the state of the Pulumi stack."""
        self._remove_folder()

    def _state(self) -> State:
        with _explained("Pulumi could not read its state"):
            return dict(self._stack.export_stack().deployment or {})

    def _run(
        self,
        name: str,
        operation: Callable[..., object],
        on_resource: Callable[[Progress], None] = lambda _progress: None,
    ) -> Outcome:
        events = EventRecorder(on_resource=on_resource)
        with _explained(f"{name} of the stack {self._name!r} failed", events):
            operation(on_event=events)
        events.check()
        return Outcome(changes=tuple(events.changes), created=tuple(events.created), warnings=tuple(events.warnings))


@contextmanager
def _explained(failure: str, events: EventRecorder | None = None) -> Iterator[None]:
    """Convert a failure of the Pulumi CLI to a DeploymentError.

    The message has the errors of Pulumi's engine or, if there are none, the output of the CLI.
    """
    try:
        yield
    except automation.CommandError as error:
        errors = events.errors if events else ()
        # Do not chain the CommandError, because its message repeats the errors of Pulumi's engine with tracebacks.
        raise DeploymentError(f"{failure}:\n{indented(errors or (_last_output(error),))}") from None


def _last_output(error: automation.CommandError) -> str:
    """Return the stderr of the Pulumi CLI or, if it is empty, the text before it (stdout and exit code)."""
    output, _, errors = str(error).partition("\n stderr: ")
    return errors.strip() or output.strip()


def _is_at_aws(resource: State) -> bool:
    return bool(resource.get("custom")) and not resource["type"].startswith(PROVIDERS)


def label(resource: State) -> str:
    """Return the type and the name of a Pulumi resource, for messages."""
    return f"{resource['type']} {name_in(resource['urn'])!r}"
