"""Indexing of deletions and delete markers with a version ID other than `null`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.fakes import Fault, IndexerHarness, client_error
from tests.support.strategies import Json, minimal_record, s3_event, s3_record

KEY = "photos/cat.jpg"
EVENT_TIME = "2026-01-31T11:59:58.250Z"
EVENT_SECONDS = int(datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC).timestamp())
DAY = 86_400  # seconds
DELETION = {"deleted_at", "deleted_by", "expires_at"}


def removal(event_name: str = "ObjectRemoved:Delete", **changes: Json) -> Json:
    """Return a deletion event in the format of AWS, without size and ETag."""
    return s3_event(s3_record(event_name=event_name, **{"size": None, "etag": None, **changes}))


def marking() -> Json:
    return removal("ObjectRemoved:DeleteMarkerCreated", version_id="m1")


def test_indexer_adds_deletion_time_and_principal_to_the_existing_row(harness: IndexerHarness) -> None:
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


def test_indexer_records_a_deletion_with_one_write_and_no_head_request(harness: IndexerHarness) -> None:
    harness.handle(removal())
    assert harness.calls.operations == ["UpdateItem"]
    [outcome] = harness.telemetry.outcomes
    assert (outcome.result, outcome.version_id, outcome.indexing_delay_ms) == ("deleted", "v1", None)


def test_indexer_reports_a_repeated_deletion_as_a_duplicate(harness: IndexerHarness) -> None:
    harness.handle(removal())
    before = harness.dynamodb.row(KEY, "v1")
    assert harness.handle(removal(), request_id="request-2") == {"duplicate": 1}
    assert harness.handle(removal(event_time="2026-03-01T00:00:00Z")) == {"duplicate": 1}
    assert harness.dynamodb.row(KEY, "v1") == before


def test_indexer_reports_deleted_if_the_first_write_response_was_lost(harness: IndexerHarness) -> None:
    harness.calls.faults.append(Fault(client_error(500), "after"))
    assert harness.handle(removal()) == {"deleted": 1}


@pytest.mark.parametrize(
    ("exists", "result", "attributes"),
    [
        pytest.param(False, "gone", {"size_bytes": 1024, "uploaded_at": EVENT_TIME}, id="object deleted"),
        pytest.param(True, "indexed", {"content_type": "image/jpeg"}, id="object still readable"),
    ],
)
def test_row_keeps_a_deletion_that_arrives_before_the_creation(
    harness: IndexerHarness, *, exists: bool, result: str, attributes: Json
) -> None:
    if not exists:
        harness.s3.delete(KEY, "v1")
    assert harness.handle(removal()) == {"deleted": 1}
    assert harness.handle(s3_event(s3_record())) == {result: 1}
    row = harness.dynamodb.row(KEY, "v1")
    assert attributes.items() <= row.items()
    assert row.keys() >= DELETION


@pytest.mark.parametrize(
    ("event_name", "identity", "by"),
    [
        ("ObjectRemoved:Delete", None, "unknown"),
        ("s3:LifecycleExpiration:Delete", None, "lifecycle"),
    ],
)
def test_deletion_without_a_principal_is_recorded_as_lifecycle_or_unknown(
    harness: IndexerHarness, event_name: str, identity: Json, by: str
) -> None:
    harness.handle(s3_event({**s3_record(event_name=event_name), "userIdentity": identity}))
    assert harness.dynamodb.row(KEY, "v1")["deleted_by"] == by


def test_deletion_without_an_event_time_gets_the_processing_time(harness: IndexerHarness) -> None:
    record = s3_record(event_name="ObjectRemoved:Delete")
    del record["eventTime"]
    harness.handle(s3_event(record))
    row = harness.dynamodb.row(KEY, "v1")
    assert (row["deleted_at"], row["expires_at"]) == ("2026-01-31T12:00:00.000Z", EVENT_SECONDS + 2 + 90 * DAY)


@pytest.mark.parametrize(
    ("days", "expires_at"), [(15, EVENT_SECONDS + 15 * DAY), (3650, EVENT_SECONDS + 3650 * DAY), (0, None)]
)
def test_row_of_a_deleted_version_expires_after_the_configured_days(
    harness: IndexerHarness, days: int, expires_at: int | None
) -> None:
    harness.indexer = replace(harness.indexer, deleted_retention_days=days)
    for result in ("deleted", "duplicate"):
        assert harness.handle(removal(), request_id=result) == {result: 1}
    row = harness.dynamodb.row(KEY, "v1")
    assert (row["deleted_at"], row.get("expires_at")) == (EVENT_TIME, expires_at)


def test_row_of_a_delete_marker_has_no_upload_day(harness: IndexerHarness) -> None:
    assert harness.handle(marking()) == {"deleted": 1}
    assert harness.dynamodb.row(KEY, "m1") == {
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


@pytest.mark.parametrize("order", [[marking(), removal(version_id="m1")], [removal(version_id="m1"), marking()]])
def test_deletion_of_a_delete_marker_is_recorded_in_either_event_order(
    harness: IndexerHarness, order: list[Json]
) -> None:
    assert [harness.handle(event) for event in order] == [{"deleted": 1}] * 2
    row = harness.dynamodb.row(KEY, "m1")
    assert (row["delete_marker"], row["uploaded_at"]) == (True, EVENT_TIME)
    assert row.keys() >= DELETION
    assert "upload_day" not in row


def test_creation_event_of_a_delete_marker_writes_a_delete_marker_row(harness: IndexerHarness) -> None:
    """A backfill sends a creation event for every listed version, including delete markers."""
    harness.s3.add_delete_marker(KEY, "m1", datetime(2026, 1, 31, 11, 30, tzinfo=UTC))
    assert harness.handle(s3_event(s3_record(version_id="m1"))) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "m1")
    assert (row["delete_marker"], row["uploaded_at"]) == (True, "2026-01-31T11:30:00.000Z")
    assert not row.keys() & {"size_bytes", "etag", "upload_day"}


@pytest.mark.parametrize("event_name", ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"])
def test_handwritten_deletion_event_indexes_the_current_version(harness: IndexerHarness, event_name: str) -> None:
    """An event without a version ID is about the current version, which is indexed if it exists."""
    event = s3_event({**minimal_record(), "eventName": event_name})
    assert harness.handle(event) == {"indexed": 1}
    assert not harness.dynamodb.row(KEY, "v1").keys() & {*DELETION, "delete_marker"}
    harness.s3.delete(KEY, "v1")
    before = dict(harness.dynamodb.rows)
    assert harness.handle(event) == {"gone": 1}
    assert harness.dynamodb.rows == before
