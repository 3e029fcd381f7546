"""Properties of the workflows that neither the schema nor zizmor checks: the gate, and consistency with the project."""

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

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
CI, DEPLOY = GITHUB / "workflows" / "ci.yml", GITHUB / "workflows" / "deploy.yml"
PREPARE = GITHUB / "actions" / "prepare" / "action.yml"

WORKFLOWS = sorted(CI.parent.glob("*.yml"))
DOCS = ROOT / "docs" / "ci.md"

Document = dict[str, Any]


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def load(path: Path) -> Any:  # noqa: ANN401  whatever YAML it is
    return yaml.safe_load(text(path))


def jobs() -> list[Any]:
    jobs = {f"{path.stem}-{name}": job for path in WORKFLOWS for name, job in load(path)["jobs"].items()}
    return [pytest.param(job, id=id_) for id_, job in jobs.items()]


def commands(job: Document) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def pinned(path: Path) -> list[tuple[str, str]]:
    """Each action of another repository with its commit and version."""
    return re.findall(r"uses: ([\w./-]+)@(.+)", text(path))


def test_the_gate_needs_every_other_job_and_is_never_skipped() -> None:
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
def test_the_gate_opens_only_when_every_job_succeeded(results: str, passes: bool) -> None:  # noqa: FBT001 - a table
    (step,) = load(CI)["jobs"]["gate"]["steps"]
    assert step["env"]["RESULTS"] == "${{ join(needs.*.result, ' ') }}"
    run = subprocess.run(  # noqa: S603 - our own script
        ["/bin/bash", "-eo", "pipefail", "-c", step["run"]],
        env={"RESULTS": results, "NEEDS": "{}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) == passes, run.stdout + run.stderr


def test_what_nox_runs_by_default_and_the_browser_are_what_ci_runs() -> None:
    run = "\n".join(commands(job) for job in load(CI)["jobs"].values())
    (default,) = re.findall(r"^nox\.options\.sessions = (\[.*?\])", text(ROOT / "noxfile.py"), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"nox -s ([\w-]+)", run)) == {*ast.literal_eval(default), "browser"}


def test_what_gates_is_the_same_on_every_python_from_the_lowest_that_is_supported() -> None:
    lowest = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["mypy"]["python_version"]
    assert load(CI)["jobs"]["checks"]["strategy"]["matrix"]["python"] == [lowest, "3.12", "3.13", "3.14"]


def test_ci_pulls_the_image_that_the_container_emulator_takes_by_default() -> None:
    pulled = re.findall(r"docker pull --quiet (\S+)", commands(load(CI)["jobs"]["e2e-container"]))
    assert pulled == [container.DEFAULT_IMAGE]


@pytest.mark.parametrize(
    ("job", "emulator", "engine"),
    [("e2e-embedded", "embedded", "in-process"), ("e2e-container", "container", "pulumi")],
)
def test_both_emulators_and_both_engines_gate(job: str, emulator: str, engine: str) -> None:
    (run,) = re.findall(r"nox -s localstack-e2e -- .*", commands(load(CI)["jobs"][job]))
    assert f"--emulator {emulator} --engine {engine} " in run


def test_deploying_waits_for_the_job_that_is_called_gate() -> None:
    waiting = load(DEPLOY)["jobs"]["tested"]["steps"][0]["env"]["GATES"]
    assert waiting.endswith(f"check_name={load(CI)['jobs']['gate']['name']}")


@pytest.mark.parametrize("job", jobs())
def test_a_job_has_a_time_limit_and_permissions_and_scripts_that_bash_can_read(job: Document) -> None:
    assert isinstance(job["timeout-minutes"], int)
    assert isinstance(job["permissions"], dict)
    run = subprocess.run(["/bin/bash", "-n"], input=commands(job), capture_output=True, text=True, check=False)
    assert run.stderr == ""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_as_a_whole_may_do_nothing_and_is_in_the_docs(path: Path) -> None:
    assert load(path)["permissions"] == {}
    assert f"`{path.name}`" in text(DOCS)


@pytest.mark.parametrize("path", [*WORKFLOWS, PREPARE], ids=lambda path: path.stem)
def test_an_action_is_pinned_by_its_commit_and_says_its_version_and_uses_no_secret(path: Path) -> None:
    assert pinned(path)
    for action, version in pinned(path):
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", version), action
    assert "secrets." not in text(path), "no workflow uses a stored secret"


def test_an_action_has_the_same_version_wherever_it_is_used() -> None:
    used = {use for path in (*WORKFLOWS, PREPARE) for use in pinned(path)}
    assert sorted(action for action, _ in used) == sorted(dict(used))


def test_the_cli_that_deploys_is_as_new_as_the_sdk() -> None:
    sdk = re.findall(r"^pulumi==(\S+)", text(ROOT / "requirements.txt"), re.MULTILINE)
    assert re.findall(r"pulumi-version: (.+)", text(DEPLOY)) == 2 * sdk


def test_the_docs_name_everything_that_has_to_be_set_up() -> None:
    deploy = text(DEPLOY)
    named = {*re.findall(r"vars\.(\w+)", deploy), *re.findall(r"environment: (\w+)", deploy)}
    assert len(named) > 4
    assert {name for name in named if f"`{name}`" not in text(DOCS)} == set()


def test_the_docs_show_policies_that_can_be_pasted() -> None:
    policies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text(DOCS), re.DOTALL)]
    assert len(policies) == 4
    for policy in policies:
        assert policy.keys() == {"Version", "Statement"}
        assert {"Effect", "Action"} <= set.intersection(*(set(each) for each in policy["Statement"]))
