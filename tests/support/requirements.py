"""Parser of the project's requirements files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def requirements(file: Path) -> list[str]:
    """Return the requirements of a requirements file, each with its options on one line."""
    lines = file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pins(file: Path) -> dict[str, str]:
    """Return the pinned version of each package in a requirements file."""
    return dict(line.split(" ")[0].split("==") for line in requirements(file))
