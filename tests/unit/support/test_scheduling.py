"""The order of the end-to-end tests names files: a renamed file would silently lose its group and position."""

from __future__ import annotations

from pathlib import Path

from tests.support import scheduling


def test_every_file_that_is_named_is_there() -> None:
    folder = Path(scheduling.__file__).parents[1] / "e2e"
    missing = [file for files in scheduling.GROUPS.values() for file in files if not (folder / file).is_file()]
    assert missing == []
