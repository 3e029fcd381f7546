"""Tests of the deployer that uses the Pulumi CLI, with a fake stack."""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from localstack.deployers import pulumi_deployer
from localstack.deployers.deploy import deploy
from localstack.errors import DeploymentError
from tests.support.nonempty import nonempty
from tests.unit.harness.fake_automation import QUEUE, TABLE, FakeProject, command_error

if TYPE_CHECKING:
    from localstack.deployers.deployment import Progress

QUEUE_TYPE = "aws:sqs/queue:Queue"


@pytest.fixture
def project(tmp_path: Path) -> FakeProject:
    return FakeProject(tmp_path)


def broken_pipe(_progress: Progress) -> None:
    raise ValueError("broken pipe")


def test_pulumi_deployer_returns_resources_outputs_and_progress(project: FakeProject) -> None:
    began = time.monotonic()
    deployment = project.deploy()
    assert [(each.type, each.name, each.id) for each in deployment.resources] == [
        (QUEUE_TYPE, "failures", "failures-id")
    ]
    assert deployment.outputs == {"queue_url": "http://queue", "numbers": "[1, 2]"}
    assert [(progress.type, progress.name) for progress in project.progress] == [(QUEUE_TYPE, "failures")]
    assert 0 < deployment.seconds < time.monotonic() - began
    assert project.stack.name == "localstack"


def test_deploy_selects_the_pulumi_deployer_by_name(project: FakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(pulumi_deployer, "deploy", lambda _emulator, **options: calls.append(options))
    deploy(project.emulator, deployer="pulumi", stack="s", program=project.program, install_pulumi=True)
    [options] = calls
    assert (options["stack"], options["program"], options["install_pulumi"]) == ("s", project.program, True)
    with pytest.raises(DeploymentError, match="there is no deployer 'terraform': choose one of in-process, pulumi"):
        deploy(project.emulator, deployer="terraform")


@pytest.mark.parametrize("install", [True, False])
def test_pulumi_deployer_installs_the_cli_only_if_requested(project: FakeProject, *, install: bool) -> None:
    project.deploy(install_pulumi=install)
    assert project.installations == [install]


def test_pulumi_deployer_does_not_change_project_files(project: FakeProject) -> None:
    before = {path: path.read_bytes() for path in project.folder.iterdir()}
    project.deploy(config_overrides={"env": "other"}).destroy()
    assert {path: path.read_bytes() for path in project.folder.iterdir()} == before


def test_pulumi_deployer_sets_overrides_as_plain_text_configuration(project: FakeProject) -> None:
    project.deploy(config_overrides={"env": "other", "aws:region": "eu-west-1"})
    config = {key: (value.value, value.secret) for key, value in project.stack.config.items()}
    assert config == {"env": ("other", False), "aws:region": ("eu-west-1", False)}


def test_pulumi_deployer_uses_a_new_passphrase_for_each_deployment(tmp_path: Path) -> None:
    passphrases = set()
    for name in ("one", "two"):
        project = FakeProject(tmp_path / name)
        project.deploy()
        assert project.stack.workspaces[0].secrets_provider == "passphrase"
        [environment] = project.environments()
        assert environment["PULUMI_BACKEND_URL"] == (project.work_folder / "state").as_uri()
        assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
        passphrases.add(environment["PULUMI_CONFIG_PASSPHRASE"])
    assert len(passphrases) == 2
    assert all(len(each) > 30 for each in nonempty(passphrases))


def test_pulumi_destroy_deletes_the_state_and_can_be_repeated(project: FakeProject) -> None:
    deployment = project.deploy()
    assert (project.work_folder / "state").is_dir()
    deployment.destroy()
    assert project.stack.state == []
    assert not project.work_folder.exists()
    deployment.destroy()
    assert project.stack.destroyed == 1


def test_pulumi_destroy_with_protected_resources_deletes_nothing(project: FakeProject) -> None:
    project.stack.program.append(TABLE)
    deployment = project.deploy()
    with pytest.raises(
        DeploymentError, match=r"nothing was destroyed, because of protected resources: aws:dynamodb/.* 'objects'\. "
    ):
        deployment.destroy()
    assert project.stack.destroyed == 0
    assert len(project.stack.state) == 4


def test_pulumi_destroy_reports_resources_that_still_exist(project: FakeProject) -> None:
    project.stack.undeletable.append(QUEUE_TYPE)
    deployment = project.deploy()
    with pytest.raises(DeploymentError, match=r"these resources still exist: aws:sqs/queue:Queue 'failures'"):
        deployment.destroy()


@pytest.mark.parametrize(
    ("changes", "options", "error", "message"),
    [
        pytest.param(
            {"errors": ["AccessDenied: no", "and another"], "failure": command_error("tracebacks")},
            {},
            DeploymentError,
            r"^the update of the stack 'localstack' failed:\n  AccessDenied: no\n  and another\n"
            r"the created resources were destroyed \(1 resource\)$",
            id="errors of the engine",
        ),
        pytest.param(
            {"program": [], "failure": command_error("error: the passphrase is wrong")},
            {},
            DeploymentError,
            "failed:\n  error: the passphrase is wrong\nno resource had been created$",
            id="output of the CLI",
        ),
        pytest.param(
            {"program": [QUEUE, TABLE], "failure": command_error("no")},
            {},
            DeploymentError,
            r"were destroyed \(2 resources\)",
            id="protected resource",
        ),
        pytest.param(
            {"values": {"queue_url": None}},
            {},
            DeploymentError,
            r"exports queue_url without a value\n.* were destroyed",
            id="output without a value",
        ),
        pytest.param({"failure": KeyboardInterrupt()}, {}, KeyboardInterrupt, None, id="Ctrl-C"),
        pytest.param(
            {},
            {"on_resource": broken_pipe},
            DeploymentError,
            r"broken pipe\n.*were destroyed",
            id="error of the callback",
        ),
    ],
)
def test_pulumi_deployer_explains_and_rolls_back_a_failed_update(
    project: FakeProject,
    changes: dict[str, Any],
    options: dict[str, Any],
    error: type[BaseException],
    message: str | None,
) -> None:
    for name, value in changes.items():
        setattr(project.stack, name, value)
    with pytest.raises(error, match=message) as failure:
        project.deploy(**options)
    # The deployer's error does not have the Pulumi SDK's error as its cause, which would print each message again.
    if "errors" in changes:
        assert failure.value.__cause__ is None
        assert failure.value.__suppress_context__
    if TABLE in changes.get("program", []):
        unprotected = {"TableName": "objects-id", "DeletionProtectionEnabled": False}
        assert project.aws.parameters("UpdateTable") == unprotected
        assert project.regions == {"eu-west-3"}
    assert project.stack.state == []
    assert not project.work_folder.exists()


def test_pulumi_deployer_reports_resources_that_a_rollback_cannot_delete(project: FakeProject) -> None:
    project.stack.failure = command_error("no")
    project.stack.undeletable.append(QUEUE_TYPE)
    with pytest.raises(
        DeploymentError,
        match=r"not all created resources could be destroyed: .*still exist: aws:sqs/queue:Queue 'failures'",
    ):
        project.deploy()


def test_pulumi_deployer_rejects_a_missing_program_before_creating_a_workspace(project: FakeProject) -> None:
    with pytest.raises(DeploymentError, match=r"the program .*nope\.py does not exist"):
        project.deploy(program=project.folder / "nope.py")
    assert project.stack.workspaces == []


def test_pulumi_stack_that_cannot_be_created_leaves_no_temporary_folder(
    project: FakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    project.program.with_name("Pulumi.yaml").unlink()
    with pytest.raises(DeploymentError):
        project.open()
    gc.collect()
    assert list(folder.iterdir()) == []


def test_pulumi_stack_configuration_can_be_secret_and_can_be_removed(project: FakeProject) -> None:
    stack = project.open()
    stack.configure({"alarmEmail": "me@example.com"}, secret=True)
    stack.configure({"env": "x"})
    assert {key: each.secret for key, each in project.stack.config.items()} == {"alarmEmail": True, "env": False}
    stack.unconfigure("alarmEmail")
    assert list(project.stack.config) == ["env"]
    stack.close()


def test_pulumi_preview_returns_changes_and_creates_nothing(project: FakeProject) -> None:
    stack = project.open()
    outcome = stack.preview()
    assert [str(change) for change in outcome.changes] == [
        "create tap:index:TapStack 'tap'",
        "create aws:sqs/queue:Queue 'failures'",
    ]
    assert outcome.changed == set(outcome.changes)
    assert outcome.created == ()
    assert stack.resources() == []
    stack.close()


def test_pulumi_stack_keeps_its_state_for_a_program_in_another_folder(project: FakeProject, tmp_path: Path) -> None:
    moved = FakeProject(tmp_path / "moved")
    stack = project.open()

    def main() -> object:
        return yaml.safe_load((stack.folder / "Pulumi.yaml").read_text(encoding="utf-8"))["main"]

    assert main() == str(project.program)
    stack.run_from(moved.program)
    assert main() == str(moved.program)
    first, second = project.environments()
    assert first == second
    stack.close()
