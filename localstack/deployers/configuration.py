"""Reads the configuration of a Pulumi project (Pulumi.yaml) and of its stack (Pulumi.<stack>.yaml) as Pulumi does."""

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
"""Supported top-level keys of a stack's configuration file.

The last three configure the encryption of secrets; `read_project` ignores them, but rejects secret values.
"""


@dataclass(frozen=True)
class Project:
    """A Pulumi project and the configuration of one of its stacks.

    Attributes:
        name: name of the project.
        config: values as strings, by full key (``aws:region``), as Pulumi passes them to the program.
    """

    name: str
    config: dict[str, str]


def read_project(folder: Path, stack: str, overrides: Mapping[str, str]) -> Project:
    """Read the configuration files of a Pulumi project and of one of its stacks.

    Args:
        folder: folder with both files.
        stack: name of the stack.
        overrides: configuration that takes precedence; its keys may omit the project's name.

    Raises:
        DeploymentError: a file is missing or invalid, or has a setting that only the Pulumi CLI supports.
    """
    project_file, stack_file = folder / "Pulumi.yaml", folder / f"Pulumi.{stack}.yaml"
    project, settings = load(project_file), load(stack_file)
    name = project.get("name")
    if not isinstance(name, str):
        raise DeploymentError(f"{project_file} has no name: the project needs one, for example `name: tapstack`")
    if unknown := settings.keys() - _STACK_FILE_KEYS:
        raise DeploymentError(
            f"{stack_file} has {', '.join(sorted(unknown))}, which only the Pulumi CLI supports: "
            "remove it, or deploy with the Pulumi CLI"
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
    """Yield each configuration key of a project with its default; None if each stack must set the key.

    Pulumi.yaml declares a key either with its default value, or with an object that may have the keys `value`, `type`,
    `description` and `default`.
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
            f"{file}: {key} is a secret, which only the Pulumi CLI can decrypt: "
            "set a plain value for this stack, or deploy with the Pulumi CLI"
        )
    match value:
        case None:
            raise DeploymentError(f"{file}: {key} has no value: set it or remove it")
        case bool():
            return str(value).lower()
        case float():
            return repr(value).removesuffix(".0")  # Pulumi formats whole numbers without ".0".
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
    """Return the content of a Pulumi configuration file (YAML).

    Raises:
        DeploymentError: the file is missing, is not valid YAML, or is not a mapping.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506  a subclass of the safe loader
    except FileNotFoundError as error:
        known = ", ".join(sorted(path.name for path in file.parent.glob("Pulumi.*yaml"))) or "none"
        raise DeploymentError(
            f"{file} does not exist; Pulumi files in that folder: {known}. Is the stack's name correct?"
        ) from error
    except yaml.YAMLError as error:
        raise DeploymentError(f"{file} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise DeploymentError(f"{file} must contain keys with values, but contains {type(content).__name__}")
    return content


class _Loader(yaml.SafeLoader):
    """YAML loader that follows Pulumi's parser: `on`, `yes` and dates are strings."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  replaces the YAML 1.1 resolvers of the base class


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)
