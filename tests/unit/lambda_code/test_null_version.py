"""The version `null`, of objects put while versioning is off or suspended: the one row whose object can change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import World
from tests.strategies import head, s3_event, s3_record


@pytest.fixture
def world() -> World:
    return World()


def operations(world: World) -> list[str]:
    return [operation for operation, _, _ in world.calls.made]


def test_an_object_without_a_version_is_the_version_null(world: World) -> None:
    world.s3.put("old.txt", None, head(VersionId=None))
    assert world.handle(s3_event(s3_record("old.txt", version_id=None))) == {"indexed": 1}
    assert world.dynamodb.row("old.txt", "null")["key"] == "old.txt"


def test_replacing_the_version_null_replaces_its_row(world: World) -> None:
    event = s3_event(s3_record("old.txt", version_id="null"))
    world.s3.put("old.txt", "null", head(VersionId="null", Metadata={"a": "b"}))
    world.handle(event)
    replaced = head(VersionId="null", ContentLength=5, ETag='"2"')
    del replaced["ChecksumCRC64NVME"], replaced["ChecksumType"]
    world.s3.put("old.txt", "null", replaced)
    assert world.handle(event, request_id="request-2") == {"indexed": 1}
    row = world.dynamodb.row("old.txt", "null")
    assert (row["size_bytes"], row["etag"], row["request_id"]) == (5, "2", "request-2")
    assert not row.keys() & {"checksum", "user_metadata", "sequencer"}
    assert world.handle(event, request_id="request-3") == {"duplicate": 1}


def test_the_version_null_replaced_while_its_row_is_written_is_read_again(world: World) -> None:
    """Between HEAD and write somebody puts another object: the row must not stay with the old one."""
    world.s3.put("old.txt", "null", head(VersionId="null", ETag='"1"'))
    update_item = world.dynamodb.update_item

    def put_before_the_write(**arguments: Any) -> dict[str, Any]:
        if len(world.calls.made) == 1:
            world.s3.put("old.txt", "null", head(VersionId="null", ETag='"2"'))
        return update_item(**arguments)

    world.dynamodb.update_item = put_before_the_write  # type: ignore[method-assign]  # the race, made certain
    assert world.handle(s3_event(s3_record("old.txt", version_id="null"))) == {"indexed": 1}
    assert world.dynamodb.row("old.txt", "null")["etag"] == "2"
    assert operations(world) == ["HeadObject", "UpdateItem"] * 2 + ["HeadObject"]


def test_the_version_null_deleted_while_its_row_is_written_is_left_to_its_own_event(world: World) -> None:
    world.s3.put("old.txt", "null", head(VersionId="null"))
    update_item = world.dynamodb.update_item

    def delete_after_the_write(**arguments: Any) -> dict[str, Any]:
        answer = update_item(**arguments)
        world.s3.heads.clear()
        return answer

    world.dynamodb.update_item = delete_after_the_write  # type: ignore[method-assign]  # the race, made certain
    assert world.handle(s3_event(s3_record("old.txt", version_id="null"))) == {"indexed": 1}
    assert operations(world) == ["HeadObject", "UpdateItem", "HeadObject"]
