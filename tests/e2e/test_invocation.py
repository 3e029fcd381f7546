"""Direct invocations of the indexer by an operator, with incomplete, repeated and late events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.events import creation_record
from tests.support.nonempty import nonempty
from tests.support.strategies import minimal_record, s3_event, s3_record

if TYPE_CHECKING:
    from operations.queries import Table
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


def console_template(index: Index, key: str, event_name: str) -> Any:  # noqa: ANN401 - an event as JSON
    """Return a template of the Lambda console: an event of 1970 with a sequencer and without version ID."""
    record = s3_record(
        key,
        version_id=None,
        event_name=event_name,
        bucket=index.bucket,
        etag="0123456789abcdef0123456789abcdef",
        event_time="1970-01-01T00:00:00.000Z",
        sequencer="0A1B2C3D4E5F678901",
    )
    return s3_event({**record, "eventVersion": "2.0"})


def test_console_template_about_an_object_indexes_only_its_current_version(index: Index) -> None:
    key = index.key("invoked/console.txt")
    row = index.put_indexed(key, b"hello", ContentType="text/plain")
    template = console_template(index, key, "ObjectCreated:Put")
    assert index.invoke(template).payload == {"duplicate": 1}
    assert index.rows(key) == [row]
    index.delete_row(key, row["version_id"])
    assert index.invoke(template).payload == {"indexed": 1}
    [indexed] = index.rows(key)
    assert (indexed["version_id"], "sequencer" in indexed) == (row["version_id"], False)
    index.assert_row_matches_head(indexed)


@pytest.mark.parametrize("event_name", ["ObjectCreated:Put", "ObjectRemoved:Delete"])
def test_console_template_about_a_missing_object_creates_no_row(index: Index, event_name: str) -> None:
    key = index.key(f"invoked/console {event_name.partition(':')[2]}.txt")
    result = index.invoke(console_template(index, key, event_name))
    assert (result.error, result.payload) == (None, {"gone": 1})
    assert index.rows(key) == []


def test_console_template_of_a_deletion_does_not_change_the_row_of_the_object(index: Index) -> None:
    key = index.key("invoked/console deletion.txt")
    row = index.put_indexed(key)
    assert index.invoke(console_template(index, key, "ObjectRemoved:Delete")).payload == {"gone": 1}
    assert index.rows(key) == [row]


def test_indexing_again_removes_attributes_that_the_object_does_not_have(table: Table, index: Index) -> None:
    row = index.put_indexed(index.key("invoked/changed.txt"))
    table.update_item(
        Key={name: row[name] for name in ("object_id", "version_id")},
        AttributeUpdates={"user_metadata": {"Action": "PUT", "Value": {"not": "there"}}},
    )
    assert index.invoke(s3_event(creation_record(row))).payload == {"indexed": 1}
    assert index.rows(row["key"]) == [row]


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
