"""Indexing of S3 events without a version ID, such as the template of the Lambda console, in a versioned bucket.

S3 omits the version ID `null` while versioning is off or suspended. In a versioned bucket, an event without version ID
may be about another version, or about none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.fakes import UNVERSIONED, Fault, IndexerHarness, client_error
from tests.support.strategies import Json, head, s3_event, s3_record

KEY = "console.txt"
HEAD, WRITE = "HeadObject", "UpdateItem"
DELETION = {"deleted_at", "deleted_by", "expires_at"}
EVENT_ATTRIBUTES = {"size_bytes", "etag", "uploaded_at", "upload_day"}
DELETIONS = ["ObjectRemoved:Delete", "LifecycleExpiration:Delete", "ObjectRemoved:DeleteMarkerCreated"]


def template(event_name: str = "ObjectCreated:Put") -> Json:
    """Return the "S3 Put" or "S3 Delete" template of the Lambda console, with the names of the test."""
    return s3_event(
        s3_record(
            KEY,
            version_id=None,
            event_name=event_name,
            event_time="1970-01-01T00:00:00.000Z",
            sequencer="0A1B2C3D4E5F678901",
        )
    )


def put_v1(harness: IndexerHarness) -> None:
    harness.s3.put(KEY, "v1", head(VersionId="v1", ContentLength=5))


def put_null(harness: IndexerHarness) -> None:
    harness.s3.put(KEY, "null", head(VersionId="null", ContentLength=7))


def versions(harness: IndexerHarness) -> list[str]:
    return sorted(version_id for _, version_id in harness.dynamodb.rows)


def during_write(harness: IndexerHarness, action: Callable[[IndexerHarness], None]) -> None:
    """Run an action before the next write takes effect."""
    update_item = harness.dynamodb.update_item

    def update(**arguments: Any) -> dict[str, Any]:
        harness.dynamodb.update_item = update_item  # type: ignore[method-assign] # ends the interception
        action(harness)
        return update_item(**arguments)

    harness.dynamodb.update_item = update  # type: ignore[method-assign] # forces the race


@pytest.fixture
def harness() -> IndexerHarness:
    """An indexer of an empty bucket."""
    return IndexerHarness()


def test_creation_without_version_id_indexes_the_current_version(harness: IndexerHarness) -> None:
    put_v1(harness)
    assert harness.handle(template()) == {"indexed": 1}
    assert versions(harness) == ["v1"]
    row = harness.dynamodb.row(KEY, "v1")
    assert (row["size_bytes"], row["uploaded_at"]) == (5, "2026-01-31T11:59:58.000Z")
    assert harness.calls.operations == [HEAD, WRITE, HEAD, WRITE]
    [outcome] = harness.telemetry.outcomes
    # The event of 1970 is not the event of this version, so its time gives no indexing delay.
    assert (outcome.version_id, outcome.indexing_delay_ms) == ("v1", None)


def test_sequencer_of_an_event_without_version_id_is_not_stored_in_the_current_version(harness: IndexerHarness) -> None:
    put_v1(harness)
    harness.handle(template())
    assert "sequencer" not in harness.dynamodb.row(KEY, "v1")
    assert harness.handle(s3_event(s3_record(KEY, version_id="v1")), request_id="request-2") == {"duplicate": 1}
    assert harness.dynamodb.row(KEY, "v1")["sequencer"] == "0055AED6DCD90281E5"


def test_creation_without_version_id_is_a_duplicate_if_the_current_version_is_indexed(harness: IndexerHarness) -> None:
    put_v1(harness)
    harness.handle(s3_event(s3_record(KEY, version_id="v1")))
    before = harness.dynamodb.row(KEY, "v1")
    assert harness.handle(template(), request_id="request-2") == {"duplicate": 1}
    assert (versions(harness), harness.dynamodb.row(KEY, "v1")) == (["v1"], before)


@pytest.mark.parametrize("hidden", [False, True], ids=["no version", "delete marker"])
def test_creation_without_version_id_for_a_deleted_object_writes_nothing(
    harness: IndexerHarness, *, hidden: bool
) -> None:
    if hidden:
        put_v1(harness)
        harness.s3.heads.pop((KEY, None))
        harness.s3.add_delete_marker(KEY, "m1")
    assert harness.handle(template()) == {"gone": 1}
    assert harness.dynamodb.rows == {}
    assert [(each.result, each.version_id) for each in harness.telemetry.outcomes] == [("gone", None)]


@pytest.mark.parametrize("event_name", DELETIONS)
def test_deletion_without_version_id_creates_no_row(harness: IndexerHarness, event_name: str) -> None:
    put_v1(harness)
    assert harness.handle(template(event_name)) == {"gone": 1}
    assert harness.dynamodb.rows == {}
    assert harness.calls.operations == [HEAD, WRITE]  # A deletion is not about the current version.


@pytest.mark.parametrize("event_name", DELETIONS)
def test_deletion_without_version_id_is_recorded_in_an_existing_row_of_version_null(
    harness: IndexerHarness, event_name: str
) -> None:
    put_null(harness)
    harness.handle(template())
    harness.s3.delete(KEY, "null")
    put_v1(harness)
    deletion = s3_event(s3_record(KEY, version_id=None, event_name=event_name))
    assert harness.handle(deletion, request_id="request-2") == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert (row["deleted_at"], row["size_bytes"]) == ("2026-01-31T11:59:58.250Z", 7)
    assert harness.handle(deletion, request_id="request-3") == {"duplicate": 1}
    assert versions(harness) == ["null"]


@pytest.mark.parametrize("event_name", ["ObjectCreated:Put", *DELETIONS])
def test_event_without_version_id_indexes_version_null_if_it_exists(harness: IndexerHarness, event_name: str) -> None:
    put_v1(harness)
    put_null(harness)
    assert harness.handle(template(event_name)) == {"indexed": 1}
    assert versions(harness) == ["null"]
    assert harness.dynamodb.row(KEY, "null")["size_bytes"] == 7


@pytest.mark.parametrize("replaced", [False, True], ids=["no version", "another current version"])
def test_creation_without_version_id_records_that_version_null_of_its_row_does_not_exist(
    harness: IndexerHarness, *, replaced: bool
) -> None:
    """The first attempt writes the row, then the object is deleted, and the second read fails."""
    put_null(harness)

    def deleted(_: IndexerHarness) -> None:
        harness.s3.delete(KEY, "null")
        # The next call, a write, succeeds. The calls after it, HEAD and GET, fail with status 403.
        harness.calls.faults.extend([Fault(), Fault(client_error(403)), Fault(client_error(403))])

    during_write(harness, deleted)
    harness.deliver(template())
    assert not harness.dynamodb.row(KEY, "null").keys() & DELETION
    if replaced:
        put_v1(harness)
    assert harness.handle(template()) == {"indexed" if replaced else "gone": 1}
    assert harness.dynamodb.row(KEY, "null").keys() >= DELETION
    assert harness.dynamodb.row(KEY, "null")["deleted_by"] == "unknown"
    assert versions(harness) == (["null", "v1"] if replaced else ["null"])


@pytest.mark.parametrize("replaced", [False, True], ids=["current version null", "another current version"])
@pytest.mark.parametrize("event_name", ["ObjectCreated:Put", *DELETIONS])
def test_event_without_version_id_reads_version_null_again_after_it_changed_the_row(
    harness: IndexerHarness, event_name: str, *, replaced: bool
) -> None:
    """Version `null` is uploaded and indexed between the read and the write of an event without version ID."""

    def uploaded(_: IndexerHarness) -> None:
        put_null(harness)
        assert harness.handle(s3_event(s3_record(KEY, version_id="null")), request_id="request-2") == {"indexed": 1}
        if replaced:
            put_v1(harness)

    during_write(harness, uploaded)
    assert harness.handle(template(event_name)) == {"indexed": 1}
    assert harness.dynamodb.row(KEY, "null")["size_bytes"] == 7
    assert not harness.dynamodb.row(KEY, "null").keys() & DELETION


def test_row_of_a_deleted_delete_marker_has_no_attributes_of_an_event_without_version_id(
    harness: IndexerHarness,
) -> None:
    """The delete marker `null` is deleted between the read and the write of a creation event."""
    harness.s3.add_delete_marker(KEY, "null")
    during_write(harness, lambda _: harness.s3.delete(KEY, "null"))
    assert harness.handle(template()) == {"gone": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert row.keys() >= DELETION | {"delete_marker"}
    assert not row.keys() & {"size_bytes", "etag", "upload_day"}
    assert harness.calls.operations == [HEAD, WRITE, HEAD, WRITE, HEAD]


def test_creation_without_version_id_indexes_a_current_version_null_until_it_is_stable(harness: IndexerHarness) -> None:
    """Version `null` is uploaded after the first read, but has no row yet."""
    during_write(harness, put_null)
    assert harness.handle(template()) == {"indexed": 1}
    assert versions(harness) == ["null"]
    assert harness.calls.operations == [HEAD, WRITE, HEAD, WRITE, HEAD]


# S3 returns no attributes of an object with a customer-provided key (SSE-C), nor of an object that S3 has lost.


def encrypt(harness: IndexerHarness, version_id: str | None) -> None:
    """Let the fake S3 reject HEAD and GET requests without the key of the object."""
    harness.s3.customer_keys.add((KEY, version_id))


def lose(harness: IndexerHarness, *, first: int, reads: int) -> None:
    """Let HEAD return 405 for the reads from the AWS call `first`, which are separated by one write each."""
    lost = Fault(client_error(405, headers={"allow": "DELETE"}))
    harness.calls.faults.extend([Fault()] * first + [lost, Fault()] * reads)


@pytest.mark.parametrize("cause", ["customer-provided key", "lost"])
def test_creation_without_version_id_writes_nothing_if_the_current_version_is_unreadable(
    harness: IndexerHarness, cause: str
) -> None:
    """The error response of S3 contains no version ID."""
    put_v1(harness)
    if cause == "lost":
        lose(harness, first=2, reads=1)
    else:
        encrypt(harness, None)
    assert harness.handle(template()) == {"gone": 1}
    assert harness.dynamodb.rows == {}
    assert harness.telemetry.outcomes[0].version_id is None


@pytest.mark.parametrize("event_name", ["ObjectCreated:Put", *DELETIONS])
def test_event_without_version_id_writes_no_own_attributes_for_version_null_with_a_customer_key(
    harness: IndexerHarness, event_name: str
) -> None:
    """The event may be about another version, whose size and time are not those of the version `null`."""
    put_null(harness)
    encrypt(harness, "null")
    assert harness.handle(template(event_name)) == {"indexed": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert row["encryption"] == "SSE-C"
    assert not row.keys() & {*EVENT_ATTRIBUTES, "sequencer", *DELETION}
    named = s3_event(s3_record(KEY, version_id="null", size=7))
    assert harness.handle(named, request_id="request-2") == {"indexed": 1}
    assert harness.dynamodb.row(KEY, "null")["size_bytes"] == 7


def test_creation_without_version_id_removes_the_attributes_that_an_object_with_a_customer_key_replaced(
    harness: IndexerHarness,
) -> None:
    put_null(harness)
    assert harness.handle(template()) == {"indexed": 1}
    encrypt(harness, "null")
    assert harness.handle(template(), request_id="request-2") == {"indexed": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert not row.keys() & {*EVENT_ATTRIBUTES, "content_type", "storage_class"}
    assert harness.handle(template(), request_id="request-3") == {"duplicate": 1}


def test_creation_without_version_id_in_an_unversioned_bucket_has_the_attributes_of_an_object_with_a_customer_key(
    harness: IndexerHarness,
) -> None:
    harness.indexer = replace(harness.indexer, buckets=UNVERSIONED)
    put_null(harness)
    encrypt(harness, "null")
    assert harness.handle(template()) == {"indexed": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert (row["size_bytes"], row["encryption"]) == (1024, "SSE-C")


@pytest.mark.parametrize("event_name", ["ObjectCreated:Put", *DELETIONS])
def test_event_without_version_id_writes_no_own_attributes_for_a_lost_version_null(
    harness: IndexerHarness, event_name: str
) -> None:
    lose(harness, first=0, reads=2)
    assert harness.handle(template(event_name)) == {"gone": 1}
    assert not harness.dynamodb.row(KEY, "null").keys() & {*EVENT_ATTRIBUTES, "encryption", *DELETION, "delete_marker"}


@pytest.mark.parametrize("event_name", ["ObjectCreated:Put", *DELETIONS])
def test_event_without_version_id_removes_a_deletion_from_the_row_of_a_lost_version_null(
    harness: IndexerHarness, event_name: str
) -> None:
    """HEAD does not find the version at first. The event records its deletion, and then HEAD returns 405."""
    put_null(harness)
    harness.handle(template())
    harness.s3.delete(KEY, "null")
    before = harness.dynamodb.row(KEY, "null")
    lose(harness, first=2, reads=2)
    assert harness.handle(template(event_name), request_id="request-2") == {"gone": 1}
    assert harness.dynamodb.row(KEY, "null") == before


@pytest.mark.parametrize("cause", ["customer-provided key", "lost"])
def test_creation_without_version_id_records_that_an_unreadable_version_null_was_deleted(
    harness: IndexerHarness, cause: str
) -> None:
    """The version is deleted between the first read and the write."""
    put_null(harness)
    if cause == "lost":
        lose(harness, first=0, reads=1)
    else:
        encrypt(harness, "null")

    def deleted(harness: IndexerHarness) -> None:
        harness.s3.delete(KEY, "null")
        harness.s3.customer_keys.clear()

    during_write(harness, deleted)
    assert harness.handle(template()) == {"gone": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert row.keys() >= DELETION
    assert not row.keys() & EVENT_ATTRIBUTES


@pytest.mark.parametrize(
    ("event_name", "result", "attributes"),
    [
        ("ObjectCreated:Put", "gone", {"size_bytes": 1024, "uploaded_at": "1970-01-01T00:00:00.000Z"}),
        ("ObjectRemoved:Delete", "deleted", {"deleted_at": "1970-01-01T00:00:00.000Z"}),
    ],
)
def test_event_without_version_id_in_an_unversioned_bucket_is_about_version_null(
    harness: IndexerHarness, event_name: str, result: str, attributes: dict[str, Any]
) -> None:
    harness.indexer = replace(harness.indexer, buckets=UNVERSIONED)
    assert harness.handle(template(event_name)) == {result: 1}
    assert versions(harness) == ["null"]
    assert attributes.items() <= harness.dynamodb.row(KEY, "null").items()


@pytest.mark.parametrize("when", ["before", "after"])
def test_write_without_version_id_is_retried_until_its_response_arrives(harness: IndexerHarness, when: Any) -> None:  # noqa: ANN401 - a literal of Fault
    put_null(harness)
    harness.handle(template())
    harness.s3.delete(KEY, "null")
    harness.calls.faults.extend([Fault(), Fault(client_error(500), when)])
    harness.handle(template("ObjectRemoved:Delete"), request_id="request-2")
    assert harness.dynamodb.row(KEY, "null").keys() >= DELETION
    assert harness.telemetry.outcomes[-1].retries == 1
