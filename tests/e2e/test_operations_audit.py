"""Damage is done to the table and behind the function's back, found by the audit, and undone by its repair."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from operations.audit import GRACE, Audit
from operations.aws import Aws
from operations.discovery import from_function
from operations.listing import KeyFilter
from operations.output import Progress
from tests.support.rows import FROM_THE_EVENT, told_by_s3

if TYPE_CHECKING:
    from operations.listing import Version
    from tests.e2e.operated import Operated
    from tests.support.index import Row

pytestmark = pytest.mark.not_in_a_live_account("deploys a stack of its own")

NAMES = [
    "lost.txt",
    "altered.txt",
    "moved to another day.txt",
    "incomplete +%2B.txt",
    "gone é.txt",
    "marked.txt",
    "fine.txt",
]


def own(row: Row) -> Row:
    """A row without what depends on the event that wrote it."""
    return {name: value for name, value in row.items() if name not in FROM_THE_EVENT}


def test_every_damage_is_found_and_undone(operated: Operated) -> None:
    index = operated.index
    rows = operated.put_indexed([f"audit/{name}" for name in NAMES])
    lost, altered, moved, incomplete, gone, marked, fine = rows.values()
    assert operated.run("audit", "--prefix", "audit/").code == 0

    index.forget(lost["key"], lost["version_id"])
    operated.alter(altered, size_bytes=1, etag="wrong")
    operated.alter(moved, uploaded_at="2001-01-01T00:00:00.000Z", upload_day="2001-01-01")
    operated.alter(incomplete, content_type=None)
    with operated.trigger_off():
        index.delete_version(gone["key"], gone["version_id"])
        marker = operated.delete(marked["key"])
        unseen_key = index.key("audit/unseen: a+b c%20d.txt")
        unseen = index.put(unseen_key, b"unseen", Metadata={"by": "nobody"})
    damaged = [index.rows(row["key"]) for row in rows.values()]

    said = operated.run("audit", "--prefix", "audit/")
    assert said.code == 1
    assert said.found() == sorted(
        [
            ("missing", lost["key"], lost["version_id"]),
            ("missing", marked["key"], marker),
            ("missing", unseen_key, unseen),
            ("wrong", altered["key"], altered["version_id"]),
            ("wrong", moved["key"], moved["version_id"]),
            ("incomplete", incomplete["key"], incomplete["version_id"]),
            ("stale", gone["key"], gone["version_id"]),
        ]
    )
    assert [index.rows(row["key"]) for row in rows.values()] == damaged  # it only looked

    before = datetime.now(UTC)
    said = operated.run("audit", "--prefix", "audit/", "--repair")
    assert (said.code, said.document["sent"]) == (1, 7)
    said = operated.until_true("--prefix", "audit/")
    assert (said.document["versions"], said.document["markers"]) == (7, 1)

    for row in (lost, altered, moved, incomplete, marked, fine):
        [again] = [each for each in index.rows(row["key"]) if each["version_id"] == row["version_id"]]
        assert own(again) == own(row)
    [deleted] = index.rows(gone["key"])
    assert {name: deleted[name] for name in own(gone)} == own(gone)
    assert deleted["deleted_by"] == "tapstack:audit"
    assert before.isoformat() < deleted["deleted_at"]
    [marker_row] = [each for each in index.rows(marked["key"]) if each["version_id"] == marker]
    assert (marker_row["delete_marker"], "upload_day" in marker_row) == (True, False)
    assert own(index.wait_for_row(unseen_key, unseen)) == told_by_s3(
        index.bucket, unseen_key, index.head(unseen_key, unseen)
    )


def test_a_null_version_that_was_replaced_unseen_is_found_and_undone(operated: Operated) -> None:
    index = operated.index
    key = index.key("audit-null/a.txt")
    with operated.versioning_suspended():
        index.clients.s3.put_object(Bucket=index.bucket, Key=key, Body=b"first")
        row = index.wait_for_row(key, "null")
        with operated.trigger_off():
            index.clients.s3.put_object(Bucket=index.bucket, Key=key, Body=b"the second")
        said = operated.run("audit", "--prefix", "audit-null/")
        assert said.found() == [("wrong", key, "null")]
        operated.run("audit", "--prefix", "audit-null/", "--repair")
        operated.until_true("--prefix", "audit-null/")
        again = index.wait_for_row(key, "null")
        assert (row["size_bytes"], again["size_bytes"]) == (5, 10)
        with operated.trigger_off():
            index.delete_version(key, "null")
        assert operated.run("audit", "--prefix", "audit-null/").found() == [("stale", key, "null")]
        operated.run("audit", "--prefix", "audit-null/", "--repair")
        operated.until_true("--prefix", "audit-null/")
        assert index.wait_for_row(key, "null")["deleted_by"] == "tapstack:audit"


class Overtaken(Aws):
    """AWS, where something happens after the first listing was made and before it is read."""

    meanwhile: Callable[[], object] | None = None

    def versions(self, bucket: str, **which: Any) -> Iterator[Version]:
        listed = list(super().versions(bucket, **which))
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        yield from listed


def test_a_busy_bucket_raises_no_false_alarm(operated: Operated) -> None:
    """Objects come and go while it works; the second look waits until what was on its way has come."""
    index, aws = operated.index, Overtaken.connect()
    target = from_function(index.function, aws)
    kept = list(operated.put_indexed([f"busy/{number}.txt" for number in range(8)]).values())
    came: list[tuple[str, str]] = []

    def be_busy() -> None:
        for number, row in enumerate(kept[:4]):
            came.append((row["key"], index.put(row["key"], b"another version")))
            came.append((row["key"], operated.delete(row["key"])))
            index.delete_version(row["key"], row["version_id"])
            key = index.key(f"busy/new-{number}.txt")
            came.append((key, index.put(key)))

    def now(row: Row) -> Row:
        return index.wait_for_row(row["key"], row["version_id"])

    def wait(seconds: float) -> None:
        if seconds == GRACE:
            thread.join()
            for key, version_id in came:
                index.wait_for_row(key, version_id)
            index.until(lambda: all("deleted_at" in now(row) for row in kept[:4]), "the deletions in the rows")

    audit = Audit(
        aws,
        target,
        key_filter=KeyFilter.from_notifications(aws.notifications(index.bucket), target.function_arn),
        capacity=aws.capacity(index.table),
        prefix="busy/",
        sleep=wait,
    )
    late = index.key("busy/after the listing.txt")
    aws.meanwhile = lambda: index.wait_for_row(late, index.put(late))
    thread = Thread(target=be_busy)
    thread.start()
    audit.compare(Progress(io.StringIO()))
    thread.join()
    assert audit.report.findings == []
    assert audit.report.rechecked > 0  # there was something to be mistaken about
    wait(GRACE)
    assert operated.run("audit", "--prefix", "busy/").code == 0
