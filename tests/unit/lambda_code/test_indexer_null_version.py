"""Indexing of the version ID `null`, which S3 uses while versioning is off or suspended. Its object can be replaced."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
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
    """A bucket with one object whose version ID is `null`."""

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
        self.s3.add_delete_marker(KEY, "null", last_modified)

    def before_write(self, number: int, change: Callable[[], object]) -> None:
        """Call `change` immediately before the indexer's write with this number, counted from 1."""
        update_item = self.dynamodb.update_item
        writes = iter(range(1, 100))

        def change_first(**arguments: Any) -> dict[str, Any]:
            if next(writes) == number:
                change()
            return update_item(**arguments)

        self.dynamodb.update_item = change_first  # type: ignore[method-assign] # forces the race


@pytest.fixture
def bucket() -> NullVersionBucket:
    return NullVersionBucket()


put, delete, mark = NullVersionBucket.put, NullVersionBucket.delete, NullVersionBucket.mark
MARKED_AT_12_30 = partial(mark, last_modified=datetime(2026, 1, 31, 12, 30, tzinfo=UTC))
LATER = event("LifecycleExpiration:Delete", event_time="2026-02-01T00:00:00Z")
DELETED = {"deleted_at": EVENT_TIME, "expires_at": int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())}
OF_THE_OBJECT = ("size_bytes", "etag", "content_type", "upload_day", "sequencer")


@pytest.mark.parametrize(
    ("history", "last", "result", "attributes", "absent"),
    [
        pytest.param(
            [],
            s3_event(s3_record(KEY, version_id=None)),
            "indexed",
            {"key": KEY},
            (),
            id="S3 event without a version ID",
        ),
        pytest.param([], s3_event(minimal_record(KEY)), "indexed", {"size_bytes": 1024}, (), id="handwritten event"),
        pytest.param(
            [partial(put, VersionId=None)],
            s3_event(minimal_record(KEY)),
            "indexed",
            {"size_bytes": 1024},
            (),
            id="handwritten event, unversioned bucket",
        ),
        pytest.param([PUT, delete], DELETE, "deleted", {"size_bytes": 1024, **DELETED}, (), id="deleted"),
        pytest.param([delete, DELETE, put], PUT, "indexed", {}, DELETION, id="upload after a deletion"),
        pytest.param([mark, MARK, put], PUT, "indexed", {}, ["delete_marker"], id="upload after a delete marker"),
        pytest.param(
            [delete, DELETE],
            LATER,
            "deleted",
            {"deleted_at": "2026-02-01T00:00:00.000Z", "deleted_by": "lifecycle"},
            (),
            id="deleted again",
        ),
        pytest.param(
            [], DELETE, "indexed", {"size_bytes": 1024}, DELETION, id="late deletion event of a replaced object"
        ),
        pytest.param(
            [PUT, MARKED_AT_12_30],
            MARK,
            "deleted",
            {"delete_marker": True, "uploaded_at": "2026-01-31T12:30:00.000Z"},
            OF_THE_OBJECT,
            id="replaced by a delete marker",
        ),
        pytest.param(
            [mark],
            MARK,
            "deleted",
            {"delete_marker": True, "uploaded_at": EVENT_TIME},
            OF_THE_OBJECT,
            id="delete marker without Last-Modified",
        ),
        pytest.param(
            [mark], PUT, "deleted", {"delete_marker": True}, (), id="late creation event after a delete marker"
        ),
        pytest.param(
            [mark, MARK, delete], DELETE, "deleted", {"delete_marker": True, **DELETED}, (), id="delete marker deleted"
        ),
        pytest.param(
            [PUT, delete, DELETE],
            PUT,
            "gone",
            {"size_bytes": 1024, **DELETED},
            (),
            id="late creation event after a deletion",
        ),
        # S3 may return 404 for a new object for 15 minutes after versioning is enabled for the first time.
        pytest.param([delete, PUT], PUT, "gone", {"size_bytes": 1024}, DELETION, id="object never readable"),
    ],
)
def test_indexer_updates_the_row_of_version_null_after_each_event(
    bucket: NullVersionBucket,
    history: list[Any],
    last: Json,
    result: str,
    attributes: dict[str, Any],
    absent: Collection[str],
) -> None:
    for step in history:
        if callable(step):
            step(bucket)
        else:
            bucket.handle(step)
    assert bucket.handle(last) == {result: 1}
    row = bucket.row
    assert attributes.items() <= row.items()
    assert not row.keys() & set(absent)
    assert bucket.telemetry.outcomes[-1].version_id == "null"
    assert bucket.handle(last) == {"gone" if result == "gone" else "duplicate": 1}
    replaced = {} if result == "gone" else {"processed_at": bucket.row["processed_at"]}
    assert bucket.row == row | replaced  # Replacing a row also replaces its provenance.


def test_new_object_of_version_null_replaces_all_attributes_of_its_row(bucket: NullVersionBucket) -> None:
    bucket.put(Metadata={"a": "b"})
    bucket.handle(PUT)
    bucket.put(ContentLength=5, ETag='"2"')
    del bucket.s3.heads[KEY, "null"]["ChecksumCRC64NVME"], bucket.s3.heads[KEY, "null"]["ChecksumType"]
    assert bucket.handle(PUT, request_id="request-2") == {"indexed": 1}
    row = bucket.row
    assert (row["size_bytes"], row["etag"], row["request_id"]) == (5, "2", "request-2")
    assert not row.keys() & {"checksum", "user_metadata", "sequencer"}
    assert bucket.handle(PUT, request_id="request-3") == {"duplicate": 1}


def test_indexer_reads_version_null_again_if_replaced_before_the_write(bucket: NullVersionBucket) -> None:
    """Another object is uploaded between HEAD and the write. The row must have the attributes of the new object."""
    bucket.before_write(1, lambda: bucket.put(ETag='"2"'))
    assert bucket.handle(PUT) == {"indexed": 1}
    assert bucket.row["etag"] == "2"
    assert bucket.calls.operations == ["HeadObject", "UpdateItem"] * 2 + ["HeadObject"]


def test_indexer_reads_version_null_again_if_uploaded_during_a_deletion(bucket: NullVersionBucket) -> None:
    bucket.delete()
    bucket.before_write(1, bucket.put)
    assert bucket.handle(DELETE) == {"indexed": 1}
    assert not bucket.row.keys() & DELETION


@pytest.mark.parametrize("fails", [False, True], ids=["second read succeeds", "second read fails"])
def test_indexer_restores_an_overwritten_deletion_of_version_null(bucket: NullVersionBucket, *, fails: bool) -> None:
    """A deletion event is handled between the read and the write of a creation event, which overwrites the deletion."""

    def delete_and_handle() -> None:
        bucket.delete()
        assert bucket.handle(DELETE) == {"deleted": 1}
        if fails:
            # The next call, a write, succeeds. The calls after it, HEAD and GET, fail with status 403.
            bucket.calls.faults.extend([Fault(), Fault(client_error(403)), Fault(client_error(403))])

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
        assert bucket.handle(DELETE) == {"deleted": 1}  # The deletion event contains the exact time.
        assert bucket.row["deleted_at"] == EVENT_TIME


@pytest.fixture
def encrypted(bucket: NullVersionBucket) -> NullVersionBucket:
    """A bucket whose object `null` was replaced by an object with a customer-provided key, after a row was written."""
    assert bucket.handle(PUT) == {"indexed": 1}
    bucket.s3.customer_keys.add((KEY, "null"))
    return bucket


def test_creation_event_of_version_null_with_a_customer_key_replaces_the_row(encrypted: NullVersionBucket) -> None:
    event_of_replacement = event("ObjectCreated:Put", size=7, etag="e7")
    assert encrypted.handle(event_of_replacement) == {"indexed": 1}
    row = encrypted.row
    assert (row["size_bytes"], row["etag"], row["encryption"]) == (7, "e7", "SSE-C")
    assert not row.keys() & {"content_type", "storage_class", "user_metadata", "sequencer"}


@pytest.mark.parametrize("late", [DELETE, MARK], ids=["deletion", "delete marker"])
def test_late_deletion_event_of_version_null_does_not_delete_an_object_with_a_customer_key(
    encrypted: NullVersionBucket, late: Json
) -> None:
    encrypted.handle(PUT)
    before = encrypted.row
    assert encrypted.handle(late, request_id="request-2") == {"duplicate": 1}
    assert encrypted.row == before


def test_late_deletion_event_of_version_null_creates_a_row_without_its_own_attributes(
    encrypted: NullVersionBucket,
) -> None:
    encrypted.dynamodb.rows.clear()
    late = event("ObjectRemoved:Delete", size=0, etag="", event_time="2026-02-01T00:00:00Z")
    assert encrypted.handle(late) == {"indexed": 1}
    assert not encrypted.row.keys() & {"size_bytes", "etag", "uploaded_at", "upload_day", *DELETION}
    assert encrypted.handle(PUT, request_id="request-2") == {"indexed": 1}
    assert (encrypted.row["size_bytes"], encrypted.row["uploaded_at"]) == (1024, EVENT_TIME)


def test_lost_object_with_version_null_is_not_recorded_as_deleted(bucket: NullVersionBucket) -> None:
    assert bucket.handle(PUT) == {"indexed": 1}
    before = bucket.row
    bucket.calls.faults.extend([Fault(client_error(405)), Fault(), Fault(client_error(405))])
    assert bucket.handle(PUT, request_id="request-2") == {"gone": 1}
    assert bucket.row == before


def test_indexer_restores_an_overwritten_deletion_of_version_null_with_a_customer_key(
    encrypted: NullVersionBucket,
) -> None:
    """A deletion event is handled between the read and the write of a creation event, which overwrites the deletion."""

    def delete_and_handle() -> None:
        encrypted.s3.customer_keys.clear()
        encrypted.delete()
        assert encrypted.handle(DELETE) == {"deleted": 1}

    encrypted.before_write(1, delete_and_handle)
    assert encrypted.handle(PUT, request_id="request-2") == {"gone": 1}
    assert encrypted.row.keys() >= DELETION


def test_event_about_a_lost_version_null_removes_the_deletion_of_an_earlier_object(bucket: NullVersionBucket) -> None:
    bucket.handle(PUT)
    bucket.delete()
    bucket.handle(DELETE)
    assert bucket.row.keys() >= DELETION
    bucket.calls.faults.extend([Fault(client_error(405)), Fault(), Fault(client_error(405))])
    assert bucket.handle(PUT, request_id="request-2") == {"gone": 1}
    assert not bucket.row.keys() & DELETION
