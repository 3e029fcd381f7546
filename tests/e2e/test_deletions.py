"""What is deleted, in every way in which S3 deletes, stays in the table as deleted; and what exists now can be told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.e2e.consistent_queries import soon
from tests.e2e.events import as_s3_sent_it, event, removal
from tests.support.rows import FROM_THE_EVENT

if TYPE_CHECKING:
    from operations.queries import Table
    from tests.support.index import Clients, Index, Row

DELETION = {"deleted_at", "deleted_by", "expires_at"}


@pytest.fixture(scope="module")
def retention(clients: Clients, outputs: Mapping[str, str]) -> timedelta:
    """How long this stack keeps the row of a deleted version; nothing: for ever."""
    function = clients.function.get_function_configuration(FunctionName=outputs["lambda_function_name"])
    return timedelta(days=int(function["Environment"]["Variables"]["TAP_DELETED_RETENTION_DAYS"]))


def test_a_deleted_version_keeps_its_row_and_says_when_it_went_and_when_the_row_goes(
    index: Index, retention: timedelta
) -> None:
    key = index.key("deleted/a version+é.txt")
    version_id = index.put(key, Metadata={"a": "b"})
    before = index.wait_for_row(key, version_id)
    index.delete_version(key, version_id)
    row = index.wait_for_deletion(key, version_id)
    assert {name: value for name, value in row.items() if name not in DELETION} == before
    assert row["deleted_by"] not in {"", "lifecycle"}
    deleted_at = datetime.fromisoformat(row["deleted_at"])
    assert row["deleted_at"] >= before["uploaded_at"]
    expected = int((deleted_at + retention).timestamp()) if retention else None
    assert row.get("expires_at") == expected


def test_of_two_versions_only_the_deleted_one_is(table: Table, index: Index) -> None:
    key = index.key("deleted/overwritten.txt")
    first, second = (_put_and_wait(index, key) for _ in range(2))
    index.delete_version(key, first)
    index.wait_for_deletion(key, first)
    assert "deleted_at" not in _row(index, key, second)
    soon(index, table, key, latest=second, current=second)
    index.delete_version(key, second)
    index.wait_for_deletion(key, second)
    soon(index, table, key, latest=None, current=None)


def test_a_delete_marker_hides_the_object_and_removing_it_brings_it_back(table: Table, index: Index) -> None:
    key = index.key("deleted/hidden and back.txt")
    version_id = _put_and_wait(index, key)
    before = _row(index, key, version_id)
    marker = index.delete(key)
    row = index.wait_for_row(key, marker)
    assert row["delete_marker"] is True
    assert not row.keys() & {"upload_day", "size_bytes", "content_type", *DELETION}
    assert index.row(key, version_id) == before
    soon(index, table, key, latest=marker, current=None)
    index.delete_version(key, marker)
    assert index.wait_for_deletion(key, marker)["delete_marker"] is True
    soon(index, table, key, latest=version_id, current=version_id)


@pytest.mark.parametrize("number", range(4))
def test_what_was_put_deleted_and_put_again_at_once_is_there(table: Table, index: Index, number: int) -> None:
    key = index.key(f"deleted/put again {number}.txt")
    first = index.put(key, b"first")
    marker = index.delete(key)
    second = index.put(key, b"second")
    for version_id in (first, marker, second):
        index.wait_for_row(key, version_id)
    assert second == index.clients.s3.head_object(Bucket=index.bucket, Key=key)["VersionId"]
    soon(index, table, key, latest=second, current=second)
    assert len(index.rows(key)) == 3


def test_what_was_put_and_deleted_at_once_is_not(table: Table, index: Index) -> None:
    key = index.key("deleted/at once.txt")
    version_id, marker = index.put(key), index.delete(key)
    for each in (version_id, marker):
        index.wait_for_row(key, each)
    soon(index, table, key, latest=marker, current=None)


def test_many_objects_that_are_deleted_in_one_call_are_each_told(index: Index) -> None:
    keys = [index.key(f"deleted/many/{number}+.txt") for number in range(3)]
    versions = {key: _put_and_wait(index, key) for key in keys}
    doomed = [{"Key": key, "VersionId": version_id} for key, version_id in versions.items()]
    answer = index.clients.s3.delete_objects(Bucket=index.bucket, Delete={"Objects": doomed})
    assert len(answer["Deleted"]) == len(keys)
    for key, version_id in versions.items():
        index.wait_for_deletion(key, version_id)


def test_what_a_rule_of_the_bucket_deleted_says_so(index: Index) -> None:
    """No emulator expires anything, and AWS does so once a day: the event is handed to the function instead."""
    row = _deleted_and_forgotten(index, index.key("deleted/expired.txt"))
    expired = removal(row, "LifecycleExpiration:Delete")
    assert index.invoke(event(expired)).payload == {"deleted": 1}
    assert index.invoke(event(expired)).payload == {"duplicate": 1}
    left = _row(index, row["key"], row["version_id"])
    assert left["deleted_by"] == "lifecycle"
    assert "size_bytes" not in left


def test_creation_and_deletion_make_the_same_row_in_either_order(index: Index) -> None:
    key = index.key("deleted/in any order.txt")
    row = _deleted_and_forgotten(index, key)
    created, deleted = as_s3_sent_it(row), removal(row, "ObjectRemoved:Delete")
    seen = []
    for order in ((created, deleted), (deleted, created), (deleted, created, deleted, created)):
        index.forget(key, row["version_id"])
        for record in order:
            assert index.invoke(event(record)).error is None
        seen.append({k: v for k, v in _row(index, key, row["version_id"]).items() if k not in FROM_THE_EVENT})
    assert seen[0].keys() >= {"size_bytes", "uploaded_at", *DELETION} - {"expires_at"}
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("event_name", ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"])
def test_a_removal_written_by_hand_without_a_version_deletes_no_row(index: Index, event_name: str) -> None:
    key = index.key(f"deleted/by hand {event_name}.txt")
    version_id = _put_and_wait(index, key)
    before = _row(index, key, version_id)
    record = removal(before, event_name)
    del record["s3"]["object"]["versionId"]
    assert index.invoke(event(record)).payload == {"duplicate": 1}
    assert index.rows(key) == [before]


def _put_and_wait(index: Index, key: str) -> str:
    version_id = index.put(key)
    index.wait_for_row(key, version_id)
    return version_id


def _row(index: Index, key: str, version_id: str) -> Row:
    row = index.row(key, version_id)
    assert row is not None
    return row


def _deleted_and_forgotten(index: Index, key: str) -> Row:
    """The row that an object had whose version is deleted, and of which the table knows nothing any more."""
    row = index.wait_for_row(key, index.put(key))
    index.delete_version(key, row["version_id"])
    index.wait_for_deletion(key, row["version_id"])
    index.forget(key, row["version_id"])
    return row
