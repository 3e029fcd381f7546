"""The audit finds rows that do not match the bucket, and repairs them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from operations.audit import GRACE, Audit
from operations.aws import Aws
from operations.listing import Indexed
from operations.output import Progress
from operations.target import from_function
from tests.support.rows import object_attributes

if TYPE_CHECKING:
    from operations.listing import Version
    from tests.e2e.operations_stack import OperationsStack
    from tests.support.index import Row

pytestmark = pytest.mark.not_in_a_live_account("deploys a stack of its own")

NAMES = (
    *("audit/lost.txt", "audit/altered.txt", "audit/moved to another day.txt", "audit/incomplete +%2B.txt"),
    *("audit/gone é.txt", "audit/marked.txt", "audit/fine.txt"),
)


def test_every_damage_is_found_and_undone(operations: OperationsStack) -> None:
    index = operations.index
    lost, altered, moved, incomplete, deleted, marked, intact = rows = operations.put_all_indexed(NAMES)
    assert operations.run("audit", "--prefix", "audit/").code == 0

    index.delete_row(lost["key"], lost["version_id"])
    operations.overwrite_row(altered, size_bytes=1, etag="wrong")
    operations.overwrite_row(moved, uploaded_at="2001-01-01T00:00:00.000Z", upload_day="2001-01-01")
    operations.overwrite_row(incomplete, content_type=None)
    with operations.notifications_disabled():
        index.delete_version(deleted["key"], deleted["version_id"])
        marker = index.delete(marked["key"])
        unseen_key = index.key("audit/unseen: a+b c%20d.txt")
        unseen = index.put(unseen_key, b"unseen", Metadata={"by": "nobody"})
    damaged = [index.rows(row["key"]) for row in rows]

    result = operations.run("audit", "--prefix", "audit/")
    assert result.code == 1
    assert result.findings() == sorted(
        [
            ("missing", lost["key"], lost["version_id"]),
            ("missing", marked["key"], marker),
            ("missing", unseen_key, unseen),
            ("wrong", altered["key"], altered["version_id"]),
            ("wrong", moved["key"], moved["version_id"]),
            ("incomplete", incomplete["key"], incomplete["version_id"]),
            ("stale", deleted["key"], deleted["version_id"]),
        ]
    )
    assert [index.rows(row["key"]) for row in rows] == damaged  # without --repair it changes nothing

    before = datetime.now(UTC)
    result = operations.run("audit", "--prefix", "audit/", "--repair")
    assert (result.code, result.document["sent"]) == (1, 7)
    result = operations.audit_until_consistent("--prefix", "audit/")
    assert (result.document["versions"], result.document["markers"]) == (7, 1)

    for row in (lost, altered, moved, incomplete, marked, intact):
        repaired = index.existing_row(row["key"], row["version_id"])
        assert object_attributes(repaired) == object_attributes(row)
    [row] = index.rows(deleted["key"])
    assert {name: row[name] for name in object_attributes(deleted)} == object_attributes(deleted)
    assert row["deleted_by"] == "tapstack:audit"
    assert before.isoformat() < row["deleted_at"]
    marker_row = index.existing_row(marked["key"], marker)
    assert (marker_row["delete_marker"], "upload_day" in marker_row) == (True, False)
    assert {row["version_id"] for row in index.rows(marked["key"])} == {marked["version_id"], marker}
    index.assert_row_matches_head(index.wait_for_row(unseen_key, unseen))


def test_a_null_version_that_was_replaced_unseen_is_found_and_undone(operations: OperationsStack) -> None:
    index = operations.index
    key = index.key("audit-null/a.txt")

    def find_and_repair(difference: str) -> Row:
        assert operations.run("audit", "--prefix", "audit-null/").findings() == [(difference, key, "null")]
        operations.run("audit", "--prefix", "audit-null/", "--repair")
        operations.audit_until_consistent("--prefix", "audit-null/")
        return index.wait_for_row(key, "null")

    with operations.versioning_suspended():
        assert index.put_indexed(key, b"first")["size_bytes"] == 5
        with operations.notifications_disabled():
            index.put(key, b"the second")
        assert find_and_repair("wrong")["size_bytes"] == 10
        with operations.notifications_disabled():
            index.delete_version(key, "null")
        assert find_and_repair("stale")["deleted_by"] == "tapstack:audit"


class ConcurrentlyChangedAws(Aws):
    """AWS with a change after the first listing was requested and before it is read."""

    change: Callable[[], object] | None = None

    def versions(self, bucket: str, **which: Any) -> Iterator[Version]:
        listed = list(super().versions(bucket, **which))
        if self.change:
            change, self.change = self.change, None
            change()
        yield from listed


def test_a_busy_bucket_raises_no_false_alarm(operations: OperationsStack) -> None:
    """Objects are created and deleted during the audit; its second pass waits for pending events."""
    index, aws = operations.index, ConcurrentlyChangedAws.connect()
    target = from_function(index.function, aws)
    rows = operations.put_all_indexed([f"busy/{number}.txt" for number in range(8)])
    created: list[tuple[str, str]] = []

    def change_objects() -> None:
        for number, row in enumerate(rows[:4]):
            created.append((row["key"], index.put(row["key"], b"another version")))
            created.append((row["key"], index.delete(row["key"])))
            index.delete_version(row["key"], row["version_id"])
            key = index.key(f"busy/new-{number}.txt")
            created.append((key, index.put(key)))

    def sleep(seconds: float) -> None:
        if seconds == GRACE:
            thread.join()
            for key, version_id in created:
                index.wait_for_row(key, version_id)
            for row in rows[:4]:
                index.wait_for_deletion(row["key"], row["version_id"])

    audit = Audit(
        aws,
        target,
        indexed=Indexed.of(aws.notifications(index.bucket), target.function_arn),
        capacity=aws.capacity(index.table),
        prefix="busy/",
        sleep=sleep,
    )
    aws.change = lambda: index.put_indexed(index.key("busy/after the listing.txt"))
    thread = Thread(target=change_objects)
    thread.start()
    audit.compare(Progress(io.StringIO()))
    thread.join()
    assert audit.report.findings == []
    assert audit.report.looked_again > 0  # the first pass saw differences
    sleep(GRACE)
    assert operations.run("audit", "--prefix", "busy/").code == 0
