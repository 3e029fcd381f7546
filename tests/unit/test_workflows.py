"""Tests of the GitHub workflows: the gate, permissions, pinned actions, and consistency with the project."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from localstack.emulators import container
from tests.support.default_stack import TOPIC_ARN
from tests.support.nonempty import nonempty
from tests.support.shell_commands import cron_line

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
CI, DEPLOY = GITHUB / "workflows" / "ci.yml", GITHUB / "workflows" / "deploy.yml"
NIGHTLY = GITHUB / "workflows" / "nightly.yml"
INDEX_AUDIT = GITHUB / "workflows" / "index-audit.yml"
PREPARE = GITHUB / "actions" / "prepare" / "action.yml"

WORKFLOWS = sorted(CI.parent.glob("*.yml"))
DOCS, RUNBOOK = ROOT / "docs" / "ci.md", ROOT / "docs" / "runbook.md"
# Permissions of the operators' tools that change something or that only `redrive` and `audit --heads` use. The role of
# the scheduled audit does not have them.
NOT_FOR_AUDIT = {
    *("lambda:InvokeFunction", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
    *("s3:GetObject", "s3:GetObjectVersion"),
}

Document = dict[str, Any]


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def load(path: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(text(path))


def jobs() -> list[Any]:
    jobs = {f"{path.stem}-{name}": job for path in WORKFLOWS for name, job in load(path)["jobs"].items()}
    return [pytest.param(job, id=id_) for id_, job in jobs.items()]


def commands(job: Document) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def pinned(path: Path) -> list[tuple[str, str]]:
    """Return (action, commit and version) of each external GitHub action in a file."""
    return re.findall(r"uses: ([\w./-]+)@(.+)", text(path))


def documented_policies() -> list[Document]:
    """Return the IAM policies in docs/ci.md: trust, state, deployment, smoke test, scheduled audit."""
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text(DOCS), re.DOTALL)]


def test_policy_of_the_deployment_role_permits_the_service_of_each_resource_type() -> None:
    types = json.loads(text(ROOT / "tests" / "unit" / "public_names.json"))["stack"]["resources"]
    services = {each.removeprefix("aws:").partition("/")[0] for each in types if each.startswith("aws:")}
    names = {"appautoscaling": "application-autoscaling"}
    permitted = {
        action.partition(":")[0]
        for policy in documented_policies()
        if any(each.get("Sid") == "OnlyWithSavedQueries" for each in policy["Statement"])
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {names.get(each, each) for each in services} <= permitted
    assert "athena" in services


def test_ci_gate_depends_on_all_other_jobs_and_always_runs() -> None:
    every = load(CI)["jobs"]
    assert set(every["gate"]["needs"]) == every.keys() - {"gate"}
    assert every["gate"]["if"] == "${{ always() }}"


@pytest.mark.parametrize(
    ("results", "passes"),
    [
        ("success success success", True),
        ("success failure success", False),
        ("success success skipped", False),
        ("cancelled success success", False),
        ("", False),
    ],
)
def test_ci_gate_passes_only_if_all_jobs_succeeded(results: str, passes: bool) -> None:  # noqa: FBT001 - parametrized
    (step,) = load(CI)["jobs"]["gate"]["steps"]
    assert step["env"]["RESULTS"] == "${{ join(needs.*.result, ' ') }}"
    run = subprocess.run(  # noqa: S603 - constant script
        ["/bin/bash", "-eo", "pipefail", "-c", step["run"]],
        env={"RESULTS": results, "NEEDS": "{}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) == passes, run.stdout + run.stderr


def test_ci_runs_the_default_nox_sessions_the_slow_tests_and_the_browser_tests() -> None:
    run = "\n".join(commands(job) for job in load(CI)["jobs"].values())
    (default,) = re.findall(r"^nox\.options\.sessions = (\[.*?\])", text(ROOT / "noxfile.py"), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"nox -s ([\w-]+)", run)) == {*ast.literal_eval(default), "slow", "browser"}


def test_ci_checks_run_on_each_supported_python_version() -> None:
    lowest = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["mypy"]["python_version"]
    assert load(CI)["jobs"]["checks"]["strategy"]["matrix"]["python"] == [lowest, "3.12", "3.13", "3.14"]


def test_ci_pulls_the_default_image_of_the_container_emulator() -> None:
    pulled = re.findall(r"docker pull --quiet (\S+)", commands(load(CI)["jobs"]["e2e-container"]))
    assert pulled == [container.DEFAULT_IMAGE]


@pytest.mark.parametrize(
    ("job", "emulator", "engine"),
    [("e2e-embedded", "embedded", "in-process"), ("e2e-container", "container", "pulumi")],
)
def test_ci_runs_end_to_end_tests_with_each_emulator_and_engine(job: str, emulator: str, engine: str) -> None:
    (run,) = re.findall(r"nox -s localstack-e2e -- .*", commands(load(CI)["jobs"][job]))
    assert f"--emulator {emulator} --engine {engine} " in run


def test_deploy_workflow_waits_for_the_ci_gate() -> None:
    waiting = load(DEPLOY)["jobs"]["tested"]["steps"][0]["env"]["GATES"]
    assert waiting.endswith(f"check_name={load(CI)['jobs']['gate']['name']}")


@pytest.mark.parametrize("job", jobs())
def test_workflow_job_has_a_timeout_permissions_and_valid_bash_scripts(job: Document) -> None:
    assert isinstance(job["timeout-minutes"], int)
    assert isinstance(job["permissions"], dict)
    run = subprocess.run(["/bin/bash", "-n"], input=commands(job), capture_output=True, text=True, check=False)
    assert run.stderr == ""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_has_no_default_permissions_and_is_documented(path: Path) -> None:
    assert load(path)["permissions"] == {}
    assert f"`{path.name}`" in text(DOCS)


@pytest.mark.parametrize("path", [*WORKFLOWS, PREPARE], ids=lambda path: path.stem)
def test_workflow_actions_are_pinned_by_commit_and_use_no_secrets(path: Path) -> None:
    assert pinned(path)
    for action, version in nonempty(pinned(path)):
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", version), action
    assert "secrets." not in text(path), "no workflow uses a stored secret"


def test_each_github_action_has_the_same_version_in_all_workflows() -> None:
    used = {use for path in (*WORKFLOWS, PREPARE) for use in pinned(path)}
    assert sorted(action for action, _ in used) == sorted(dict(used))


def test_deploy_workflow_uses_the_pulumi_version_of_the_requirements() -> None:
    sdk = re.findall(r"^pulumi==(\S+)", text(ROOT / "requirements.txt"), re.MULTILINE)
    assert re.findall(r"pulumi-version: (.+)", text(DEPLOY)) == 2 * sdk


def test_ci_document_lists_all_variables_and_environments_of_the_workflows() -> None:
    workflows = "".join(map(text, WORKFLOWS))
    named = {*re.findall(r"vars\.(\w+)", workflows), *re.findall(r"environment: (\w+)", workflows)}
    assert len(named) > 6
    assert {name for name in named if f"`{name}`" not in text(DOCS)} == set()


def test_ci_document_contains_valid_iam_policies() -> None:
    policies = documented_policies()
    assert len(policies) == 5
    for policy in nonempty(policies):
        assert policy.keys() == {"Version", "Statement"}
        assert {"Effect", "Action"} <= set.intersection(*(set(each) for each in policy["Statement"]))


def test_index_audit_runs_daily_and_does_nothing_without_its_role() -> None:
    workflow = load(INDEX_AUDIT)
    [schedule] = workflow[True]["schedule"]  # YAML 1.1 parses the key `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    [job] = workflow["jobs"].values()
    assert job["if"].startswith("vars.AWS_AUDIT_ROLE_ARN != '' && ")
    assert job["timeout-minutes"] == 360


def test_nightly_workflow_runs_the_property_tests_daily_with_the_nightly_profile() -> None:
    workflow = load(NIGHTLY)
    [schedule] = workflow[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    [job] = workflow["jobs"].values()
    assert "nox -s property -- --hypothesis-profile nightly " in commands(job)


@pytest.mark.parametrize(("code", "topic"), [(0, TOPIC_ARN), (1, TOPIC_ARN), (2, "")])
def test_index_audit_fails_and_reports_unless_the_audit_exits_with_zero(code: int, topic: str, tmp_path: Path) -> None:
    [job] = load(INDEX_AUDIT)["jobs"].values()
    step = job["steps"][-1]
    assert step["env"]["FUNCTION"].endswith("|| 'tapstack-prod-indexer' }}")
    credentials = job["steps"][-2]["with"]["role-duration-seconds"]
    assert credentials == step["env"]["SESSION_SECONDS"] == "${{ vars.AUDIT_SESSION_SECONDS || 3600 }}"
    arguments = tmp_path / "arguments"
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/bash\necho "$@" > {arguments}\necho finding\necho error >&2\nexit {code}\n')
    fake.chmod(0o755)
    limit = tmp_path / "timeout"
    limit.write_text('#!/bin/bash\n[ "$1" = 3300 ] || exit 99\nshift\nexec "$@"\n')
    limit.chmod(0o755)
    summary = tmp_path / "summary.md"
    run = subprocess.run(  # noqa: S603 - the script of the workflow
        ["/bin/bash", "-eo", "pipefail", "-c", step["run"]],
        env={
            "FUNCTION": "the-indexer",
            "ALARM_TOPIC": topic,
            "SESSION_SECONDS": "3600",
            "GITHUB_STEP_SUMMARY": str(summary),
            "PATH": f"{tmp_path}:/usr/bin:/bin",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code
    expected = "-m operations audit --all-buckets --function the-indexer" + f" --notify {topic}" * bool(topic)
    assert arguments.read_text().strip() == expected
    for output in (run.stdout, summary.read_text()):
        assert "finding" in output
        assert "error" in output
    assert f"Exit code {code}." in summary.read_text()


@pytest.mark.parametrize(("code", "printed"), [(0, ""), (1, "finding\nerror\n"), (2, "finding\nerror\n")])
def test_documented_cron_line_prints_the_report_unless_the_audit_exits_with_zero(
    code: int, printed: str, tmp_path: Path
) -> None:
    """Cron sends the output of a command by email, and replaces each percent sign in a command with a line break."""
    minute, hour, *_, command = cron_line().split(maxsplit=5)
    assert "%" not in command
    assert minute.isdigit()
    assert hour.isdigit()
    fake = tmp_path / ".venv-operate" / "bin" / "python"
    fake.parent.mkdir(parents=True)
    fake.write_text(
        '#!/bin/sh\n[ "$*" = "-m operations audit --all-buckets --function tapstack-prod-indexer --notify '
        'arn:aws:sns:us-east-1:123456789012:tapstack-prod-alarms" ] || exit 99\n'
        f"echo finding\necho error >&2\nexit {code}\n"
    )
    fake.chmod(0o755)
    assert "/opt/tapstack" in command
    run = subprocess.run(  # noqa: S603 - the command of the runbook
        ["/bin/sh", "-c", command.replace("/opt/tapstack", str(tmp_path))], capture_output=True, text=True, check=False
    )
    assert run.stdout + run.stderr == printed


def test_role_of_the_index_audit_has_the_read_permissions_of_the_audit_only() -> None:
    statements = documented_policies()[-1]["Statement"]
    actions = {
        action
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    [table] = re.findall(r"The credentials.*?need these permissions:\n\n(.*?)\n\n", text(RUNBOOK), re.DOTALL)
    needed = set(re.findall(r"`(\w+:\w+)`", table)) - NOT_FOR_AUDIT
    assert len(needed) > 6
    assert needed - actions == set()
    assert {action for action in actions if not re.match(r"\w+:(Get|List|Describe|Query|Scan)", action)} == {
        "sns:Publish"
    }
