"""Rows of deleted versions record the deletion, for every kind of deletion in S3."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.e2e.events import creation_record, removal_record
from tests.e2e.query_results import wait_for_versions
from tests.support.rows import DELETION_ATTRIBUTES, object_attributes
from tests.support.strategies import s3_event

if TYPE_CHECKING:
    from operations.queries import Table
    from tests.support.index import Clients, Index
    from tests.support.rows import Row


@pytest.fixture(scope="module")
def retention(clients: Clients, outputs: Mapping[str, str]) -> timedelta:
    """Time for which the stack keeps the row of a deleted version; zero: the row never expires."""
    function = clients.function.get_function_configuration(FunctionName=outputs["lambda_function_name"])
    return timedelta(days=int(function["Environment"]["Variables"]["TAP_DELETED_RETENTION_DAYS"]))


def test_row_of_a_deleted_version_records_deletion_and_expiry_times(index: Index, retention: timedelta) -> None:
    before = index.put_indexed(index.key("deleted/a version+é.txt"), Metadata={"a": "b"})
    row = index.delete_indexed_version(before)
    assert {name: value for name, value in row.items() if name not in DELETION_ATTRIBUTES} == before
    assert row["deleted_by"] not in {"", "lifecycle"}
    deleted_at = datetime.fromisoformat(row["deleted_at"])
    assert row["deleted_at"] >= before["uploaded_at"]
    expected = int((deleted_at + retention).timestamp()) if retention else None
    assert row.get("expires_at") == expected


def test_deletion_of_a_version_does_not_change_the_row_of_another(table: Table, index: Index) -> None:
    key = index.key("deleted/overwritten.txt")
    first, second = (index.put_indexed(key) for _ in range(2))
    index.delete_indexed_version(first)
    assert "deleted_at" not in index.existing_row(key, second["version_id"])
    wait_for_versions(index, table, key, latest=second["version_id"], current=second["version_id"])
    index.delete_indexed_version(second)
    wait_for_versions(index, table, key, latest=None, current=None)


def test_delete_marker_hides_an_object_and_its_removal_restores_it(table: Table, index: Index) -> None:
    key = index.key("deleted/hidden and back.txt")
    before = index.put_indexed(key)
    version_id = before["version_id"]
    marker = index.delete(key)
    row = index.wait_for_row(key, marker)
    assert row["delete_marker"] is True
    assert not row.keys() & {"upload_day", "size_bytes", "content_type", *DELETION_ATTRIBUTES}
    assert index.row(key, version_id) == before
    wait_for_versions(index, table, key, latest=marker, current=None)
    assert index.delete_indexed_version(row)["delete_marker"] is True
    wait_for_versions(index, table, key, latest=version_id, current=version_id)


@pytest.mark.parametrize("number", range(4))
def test_object_put_deleted_and_put_again_in_quick_succession_exists(table: Table, index: Index, number: int) -> None:
    key = index.key(f"deleted/put again {number}.txt")
    first = index.put(key, b"first")
    marker = index.delete(key)
    second = index.put(key, b"second")
    for version_id in (first, marker, second):
        index.wait_for_row(key, version_id)
    assert second == index.clients.s3.head_object(Bucket=index.bucket, Key=key)["VersionId"]
    wait_for_versions(index, table, key, latest=second, current=second)
    assert len(index.rows(key)) == 3


def test_object_put_and_deleted_in_quick_succession_does_not_exist(table: Table, index: Index) -> None:
    key = index.key("deleted/at once.txt")
    version_id, marker = index.put(key), index.delete(key)
    for each in (version_id, marker):
        index.wait_for_row(key, each)
    wait_for_versions(index, table, key, latest=marker, current=None)


def test_each_object_of_a_batch_deletion_is_recorded_as_deleted(index: Index) -> None:
    rows = [index.put_indexed(index.key(f"deleted/many/{number}+.txt")) for number in range(3)]
    objects = [{"Key": row["key"], "VersionId": row["version_id"]} for row in rows]
    response = index.clients.s3.delete_objects(Bucket=index.bucket, Delete={"Objects": objects})
    assert len(response["Deleted"]) == len(rows)
    for row in rows:
        index.wait_for_deletion(row["key"], row["version_id"])


def test_row_records_a_deletion_by_a_lifecycle_rule(index: Index) -> None:
    """The test sends the event of a lifecycle rule, because emulators expire no objects, and AWS only once a day."""
    row = _put_and_delete_unindexed(index, index.key("deleted/expired.txt"))
    expired = removal_record(row, "LifecycleExpiration:Delete")
    assert index.invoke(s3_event(expired)).payload == {"deleted": 1}
    assert index.invoke(s3_event(expired)).payload == {"duplicate": 1}
    found = index.existing_row(row["key"], row["version_id"])
    assert found["deleted_by"] == "lifecycle"
    assert "size_bytes" not in found


def test_creation_and_deletion_events_give_the_same_row_in_any_order(index: Index) -> None:
    key = index.key("deleted/in any order.txt")
    row = _put_and_delete_unindexed(index, key)
    created, deleted = creation_record(row), removal_record(row, "ObjectRemoved:Delete")
    results = []
    for order in ((created, deleted), (deleted, created), (deleted, created, deleted, created)):
        index.delete_row(key, row["version_id"])
        for record in order:
            assert index.invoke(s3_event(record)).error is None
        results.append(object_attributes(index.existing_row(key, row["version_id"])))
    assert results[0].keys() >= {"size_bytes", "uploaded_at", *DELETION_ATTRIBUTES} - {"expires_at"}
    assert results[0] == results[1] == results[2]


def _put_and_delete_unindexed(index: Index, key: str) -> Row:
    """Upload an object, then delete its version and its row; return the row from before the deletion."""
    row = index.put_indexed(key)
    index.delete_indexed_version(row)
    index.delete_row(key, row["version_id"])
    return row
