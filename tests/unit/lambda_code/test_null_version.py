"""The version `null`, of objects put while versioning is off or suspended: the one row whose object can change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_code.errors import IndexingError
from tests.support.fakes import Fault, World, client_error
from tests.support.strategies import head, minimal_record, s3_event, s3_record

KEY = "old.txt"
PUT = s3_event(s3_record(KEY, version_id="null"))
DELETE = s3_event(s3_record(KEY, version_id="null", event_name="ObjectRemoved:Delete", size=None, etag=None))
MARK = s3_event(s3_record(KEY, version_id="null", event_name="ObjectRemoved:DeleteMarkerCreated", size=None))
DELETION = {"deleted_at", "deleted_by", "expires_at"}


@pytest.fixture
def world() -> World:
    """A world with an object whose version is `null`."""
    world = World()
    world.s3.put(KEY, "null", head(VersionId="null"))
    return world


def operations(world: World) -> list[str]:
    return [operation for operation, _, _ in world.calls.made]


def before_write(world: World, number: int, change: Callable[[], object]) -> None:
    """Have something happen between the function's reading and its write of this number."""
    update_item = world.dynamodb.update_item
    written = [0]

    def change_first(**arguments: Any) -> dict[str, Any]:
        written[0] += 1
        if written[0] == number:
            change()
        return update_item(**arguments)

    world.dynamodb.update_item = change_first  # type: ignore[method-assign]  # the race, made certain


def test_an_event_of_s3_without_a_version_is_about_the_version_null(world: World) -> None:
    assert world.handle(s3_event(s3_record(KEY, version_id=None))) == {"indexed": 1}
    assert world.dynamodb.row(KEY, "null")["key"] == KEY
    assert world.heard.outcomes[0].version_id == "null"


@pytest.mark.parametrize("told", ["null", None])
def test_an_event_written_by_hand_finds_the_version_null_where_it_is_the_current_one(
    world: World, told: str | None
) -> None:
    world.s3.put(KEY, "null", head(VersionId=told))
    assert world.handle(s3_event(minimal_record(KEY))) == {"indexed": 1}
    assert world.dynamodb.row(KEY, "null")["size_bytes"] == 1024


def test_replacing_the_version_null_replaces_its_row(world: World) -> None:
    world.s3.put(KEY, "null", head(VersionId="null", Metadata={"a": "b"}))
    world.handle(PUT)
    replaced = head(VersionId="null", ContentLength=5, ETag='"2"')
    del replaced["ChecksumCRC64NVME"], replaced["ChecksumType"]
    world.s3.put(KEY, "null", replaced)
    assert world.handle(PUT, request_id="request-2") == {"indexed": 1}
    row = world.dynamodb.row(KEY, "null")
    assert (row["size_bytes"], row["etag"], row["request_id"]) == (5, "2", "request-2")
    assert not row.keys() & {"checksum", "user_metadata", "sequencer"}
    assert world.handle(PUT, request_id="request-3") == {"duplicate": 1}


def test_deleting_the_version_null_says_so_in_its_row_and_keeps_what_it_was(world: World) -> None:
    world.handle(PUT)
    world.s3.delete(KEY, "null")
    assert world.handle(DELETE) == {"deleted": 1}
    row = world.dynamodb.row(KEY, "null")
    assert (row["size_bytes"], row["deleted_at"]) == (1024, "2026-01-31T11:59:58.250Z")
    assert row["expires_at"] == int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())
    assert world.handle(DELETE) == {"duplicate": 1}


def test_an_object_put_after_a_deletion_has_a_row_without_it(world: World) -> None:
    world.s3.delete(KEY, "null")
    world.handle(DELETE)
    world.s3.put(KEY, "null", head(VersionId="null"))
    assert world.handle(PUT) == {"indexed": 1}
    assert not world.dynamodb.row(KEY, "null").keys() & DELETION


def test_the_next_deletion_of_the_version_null_is_told_instead_of_the_last(world: World) -> None:
    world.s3.delete(KEY, "null")
    world.handle(DELETE)
    name, time = "LifecycleExpiration:Delete", "2026-02-01T00:00:00Z"
    later = s3_event(s3_record(KEY, version_id="null", event_name=name, event_time=time))
    assert world.handle(later) == {"deleted": 1}
    row = world.dynamodb.row(KEY, "null")
    assert (row["deleted_at"], row["deleted_by"]) == ("2026-02-01T00:00:00.000Z", "lifecycle")


def test_a_deletion_that_comes_late_does_not_touch_the_object_that_was_put_since(world: World) -> None:
    assert world.handle(DELETE) == {"indexed": 1}
    row = world.dynamodb.row(KEY, "null")
    assert row["size_bytes"] == 1024
    assert not row.keys() & DELETION
    assert world.handle(DELETE) == {"duplicate": 1}


def test_a_delete_marker_takes_the_place_of_the_object(world: World) -> None:
    world.handle(PUT)
    world.s3.put_marker(KEY, "null", datetime(2026, 1, 31, 12, 30, tzinfo=UTC))
    assert world.handle(MARK) == {"deleted": 1}
    row = world.dynamodb.row(KEY, "null")
    assert (row["delete_marker"], row["uploaded_at"]) == (True, "2026-01-31T12:30:00.000Z")
    assert not row.keys() & {"size_bytes", "etag", "content_type", "upload_day", "sequencer"}
    assert world.handle(MARK) == {"duplicate": 1}


def test_a_delete_marker_without_a_time_of_its_own_has_that_of_its_event(world: World) -> None:
    world.s3.put_marker(KEY, "null")
    world.handle(MARK)
    assert world.dynamodb.row(KEY, "null")["uploaded_at"] == "2026-01-31T11:59:58.250Z"


def test_an_object_takes_the_place_of_the_delete_marker(world: World) -> None:
    world.s3.put_marker(KEY, "null")
    world.handle(MARK)
    world.s3.put(KEY, "null", head(VersionId="null"))
    assert world.handle(PUT) == {"indexed": 1}
    assert "delete_marker" not in world.dynamodb.row(KEY, "null")


def test_the_creation_of_what_is_a_delete_marker_by_now_tells_of_the_marker(world: World) -> None:
    world.s3.put_marker(KEY, "null")
    assert world.handle(PUT) == {"deleted": 1}
    assert world.dynamodb.row(KEY, "null")["delete_marker"] is True


def test_removing_the_delete_marker_marks_its_row_deleted(world: World) -> None:
    world.s3.put_marker(KEY, "null")
    world.handle(MARK)
    world.s3.delete(KEY, "null")
    assert world.handle(DELETE) == {"deleted": 1}
    row = world.dynamodb.row(KEY, "null")
    assert row["delete_marker"] is True
    assert row.keys() >= DELETION


def test_the_version_null_replaced_while_its_row_is_written_is_read_again(world: World) -> None:
    """Between HEAD and write somebody puts another object: the row must not stay with the old one."""
    before_write(world, 1, lambda: world.s3.put(KEY, "null", head(VersionId="null", ETag='"2"')))
    assert world.handle(PUT) == {"indexed": 1}
    assert world.dynamodb.row(KEY, "null")["etag"] == "2"
    assert operations(world) == ["HeadObject", "UpdateItem"] * 2 + ["HeadObject"]


def test_an_object_put_while_its_deletion_is_written_is_read_again(world: World) -> None:
    world.s3.delete(KEY, "null")
    before_write(world, 1, lambda: world.s3.put(KEY, "null", head(VersionId="null")))
    assert world.handle(DELETE) == {"indexed": 1}
    assert not world.dynamodb.row(KEY, "null").keys() & DELETION


def test_a_deletion_whose_words_were_written_over_is_told_by_who_wrote_over_them(world: World) -> None:
    """The deletion's own event is done before the object's row, read before, is written whole: none is to come."""

    def delete_and_tell() -> None:
        world.s3.delete(KEY, "null")
        assert world.handle(DELETE) == {"deleted": 1}

    before_write(world, 1, delete_and_tell)
    assert world.handle(PUT) == {"gone": 1}
    row = world.dynamodb.row(KEY, "null")
    assert (row["deleted_at"], row["deleted_by"]) == ("2026-01-31T12:00:00.070Z", "unknown")
    assert row["expires_at"] == int(datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp())
    assert world.handle(DELETE) == {"deleted": 1}  # who knows better is believed
    assert world.dynamodb.row(KEY, "null")["deleted_at"] == "2026-01-31T11:59:58.250Z"


def test_a_deletion_whose_words_were_written_over_by_one_who_then_failed_is_told_when_that_is_tried_again(
    world: World,
) -> None:
    def delete_and_tell() -> None:
        world.s3.delete(KEY, "null")
        assert world.handle(DELETE) == {"deleted": 1}
        world.calls.faults.extend([Fault(), Fault(client_error(403))])  # the write that waits, then no second look

    before_write(world, 1, delete_and_tell)
    with pytest.raises(IndexingError, match="denied"):
        world.handle(PUT)
    assert not world.dynamodb.row(KEY, "null").keys() & DELETION
    assert world.handle(PUT) == {"gone": 1}
    assert world.dynamodb.row(KEY, "null").keys() >= DELETION


def test_a_creation_told_after_the_deletion_leaves_it_as_it_is(world: World) -> None:
    world.handle(PUT)
    world.s3.delete(KEY, "null")
    world.handle(DELETE)
    before = world.dynamodb.row(KEY, "null")
    assert world.handle(PUT) == {"gone": 1}
    assert world.dynamodb.row(KEY, "null") == before


def test_an_object_that_nobody_saw_is_not_called_deleted(world: World) -> None:
    """S3 may answer 404 for 15 minutes after versioning was first enabled: only the deletion's own event knows."""
    world.s3.delete(KEY, "null")
    assert world.handle(PUT) == {"gone": 1}
    assert world.handle(PUT) == {"gone": 1}
    row = world.dynamodb.row(KEY, "null")
    assert row["size_bytes"] == 1024
    assert not row.keys() & DELETION
