"""The version `null`, of objects put while versioning is off or suspended: the one row whose object can change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_code.errors import IndexingError
from tests.support.fakes import Fault, IndexerHarness, client_error
from tests.support.strategies import Json, head, minimal_record, s3_event, s3_record

KEY = "old.txt"


def event(name: str, **changes: Json) -> Json:
    return s3_event(s3_record(KEY, **{"version_id": "null", "event_name": name, "size": 1024, **changes}))


PUT = event("ObjectCreated:Put")
DELETE = event("ObjectRemoved:Delete", size=None, etag=None)
MARK = event("ObjectRemoved:DeleteMarkerCreated", size=None)
DELETION = {"deleted_at", "deleted_by", "expires_at"}
EVENT_TIME = "2026-01-31T11:59:58.250Z"


class NullVersionBucket(IndexerHarness):
    """A bucket with an object whose version is `null`."""

    def __init__(self) -> None:
        super().__init__()
        self.put()

    @property
    def row(self) -> dict[str, Any]:
        return self.dynamodb.row(KEY, "null")

    def put(self, **changes: Json) -> None:
        self.s3.put(KEY, "null", head(**{"VersionId": "null", **changes}))

    def delete(self) -> None:
        self.s3.delete(KEY, "null")

    def mark(self, last_modified: datetime | None = None) -> None:
        self.s3.put_marker(KEY, "null", last_modified)

    def before_write(self, number: int, change: Callable[[], object]) -> None:
        """Call `change` between the indexer's read and its write of this number."""
        update_item = self.dynamodb.update_item
        writes = iter(range(1, 100))

        def change_first(**arguments: Any) -> dict[str, Any]:
            if next(writes) == number:
                change()
            return update_item(**arguments)

        self.dynamodb.update_item = change_first  # type: ignore[method-assign] # the race, made certain


@pytest.fixture
def bucket() -> NullVersionBucket:
    return NullVersionBucket()


def test_an_event_of_s3_without_a_version_is_about_the_version_null(bucket: NullVersionBucket) -> None:
    assert bucket.handle(s3_event(s3_record(KEY, version_id=None))) == {"indexed": 1}
    assert bucket.row["key"] == KEY
    assert bucket.telemetry.outcomes[0].version_id == "null"


@pytest.mark.parametrize("of_head", ["null", None])
def test_an_event_written_by_hand_finds_the_version_null_where_it_is_the_current_one(
    bucket: NullVersionBucket, of_head: str | None
) -> None:
    bucket.put(VersionId=of_head)
    assert bucket.handle(s3_event(minimal_record(KEY))) == {"indexed": 1}
    assert bucket.row["size_bytes"] == 1024


def test_replacing_the_version_null_replaces_its_row(bucket: NullVersionBucket) -> None:
    bucket.put(Metadata={"a": "b"})
    bucket.handle(PUT)
    bucket.put(ContentLength=5, ETag='"2"')
    del bucket.s3.heads[KEY, "null"]["ChecksumCRC64NVME"], bucket.s3.heads[KEY, "null"]["ChecksumType"]
    assert bucket.handle(PUT, request_id="request-2") == {"indexed": 1}
    row = bucket.row
    assert (row["size_bytes"], row["etag"], row["request_id"]) == (5, "2", "request-2")
    assert not row.keys() & {"checksum", "user_metadata", "sequencer"}
    assert bucket.handle(PUT, request_id="request-3") == {"duplicate": 1}


def test_deleting_the_version_null_says_so_in_its_row_and_keeps_what_it_was(bucket: NullVersionBucket) -> None:
    bucket.handle(PUT)
    bucket.delete()
    assert bucket.handle(DELETE) == {"deleted": 1}
    row = bucket.row
    assert (row["size_bytes"], row["deleted_at"]) == (1024, EVENT_TIME)
    assert row["expires_at"] == int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())
    assert bucket.handle(DELETE) == {"duplicate": 1}


@pytest.mark.parametrize(("happens", "first"), [(NullVersionBucket.delete, DELETE), (NullVersionBucket.mark, MARK)])
def test_an_object_put_after_a_deletion_has_a_row_without_it(
    bucket: NullVersionBucket, happens: Callable[[NullVersionBucket], None], first: Json
) -> None:
    happens(bucket)
    bucket.handle(first)
    bucket.put()
    assert bucket.handle(PUT) == {"indexed": 1}
    assert not bucket.row.keys() & {*DELETION, "delete_marker"}


def test_the_next_deletion_of_the_version_null_is_told_instead_of_the_last(bucket: NullVersionBucket) -> None:
    bucket.delete()
    bucket.handle(DELETE)
    assert bucket.handle(event("LifecycleExpiration:Delete", event_time="2026-02-01T00:00:00Z")) == {"deleted": 1}
    assert (bucket.row["deleted_at"], bucket.row["deleted_by"]) == ("2026-02-01T00:00:00.000Z", "lifecycle")


def test_a_deletion_that_comes_late_does_not_touch_the_object_that_was_put_since(bucket: NullVersionBucket) -> None:
    assert bucket.handle(DELETE) == {"indexed": 1}
    assert bucket.row["size_bytes"] == 1024
    assert not bucket.row.keys() & DELETION
    assert bucket.handle(DELETE) == {"duplicate": 1}


@pytest.mark.parametrize(
    ("last_modified", "uploaded_at"),
    [(datetime(2026, 1, 31, 12, 30, tzinfo=UTC), "2026-01-31T12:30:00.000Z"), (None, EVENT_TIME)],
    ids=["its own time", "without a time of its own"],
)
def test_a_delete_marker_takes_the_place_of_the_object(
    bucket: NullVersionBucket, last_modified: datetime | None, uploaded_at: str
) -> None:
    bucket.handle(PUT)
    bucket.mark(last_modified)
    assert bucket.handle(MARK) == {"deleted": 1}
    assert (bucket.row["delete_marker"], bucket.row["uploaded_at"]) == (True, uploaded_at)
    assert not bucket.row.keys() & {"size_bytes", "etag", "content_type", "upload_day", "sequencer"}
    assert bucket.handle(MARK) == {"duplicate": 1}


def test_the_creation_of_what_is_a_delete_marker_by_now_tells_of_the_marker(bucket: NullVersionBucket) -> None:
    bucket.mark()
    assert bucket.handle(PUT) == {"deleted": 1}
    assert bucket.row["delete_marker"] is True


def test_removing_the_delete_marker_marks_its_row_deleted(bucket: NullVersionBucket) -> None:
    bucket.mark()
    bucket.handle(MARK)
    bucket.delete()
    assert bucket.handle(DELETE) == {"deleted": 1}
    assert bucket.row["delete_marker"] is True
    assert bucket.row.keys() >= DELETION


def test_the_version_null_replaced_while_its_row_is_written_is_read_again(bucket: NullVersionBucket) -> None:
    """Another object is put between HEAD and write: the row must not keep the attributes of the old one."""
    bucket.before_write(1, lambda: bucket.put(ETag='"2"'))
    assert bucket.handle(PUT) == {"indexed": 1}
    assert bucket.row["etag"] == "2"
    assert bucket.calls.operations == ["HeadObject", "UpdateItem"] * 2 + ["HeadObject"]


def test_an_object_put_while_its_deletion_is_written_is_read_again(bucket: NullVersionBucket) -> None:
    bucket.delete()
    bucket.before_write(1, bucket.put)
    assert bucket.handle(DELETE) == {"indexed": 1}
    assert not bucket.row.keys() & DELETION


@pytest.mark.parametrize("fails", [False, True], ids=["it notices", "it fails and is tried again"])
def test_a_deletion_whose_words_were_written_over_is_told_by_who_wrote_over_them(
    bucket: NullVersionBucket, *, fails: bool
) -> None:
    """The event of the deletion is handled between the read and the write of the creation, which replaces the row."""

    def delete_and_handle() -> None:
        bucket.delete()
        assert bucket.handle(DELETE) == {"deleted": 1}
        if fails:
            bucket.calls.faults.extend([Fault(), Fault(client_error(403))])  # the pending write; the second read

    bucket.before_write(1, delete_and_handle)
    if fails:
        with pytest.raises(IndexingError, match="denied"):
            bucket.handle(PUT)
        assert not bucket.row.keys() & DELETION
    assert bucket.handle(PUT) == {"gone": 1}
    assert bucket.row["deleted_by"] == "unknown"
    assert bucket.row.keys() >= DELETION
    if not fails:
        assert bucket.row["deleted_at"] == "2026-01-31T12:00:00.070Z"
        assert bucket.row["expires_at"] == int(datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp())
        assert bucket.handle(DELETE) == {"deleted": 1}  # the event of the deletion knows its time
        assert bucket.row["deleted_at"] == EVENT_TIME


def test_a_creation_told_after_the_deletion_leaves_it_as_it_is(bucket: NullVersionBucket) -> None:
    bucket.handle(PUT)
    bucket.delete()
    bucket.handle(DELETE)
    before = bucket.row
    assert bucket.handle(PUT) == {"gone": 1}
    assert bucket.row == before


def test_an_object_that_nobody_saw_is_not_called_deleted(bucket: NullVersionBucket) -> None:
    """S3 may respond with 404 for 15 minutes after versioning was first enabled."""
    bucket.delete()
    assert bucket.handle(PUT) == {"gone": 1}
    assert bucket.handle(PUT) == {"gone": 1}
    assert bucket.row["size_bytes"] == 1024
    assert not bucket.row.keys() & DELETION
