"""Tests of the requests that `queries.latest` and `queries.current` send to S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations import queries

BUCKET, KEY = "uploads", "a/b.txt"
TIME = "2026-11-22T21:40:0{}.000Z"


class FakeTable:
    """Fake DynamoDB table with the rows of one object."""

    def __init__(self, *rows: queries.Row) -> None:
        self._rows = rows

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": list(self._rows)}

    def get_item(self, *, Key: dict[str, str]) -> dict[str, Any]:  # noqa: N803  the parameter of boto3
        [row] = [row for row in self._rows if row["version_id"] == Key["version_id"]]
        return {"Item": row}


class ListingS3:
    """Fake S3 client that can only list object versions, and that counts its requests."""

    def __init__(self) -> None:
        self.client = boto3.client("s3")
        self.requests = 0

    def list_object_versions(self, **parameters: Any) -> Any:  # noqa: ANN401  a response of boto3
        self.requests += 1
        return self.client.list_object_versions(**parameters)


@pytest.fixture
def s3() -> Iterator[ListingS3]:
    with mock_aws():
        s3 = ListingS3()
        s3.client.create_bucket(Bucket=BUCKET)
        s3.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield s3


def put(s3: ListingS3, key: str = KEY) -> str:
    return str(s3.client.put_object(Bucket=BUCKET, Key=key).get("VersionId", "null"))


def rows(*version_ids: str, **attributes: str) -> list[queries.Row]:
    return [{"version_id": version_id, **attributes} for version_id in version_ids]


def found(row: queries.Row | None) -> str | None:
    return row["version_id"] if row else None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param([], None, id="no row"),
        pytest.param(rows("1"), "1", id="one row without time and sequencer"),
        pytest.param(
            [*rows("2", uploaded_at=TIME.format(2)), *rows("1", uploaded_at=TIME.format(0))], "2", id="different times"
        ),
        pytest.param([*rows("2", sequencer="0A"), *rows("1", sequencer="09FF")], "2", id="different sequencers"),
        pytest.param([*rows("1"), *rows("2", deleted_at=TIME.format(1))], "1", id="one row of an existing version"),
    ],
)
def test_latest_version_is_found_without_s3_if_the_rows_determine_it(
    s3: ListingS3, table: list[queries.Row], expected: str | None
) -> None:
    assert found(queries.latest(FakeTable(*table), s3, BUCKET, KEY)) == expected
    assert s3.requests == 0


@pytest.mark.parametrize("attributes", [{}, {"sequencer": "0A"}, {"uploaded_at": TIME.format(1)}])
def test_latest_version_of_rows_with_equal_times_is_found_with_one_list_request(
    s3: ListingS3, attributes: dict[str, str]
) -> None:
    """HEAD requests fail for objects with a customer-provided key or with hundreds of headers; listings do not."""
    put(s3, KEY + "-longer")
    versions = [put(s3), put(s3), put(s3)]
    table = FakeTable(*rows(versions[1], versions[2], versions[0], **attributes))
    assert found(queries.latest(table, s3, BUCKET, KEY)) == versions[2]
    assert s3.requests == 1


def test_latest_version_in_s3_may_be_a_delete_marker_or_the_null_version(s3: ListingS3) -> None:
    versions = [put(s3), s3.client.delete_object(Bucket=BUCKET, Key=KEY)["VersionId"]]
    # A delete marker has the time of its event with milliseconds, and an object has S3's time in whole seconds.
    marker = {"version_id": versions[1], "delete_marker": True, "uploaded_at": "2026-11-22T21:40:00.999Z"}
    hidden = [*rows(versions[0], uploaded_at=TIME.format(1)), marker]
    assert found(queries.latest(FakeTable(*hidden), s3, BUCKET, KEY)) == versions[1]
    assert queries.current(FakeTable(*hidden), s3, BUCKET, KEY) is None
    s3.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert put(s3) == "null"
    assert (
        found(queries.current(FakeTable(*hidden, *rows("null", uploaded_at=TIME.format(0))), s3, BUCKET, KEY)) == "null"
    )


def test_latest_version_of_a_key_without_versions_is_none(s3: ListingS3) -> None:
    put(s3, KEY + "-longer")
    assert queries.latest(FakeTable(*rows("1", "2")), s3, BUCKET, KEY) is None
    assert s3.requests == 1
