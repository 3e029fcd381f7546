"""Tests of the project files that are generated for the Pulumi CLI."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from localstack.deployers.pulumi_project import copy_stack_file, write_project
from localstack.errors import DeploymentError

ROOT = Path(__file__).parents[3]


def project(tmp_path: Path, content: str) -> Path:
    """Create a project folder with a Pulumi.yaml, and return the path of its program."""
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(content, encoding="utf-8")
    return folder / "toy.py"


def written(program: Path, tmp_path: Path) -> object:
    write_project(program, tmp_path)
    return yaml.safe_load((tmp_path / "Pulumi.yaml").read_text(encoding="utf-8"))


def test_generated_pulumi_yaml_differs_from_the_original_only_in_main_and_runtime(tmp_path: Path) -> None:
    own = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert written(ROOT / "tap_stack.py", tmp_path) == {
        **own,
        "main": str(ROOT / "tap_stack.py"),
        "runtime": {"name": "python", "options": {"toolchain": "pip"}},
    }


@pytest.mark.parametrize("runtime", ["python", "{name: python, options: {toolchain: uv, virtualenv: venv}}"])
def test_generated_pulumi_yaml_replaces_runtime_options_and_omits_backend(tmp_path: Path, runtime: str) -> None:
    program = project(
        tmp_path, f"name: toy\nruntime: {runtime}\nbackend:\n  url: s3://mine\nconfig:\n  toy:on: 'yes'\n"
    )
    assert written(program, tmp_path) == {
        "name": "toy",
        "runtime": {"name": "python", "options": {"toolchain": "pip"}},
        "config": {"toy:on": "yes"},
        "main": str(program),
    }


def test_pulumi_project_in_another_language_is_rejected(tmp_path: Path) -> None:
    program = project(tmp_path, "name: toy\nruntime: nodejs\n")
    message = r"Pulumi\.yaml has the runtime 'nodejs': the test infrastructure supports only the runtime `python`"
    with pytest.raises(DeploymentError, match=message):
        write_project(program, tmp_path)


def test_stack_configuration_file_is_copied_unchanged(tmp_path: Path) -> None:
    copy_stack_file(ROOT, "localstack", tmp_path)
    name = "Pulumi.localstack.yaml"
    assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_pulumi_deployer_rejects_a_stack_file_with_an_encryption_salt(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text("encryptionsalt: v1:abc\nconfig: {}\n", encoding="utf-8")
    with pytest.raises(DeploymentError, match=r"Pulumi\.prod\.yaml has encryptionsalt: .*Set plain values"):
        copy_stack_file(tmp_path, "prod", tmp_path / "work")
