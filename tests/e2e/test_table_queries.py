"""The queries that README promises give right answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from operations import queries
from tests.e2e.capabilities import Capability, needs
from tests.support.rows import as_text

if TYPE_CHECKING:
    from tests.e2e.uploading import Upload
    from tests.support.index import Answer, Head, Index, Place


class SmallPages:
    """A table that answers three rows at a time: what a real one does after 1 MB."""

    def __init__(self, table: queries.Table) -> None:
        self._table = table
        self.asked = 0

    def query(self, **question: Any) -> Answer:
        self.asked += 1
        return self._table.query(Limit=3, **question)


@pytest.fixture(scope="module")
def key(index: Index) -> str:
    return index.key("queries/asked-about.txt")


@pytest.fixture(scope="module")
def versions(index: Index, key: str) -> list[str]:
    """Ten versions of one object, the oldest first."""
    done = []
    for number in range(10):
        done.append(index.put(key, f"version {number}".encode()))
        index.wait_for_row(key, done[-1])
    return done


@pytest.fixture(scope="module")
def heads(versions: list[str], index: Index, key: str) -> list[Head]:
    return [index.head(key, version) for version in versions]


def test_one_version_is_found_by_its_address(table: queries.Table, index: Index, key: str, versions: list[str]) -> None:
    expected = index.row(key, versions[3])
    assert expected is not None
    _soon(index, lambda: queries.one_version(table, index.bucket, key, versions[3]), expected)
    assert queries.one_version(table, index.bucket, key, "no such version") is None


def test_all_versions_come_newest_first_whatever_the_size_of_a_page(
    place: Place, table: queries.Table, index: Index, key: str, versions: list[str]
) -> None:
    needs(place, Capability.GROWING_SEQUENCERS)

    def found(asked: Any) -> list[str]:  # noqa: ANN401  a table, or one that only looks like it
        return [row["version_id"] for row in queries.all_versions(asked, index.bucket, key)]

    _soon(index, lambda: found(table), versions[::-1])
    pages = SmallPages(table)
    assert found(pages) == versions[::-1]
    assert pages.asked == 4


def test_an_object_that_never_was_has_no_versions(table: queries.Table, index: Index) -> None:
    never = index.key("queries/never.txt")
    assert queries.all_versions(table, index.bucket, never) == []
    assert queries.latest(table, index.clients.s3, index.bucket, never) is None


def test_the_latest_is_the_one_that_s3_serves(
    table: queries.Table, index: Index, key: str, versions: list[str]
) -> None:
    assert versions[-1] == index.clients.s3.head_object(Bucket=index.bucket, Key=key)["VersionId"]
    _soon(index, lambda: _latest(table, index, key), versions[-1])


def test_the_latest_of_versions_without_sequencers_is_settled_by_s3(table: queries.Table, index: Index) -> None:
    """As after a backfill, when all happened within a second."""
    key = index.key("queries/no-sequencers.txt")
    versions = [index.put(key, str(number).encode()) for number in range(3)]
    for version in versions:
        index.wait_for_row(key, version)
        table.update_item(
            Key={"object_id": f"{index.bucket}/{key}", "version_id": version},
            UpdateExpression="SET uploaded_at = :same REMOVE sequencer",
            ExpressionAttributeValues={":same": "2026-01-01T00:00:00.000Z"},
        )
    _soon(index, lambda: _latest(table, index, key), versions[-1])


def test_versions_about_which_the_table_knows_too_little_are_settled_by_s3(table: queries.Table, index: Index) -> None:
    """A row has no time where an operator's event told none of an object that was gone, or could not be read yet."""
    key = index.key("queries/no-time.txt")
    versions = [index.put(key, str(number).encode()) for number in range(3)]
    for version in versions:
        index.wait_for_row(key, version)
        table.update_item(
            Key={"object_id": f"{index.bucket}/{key}", "version_id": version},
            UpdateExpression="REMOVE uploaded_at, sequencer",
        )
    _soon(index, lambda: _latest(table, index, key), versions[-1])


def test_a_delete_marker_was_put_before_an_object_although_its_time_is_told_more_exactly(
    table: queries.Table, index: Index
) -> None:
    """The marker has the time of its event, which may be of the next second; the object put after it, S3's second."""
    key = index.key("queries/at-the-turn-of-a-second.txt")
    first, marker, second = index.put(key), index.delete(key), index.put(key)
    times = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.001Z", "2026-01-01T00:00:00.000Z")
    for version, time in zip((first, marker, second), times, strict=True):
        index.wait_for_row(key, version)
        table.update_item(
            Key={"object_id": f"{index.bucket}/{key}", "version_id": version},
            UpdateExpression="SET uploaded_at = :time",
            ExpressionAttributeValues={":time": time},
        )
    _soon(index, lambda: _latest(table, index, key), second)


def test_what_is_still_there_of_a_day_is_what_was_not_deleted(table: queries.Table, index: Index) -> None:
    key = index.key("queries/half-deleted.txt")
    kept, deleted = index.put(key), index.put(key)
    rows = {version: index.wait_for_row(key, version) for version in (kept, deleted)}
    index.delete_version(key, deleted)
    index.wait_for_deletion(key, deleted)
    start = datetime.fromisoformat(rows[kept]["uploaded_at"])
    end = datetime.fromisoformat(rows[deleted]["uploaded_at"]) + timedelta(seconds=1)

    def found(*, there: bool) -> set[str]:
        arrived = queries.uploaded_between(table, start, end)
        return {row["version_id"] for row in (queries.still_there(arrived) if there else arrived) if row["key"] == key}

    _soon(index, lambda: found(there=True), {kept})
    _soon(index, lambda: found(there=False), {kept, deleted})


@pytest.mark.not_in_a_live_account("reads every row of the day")
def test_what_arrived_on_a_day_is_everything_that_did(
    table: queries.Table, uploads: Mapping[str, Upload], key: str, heads: list[Head]
) -> None:
    arrived = {
        (upload.case.key, upload.version_id): as_text(upload.head["LastModified"]) for upload in uploads.values()
    } | {(key, head["VersionId"]): as_text(head["LastModified"]) for head in heads}
    days = {time[:10] for time in arrived.values()}
    for day in days:
        rows = list(queries.uploaded_on(SmallPages(table), day))
        assert all(row["upload_day"] == day for row in rows)
        assert [row["uploaded_at"] for row in rows] == sorted(row["uploaded_at"] for row in rows)
        found = {(row["key"], row["version_id"]): row["uploaded_at"] for row in rows}
        assert {address: found.get(address) for address, time in arrived.items() if time[:10] == day} == {
            address: time for address, time in arrived.items() if time[:10] == day
        }
    assert list(queries.uploaded_on(table, "1999-12-31")) == []


def test_what_arrived_between_two_times_starts_at_the_first_and_ends_before_the_second(
    table: queries.Table, index: Index
) -> None:
    """Over midnight, with times that lie exactly on the borders, asked from another time zone, before S3 existed."""
    key = index.key("queries/around-new-year.txt")
    new_year = datetime(2001, 1, 1, tzinfo=UTC)
    versions = []
    for seconds in (-86400, -61, -60, -1, 0, 1, 59, 60, 86400):
        versions.append(index.put(key))
        index.wait_for_row(key, versions[-1])
        _pretend_it_arrived(table, index, key, versions[-1], new_year + timedelta(seconds=seconds))
    start, end = (
        (new_year + timedelta(minutes=minutes)).astimezone(timezone(timedelta(hours=5, minutes=30)))
        for minutes in (-1, 1)
    )

    def found() -> list[str]:
        return [row["version_id"] for row in queries.uploaded_between(SmallPages(table), start, end)]

    _soon(index, found, versions[2:7])
    assert list(queries.uploaded_between(table, start, start)) == []


def _soon(index: Index, ask: Callable[[], object], expected: object) -> None:
    """The answer is right at once, or after the moment by which DynamoDB's queries may lag behind its writes."""
    index.until(lambda: ask() == expected, lambda: f"the answer {expected}; it was {ask()}")


def _latest(table: queries.Table, index: Index, key: str) -> str | None:
    row = queries.latest(table, index.clients.s3, index.bucket, key)
    return row["version_id"] if row else None


def _pretend_it_arrived(table: queries.Table, index: Index, key: str, version_id: str, time: datetime) -> None:
    text = as_text(time)
    table.update_item(
        Key={"object_id": f"{index.bucket}/{key}", "version_id": version_id},
        UpdateExpression="SET uploaded_at = :time, upload_day = :day",
        ExpressionAttributeValues={":time": text, ":day": text[:10]},
    )
