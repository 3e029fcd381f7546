"""Direct invocations of the indexer by an operator, with incomplete, repeated and late events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.events import creation_record
from tests.support.nonempty import nonempty
from tests.support.strategies import minimal_record, s3_event

if TYPE_CHECKING:
    from tests.support.index import Index


def test_indexer_accepts_a_record_with_only_bucket_and_key(index: Index) -> None:
    row = index.put_unindexed(index.key("invoked/by hand + one.txt"), b"by hand")
    result = index.invoke(s3_event(minimal_record(row["key"], bucket=index.bucket)))
    assert (result.error, result.payload) == (None, {"indexed": 1})
    [indexed] = index.rows(row["key"])
    assert indexed["version_id"] == row["version_id"]
    index.assert_row_matches_head(indexed)


def test_indexer_accepts_an_event_about_a_missing_object(index: Index) -> None:
    key = index.key("invoked/never-there.txt")
    result = index.invoke(s3_event(minimal_record(key, bucket=index.bucket)))
    assert (result.error, result.payload) == (None, {"gone": 1})
    assert index.rows(key) == []


def test_indexer_creates_the_row_of_a_missing_version_from_its_event(index: Index) -> None:
    key = index.key("invoked/short-lived.txt")
    row = index.put_indexed(key, b"12345")
    index.delete_indexed_version(row)
    index.delete_row(key, row["version_id"])
    result = index.invoke(s3_event(creation_record(row)))
    assert (result.error, result.payload) == (None, {"gone": 1})
    [found] = index.rows(key)
    assert (found["size_bytes"], found["etag"], found["uploaded_at"]) == (5, row["etag"], row["event_time"])
    assert "content_type" not in found
    index.delete_row(key, row["version_id"])


def test_repeated_event_does_not_change_the_row(index: Index) -> None:
    row = index.put_indexed(index.key("invoked/again.txt"), b"once", Metadata={"a": "b"})
    repeated = creation_record(row)
    for _ in range(2):
        assert index.invoke(s3_event(repeated)).payload == {"duplicate": 1}
    assert index.invoke(s3_event(repeated, repeated)).payload == {"duplicate": 2}
    assert index.rows(row["key"]) == [row]


def test_late_event_of_an_old_version_does_not_change_the_newer_row(index: Index) -> None:
    key = index.key("invoked/late.txt")
    rows = [index.put_unindexed(key, body) for body in (b"old", b"newer")]
    for row in nonempty(reversed(rows)):
        assert index.invoke(s3_event(creation_record(row))).error is None
    restored = {row["version_id"]: row for row in index.rows(key)}
    of_the_invocation = {"request_id", "processed_at"}
    for row in nonempty(rows):
        assert {**restored[row["version_id"]], **{name: row[name] for name in of_the_invocation}} == row
