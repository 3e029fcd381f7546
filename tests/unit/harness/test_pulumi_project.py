"""The folder that Pulumi's engine works in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from localstack.deployers.pulumi_project import copy_stack_file, write_project
from localstack.errors import DeploymentError

ROOT = Path(__file__).parents[3]


def project(tmp_path: Path, content: str) -> Path:
    """A program in a folder with a space, and its Pulumi.yaml."""
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(content, encoding="utf-8")
    return folder / "toy.py"


def written(program: Path, tmp_path: Path) -> object:
    write_project(program, tmp_path)
    return yaml.safe_load((tmp_path / "Pulumi.yaml").read_text(encoding="utf-8"))


def test_tapstacks_own_file_differs_only_in_where_the_program_is_and_what_runs_it(tmp_path: Path) -> None:
    own = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert written(ROOT / "tap_stack.py", tmp_path) == {
        **own,
        "main": str(ROOT / "tap_stack.py"),
        "runtime": {"name": "python", "options": {"toolchain": "pip"}},  # no virtualenv: none is made
    }


@pytest.mark.parametrize("runtime", ["python", "{name: python, options: {toolchain: uv, virtualenv: venv}}"])
def test_the_program_runs_where_it_lies_whatever_environment_it_would_make_itself(tmp_path: Path, runtime: str) -> None:
    program = project(
        tmp_path, f"name: toy\nruntime: {runtime}\nbackend:\n  url: s3://mine\nconfig:\n  toy:on: 'yes'\n"
    )
    assert written(program, tmp_path) == {
        "name": "toy",
        "runtime": {"name": "python", "options": {"toolchain": "pip"}},
        "config": {"toy:on": "yes"},
        "main": str(program),
    }


def test_another_language_is_refused(tmp_path: Path) -> None:
    program = project(tmp_path, "name: toy\nruntime: nodejs\n")
    with pytest.raises(DeploymentError, match=r"Pulumi\.yaml has the runtime 'nodejs': only the runtime `python`"):
        write_project(program, tmp_path)


def test_the_configuration_of_the_stack_is_taken_as_it_is(tmp_path: Path) -> None:
    copy_stack_file(ROOT, "localstack", tmp_path)
    name = "Pulumi.localstack.yaml"
    assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_secrets_of_somebody_elses_passphrase_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text("encryptionsalt: v1:abc\nconfig: {}\n", encoding="utf-8")
    with pytest.raises(DeploymentError, match=r"Pulumi\.prod\.yaml has encryptionsalt: .*Set plain values"):
        copy_stack_file(tmp_path, "prod", tmp_path / "work")
