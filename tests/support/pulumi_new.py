"""Creates a project from a template as the command `pulumi new` does.

Source: the Pulumi CLI 3.26x, pkg/cmd/pulumi/templates/project_templates.go and pkg/cmd/pulumi/project/newcmd.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from localstack.deployers.configuration import load

BINARY_PREFIX = 8000
"""A file is binary if it has a zero byte within this number of bytes."""


def new_project(
    template: Path, folder: Path, *, name: str, description: str, stack: str, values: Mapping[str, str]
) -> None:
    """Create a project and the configuration of its stack from a template.

    The CLI downloads the template with Git, so that files that Git ignores are not copied. It replaces the placeholders
    for name and description in text files, sets both in Pulumi.yaml, and removes the template from Pulumi.yaml.

    Args:
        template: folder of the template.
        folder: folder of the new project, which must not exist.
        name: name of the new project.
        description: description of the new project.
        stack: name of the new stack.
        values: values for the questions of the template, by key. A missing or empty value selects the default.
    """
    ignored = [line.rstrip("/") for line in (template / ".gitignore").read_text(encoding="utf-8").splitlines()]
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns(".git", *ignored))
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        if b"\0" not in content[:BINARY_PREFIX]:
            for placeholder, value in (("PROJECT", name), ("DESCRIPTION", description)):
                content = content.replace(f"${{{placeholder}}}".encode(), value.encode())
            path.write_bytes(content)
    file = folder / "Pulumi.yaml"
    project = load(file)
    questions: dict[str, dict[str, Any]] = project.pop("template")["config"]
    assert values.keys() <= questions.keys()
    tags = {"pulumi:tags": {"value": {"pulumi:template": "tapstack"}}}
    project |= {"name": name, "description": description, "config": {**project["config"], **tags}}
    _write(file, project)
    chosen = {key: values.get(key) or question.get("default", "") for key, question in questions.items()}
    stack_file = folder / f"Pulumi.{stack}.yaml"
    settings = load(stack_file) if stack_file.exists() else {}
    config = {_qualified(key, name): value for key, value in settings.get("config", {}).items()}
    config |= {_qualified(key, name): value for key, value in chosen.items() if value}
    _write(stack_file, {**settings, "config": config})


def _qualified(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True), encoding="utf-8")
