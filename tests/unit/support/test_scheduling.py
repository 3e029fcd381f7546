"""Check that the start order of end-to-end test files contains no file that was renamed or deleted."""

from __future__ import annotations

from pathlib import Path

from tests.support import scheduling


def test_files_in_the_start_order_of_end_to_end_tests_exist() -> None:
    folder = Path(scheduling.__file__).parents[1] / "e2e"
    assert [name for name in scheduling.LONGEST_FIRST if not (folder / name).is_file()] == []
