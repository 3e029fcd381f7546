"""Objects that are uploaded while versioning is suspended: each upload replaces the version `null`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.capabilities import Capability, needs
from tests.e2e.log_group import LogGroup
from tests.e2e.query_results import wait_for_result, wait_for_versions
from tests.support.rows import DELETION_ATTRIBUTES, expected_row, object_attributes
from tests.support.strategies import s3_event, s3_record

if TYPE_CHECKING:
    from operations.queries import Table
    from tests.support.index import AwsTarget, Index

pytestmark = pytest.mark.not_in_a_live_account("suspends the bucket's versioning")


@pytest.fixture(scope="module", autouse=True)
def _suspended(index: Index) -> Iterator[None]:
    index.set_versioning("Suspended")
    yield
    index.set_versioning("Enabled")


def test_overwritten_null_version_has_one_row_of_the_current_object(index: Index) -> None:
    key = index.key("suspended/put again.txt")
    for body in (b"first", b"and the second"):
        _put_and_wait(index, key, body)
    assert len(index.rows(key)) == 1


def test_rapidly_overwritten_null_version_has_the_row_of_the_last_upload(index: Index) -> None:
    key = index.key("suspended/in a hurry.txt")
    for number in range(1, 5):
        index.put(key, b"x" * number)
    # The test waits for all four invocations, because a late invocation may briefly write attributes of an old object.
    logs = LogGroup(index)
    index.wait_until(
        lambda: sum("outcome" in line for line in logs.matching(key=key)) == 4, f"four lines about {key!r}"
    )
    _wait_until_consistent(index, key)
    assert index.existing_row(key, "null")["size_bytes"] == 4


def test_null_object_and_null_delete_marker_replace_each_others_row(
    table: Table, index: Index, target: AwsTarget
) -> None:
    needs(target, Capability.MARKER_IN_HEAD_RESPONSE)
    key = index.key("suspended/deleted and back.txt")
    _put_and_wait(index, key, b"first")
    assert index.delete(key) == "null"
    index.wait_until(lambda: "delete_marker" in index.existing_row(key, "null"), "the marker's row")
    assert not index.existing_row(key, "null").keys() & {"size_bytes", "upload_day", *DELETION_ATTRIBUTES}
    wait_for_versions(index, table, key, latest="null", current=None)
    _put_and_wait(index, key, b"the second")
    wait_for_versions(index, table, key, latest="null", current="null")


def test_deleted_null_version_keeps_its_row_until_the_next_upload(index: Index) -> None:
    key = index.key("suspended/deleted for good.txt")
    _put_and_wait(index, key, b"first")
    index.delete_version(key, "null")
    assert index.wait_for_deletion(key, "null")["size_bytes"] == 5
    _put_and_wait(index, key, b"the second")


def test_null_version_is_older_than_a_later_version_with_an_id(table: Table, index: Index) -> None:
    key = index.key("suspended/old and new.txt")
    _put_and_wait(index, key, b"null")
    index.set_versioning("Enabled")
    row = index.put_indexed(key)
    index.set_versioning("Suspended")
    assert len(index.rows(key)) == 2
    wait_for_versions(index, table, key, latest=row["version_id"], current=row["version_id"])
    index.delete_indexed_version(row)
    wait_for_versions(index, table, key, latest="null", current="null")


def test_event_without_version_id_changes_only_an_existing_row_of_version_null(index: Index) -> None:
    key = index.key("suspended/event without version ID.txt")
    _put_and_wait(index, key, b"first")
    row = index.existing_row(key, "null")
    index.delete_version(key, "null")
    index.wait_for_deletion(key, "null")
    created = s3_record(key, version_id=None, bucket=index.bucket, event_time=row["event_time"])
    deleted = index.existing_row(key, "null")
    assert index.invoke(s3_event(created)).payload == {"gone": 1}
    assert index.rows(key) == [deleted]
    index.delete_row(key, "null")
    for record in (created, {**created, "eventName": "ObjectRemoved:Delete"}):
        assert index.invoke(s3_event(record)).payload == {"gone": 1}
        assert index.rows(key) == []


def _put_and_wait(index: Index, key: str, body: bytes) -> None:
    assert index.put(key, body) == "null"
    _wait_until_consistent(index, key)


def _wait_until_consistent(index: Index, key: str) -> None:
    """Wait until the row of the version `null` matches the HEAD response."""
    expected = expected_row(index.bucket, key, {**index.head(key, "null"), "VersionId": "null"})
    wait_for_result(index, lambda: object_attributes(index.row(key, "null") or {}), expected)
