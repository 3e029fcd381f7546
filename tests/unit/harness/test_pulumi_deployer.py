"""Pulumi's engine as the harness drives it, with a stack that only pretends: no CLI, no plugin, no emulator."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation
from semver import VersionInfo

from localstack.deployers import pulumi_deployer
from localstack.deployers.deploy import deploy
from localstack.deployers.deployment import Deployment, Progress
from localstack.deployers.pulumi_stack import PulumiStack
from localstack.emulators.emulator import Emulator
from localstack.errors import DeploymentError
from tests.unit.harness.recording_fakes import RecordingAws

QUEUE = {
    "urn": "urn:pulumi:localstack::toy::aws:sqs/queue:Queue::failures",
    "type": "aws:sqs/queue:Queue",
    "custom": True,
    "id": "http://queue",
    "inputs": {},
    "outputs": {},
}
TABLE = {
    "urn": "urn:pulumi:localstack::toy::aws:dynamodb/table:Table::objects",
    "type": "aws:dynamodb/table:Table",
    "custom": True,
    "id": "toy-objects",
    "protect": True,
    "inputs": {"deletionProtectionEnabled": True, "forceDestroy": False},
    "outputs": {"arn": "arn:aws:dynamodb:eu-west-3:1:table/toy-objects", "forceDestroy": False},
}
PROVIDER = {
    "urn": "urn:pulumi:localstack::toy::pulumi:providers:aws::default",
    "type": "pulumi:providers:aws",
    "custom": True,
    "id": "1",
}
COMPONENT = {"urn": "urn:pulumi:localstack::toy::tap:index:TapStack::tap", "type": "tap:index:TapStack"}


class FakeStack:
    """Keeps its state in memory. `up` creates `program`, one resource after the other, and then may fail."""

    def __init__(self, name: str, workspace: automation.LocalWorkspace) -> None:
        self.name = name
        self.workspace = workspace
        self.program: list[dict[str, Any]] = [PROVIDER, COMPONENT, QUEUE]
        self.state: list[dict[str, Any]] = []
        self.config: dict[str, automation.ConfigValue] = {}
        self.values: dict[str, object] = {"queue_url": "http://queue", "numbers": [1, 2]}
        self.fails_with: BaseException | None = None
        self.says: list[str] = []
        self.undeletable: list[str] = []
        self.destroyed = 0

    def set_all_config(self, config: automation.ConfigMap) -> None:
        self.config |= config

    def remove_all_config(self, keys: list[str]) -> None:
        for key in keys:
            del self.config[key]

    def preview(self, *, on_event: automation.OnEvent) -> None:
        for each in self.program:
            _tell(on_event, "create", each, planning=True)

    def up(self, *, on_event: automation.OnEvent) -> None:
        for each in copy.deepcopy(self.program):
            self.state.append(each)
            _tell(on_event, "create", each)
        for message in self.says:
            _tell_error(on_event, message)
        if self.fails_with:
            raise self.fails_with

    def destroy(self, *, on_event: automation.OnEvent) -> None:
        self.destroyed += 1
        kept = [each for each in self.state if each.get("protect") or each["type"] in self.undeletable]
        self.state = kept
        if any(each.get("protect") for each in kept):
            _tell_error(on_event, "it is protected")
            raise failed("")

    def outputs(self) -> automation.OutputMap:
        return {name: automation.OutputValue(value=value, secret=False) for name, value in self.values.items()}

    def export_stack(self) -> automation.Deployment:
        return automation.Deployment(3, {"resources": copy.deepcopy(self.state)} if self.state else {})

    def import_stack(self, state: automation.Deployment) -> None:
        assert state.version == 3
        assert state.deployment is not None
        self.state = state.deployment["resources"]


class Bench:
    """A small project in a folder with a space, deployed with a stack that can be told what to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "my project"
        self.folder.mkdir()
        self.program = self.folder / "toy.py"
        self.program.touch()
        (self.folder / "Pulumi.yaml").write_text("name: toy\nruntime: python\n", encoding="utf-8")
        (self.folder / "Pulumi.localstack.yaml").write_text("config:\n  aws:region: eu-west-1\n", encoding="utf-8")
        self.aws = RecordingAws()
        self.regions: set[str | None] = set()
        self.heard: list[Progress] = []
        self.prepare: Callable[[FakeStack], object] = lambda _stack: None
        self.stacks: list[FakeStack] = []
        self.asked_to_install: list[bool] = []

    def select(self, name: str, workspace: automation.LocalWorkspace) -> FakeStack:
        self.stacks.append(FakeStack(name, workspace))
        self.prepare(self.stacks[-1])
        return self.stacks[-1]

    def find_cli(self, *, install: bool) -> automation.PulumiCommand:
        self.asked_to_install.append(install)
        return _Command()

    @property
    def stack(self) -> FakeStack:
        [made] = self.stacks
        return made

    @property
    def work(self) -> Path:
        """The folder that the engine works in."""
        return Path(self.stack.workspace.work_dir)

    def deploy(self, **options: Any) -> Deployment:
        arguments: dict[str, Any] = {
            "stack": "localstack",
            "config_overrides": {},
            "program": self.program,
            "on_resource": self.heard.append,
            **options,
        }
        return pulumi_deployer.deploy(self.emulator(), find_cli=self.find_cli, select_stack=self.select, **arguments)

    def emulator(self) -> Emulator:
        emulator = Emulator(
            kind="embedded", name="none", endpoint="http://127.0.0.1:1", region="eu-west-1", reason="", logs=str
        )
        emulator.client = self._client  # type: ignore[method-assign]  # nothing shall be sent
        return emulator

    def _client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401  boto3 makes its classes while it runs
        self.regions.add(region)
        return self.aws.client(service)


class _Command(automation.PulumiCommand):
    def __init__(self) -> None:
        self.command = "pulumi"
        self.version = VersionInfo(3, 272)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_program_becomes_resources_outputs_and_progress(bench: Bench) -> None:
    deployment = bench.deploy()
    assert [(each.type, each.name, each.id) for each in deployment.resources] == [
        ("aws:sqs/queue:Queue", "failures", "http://queue")
    ]
    assert deployment.outputs == {"queue_url": "http://queue", "numbers": "[1, 2]"}
    assert [(progress.type, progress.name) for progress in bench.heard] == [("aws:sqs/queue:Queue", "failures")]
    assert deployment.seconds > 0
    assert bench.stack.name == "localstack"


def test_the_choice_of_the_engine_leads_here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[dict[str, Any]] = []
    monkeypatch.setattr(pulumi_deployer, "deploy", lambda _emulator, **options: chosen.append(options))
    deploy(bench.emulator(), deployer="pulumi", stack="s", program=bench.program, install_pulumi=True)
    [options] = chosen
    assert (options["stack"], options["program"], options["install_pulumi"]) == ("s", bench.program, True)
    with pytest.raises(DeploymentError, match="there is no engine 'terraform': choose one of in-process, pulumi"):
        deploy(bench.emulator(), deployer="terraform")


@pytest.mark.parametrize("install", [True, False])
def test_the_cli_is_installed_only_if_that_was_asked_for(bench: Bench, *, install: bool) -> None:
    bench.deploy(install_pulumi=install)
    assert bench.asked_to_install == [install]


def test_the_project_is_only_read(bench: Bench) -> None:
    before = {path: path.read_bytes() for path in bench.folder.iterdir()}
    bench.deploy(config_overrides={"env": "other"}).destroy()
    assert {path: path.read_bytes() for path in bench.folder.iterdir()} == before


def test_overrides_are_configuration_in_plain_text(bench: Bench) -> None:
    bench.deploy(config_overrides={"env": "other", "aws:region": "eu-west-1"})
    told = {key: (value.value, value.secret) for key, value in bench.stack.config.items()}
    assert told == {"env": ("other", False), "aws:region": ("eu-west-1", False)}


def test_secrets_and_state_are_locked_with_a_passphrase_of_this_run_alone(tmp_path: Path) -> None:
    passphrases = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name)
        bench.deploy()
        assert bench.stack.workspace.secrets_provider == "passphrase"
        cli = bench.stack.workspace.pulumi_command
        environment = cli._environment  # type: ignore[attr-defined]  # there is no other way to see it
        assert environment["PULUMI_BACKEND_URL"] == (bench.work / "state").as_uri()
        assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
        passphrases.add(environment["PULUMI_CONFIG_PASSPHRASE"])
    assert len(passphrases) == 2
    assert all(len(each) > 30 for each in passphrases)


def test_destroying_takes_the_state_along_and_may_be_done_twice(bench: Bench) -> None:
    deployment = bench.deploy()
    assert (bench.work / "state").is_dir()
    deployment.destroy()
    assert bench.stack.state == []
    assert not bench.work.exists()
    deployment.destroy()
    assert bench.stack.destroyed == 1


def test_protected_data_refuses_to_go_and_everything_else_stays_with_it(bench: Bench) -> None:
    bench.prepare = lambda stack: stack.program.append(TABLE)
    deployment = bench.deploy()
    with pytest.raises(
        DeploymentError, match=r"nothing was destroyed, because of protected resources: aws:dynamodb/.* 'objects'\. "
    ):
        deployment.destroy()
    assert bench.stack.destroyed == 0
    assert len(bench.stack.state) == 4


def test_what_is_still_there_after_destroying_is_named(bench: Bench) -> None:
    bench.prepare = lambda stack: stack.undeletable.append("aws:sqs/queue:Queue")
    deployment = bench.deploy()
    with pytest.raises(DeploymentError, match=r"still there: aws:sqs/queue:Queue 'failures'"):
        deployment.destroy()


def test_a_failed_update_says_what_the_engine_says_and_is_undone(bench: Bench) -> None:
    def prepare(stack: FakeStack) -> None:
        stack.says = ["AccessDenied: no", "and another"]
        stack.fails_with = failed("a salad of tracebacks")

    bench.prepare = prepare
    with pytest.raises(DeploymentError) as failure:
        bench.deploy()
    assert str(failure.value) == (
        "the update of the stack 'localstack' failed:\n"
        "  AccessDenied: no\n"
        "  and another\n"
        "what had been created was destroyed again (1 resource)"
    )
    assert failure.value.__cause__ is None  # whose text would be the salad
    assert failure.value.__suppress_context__
    assert bench.stack.state == []
    assert not bench.work.exists()


def test_what_is_protected_goes_too_when_the_update_that_made_it_failed(bench: Bench) -> None:
    def prepare(stack: FakeStack) -> None:
        stack.program.append(TABLE)
        stack.fails_with = failed("no")

    bench.prepare = prepare
    with pytest.raises(DeploymentError, match=r"destroyed again \(2 resources\)"):
        bench.deploy()
    assert bench.stack.state == []
    assert bench.aws.parameters("UpdateTable") == {"TableName": "toy-objects", "DeletionProtectionEnabled": False}
    assert bench.regions == {"eu-west-3"}


def test_what_a_failed_update_leaves_behind_is_said(bench: Bench) -> None:
    def prepare(stack: FakeStack) -> None:
        stack.fails_with = failed("no")
        stack.undeletable.append("aws:sqs/queue:Queue")

    bench.prepare = prepare
    with pytest.raises(DeploymentError, match=r"still there: aws:sqs/queue:Queue 'failures'") as failure:
        bench.deploy()
    assert "could not all be destroyed again" in str(failure.value)


def test_a_failure_without_diagnostics_shows_what_the_cli_wrote_last(bench: Bench) -> None:
    def prepare(stack: FakeStack) -> None:
        stack.program = []
        stack.fails_with = failed("error: the passphrase is wrong")

    bench.prepare = prepare
    with pytest.raises(DeploymentError) as failure:
        bench.deploy()
    assert str(failure.value) == (
        "the update of the stack 'localstack' failed:\n  error: the passphrase is wrong\nnothing had been created"
    )


def test_an_output_without_a_value_is_an_error_and_nothing_stays(bench: Bench) -> None:
    bench.prepare = lambda stack: stack.values.update(queue_url=None)
    with pytest.raises(DeploymentError, match=r"exports queue_url without a value\n.* destroyed again"):
        bench.deploy()
    assert bench.stack.state == []


def test_ctrl_c_destroys_what_was_made_and_is_still_ctrl_c(bench: Bench) -> None:
    bench.prepare = lambda stack: setattr(stack, "fails_with", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        bench.deploy()
    assert bench.stack.state == []
    assert not bench.work.exists()


def test_an_error_of_the_listener_undoes_the_update_and_is_told(bench: Bench) -> None:
    def listener(_: Progress) -> None:
        raise ValueError("broken pipe")

    with pytest.raises(DeploymentError, match=r"broken pipe\n.*destroyed again"):
        bench.deploy(on_resource=listener)
    assert bench.stack.state == []


def test_a_program_that_is_not_there_is_an_error_before_anything_is_made(bench: Bench) -> None:
    with pytest.raises(DeploymentError, match=r"the program .*nope\.py does not exist"):
        bench.deploy(program=bench.folder / "nope.py")
    assert bench.stacks == []


def test_configuration_can_be_secret_and_can_be_taken_away_again(bench: Bench) -> None:
    stack = PulumiStack(bench.emulator(), program=bench.program, find_cli=bench.find_cli, select_stack=bench.select)
    stack.configure({"alarmEmail": "me@example.com"}, secret=True)
    stack.configure({"env": "x"})
    assert {key: each.secret for key, each in bench.stack.config.items()} == {"alarmEmail": True, "env": False}
    stack.unconfigure("alarmEmail")
    assert list(bench.stack.config) == ["env"]
    stack.close()


def test_a_preview_tells_what_would_be_and_does_nothing(bench: Bench) -> None:
    stack = PulumiStack(bench.emulator(), program=bench.program, find_cli=bench.find_cli, select_stack=bench.select)
    outcome = stack.preview()
    assert [str(change) for change in outcome.changes] == [
        "create tap:index:TapStack 'tap'",
        "create aws:sqs/queue:Queue 'failures'",
    ]
    assert outcome.changed == set(outcome.changes)
    assert outcome.created == ()
    assert stack.resources() == []
    stack.close()


def test_a_program_in_another_folder_continues_with_the_same_state(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    moved = Bench(tmp_path / "moved")
    stack = PulumiStack(bench.emulator(), program=bench.program, find_cli=bench.find_cli, select_stack=bench.select)

    def main() -> object:
        return yaml.safe_load((stack.folder / "Pulumi.yaml").read_text(encoding="utf-8"))["main"]

    assert main() == str(bench.program)
    stack.run_from(moved.program)
    assert main() == str(moved.program)
    first, second = (each.workspace.pulumi_command._environment for each in bench.stacks)  # type: ignore[attr-defined]  # likewise
    assert first == second
    stack.close()


def failed(complaint: str) -> automation.CommandError:
    """How the SDK says that a command failed: with all that it wrote."""
    return automation.CommandError(automation.CommandResult(stdout="Updating…", stderr=complaint, code=255))


def _tell(on_event: automation.OnEvent, op: str, resource: dict[str, Any], *, planning: bool = False) -> None:
    state = {"parent": "", "provider": "", "custom": None, **resource, "outputs": {}, "inputs": {}}
    state.setdefault("id", "")
    metadata = {"op": op, "urn": resource["urn"], "type": resource["type"], "provider": "", "new": state}
    _send(on_event, resOutputsEvent={"metadata": metadata, "planning": planning})


def _tell_error(on_event: automation.OnEvent, message: str) -> None:
    _send(on_event, diagnosticEvent={"message": message, "color": "never", "severity": "error"})


def _send(on_event: automation.OnEvent, **content: Any) -> None:
    """As the SDK does it: from another thread, in which errors are lost."""

    def send() -> None:
        on_event(automation.EngineEvent.from_json(json.loads(json.dumps({"sequence": 1, "timestamp": 1, **content}))))

    sender = threading.Thread(target=send)
    sender.start()
    sender.join()
