"""The order of the end-to-end tests names files: a renamed file would silently lose its position."""

from __future__ import annotations

from pathlib import Path

from tests.support import scheduling


def test_every_file_that_is_named_is_there() -> None:
    folder = Path(scheduling.__file__).parents[1] / "e2e"
    assert [name for name in scheduling.LONGEST_FIRST if not (folder / name).is_file()] == []
