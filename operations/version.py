"""Version of this program."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

NAME = "tapstack"
"""Name of the package and of the command."""


def version(folder: Path = Path(__file__).parents[1]) -> str:
    """Return the version in the pyproject.toml of a clone, or otherwise the version of the installed package.

    Args:
        folder: folder of the package `operations`: the root of a clone, or a folder of installed packages.
    """
    file = folder / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}) if file.exists() else {}
    # A folder of installed packages can contain the pyproject.toml of another project.
    if project.get("name") == NAME:
        return str(project["version"])
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "unknown: neither a clone nor an installed package"
