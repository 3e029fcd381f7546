"""Copies of a project's files in the CLI's working folder, so that the project itself is only read."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from localstack.deployers.configuration import load
from localstack.errors import DeploymentError

_SECRETS_KEYS = ("encryptionsalt", "encryptedkey", "secretsprovider")


def copy_stack_file(project: Path, stack: str, work: Path) -> None:
    """Copy the configuration file of a stack, to which Pulumi will add its own configuration.

    Raises:
        DeploymentError: there is no such file, or it has secrets that need another passphrase.
    """
    file = project / f"Pulumi.{stack}.yaml"
    if secrets := [key for key in _SECRETS_KEYS if key in load(file)]:
        raise DeploymentError(
            f"{file} has {', '.join(secrets)}: its secrets cannot be read with a passphrase that is made for this run. "
            "Give this stack plain values"
        )
    shutil.copyfile(file, work / file.name)


def write_project(program: Path, work: Path) -> None:
    """Write a copy of the Pulumi.yaml beside `program` that runs `program` from its folder, with this interpreter.

    Without a `virtualenv` Pulumi uses the interpreter that PULUMI_PYTHON_CMD names, and creates no environment.

    Raises:
        DeploymentError: the program has no usable Pulumi.yaml beside it, or is no Python program.
    """
    file = program.parent / "Pulumi.yaml"
    project = load(file)
    runtime = project.get("runtime")
    if (runtime["name"] if isinstance(runtime, dict) and "name" in runtime else runtime) != "python":
        raise DeploymentError(f"{file} has the runtime {runtime!r}: only `python` can be deployed from here")
    project |= {"main": str(program.resolve()), "runtime": {"name": "python", "options": {"toolchain": "pip"}}}
    project.pop("backend", None)  # the state goes where PULUMI_BACKEND_URL says
    text = yaml.safe_dump(project, allow_unicode=True, sort_keys=False)
    (work / file.name).write_text(text, encoding="utf-8")
