"""Direct invocations of the indexer, as an operator may make them: accepted and rejected events, and repetitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.events import creation_record, event, minimal_record

if TYPE_CHECKING:
    from tests.support.index import Index


def test_bucket_and_key_are_enough_to_index_an_object(index: Index) -> None:
    row = index.put_unindexed(index.key("invoked/by hand + one.txt"), b"by hand")
    result = index.invoke(event(minimal_record(index.bucket, row["key"])))
    assert (result.error, result.payload) == (None, {"indexed": 1})
    [indexed] = index.rows(row["key"])
    assert indexed["version_id"] == row["version_id"]
    index.assert_row_matches_head(indexed)


@pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")
def test_another_bucket_is_refused_and_the_error_names_both(index: Index) -> None:
    error = index.invoke(event(minimal_record("test", "some.txt"))).error
    assert error is not None
    assert [part for part in ("'test'", f"'{index.bucket}'", "Records[0].s3.bucket.name") if part not in error] == []


def test_an_object_that_is_gone_is_no_error(index: Index) -> None:
    key = index.key("invoked/never-there.txt")
    result = index.invoke(event(minimal_record(index.bucket, key)))
    assert (result.error, result.payload) == (None, {"gone": 1})
    assert index.rows(key) == []


def test_a_version_that_is_gone_leaves_a_row_of_the_words_of_its_event(index: Index) -> None:
    key = index.key("invoked/short-lived.txt")
    row = index.put_indexed(key, b"12345")
    index.delete_indexed_version(row)
    index.delete_row(key, row["version_id"])
    result = index.invoke(event(creation_record(row)))
    assert (result.error, result.payload) == (None, {"gone": 1})
    [found] = index.rows(key)
    assert (found["size_bytes"], found["etag"], found["uploaded_at"]) == (5, row["etag"], row["event_time"])
    assert "content_type" not in found
    index.delete_row(key, row["version_id"])


def test_the_same_event_again_changes_nothing(index: Index) -> None:
    row = index.put_indexed(index.key("invoked/again.txt"), b"once", Metadata={"a": "b"})
    repeated = creation_record(row)
    for _ in range(2):
        assert index.invoke(event(repeated)).payload == {"duplicate": 1}
    assert index.invoke(event(repeated, repeated)).payload == {"duplicate": 2}
    assert index.rows(row["key"]) == [row]


def test_an_older_event_that_comes_late_does_not_touch_the_newer_version(index: Index) -> None:
    key = index.key("invoked/late.txt")
    rows = [index.put_unindexed(key, body) for body in (b"old", b"newer")]
    for row in reversed(rows):
        assert index.invoke(event(creation_record(row))).error is None
    restored = {row["version_id"]: row for row in index.rows(key)}
    of_the_invocation = {"request_id", "processed_at"}
    for row in rows:
        assert {**restored[row["version_id"]], **{name: row[name] for name in of_the_invocation}} == row


def test_the_greeting_of_s3_is_answered(index: Index) -> None:
    result = index.invoke({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": index.bucket})
    assert (result.error, result.payload) == (None, {})


def test_what_is_not_about_a_new_object_is_left_alone(index: Index) -> None:
    key = index.key("invoked/tagged.txt")
    record = {**minimal_record(index.bucket, key), "eventName": "ObjectTagging:Put"}
    assert index.invoke(event(record)).payload == {"ignored": 1}
    assert index.rows(key) == []
