"""Whatever is uploaded becomes exactly one row, and the row says what S3 says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.e2e.uploading import Upload, sample_cases
from tests.support import waiting
from tests.support.edge_cases import CASES
from tests.support.rows import FROM_THE_EVENT, SCHEMA_VERSION, as_text, told_by_s3

if TYPE_CHECKING:
    from tests.support.index import Index

EVERY_CASE = pytest.mark.parametrize("name", [case.name for case in (*sample_cases(), *CASES)])


@EVERY_CASE
def test_an_upload_becomes_exactly_one_row(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.trouble is None
    assert [row["version_id"] for row in index.rows(upload.case.key)] == [upload.version_id]


@EVERY_CASE
def test_the_row_says_what_s3_says(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.row is not None, upload.trouble
    about_the_object = {name: value for name, value in upload.row.items() if name not in FROM_THE_EVENT}
    assert about_the_object == told_by_s3(index.bucket, upload.case.key, upload.head, metadata=upload.case.told)


@EVERY_CASE
def test_the_row_says_where_it_comes_from(uploads: Mapping[str, Upload], name: str) -> None:
    row = uploads[name].row
    assert row is not None, uploads[name].trouble
    assert row["event_name"] == "ObjectCreated:Put"
    assert row["schema_version"] == SCHEMA_VERSION
    assert re.fullmatch("[0-9A-F]{10,}", row["sequencer"])
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["request_id"])
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(time, row["event_time"])
    assert re.fullmatch(time, row["processed_at"])
    # HEAD cuts the time to the second, the event's has milliseconds
    assert row["uploaded_at"] <= row["event_time"] <= row["processed_at"]


@pytest.mark.parametrize(
    ("name", "filename", "extension"),
    [
        ("many-dots", "v1.2.3.tar.gz", "gz"),
        ("extension-in-capitals", "PHOTO.JPG", "jpg"),
        ("hidden-file", ".env", ""),
        ("hidden-file-with-extension", ".config.yaml", "yaml"),
        ("no-extension", "Makefile", ""),
        ("dot-in-folder-only", "README", ""),
        ("trailing-dots", "ends with dots...", ""),
        ("folder-marker", "", ""),
        ("parent-segment", "b.txt", "txt"),
        ("backslash", "awkward\\windows\\path.txt", "txt"),
        ("null-as-a-name", "null", ""),
    ],
)
def test_a_row_can_be_found_by_filename_and_extension(
    uploads: Mapping[str, Upload], name: str, filename: str, extension: str
) -> None:
    row = uploads[name].row
    assert row is not None, uploads[name].trouble
    assert (row["filename"], row["extension"]) == (filename, extension)


def test_twenty_overwrites_of_one_key_become_twenty_rows(index: Index) -> None:
    key = index.key("overwritten/again-and-again.txt")
    versions = []
    for number in range(20):
        versions.append(index.put(key, f"take {number}".encode()))
        index.wait_for_row(key, versions[-1])
    rows = {row["version_id"]: row for row in index.rows(key)}
    assert sorted(rows) == sorted(versions)
    assert [int(rows[version]["size_bytes"]) for version in versions] == [6] * 10 + [7] * 10
    assert len({row["etag"] for row in rows.values()}) == 20


def test_overwrites_that_come_all_at_once_lose_nothing(index: Index) -> None:
    key = index.key("overwritten/in-a-hurry.txt")
    versions = [index.put(key, str(number).encode()) for number in range(6)]
    for version in versions:
        index.wait_for_row(key, version)
    heads = [index.head(key, version) for version in versions]
    rows = {row["version_id"]: row for row in index.rows(key)}
    assert {version: rows[version]["uploaded_at"] for version in rows} == {
        head["VersionId"]: as_text(head["LastModified"]) for head in heads
    }


@pytest.mark.not_in_a_live_account("reads the whole bucket and the whole table")
@pytest.mark.usefixtures("uploads")
def test_the_table_holds_every_version_and_delete_marker_in_the_bucket_and_nothing_else_that_is_there(
    index: Index,
) -> None:
    in_bucket = index.versions()

    def in_table() -> set[tuple[str, str]]:
        return index.addresses(there=True)

    waiting.until(
        lambda: in_table() == in_bucket,
        lambda: f"rows {in_bucket - in_table()}; too many are {in_table() - in_bucket}",
    )
