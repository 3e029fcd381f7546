"""Order of the end-to-end tests over processes: `pytest -n auto --dist loadfile --no-loadscope-reorder`.

All tests of a file run in one process, so tests that share a costly fixture are in one file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

WORKERS = 3
"""Processes where the emulator starts quickly: one more than most machines have cores to spare, because tests wait for
a third of their time. Each additional process costs five seconds of CPU time, for an emulator and a stack."""

LONGEST_FIRST = (
    *("test_operations.py", "test_faults.py", "test_alarm_notifications.py", "test_commands.py", "test_capacity.py"),
    *("test_uploads.py", "test_second_stack.py", "test_least_privilege.py", "test_plain_http.py"),
    *("test_customer_key.py", "test_deletions.py", "test_table_queries.py", "test_traces.py"),
    "test_in_process_deployer.py",
)
"""The files that take seconds, in the order of their start, so that none of them runs alone at the end."""


def position(item: pytest.Item) -> int:
    """A sort key. The tests of one file are equal; a file that is not in the table comes last."""
    name = item.path.name
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)
