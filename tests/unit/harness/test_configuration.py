"""Tests that the in-process deployer reads Pulumi.yaml and Pulumi.<stack>.yaml like Pulumi's engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from localstack.deployers.configuration import Project, read_project
from localstack.errors import DeploymentError


def read(folder: Path, project: str, stack: str = "config: {}", **overrides: str) -> Project:
    (folder / "Pulumi.yaml").write_text(project, encoding="utf-8")
    (folder / "Pulumi.test.yaml").write_text(stack, encoding="utf-8")
    return read_project(folder, "test", overrides)


def test_configuration_precedence_is_overrides_then_stack_then_project(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        "name: tapstack\nconfig:\n  aws:region: us-east-1\n  one: project\n  two: project\n  three: project\n",
        "config:\n  tapstack:two: stack\n  three: stack\n",
        three="override",
        **{"aws:region": "eu-west-1"},
    )
    assert project == Project(
        "tapstack",
        {
            "aws:region": "eu-west-1",
            "tapstack:one": "project",
            "tapstack:two": "stack",
            "tapstack:three": "override",
        },
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("plain", "plain"),
        ('"true"', "true"),
        ("true", "true"),
        ("100", "100"),
        ("0.5", "0.5"),
        ("1e3", "1000"),
        ("on", "on"),
        ("no", "no"),
        ("2026-01-31", "2026-01-31"),
        ("007", "007"),
        ("[http://a, http://b]", '["http://a","http://b"]'),
        ("{deep: {list: [1, true, ü]}}", '{"deep":{"list":[1,true,"ü"]}}'),
    ],
)
def test_configuration_values_are_converted_to_strings_as_by_pulumi(written: str, text: str, tmp_path: Path) -> None:
    assert read(tmp_path, "name: p", f"config:\n  p:key: {written}\n").config == {"p:key": text}


@pytest.mark.parametrize(
    "declaration",
    ["{type: integer, description: how many, default: 7}", "{default: 7}", "{value: 7}", "7"],
)
def test_configuration_key_declared_in_pulumi_yaml_has_its_default(declaration: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"name: p\nconfig:\n  many: {declaration}\n").config == {"p:many": "7"}


def test_declared_configuration_key_without_default_is_required(tmp_path: Path) -> None:
    declared = "name: p\nconfig:\n  many: {type: integer}\n"
    with pytest.raises(DeploymentError, match=r"declares p:many without a default, and Pulumi\.test\.yaml does not"):
        read(tmp_path, declared)
    assert read(tmp_path, declared, "config: {many: 3}").config == {"p:many": "3"}


@pytest.mark.parametrize("secret", ["{secure: v1:abc}", "[{secure: v1:abc}]", "{password: {secure: v1:abc}}"])
def test_secret_configuration_value_is_rejected_at_any_depth(secret: str, tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"Pulumi\.test\.yaml: p:token is a secret.*plain value"):
        read(tmp_path, "name: p", f"config:\n  p:token: {secret}\n")


def test_in_process_deployer_accepts_a_stack_file_with_an_unused_encryption_salt(tmp_path: Path) -> None:
    assert read(tmp_path, "name: p", "encryptionsalt: v1:x\nconfig:\n  a: b\n").config == {"p:a": "b"}


@pytest.mark.parametrize(
    ("project", "stack", "message"),
    [
        ("name: p", "environment: [dev]", r"Pulumi\.test\.yaml has environment, which only the Pulumi CLI supports"),
        ("name: p", "config:\n  a:\n", r"a has no value: set it or remove it"),
        ("main: x.py", "config: {}", r"Pulumi\.yaml has no name"),
        ("name: [", "config: {}", r"Pulumi\.yaml is not valid YAML"),
        ("just text", "config: {}", r"must contain keys with values, but contains str"),
    ],
)
def test_error_for_an_invalid_pulumi_file_explains_the_problem(
    project: str, stack: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DeploymentError, match=message):
        read(tmp_path, project, stack)


def test_error_for_a_missing_stack_file_lists_the_existing_files(tmp_path: Path) -> None:
    read(tmp_path, "name: p")
    with pytest.raises(
        DeploymentError, match=r"Pulumi\.other\.yaml does not exist; .*: Pulumi\.test\.yaml, Pulumi\.yaml"
    ):
        read_project(tmp_path, "other", {})
