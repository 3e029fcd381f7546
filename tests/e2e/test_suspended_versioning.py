"""While an operator has suspended versioning, objects have the version `null`: the one that can be replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from tests.e2e.consistent_queries import soon
from tests.e2e.logs import Logs
from tests.support.rows import FROM_THE_EVENT, told_by_s3

if TYPE_CHECKING:
    from operations.queries import Table
    from tests.support.index import Index, Row

pytestmark = pytest.mark.not_in_a_live_account("suspends the bucket's versioning")

DELETION = {"deleted_at", "deleted_by", "expires_at"}


@pytest.fixture(scope="module", autouse=True)
def _suspended(index: Index) -> Iterator[None]:
    _set_versioning(index, "Suspended")
    yield
    _set_versioning(index, "Enabled")


def test_an_object_that_is_put_again_has_one_row_which_says_what_is_there(index: Index) -> None:
    key = index.key("suspended/put again.txt")
    for body in (b"first", b"and the second"):
        _put(index, key, body)
        _wait_until_right(index, key)
    assert len(index.rows(key)) == 1


def test_objects_that_are_replaced_at_once_end_as_the_last(index: Index, outputs: Mapping[str, str]) -> None:
    key = index.key("suspended/in a hurry.txt")
    for number in range(1, 5):
        _put(index, key, b"x" * number)
    # until then, one who is late may put his word last for a moment, before he looks again
    logs = Logs(index, outputs["log_group_name"], index.since)
    index.until(lambda: sum("outcome" in line for line in logs.about(key=key)) == 4, f"four lines about {key!r}")
    _wait_until_right(index, key)
    assert _row(index, key)["size_bytes"] == 4


def test_a_delete_marker_takes_the_objects_place_and_an_object_the_markers(table: Table, index: Index) -> None:
    key = index.key("suspended/deleted and back.txt")
    _put(index, key, b"first")
    _wait_until_right(index, key)
    assert index.delete(key) == "null"
    index.until(lambda: "delete_marker" in _row(index, key), "the marker's row")
    assert not _row(index, key).keys() & {"size_bytes", "upload_day", *DELETION}
    soon(index, table, key, latest="null", current=None)
    _put(index, key, b"the second")
    _wait_until_right(index, key)
    soon(index, table, key, latest="null", current="null")


def test_the_version_null_that_is_deleted_for_good_keeps_its_row_until_the_next_is_put(index: Index) -> None:
    key = index.key("suspended/deleted for good.txt")
    _put(index, key, b"first")
    _wait_until_right(index, key)
    index.delete_version(key, "null")
    assert index.wait_for_deletion(key, "null")["size_bytes"] == 5
    _put(index, key, b"the second")
    _wait_until_right(index, key)


def test_the_version_null_lies_below_those_that_have_an_id(table: Table, index: Index) -> None:
    key = index.key("suspended/old and new.txt")
    _put(index, key, b"null")
    _wait_until_right(index, key)
    _set_versioning(index, "Enabled")
    version_id = index.put(key)
    index.wait_for_row(key, version_id)
    _set_versioning(index, "Suspended")
    assert len(index.rows(key)) == 2
    soon(index, table, key, latest=version_id, current=version_id)
    index.delete_version(key, version_id)
    index.wait_for_deletion(key, version_id)
    soon(index, table, key, latest="null", current="null")


def _put(index: Index, key: str, body: bytes) -> None:
    index.clients.s3.put_object(Bucket=index.bucket, Key=key, Body=body)


def _wait_until_right(index: Index, key: str) -> None:
    """Until the row of the version `null` says what S3 says, and nothing else."""
    head = {**index.head(key, "null"), "VersionId": "null"}
    told = told_by_s3(index.bucket, key, head)

    def seen() -> Row:
        row = index.row(key, "null") or {}
        return {name: value for name, value in row.items() if name not in FROM_THE_EVENT}

    index.until(lambda: seen() == told, lambda: f"the row {told}; it is {seen()}")


def _row(index: Index, key: str) -> Row:
    row = index.row(key, "null")
    assert row is not None
    return row


def _set_versioning(index: Index, status: str) -> None:
    index.clients.s3.put_bucket_versioning(Bucket=index.bucket, VersioningConfiguration={"Status": status})
