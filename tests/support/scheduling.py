"""Start order of the test files for `pytest -n auto --dist loadfile --no-loadscope-reorder`.

All tests of a file run in the same process. Therefore tests that share a slow fixture are in one file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

WORKERS = 3
"""Number of test processes for an emulator that starts quickly. Three processes use two cores fully, because a test
waits during a third of its time. Each additional process starts an emulator and deploys a stack, which requires five
seconds of CPU time."""

LONGEST_FIRST = (
    *("test_inventory.py", "test_commands.py", "test_operations.py", "test_faults.py", "test_alarm_notifications.py"),
    *("test_inspector.py", "test_capacity.py"),
    "test_athena.py",
    *("test_uploads.py", "test_second_stack.py", "test_least_privilege.py", "test_plain_http.py"),
    *(
        "test_component_example.py",
        "test_customer_key.py",
        "test_deletions.py",
        "test_table_queries.py",
        "test_traces.py",
        "test_existing_buckets.py",
    ),
    "test_in_process_deployer.py",
)
"""Slow test files of the sessions `localstack-e2e` and `slow`, longest first, so that the run does not end with one
slow file on a single process."""


def position(item: pytest.Item) -> int:
    """Return the sort key of a test: the position of its file in LONGEST_FIRST. Other files are last."""
    name = item.path.name
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)
