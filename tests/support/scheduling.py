"""Which tests run in the same process, and in which order: `-n auto --dist loadfile --no-loadscope-reorder`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    import pytest

WORKERS = 3
"""Processes side by side where the emulator is quick to start: one more than most machines have cores to spare, since
tests wait a third of their time. Each more takes five seconds of work, for an emulator and a stack of its own."""

OPERATORS, READERS = "the operator's tools", "what was uploaded, and what cannot succeed"

TOGETHER = {
    "test_operations_audit.py": OPERATORS,
    "test_operations_backfill.py": OPERATORS,
    "test_operations_redrive.py": OPERATORS,
    "test_uploads.py": READERS,
    "test_deployed_storage.py": READERS,
    "test_failures.py": READERS,
    "test_logs.py": READERS,
    "test_table_queries.py": READERS,
}
"""Files that share what takes seconds to make: a stack of the operators' own, all the uploads, events that fail."""

LONGEST = (
    *("test_operations_redrive.py", "test_faults.py", "test_alarms_fire.py", "test_demo.py", "test_capacity.py"),
    *("test_uploads.py", "test_existing.py", "test_another_stack.py", "test_least_privilege.py"),
    *("test_plain_http.py", "test_own_key.py", "test_deletions.py", "test_traces.py", "test_engine.py"),
)
"""The files that take seconds, begun in this order, lest one of them is left alone at the end."""


def longest_first(item: pytest.Item) -> int:
    """Where a test comes, as a sort key: those of one file are equal."""
    name = item.path.name
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # it ships no types
    """Hands out a file, or files that belong together, to whichever process is free."""

    def _reschedule(self, node: Any) -> None:  # noqa: ANN401  as it is
        """Keep back what a process does not need yet: it begins a test once it knows the next, so one more will do."""
        if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return TOGETHER.get(file.rpartition("/")[2], file)
