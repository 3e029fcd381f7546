"""What becomes of deletions and delete markers of versions that have an id, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.fakes import Fault, IndexerHarness, client_error
from tests.support.strategies import Json, head, minimal_record, s3_event, s3_record

if TYPE_CHECKING:
    from lambda_code.indexer import Indexer

KEY = "photos/cat.jpg"
EVENT_TIME = "2026-01-31T11:59:58.250Z"
IN_90_DAYS = int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())
DELETION = {"deleted_at", "deleted_by", "expires_at"}


@pytest.fixture
def harness() -> IndexerHarness:
    """A harness with one object in its bucket: version `v1` of `photos/cat.jpg`."""
    harness = IndexerHarness()
    harness.s3.put(KEY, "v1", head())
    return harness


def removal(event_name: str = "ObjectRemoved:Delete", **words: Json) -> Json:
    """A removal as AWS sends it: without size and ETag."""
    return s3_event(s3_record(event_name=event_name, **{"size": None, "etag": None, **words}))


def marking(**words: Json) -> Json:
    return removal("ObjectRemoved:DeleteMarkerCreated", **{"version_id": "m1", **words})


def test_a_deleted_version_keeps_its_row_which_says_when_and_by_whom(harness: IndexerHarness) -> None:
    harness.handle(s3_event(s3_record()))
    before = harness.dynamodb.row(KEY, "v1")
    harness.s3.delete(KEY, "v1")
    assert harness.handle(removal(event_time="2026-02-01T00:00:00.125Z"), request_id="request-2") == {"deleted": 1}
    assert harness.dynamodb.row(KEY, "v1") == {
        **before,
        "deleted_at": "2026-02-01T00:00:00.125Z",
        "deleted_by": "AWS:AIDAJDPLRKLG7UEXAMPLE",
        "expires_at": int(datetime(2026, 5, 2, tzinfo=UTC).timestamp()),
    }


def test_a_deletion_is_one_write_and_needs_no_look_at_what_is_gone(harness: IndexerHarness) -> None:
    harness.handle(removal())
    assert harness.calls.operations == ["UpdateItem"]
    [outcome] = harness.telemetry.outcomes
    assert (outcome.result, outcome.version_id, outcome.indexing_delay_ms) == ("deleted", "v1", None)


def test_the_same_deletion_again_changes_nothing(harness: IndexerHarness) -> None:
    harness.handle(removal())
    before = harness.dynamodb.row(KEY, "v1")
    assert harness.handle(removal(), request_id="request-2") == {"duplicate": 1}
    assert harness.handle(removal(event_time="2026-03-01T00:00:00Z")) == {"duplicate": 1}  # nor does it put off the end
    assert harness.dynamodb.row(KEY, "v1") == before


def test_a_deletion_whose_answer_was_lost_is_still_a_deletion(harness: IndexerHarness) -> None:
    harness.calls.faults.append(Fault(client_error(500), "after"))
    assert harness.handle(removal()) == {"deleted": 1}


def test_a_deletion_that_overtakes_the_creation_is_in_the_row_all_the_same(harness: IndexerHarness) -> None:
    harness.s3.delete(KEY, "v1")
    assert harness.handle(removal()) == {"deleted": 1}
    assert harness.handle(s3_event(s3_record())) == {"gone": 1}
    row = harness.dynamodb.row(KEY, "v1")
    assert (row["size_bytes"], row["uploaded_at"]) == (1024, EVENT_TIME)
    assert row.keys() >= DELETION


def test_a_row_is_completed_by_head_although_its_deletion_was_told_before(harness: IndexerHarness) -> None:
    """The function read the object while it was being deleted."""
    harness.handle(removal())
    assert harness.handle(s3_event(s3_record())) == {"indexed": 1}
    row = harness.dynamodb.row(KEY, "v1")
    assert row["content_type"] == "image/jpeg"
    assert row.keys() >= DELETION


@pytest.mark.parametrize(
    ("event_name", "identity", "by"),
    [
        ("ObjectRemoved:Delete", {"principalId": "AWS:AROAEXAMPLE:anna"}, "AWS:AROAEXAMPLE:anna"),
        ("ObjectRemoved:Delete", {"principalId": ""}, "unknown"),
        ("ObjectRemoved:Delete", None, "unknown"),
        ("LifecycleExpiration:Delete", {"principalId": "s3.amazonaws.com"}, "lifecycle"),
        ("s3:LifecycleExpiration:Delete", None, "lifecycle"),
    ],
)
def test_the_row_says_who_deleted_it(harness: IndexerHarness, event_name: str, identity: Json, by: str) -> None:
    record = {**s3_record(event_name=event_name), "userIdentity": identity}
    harness.handle(s3_event(record))
    assert harness.dynamodb.row(KEY, "v1")["deleted_by"] == by


def test_a_deletion_without_a_time_happened_when_it_was_told(harness: IndexerHarness) -> None:
    record = s3_record(event_name="ObjectRemoved:Delete")
    del record["eventTime"]
    harness.handle(s3_event(record))
    row = harness.dynamodb.row(KEY, "v1")
    assert (row["deleted_at"], row["expires_at"]) == ("2026-01-31T12:00:00.000Z", IN_90_DAYS + 2)


@pytest.mark.parametrize(("days", "seconds"), [(15, 15 * 86400), (3650, 3650 * 86400)])
def test_the_row_expires_after_the_configured_days(harness: IndexerHarness, days: int, seconds: int) -> None:
    _with_retention(harness, days).handle(removal(), request_id="request-1", deadline=harness.clock() + 60)
    deleted = int(datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC).timestamp())
    assert harness.dynamodb.row(KEY, "v1")["expires_at"] == deleted + seconds


def test_with_a_retention_of_0_the_row_never_expires(harness: IndexerHarness) -> None:
    indexer = _with_retention(harness, 0)
    for result in ("deleted", "duplicate"):
        answer = indexer.handle(removal(), request_id=result, deadline=harness.clock() + 60)
        assert answer == {result: 1}
    row = harness.dynamodb.row(KEY, "v1")
    assert row["deleted_at"] == EVENT_TIME
    assert "expires_at" not in row


def test_a_delete_marker_is_a_row_that_no_day_lists(harness: IndexerHarness) -> None:
    assert harness.handle(marking()) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "m1")
    assert row == {
        "object_id": f"uploads/{KEY}",
        "version_id": "m1",
        "bucket": "uploads",
        "key": KEY,
        "filename": "cat.jpg",
        "extension": "jpg",
        "delete_marker": True,
        "uploaded_at": EVENT_TIME,
        "event_name": "ObjectRemoved:DeleteMarkerCreated",
        "event_time": EVENT_TIME,
        "sequencer": "0055AED6DCD90281E5",
        "request_id": "request-1",
        "processed_at": "2026-01-31T12:00:00.000Z",
        "schema_version": 1,
    }
    assert harness.calls.operations == ["UpdateItem"]
    assert harness.handle(marking(), request_id="request-2") == {"duplicate": 1}


def test_a_marker_of_the_lifecycle_is_a_marker(harness: IndexerHarness) -> None:
    assert harness.handle(removal("LifecycleExpiration:DeleteMarkerCreated", version_id="m1")) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "m1")
    assert row["delete_marker"] is True
    assert not row.keys() & DELETION  # it is there: it is what it hides that is not


def test_removing_a_marker_marks_its_row_deleted_in_either_order(harness: IndexerHarness) -> None:
    other = IndexerHarness()
    for each, order in (
        (harness, [marking(), removal(version_id="m1")]),
        (other, [removal(version_id="m1"), marking()]),
    ):
        assert [each.handle(event) for event in order] == [{"deleted": 1}] * 2
        row = each.dynamodb.row(KEY, "m1")
        assert (row["delete_marker"], row["uploaded_at"]) == (True, EVENT_TIME)
        assert row.keys() >= DELETION
        assert "upload_day" not in row


def test_a_version_that_head_calls_a_marker_is_one_whatever_its_event_says(harness: IndexerHarness) -> None:
    """An operator hands the function every version that a listing shows."""
    harness.s3.put_marker(KEY, "m1", datetime(2026, 1, 31, 11, 30, tzinfo=UTC))
    assert harness.handle(s3_event(s3_record(version_id="m1"))) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "m1")
    assert (row["delete_marker"], row["uploaded_at"]) == (True, "2026-01-31T11:30:00.000Z")
    assert not row.keys() & {"size_bytes", "etag", "upload_day"}


@pytest.mark.parametrize("event_name", ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"])
def test_a_removal_written_by_hand_without_a_version_deletes_nothing(harness: IndexerHarness, event_name: str) -> None:
    """Nobody can tell which version it is about: HEAD says what is there, and where nothing is, there is no row."""
    record = {**minimal_record(), "eventName": event_name}
    assert harness.handle(s3_event(record)) == {"indexed": 1}
    assert not harness.dynamodb.row(KEY, "v1").keys() & {*DELETION, "delete_marker"}
    harness.s3.delete(KEY, "v1")
    before = dict(harness.dynamodb.rows)
    assert harness.handle(s3_event(record)) == {"gone": 1}
    assert harness.dynamodb.rows == before


def _with_retention(harness: IndexerHarness, days: int) -> Indexer:
    return replace(harness.indexer, deleted_retention_days=days)
