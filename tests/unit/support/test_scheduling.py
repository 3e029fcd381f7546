"""Check that the start order of test files contains no file that was renamed or deleted."""

from __future__ import annotations

from pathlib import Path

from tests.support import scheduling

TESTS = Path(scheduling.__file__).parents[1]


def test_files_in_the_start_order_exist() -> None:
    names = {path.name for folder in ("e2e", "property") for path in (TESTS / folder).glob("test_*.py")}
    assert [name for name in scheduling.LONGEST_FIRST if name not in names] == []
