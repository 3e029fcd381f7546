"""Distribution of the end-to-end tests over processes: `pytest -n auto --dist loadgroup --no-loadscope-reorder`.

Each group of files runs in one process, and the groups start in the order of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

WORKERS = 3
"""Processes where the emulator starts quickly: one more than most machines have cores to spare, because tests wait for
a third of their time. Each additional process costs five seconds of CPU time, for an emulator and a stack."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    # shares the stack of the operations tools
    "operations": ("test_operations_redrive.py", "test_operations_audit.py", "test_operations_backfill.py"),
    "faults": ("test_faults.py",),
    "alarms": ("test_alarm_notifications.py",),
    "demo": ("test_demo.py",),
    "capacity": ("test_capacity.py",),
    # shares the uploads of every case, and the events that cannot succeed
    "uploads": (
        *("test_uploads.py", "test_deployed_storage.py", "test_failures.py", "test_logs.py"),
        "test_table_queries.py",
    ),
    "existing": ("test_existing_stack.py",),
    "second-stack": ("test_second_stack.py",),
    "least-privilege": ("test_least_privilege.py",),
    "plain-http": ("test_plain_http.py",),
    "customer-key": ("test_customer_key.py",),
    "deletions": ("test_deletions.py",),
    "traces": ("test_traces.py",),
    "deployer": ("test_in_process_deployer.py",),
}
"""The files that take seconds, the longest first, so that none of them runs alone at the end."""

_GROUP_OF_FILE = {file: group for group, files in GROUPS.items() for file in files}
_POSITIONS = {file: position for position, file in enumerate(_GROUP_OF_FILE)}


def group_of(item: pytest.Item) -> str:
    """The `xdist_group` of a test: its file's group; a file that is in none is a group by itself."""
    return _GROUP_OF_FILE.get(item.path.name, item.path.stem.removeprefix("test_"))


def position_of(item: pytest.Item) -> int:
    """A sort key. The tests of one file are equal; a file that is in no group comes last."""
    return _POSITIONS.get(item.path.name, len(_POSITIONS))
