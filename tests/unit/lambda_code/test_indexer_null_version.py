"""The version `null`, of objects put while versioning is off or suspended: the one row whose object can change."""

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


put, delete, mark = NullVersionBucket.put, NullVersionBucket.delete, NullVersionBucket.mark
MARKED_AT_12_30 = partial(mark, last_modified=datetime(2026, 1, 31, 12, 30, tzinfo=UTC))
LATER = event("LifecycleExpiration:Delete", event_time="2026-02-01T00:00:00Z")
DELETED = {"deleted_at": EVENT_TIME, "expires_at": int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())}
OF_THE_OBJECT = ("size_bytes", "etag", "content_type", "upload_day", "sequencer")


@pytest.mark.parametrize(
    ("history", "last", "result", "attributes", "absent"),
    [
        pytest.param([], s3_event(s3_record(KEY, version_id=None)), "indexed", {"key": KEY}, (), id="no version"),
        pytest.param([], s3_event(minimal_record(KEY)), "indexed", {"size_bytes": 1024}, (), id="written by hand"),
        pytest.param(
            [partial(put, VersionId=None)],
            s3_event(minimal_record(KEY)),
            "indexed",
            {"size_bytes": 1024},
            (),
            id="written by hand, in a bucket that never had versions",
        ),
        pytest.param([PUT, delete], DELETE, "deleted", {"size_bytes": 1024, **DELETED}, (), id="deleted"),
        pytest.param([delete, DELETE, put], PUT, "indexed", {}, DELETION, id="put after a deletion"),
        pytest.param([mark, MARK, put], PUT, "indexed", {}, ["delete_marker"], id="put after a delete marker"),
        pytest.param(
            [delete, DELETE],
            LATER,
            "deleted",
            {"deleted_at": "2026-02-01T00:00:00.000Z", "deleted_by": "lifecycle"},
            (),
            id="deleted again",
        ),
        pytest.param([], DELETE, "indexed", {"size_bytes": 1024}, DELETION, id="late deletion of another object"),
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
            id="delete marker without a time of its own",
        ),
        pytest.param([mark], PUT, "deleted", {"delete_marker": True}, (), id="late creation, marked since"),
        pytest.param(
            [mark, MARK, delete], DELETE, "deleted", {"delete_marker": True, **DELETED}, (), id="marker deleted"
        ),
        pytest.param(
            [PUT, delete, DELETE], PUT, "gone", {"size_bytes": 1024, **DELETED}, (), id="creation after deletion"
        ),
        # S3 may respond with 404 for 15 minutes after versioning was first enabled
        pytest.param(
            [delete, PUT], PUT, "gone", {"size_bytes": 1024}, DELETION, id="never read, so not known as deleted"
        ),
    ],
)
def test_the_row_of_the_version_null_follows_its_events(
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
    assert bucket.row == row | replaced  # replacing a row also replaces its provenance


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
