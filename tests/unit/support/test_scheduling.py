"""The end-to-end tests' order names files: one that is renamed would silently lose its place."""

from __future__ import annotations

from pathlib import Path

from tests.support import scheduling


def test_every_file_that_is_named_is_there() -> None:
    folder = Path(scheduling.__file__).parents[1] / "e2e"
    for name in {*scheduling.TOGETHER, *scheduling.LONGEST}:
        assert (folder / name).is_file(), name
