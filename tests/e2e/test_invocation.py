"""Calling the function directly, as an operator may: what it takes, what it refuses, and that repeating is harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.events import as_s3_sent_it, event, minimal
from tests.support.rows import FROM_THE_EVENT, told_by_s3

if TYPE_CHECKING:
    from tests.support.index import Index


def test_bucket_and_key_are_enough_to_index_an_object(index: Index) -> None:
    key = index.key("invoked/by hand + one.txt")
    version_id = index.put(key, b"by hand")
    index.wait_for_row(key, version_id)
    index.forget(key, version_id)
    answer = index.invoke(event(minimal(index.bucket, key)))
    assert answer.error is None
    assert answer.payload == {"indexed": 1}
    [row] = index.rows(key)
    told = told_by_s3(index.bucket, key, index.head(key, version_id))
    assert {name: value for name, value in row.items() if name not in FROM_THE_EVENT} == told


@pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")
def test_another_bucket_is_refused_and_the_error_names_both(index: Index) -> None:
    answer = index.invoke(event(minimal("test", "some.txt")))
    assert answer.error is not None
    assert "'test'" in answer.error
    assert f"'{index.bucket}'" in answer.error
    assert "Records[0].s3.bucket.name" in answer.error


def test_an_object_that_is_gone_is_no_error(index: Index) -> None:
    key = index.key("invoked/never-there.txt")
    answer = index.invoke(event(minimal(index.bucket, key)))
    assert (answer.error, answer.payload) == (None, {"gone": 1})
    assert index.rows(key) == []


def test_a_version_that_is_gone_leaves_a_row_of_the_words_of_its_event(index: Index) -> None:
    key = index.key("invoked/short-lived.txt")
    version_id = index.put(key, b"12345")
    row = index.wait_for_row(key, version_id)
    index.delete_version(key, version_id)
    index.wait_for_deletion(key, version_id)
    index.forget(key, version_id)
    answer = index.invoke(event(as_s3_sent_it(row)))
    assert (answer.error, answer.payload) == (None, {"gone": 1})
    [left] = index.rows(key)
    assert (left["size_bytes"], left["etag"], left["uploaded_at"]) == (5, row["etag"], row["event_time"])
    assert "content_type" not in left
    index.forget(key, version_id)


def test_the_same_event_again_changes_nothing(index: Index) -> None:
    key = index.key("invoked/again.txt")
    version_id = index.put(key, b"once", Metadata={"a": "b"})
    row = index.wait_for_row(key, version_id)
    repeated = as_s3_sent_it(row)
    for _ in range(2):
        assert index.invoke(event(repeated)).payload == {"duplicate": 1}
    assert index.invoke(event(repeated, repeated)).payload == {"duplicate": 2}
    assert index.rows(key) == [row]


def test_an_older_event_that_comes_late_does_not_touch_the_newer_version(index: Index) -> None:
    key = index.key("invoked/late.txt")
    rows = [index.wait_for_row(key, index.put(key, body)) for body in (b"old", b"newer")]
    for row in rows:
        index.forget(key, row["version_id"])
    for row in reversed(rows):
        assert index.invoke(event(as_s3_sent_it(row))).error is None
    again = {row["version_id"]: row for row in index.rows(key)}
    own = {"request_id", "processed_at"}  # those of the invocation
    for row in rows:
        assert {**again[row["version_id"]], **{name: row[name] for name in own}} == row


def test_the_greeting_of_s3_is_answered(index: Index) -> None:
    greeting = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": index.bucket}
    answer = index.invoke(greeting)
    assert (answer.error, answer.payload) == (None, {})


def test_what_is_not_about_a_new_object_is_left_alone(index: Index) -> None:
    key = index.key("invoked/tagged.txt")
    record = {**minimal(index.bucket, key), "eventName": "ObjectTagging:Put"}
    assert index.invoke(event(record)).payload == {"ignored": 1}
    assert index.rows(key) == []
