"""Every upload becomes exactly one row that matches S3's HEAD response; every other event goes to the failure queue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.e2e.batch_upload import Upload, sample_cases
from tests.support.edge_cases import EDGE_CASES
from tests.support.rows import SCHEMA_VERSION, expected_row, format_time, object_attributes

if TYPE_CHECKING:
    from tests.e2e.failure_queue import FailureQueue, SentEvents
    from tests.support.index import Index

MAKES_IT_FAIL = pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")
EVERY_CASE = pytest.mark.parametrize("name", [case.name for case in (*sample_cases(), *EDGE_CASES)])
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@EVERY_CASE
def test_an_upload_becomes_exactly_one_row(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.error is None
    assert [row["version_id"] for row in index.rows(upload.case.key)] == [upload.version_id]


@EVERY_CASE
def test_the_row_says_what_s3_says(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.row is not None, upload.error
    expected = expected_row(index.bucket, upload.case.key, upload.head, metadata=upload.case.decoded_metadata)
    assert object_attributes(upload.row) == expected


@EVERY_CASE
def test_the_row_says_where_it_comes_from(uploads: Mapping[str, Upload], name: str) -> None:
    row = uploads[name].row
    assert row is not None, uploads[name].error
    assert row["event_name"] == "ObjectCreated:Put"
    assert row["schema_version"] == SCHEMA_VERSION
    assert re.fullmatch("[0-9A-F]{10,}", row["sequencer"])
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["request_id"])
    assert re.fullmatch(TIME, row["event_time"])
    assert re.fullmatch(TIME, row["processed_at"])
    # HEAD truncates the time to the second, the event's has milliseconds
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
        ("backslash", "edge\\windows\\path.txt", "txt"),
        ("null-as-a-name", "null", ""),
    ],
)
def test_a_row_can_be_found_by_filename_and_extension(
    uploads: Mapping[str, Upload], name: str, filename: str, extension: str
) -> None:
    row = uploads[name].row
    assert row is not None, uploads[name].error
    assert (row["filename"], row["extension"]) == (filename, extension)


def test_twenty_overwrites_of_one_key_become_twenty_rows(index: Index) -> None:
    key = index.key("overwritten/again-and-again.txt")
    versions = [index.put_indexed(key, f"take {number}".encode())["version_id"] for number in range(20)]
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
    assert {row["version_id"]: row["uploaded_at"] for row in index.rows(key)} == {
        head["VersionId"]: format_time(head["LastModified"]) for head in heads
    }


@pytest.mark.not_in_a_live_account("reads the whole bucket and the whole table")
@pytest.mark.usefixtures("uploads")
def test_the_table_holds_every_version_and_delete_marker_in_the_bucket_and_nothing_else_that_is_there(
    index: Index,
) -> None:
    in_bucket = index.versions()

    def in_table() -> set[tuple[str, str]]:
        return index.row_ids(existing_only=True)

    index.wait_until(
        lambda: in_table() == in_bucket,
        lambda: f"rows {in_bucket - in_table()}; too many are {in_table() - in_bucket}",
    )


@MAKES_IT_FAIL
@pytest.mark.parametrize("name", ["a mixed event", "no event of S3"])
def test_an_event_that_cannot_succeed_ends_in_the_failure_queue_with_its_reason(
    failures: FailureQueue, invalid_events: SentEvents, name: str
) -> None:
    sent = invalid_events.events[name]
    failure = failures.wait_for(sent.event)
    assert failure.event == sent.event  # complete, so that it can be replayed
    assert (failure.condition, failure.attempts) == ("RetriesExhausted", 3)
    assert [part for part in sent.errors if part not in failure.error] == []


@MAKES_IT_FAIL
def test_the_good_records_of_a_poisoned_event_still_get_their_rows(index: Index, invalid_events: SentEvents) -> None:
    for row in invalid_events.valid:
        assert index.wait_for_row(row["key"], row["version_id"])["etag"] == row["etag"]
        assert len(index.rows(row["key"])) == 1


@MAKES_IT_FAIL
def test_nothing_else_ended_in_the_failure_queue(
    failures: FailureQueue, invalid_events: SentEvents, uploads: Mapping[str, Upload]
) -> None:
    assert uploads
    expected = [sent.event for sent in invalid_events.events.values()]
    assert [event for event in failures.events() if event not in expected] == []
