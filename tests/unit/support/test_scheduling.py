"""Check of the start order of end-to-end test files: a renamed file would lose its position without an error."""

from __future__ import annotations

from pathlib import Path

from tests.support import scheduling


def test_files_in_the_start_order_of_end_to_end_tests_exist() -> None:
    folder = Path(scheduling.__file__).parents[1] / "e2e"
    assert [name for name in scheduling.LONGEST_FIRST if not (folder / name).is_file()] == []
