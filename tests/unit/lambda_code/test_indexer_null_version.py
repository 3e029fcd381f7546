"""The version `null`, of objects put while versioning is off or suspended: the one row whose object can change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_code.errors import IndexingError
from tests.support.fakes import Fault, IndexerHarness, client_error
from tests.support.strategies import head, minimal_record, s3_event, s3_record

KEY = "old.txt"
PUT = s3_event(s3_record(KEY, version_id="null"))
DELETE = s3_event(s3_record(KEY, version_id="null", event_name="ObjectRemoved:Delete", size=None, etag=None))
MARK = s3_event(s3_record(KEY, version_id="null", event_name="ObjectRemoved:DeleteMarkerCreated", size=None))
DELETION = {"deleted_at", "deleted_by", "expires_at"}


@pytest.fixture
def harness() -> IndexerHarness:
    """A harness with an object whose version is `null`."""
    harness = IndexerHarness()
    harness.s3.put(KEY, "null", head(VersionId="null"))
    return harness


def before_write(harness: IndexerHarness, number: int, change: Callable[[], object]) -> None:
    """Have something happen between the function's reading and its write of this number."""
    update_item = harness.dynamodb.update_item
    written = [0]

    def change_first(**arguments: Any) -> dict[str, Any]:
        written[0] += 1
        if written[0] == number:
            change()
        return update_item(**arguments)

    harness.dynamodb.update_item = change_first  # type: ignore[method-assign]  # the race, made certain


def test_an_event_of_s3_without_a_version_is_about_the_version_null(harness: IndexerHarness) -> None:
    assert harness.handle(s3_event(s3_record(KEY, version_id=None))) == {"indexed": 1}
    assert harness.dynamodb.row(KEY, "null")["key"] == KEY
    assert harness.telemetry.outcomes[0].version_id == "null"


@pytest.mark.parametrize("told", ["null", None])
def test_an_event_written_by_hand_finds_the_version_null_where_it_is_the_current_one(
    harness: IndexerHarness, told: str | None
) -> None:
    harness.s3.put(KEY, "null", head(VersionId=told))
    assert harness.handle(s3_event(minimal_record(KEY))) == {"indexed": 1}
    assert harness.dynamodb.row(KEY, "null")["size_bytes"] == 1024


def test_replacing_the_version_null_replaces_its_row(harness: IndexerHarness) -> None:
    harness.s3.put(KEY, "null", head(VersionId="null", Metadata={"a": "b"}))
    harness.handle(PUT)
    replaced = head(VersionId="null", ContentLength=5, ETag='"2"')
    del replaced["ChecksumCRC64NVME"], replaced["ChecksumType"]
    harness.s3.put(KEY, "null", replaced)
    assert harness.handle(PUT, request_id="request-2") == {"indexed": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert (row["size_bytes"], row["etag"], row["request_id"]) == (5, "2", "request-2")
    assert not row.keys() & {"checksum", "user_metadata", "sequencer"}
    assert harness.handle(PUT, request_id="request-3") == {"duplicate": 1}


def test_deleting_the_version_null_says_so_in_its_row_and_keeps_what_it_was(harness: IndexerHarness) -> None:
    harness.handle(PUT)
    harness.s3.delete(KEY, "null")
    assert harness.handle(DELETE) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert (row["size_bytes"], row["deleted_at"]) == (1024, "2026-01-31T11:59:58.250Z")
    assert row["expires_at"] == int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())
    assert harness.handle(DELETE) == {"duplicate": 1}


def test_an_object_put_after_a_deletion_has_a_row_without_it(harness: IndexerHarness) -> None:
    harness.s3.delete(KEY, "null")
    harness.handle(DELETE)
    harness.s3.put(KEY, "null", head(VersionId="null"))
    assert harness.handle(PUT) == {"indexed": 1}
    assert not harness.dynamodb.row(KEY, "null").keys() & DELETION


def test_the_next_deletion_of_the_version_null_is_told_instead_of_the_last(harness: IndexerHarness) -> None:
    harness.s3.delete(KEY, "null")
    harness.handle(DELETE)
    name, time = "LifecycleExpiration:Delete", "2026-02-01T00:00:00Z"
    later = s3_event(s3_record(KEY, version_id="null", event_name=name, event_time=time))
    assert harness.handle(later) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert (row["deleted_at"], row["deleted_by"]) == ("2026-02-01T00:00:00.000Z", "lifecycle")


def test_a_deletion_that_comes_late_does_not_touch_the_object_that_was_put_since(harness: IndexerHarness) -> None:
    assert harness.handle(DELETE) == {"indexed": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert row["size_bytes"] == 1024
    assert not row.keys() & DELETION
    assert harness.handle(DELETE) == {"duplicate": 1}


def test_a_delete_marker_takes_the_place_of_the_object(harness: IndexerHarness) -> None:
    harness.handle(PUT)
    harness.s3.put_marker(KEY, "null", datetime(2026, 1, 31, 12, 30, tzinfo=UTC))
    assert harness.handle(MARK) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert (row["delete_marker"], row["uploaded_at"]) == (True, "2026-01-31T12:30:00.000Z")
    assert not row.keys() & {"size_bytes", "etag", "content_type", "upload_day", "sequencer"}
    assert harness.handle(MARK) == {"duplicate": 1}


def test_a_delete_marker_without_a_time_of_its_own_has_that_of_its_event(harness: IndexerHarness) -> None:
    harness.s3.put_marker(KEY, "null")
    harness.handle(MARK)
    assert harness.dynamodb.row(KEY, "null")["uploaded_at"] == "2026-01-31T11:59:58.250Z"


def test_an_object_takes_the_place_of_the_delete_marker(harness: IndexerHarness) -> None:
    harness.s3.put_marker(KEY, "null")
    harness.handle(MARK)
    harness.s3.put(KEY, "null", head(VersionId="null"))
    assert harness.handle(PUT) == {"indexed": 1}
    assert "delete_marker" not in harness.dynamodb.row(KEY, "null")


def test_the_creation_of_what_is_a_delete_marker_by_now_tells_of_the_marker(harness: IndexerHarness) -> None:
    harness.s3.put_marker(KEY, "null")
    assert harness.handle(PUT) == {"deleted": 1}
    assert harness.dynamodb.row(KEY, "null")["delete_marker"] is True


def test_removing_the_delete_marker_marks_its_row_deleted(harness: IndexerHarness) -> None:
    harness.s3.put_marker(KEY, "null")
    harness.handle(MARK)
    harness.s3.delete(KEY, "null")
    assert harness.handle(DELETE) == {"deleted": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert row["delete_marker"] is True
    assert row.keys() >= DELETION


def test_the_version_null_replaced_while_its_row_is_written_is_read_again(harness: IndexerHarness) -> None:
    """Between HEAD and write somebody puts another object: the row must not stay with the old one."""
    before_write(harness, 1, lambda: harness.s3.put(KEY, "null", head(VersionId="null", ETag='"2"')))
    assert harness.handle(PUT) == {"indexed": 1}
    assert harness.dynamodb.row(KEY, "null")["etag"] == "2"
    assert harness.calls.operations == ["HeadObject", "UpdateItem"] * 2 + ["HeadObject"]


def test_an_object_put_while_its_deletion_is_written_is_read_again(harness: IndexerHarness) -> None:
    harness.s3.delete(KEY, "null")
    before_write(harness, 1, lambda: harness.s3.put(KEY, "null", head(VersionId="null")))
    assert harness.handle(DELETE) == {"indexed": 1}
    assert not harness.dynamodb.row(KEY, "null").keys() & DELETION


def test_a_deletion_whose_words_were_written_over_is_told_by_who_wrote_over_them(harness: IndexerHarness) -> None:
    """The deletion's own event is done before the object's row, read before, is written whole: none is to come."""

    def delete_and_tell() -> None:
        harness.s3.delete(KEY, "null")
        assert harness.handle(DELETE) == {"deleted": 1}

    before_write(harness, 1, delete_and_tell)
    assert harness.handle(PUT) == {"gone": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert (row["deleted_at"], row["deleted_by"]) == ("2026-01-31T12:00:00.070Z", "unknown")
    assert row["expires_at"] == int(datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp())
    assert harness.handle(DELETE) == {"deleted": 1}  # who knows better is believed
    assert harness.dynamodb.row(KEY, "null")["deleted_at"] == "2026-01-31T11:59:58.250Z"


def test_a_deletion_whose_words_were_written_over_by_one_who_then_failed_is_told_when_that_is_tried_again(
    harness: IndexerHarness,
) -> None:
    def delete_and_tell() -> None:
        harness.s3.delete(KEY, "null")
        assert harness.handle(DELETE) == {"deleted": 1}
        harness.calls.faults.extend([Fault(), Fault(client_error(403))])  # the write that waits, then no second look

    before_write(harness, 1, delete_and_tell)
    with pytest.raises(IndexingError, match="denied"):
        harness.handle(PUT)
    assert not harness.dynamodb.row(KEY, "null").keys() & DELETION
    assert harness.handle(PUT) == {"gone": 1}
    assert harness.dynamodb.row(KEY, "null").keys() >= DELETION


def test_a_creation_told_after_the_deletion_leaves_it_as_it_is(harness: IndexerHarness) -> None:
    harness.handle(PUT)
    harness.s3.delete(KEY, "null")
    harness.handle(DELETE)
    before = harness.dynamodb.row(KEY, "null")
    assert harness.handle(PUT) == {"gone": 1}
    assert harness.dynamodb.row(KEY, "null") == before


def test_an_object_that_nobody_saw_is_not_called_deleted(harness: IndexerHarness) -> None:
    """S3 may answer 404 for 15 minutes after versioning was first enabled: only the deletion's own event knows."""
    harness.s3.delete(KEY, "null")
    assert harness.handle(PUT) == {"gone": 1}
    assert harness.handle(PUT) == {"gone": 1}
    row = harness.dynamodb.row(KEY, "null")
    assert row["size_bytes"] == 1024
    assert not row.keys() & DELETION
