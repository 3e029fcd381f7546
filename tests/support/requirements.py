"""Reads the project's requirements files, for the tests of what ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def requirements(file: Path) -> list[str]:
    """Return each requirement with its options, on one line."""
    lines = file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pins(file: Path) -> dict[str, str]:
    """Return the version of each package, all of which are pinned."""
    return dict(line.split(" ")[0].split("==") for line in requirements(file))
