"""Tests of operations/queries.py with an index that contains only keys (`indexProjection keys-only`)."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from operations import queries

DAY = "2026-11-22"
ROWS = [
    {
        "object_id": f"uploads/{number}",
        "version_id": "v1",
        "key": f"{number}",
        "upload_day": DAY,
        "uploaded_at": f"{DAY}T00:00:00.{number:03}Z",
    }
    for number in range(250)
]
INDEX_ATTRIBUTES = ("object_id", "version_id", "upload_day", "uploaded_at")


class KeysOnlyTable:
    """Fake of a boto3 table whose index contains only keys.

    Args:
        rows: rows of the table. The index has an entry for each of `ROWS`.
        limit: number of rows that the fake returns per BatchGetItem request.
    """

    name = "objects"

    def __init__(self, rows: list[queries.Row], *, limit: int = queries.BATCH_ROWS) -> None:
        self._rows = {row["object_id"]: row for row in rows}
        self._limit = limit
        self.meta = SimpleNamespace(client=self)
        self.requested: list[int] = []

    def query(self, **_: object) -> dict[str, Any]:
        return {"Items": [{name: row[name] for name in INDEX_ATTRIBUTES} for row in ROWS]}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - a parameter of boto3
        keys = RequestItems[self.name]["Keys"]
        self.requested.append(len(keys))
        done, remaining = keys[: self._limit], keys[self._limit :]
        found = [self._rows[key["object_id"]] for key in reversed(done) if key["object_id"] in self._rows]
        return {
            "Responses": {self.name: found},
            "UnprocessedKeys": {self.name: {"Keys": remaining}} if remaining else {},
        }


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Fixture: durations of the waits between requests in seconds."""
    waits: list[float] = []
    monkeypatch.setattr(queries, "sleep", waits.append)
    return waits


def test_query_of_a_keys_only_index_reads_whole_rows_in_batches_and_in_order(waits: list[float]) -> None:
    table = KeysOnlyTable(ROWS)
    assert list(queries.uploaded_on(table, DAY)) == ROWS
    assert table.requested == [100, 100, 50]
    assert waits == []


def test_query_of_a_keys_only_index_requests_unprocessed_rows_again_with_growing_waits(waits: list[float]) -> None:
    table = KeysOnlyTable(ROWS, limit=10)
    assert list(queries.uploaded_on(table, DAY)) == ROWS
    assert table.requested[:10] == [100, 90, 80, 70, 60, 50, 40, 30, 20, 10]
    assert waits[:9] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_query_of_a_keys_only_index_omits_rows_deleted_since_the_query() -> None:
    assert list(queries.uploaded_on(KeysOnlyTable(ROWS[:120]), DAY)) == ROWS[:120]


def test_query_of_uploads_in_a_period_reads_only_rows_of_this_period() -> None:
    table = KeysOnlyTable(ROWS)
    start, end = (datetime(2026, 11, 22, microsecond=microsecond, tzinfo=UTC) for microsecond in (0, 100_000))
    assert list(queries.uploaded_between(table, start, end)) == ROWS[:100]
    assert table.requested == [100]


def test_query_of_mismatched_uploads_reads_whole_rows_of_a_keys_only_index() -> None:
    rows = [row | {"mismatch": True} if number % 100 == 7 else row for number, row in enumerate(ROWS)]
    found = list(queries.mismatched(KeysOnlyTable(rows), DAY))
    assert found == [rows[number] for number in (7, 107, 207)]
