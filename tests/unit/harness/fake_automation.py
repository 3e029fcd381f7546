"""Fake of Pulumi's Automation API that keeps the stack's state in memory, without CLI, plugins and emulator."""

from __future__ import annotations

import copy
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi import automation
from semver import VersionInfo

from localstack.deployers import pulumi_deployer
from localstack.deployers.pulumi_stack import PulumiStack
from localstack.emulators.emulator import Emulator
from tests.unit.harness.fake_aws import FakeAws

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment, Progress


def resource(type_: str, name: str, **more: Any) -> dict[str, Any]:
    """Return a resource in the format of Pulumi's state. `more` overrides its fields."""
    urn = f"urn:pulumi:localstack::toy::{type_}::{name}"
    return {"urn": urn, "type": type_, "custom": True, "id": f"{name}-id", "inputs": {}, "outputs": {}, **more}


QUEUE = resource("aws:sqs/queue:Queue", "failures")
TABLE = resource(
    "aws:dynamodb/table:Table",
    "objects",
    protect=True,
    inputs={"deletionProtectionEnabled": True, "forceDestroy": False},
    outputs={"arn": "arn:aws:dynamodb:eu-west-3:1:table/toy-objects", "forceDestroy": False},
)
PROVIDER = resource("pulumi:providers:aws", "default")
COMPONENT = resource("tap:index:TapStack", "tap", custom=False)


class FakeStack:
    """Fake of `automation.Stack`.

    Attributes:
        program: resources that `up` creates, in order.
        errors: messages that `up` reports after it has created the resources.
        failure: exception that `up` raises at its end, or None.
        undeletable: types of resources that `destroy` silently does not delete.
    """

    def __init__(self) -> None:
        self.name = ""
        self.workspaces: list[automation.LocalWorkspace] = []
        self.program: list[dict[str, Any]] = [PROVIDER, COMPONENT, QUEUE]
        self.state: list[dict[str, Any]] = []
        self.config: dict[str, automation.ConfigValue] = {}
        self.values: dict[str, object] = {"queue_url": "http://queue", "numbers": [1, 2]}
        self.failure: BaseException | None = None
        self.errors: list[str] = []
        self.undeletable: list[str] = []
        self.destroyed = 0

    def select(self, name: str, workspace: automation.LocalWorkspace) -> Any:  # noqa: ANN401  in place of automation.Stack
        self.name = name
        self.workspaces.append(workspace)
        return self

    def set_all_config(self, config: automation.ConfigMap) -> None:
        self.config |= config

    def remove_all_config(self, keys: list[str]) -> None:
        for key in keys:
            del self.config[key]

    def preview(self, *, on_event: automation.OnEvent) -> None:
        for resource in self.program:
            _send_creation(on_event, resource, planning=True)

    def up(self, *, on_event: automation.OnEvent) -> None:
        for resource in copy.deepcopy(self.program):
            self.state.append(resource)
            _send_creation(on_event, resource)
        for message in self.errors:
            _send_error(on_event, message)
        if self.failure:
            raise self.failure

    def destroy(self, *, on_event: automation.OnEvent) -> None:
        self.destroyed += 1
        self.state = [each for each in self.state if each.get("protect") or each["type"] in self.undeletable]
        if any(each.get("protect") for each in self.state):
            _send_error(on_event, "it is protected")
            raise command_error("")

    def outputs(self) -> automation.OutputMap:
        return {name: automation.OutputValue(value=value, secret=False) for name, value in self.values.items()}

    def export_stack(self) -> automation.Deployment:
        return automation.Deployment(3, {"resources": copy.deepcopy(self.state)} if self.state else {})

    def import_stack(self, state: automation.Deployment) -> None:
        assert state.version == 3
        assert state.deployment is not None
        self.state = state.deployment["resources"]


class FakeCommand(automation.PulumiCommand):
    """Fake of an installed Pulumi CLI. The real class would run the CLI to read its version."""

    def __init__(self, command: str = "pulumi") -> None:
        self.command = command
        self.version = VersionInfo(3, 272)


class FakeProject:
    """Pulumi project in a folder with a space in its name, with a fake stack and AWS clients that send nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "my project"
        self.folder.mkdir(parents=True)
        self.program = self.folder / "toy.py"
        self.program.touch()
        (self.folder / "Pulumi.yaml").write_text("name: toy\nruntime: python\n", encoding="utf-8")
        (self.folder / "Pulumi.localstack.yaml").write_text("config:\n  aws:region: eu-west-1\n", encoding="utf-8")
        self.aws = FakeAws()
        self.regions: set[str | None] = set()
        self.progress: list[Progress] = []
        self.stack = FakeStack()
        self.installations: list[bool] = []
        self.emulator = Emulator(
            kind="embedded", name="none", endpoint="http://127.0.0.1:1", region="eu-west-1", reason="", logs=str
        )
        self.emulator.client = self._client  # type: ignore[method-assign]  # nothing is sent

    @property
    def work_folder(self) -> Path:
        return Path(self.stack.workspaces[-1].work_dir)

    def environments(self) -> list[dict[str, str]]:
        """Return the environment variables with which each workspace runs the Pulumi CLI."""
        commands: list[Any] = [workspace.pulumi_command for workspace in self.stack.workspaces]
        return [command._environment for command in commands]

    def deploy(self, **options: Any) -> Deployment:
        arguments: dict[str, Any] = {
            "stack": "localstack",
            "config_overrides": {},
            "program": self.program,
            "on_resource": self.progress.append,
            **options,
        }
        return pulumi_deployer.deploy(
            self.emulator, find_cli=self._find_cli, select_stack=self.stack.select, **arguments
        )

    def open(self) -> PulumiStack:
        return PulumiStack(self.emulator, program=self.program, find_cli=self._find_cli, select_stack=self.stack.select)

    def _find_cli(self, *, install: bool) -> automation.PulumiCommand:
        self.installations.append(install)
        return FakeCommand()

    def _client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401  boto3 creates its classes at run time
        self.regions.add(region)
        return self.aws.client(service)


def command_error(output: str) -> automation.CommandError:
    """Return the Pulumi SDK's error for a failed command that wrote `output` to stderr."""
    return automation.CommandError(automation.CommandResult(stdout="Updating…", stderr=output, code=255))


def _send_creation(on_event: automation.OnEvent, resource: dict[str, Any], *, planning: bool = False) -> None:
    state = {"parent": "", "provider": "", **resource}
    metadata = {"op": "create", "urn": resource["urn"], "type": resource["type"], "provider": "", "new": state}
    _send(on_event, resOutputsEvent={"metadata": metadata, "planning": planning})


def _send_error(on_event: automation.OnEvent, message: str) -> None:
    _send(on_event, diagnosticEvent={"message": message, "color": "never", "severity": "error"})


def _send(on_event: automation.OnEvent, **content: Any) -> None:
    """Call `on_event` as the Pulumi SDK does: in another thread, so that its exceptions are lost."""
    event = automation.EngineEvent.from_json(json.loads(json.dumps({"sequence": 1, "timestamp": 1, **content})))
    sender = threading.Thread(target=on_event, args=(event,))
    sender.start()
    sender.join()
