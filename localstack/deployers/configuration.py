"""Reads a project's Pulumi.yaml and a stack's Pulumi.<stack>.yaml as Pulumi's own engine does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localstack.errors import DeploymentError

_STACK_FILE_KEYS = frozenset({"config", "encryptionsalt", "encryptedkey", "secretsprovider"})
"""What a stack's file may hold; the last three are about the secrets that are refused below."""


@dataclass(frozen=True)
class Project:
    """A project, and the configuration of one of its stacks as its program is given it: ``aws:region`` to a text."""

    name: str
    config: dict[str, str]


def read_project(folder: Path, stack: str, overrides: Mapping[str, str]) -> Project:
    """Read both files of `folder` and put `overrides` on top; their keys may leave out the project's name.

    Raises:
        DeploymentError: a file is missing, is no such file, or holds what only the real engine can read.
    """
    project_file, stack_file = folder / "Pulumi.yaml", folder / f"Pulumi.{stack}.yaml"
    project, settings = load(project_file), load(stack_file)
    name = project.get("name")
    if not isinstance(name, str):
        raise DeploymentError(f"{project_file} has no name: the project needs one, for example `name: tapstack`")
    if unknown := settings.keys() - _STACK_FILE_KEYS:
        raise DeploymentError(
            f"{stack_file} has {', '.join(sorted(unknown))}, which only Pulumi's own engine understands: "
            "take it out, or deploy with that engine"
        )
    config = dict(_project_config(project.get("config") or {}, name, project_file))
    for key, value in (settings.get("config") or {}).items():
        config[_full(key, name)] = _text(value, key, stack_file)
    config |= {_full(key, name): value for key, value in overrides.items()}
    if missing := sorted(key for key, value in config.items() if value is None):
        raise DeploymentError(
            f"{project_file} declares {', '.join(missing)} without a default, and {stack_file.name} does not set it"
        )
    return Project(name, {key: value for key, value in config.items() if value is not None})


def _project_config(declared: Mapping[str, Any], name: str, file: Path) -> Iterator[tuple[str, str | None]]:
    """Yield keys with their defaults; None for a key that each stack must set.

    An object is a declaration (`value`, or `type`, `description`, `default`), anything else is the default itself.
    """
    for key, entry in declared.items():
        if not isinstance(entry, Mapping):
            yield _full(key, name), _text(entry, key, file)
        else:
            default = entry.get("value", entry.get("default"))
            yield _full(key, name), None if default is None else _text(default, key, file)


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: object, key: str, file: Path) -> str:
    if _is_secret(value):
        raise DeploymentError(
            f"{file}: {key} is a secret, which only Pulumi's own engine can decrypt: "
            "give this stack a plain value, or deploy with that engine"
        )
    match value:
        case None:
            raise DeploymentError(f"{file}: {key} has no value: set it or take it out")
        case bool():
            return str(value).lower()
        case float():
            return repr(value).removesuffix(".0")  # as Go prints it
        case str() | int():
            return str(value)
        case _:
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _is_secret(value: object) -> bool:
    match value:
        case dict():
            return set(value) == {"secure"} or any(_is_secret(item) for item in value.values())
        case list():
            return any(_is_secret(item) for item in value)
        case _:
            return False


def load(file: Path) -> dict[str, Any]:
    """Return the content of a YAML file of Pulumi's, read as Pulumi reads it.

    Raises:
        DeploymentError: the file is missing, is no YAML, or holds no keys.
    """
    try:
        # a subclass of PyYAML's safe loader
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except FileNotFoundError as error:
        known = ", ".join(sorted(path.name for path in file.parent.glob("Pulumi.*yaml"))) or "none"
        raise DeploymentError(
            f"{file} does not exist; files of Pulumi there: {known}. Is the stack's name right?"
        ) from error
    except yaml.YAMLError as error:
        raise DeploymentError(f"{file} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise DeploymentError(f"{file} should hold keys with values, but holds {type(content).__name__}")
    return content


class _Loader(yaml.SafeLoader):
    """YAML as Pulumi's parser sees it: `on` and `yes` are texts, and so are dates."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  replaces the base class's, which are YAML 1.1's


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)
