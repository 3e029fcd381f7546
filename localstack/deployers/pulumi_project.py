"""Copies the configuration files of a Pulumi project, so that the Pulumi CLI cannot change the original files."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from localstack.deployers.configuration import load
from localstack.errors import DeploymentError

_SECRETS_KEYS = ("encryptionsalt", "encryptedkey", "secretsprovider")


def copy_stack_file(project: Path, stack: str, work: Path) -> None:
    """Copy Pulumi.<stack>.yaml, the configuration file of a stack.

    Args:
        project: folder of the Pulumi project.
        stack: name of the stack.
        work: working folder of the Pulumi CLI, which receives the copy.

    Raises:
        DeploymentError: the file is missing, or it contains encrypted secrets.
    """
    file = project / f"Pulumi.{stack}.yaml"
    if secrets := [key for key in _SECRETS_KEYS if key in load(file)]:
        raise DeploymentError(
            f"{file} has {', '.join(secrets)}: encrypted secrets cannot be decrypted here, because each deployment "
            "uses a new passphrase. Set plain values for this stack"
        )
    shutil.copyfile(file, work / file.name)


def write_project(program: Path, work: Path) -> None:
    """Write a copy of Pulumi.yaml, the project file, that runs the program in its original folder.

    The copy has no option `virtualenv`, so that Pulumi runs the interpreter in PULUMI_PYTHON_CMD.

    Args:
        program: file of the Pulumi program; Pulumi.yaml is in the same folder.
        work: working folder of the Pulumi CLI, which receives the copy.

    Raises:
        DeploymentError: Pulumi.yaml is missing or invalid, or its runtime is not Python.
    """
    file = program.parent / "Pulumi.yaml"
    project = load(file)
    runtime = project.get("runtime")
    if (runtime["name"] if isinstance(runtime, dict) and "name" in runtime else runtime) != "python":
        raise DeploymentError(
            f"{file} has the runtime {runtime!r}: the test infrastructure supports only the runtime `python`"
        )
    project |= {"main": str(program.resolve()), "runtime": {"name": "python", "options": {"toolchain": "pip"}}}
    # The option `backend` (location of Pulumi's state) is removed, because PULUMI_BACKEND_URL specifies the location.
    project.pop("backend", None)
    text = yaml.safe_dump(project, allow_unicode=True, sort_keys=False)
    (work / file.name).write_text(text, encoding="utf-8")
