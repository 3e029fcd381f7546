"""The questions that the table answers, each as one small function. README shows this file: keep it fit to be pasted.

`table` is `boto3.resource("dynamodb").Table(NAME)`, `s3` is `boto3.client("s3")`. Rows are dictionaries as boto3
returns them (numbers are Decimal).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from boto3.dynamodb.conditions import Key

Row: TypeAlias = dict[str, Any]
Table: TypeAlias = Any  # boto3 makes its classes while it runs
S3Client: TypeAlias = Any


def one_version(table: Table, bucket: str, key: str, version_id: str) -> Row | None:
    """The row of one version of an object, or None."""
    row: Row | None = table.get_item(Key={"object_id": f"{bucket}/{key}", "version_id": version_id}).get("Item")
    return row


def all_versions(table: Table, bucket: str, key: str) -> list[Row]:
    """The rows of every version of an object, the newest first."""
    rows = _every_page(table, KeyConditionExpression=Key("object_id").eq(f"{bucket}/{key}"))
    return sorted(rows, key=_age, reverse=True)


def latest(table: Table, s3: S3Client, bucket: str, key: str) -> Row | None:
    """The row of an object's latest version, or None.

    S3 tells the time to the second. Versions of the same second are told apart by the sequencers of their events,
    and where one has none, or all have the same, S3 is asked.
    """
    rows = all_versions(table, bucket, key)
    newest = [row for row in rows if _second(row) == _second(rows[0])]
    if len(newest) > len({row["sequencer"] for row in newest if "sequencer" in row}) and len(newest) > 1:
        return one_version(table, bucket, key, s3.head_object(Bucket=bucket, Key=key)["VersionId"])
    return rows[0] if rows else None


def uploaded_on(table: Table, day: str) -> Iterator[Row]:
    """What arrived on a day of UTC, such as `2026-11-22`, the oldest first."""
    return _every_page(table, IndexName="uploads_by_day", KeyConditionExpression=Key("upload_day").eq(day))


def uploaded_between(table: Table, start: datetime, end: datetime) -> Iterator[Row]:
    """What arrived from `start` up to, but not at, `end`, the oldest first. Both times need a time zone."""
    first, last = _as_in_rows(start), _as_in_rows(end)
    for day in _days(start.astimezone(UTC), end.astimezone(UTC)):
        condition = Key("upload_day").eq(day) & Key("uploaded_at").between(first, last)
        for row in _every_page(table, IndexName="uploads_by_day", KeyConditionExpression=condition):
            if row["uploaded_at"] < last:
                yield row


def _every_page(table: Table, **question: Any) -> Iterator[Row]:
    """DynamoDB answers 1 MB at a time: ask until there is no more."""
    while True:
        answer = table.query(**question)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        question["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _days(start: datetime, end: datetime) -> Iterator[str]:
    day = start.date()
    while day <= end.date():
        yield day.isoformat()
        day += timedelta(days=1)


def _as_in_rows(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _second(row: Row) -> str:
    return str(row["uploaded_at"])[: len("2026-11-22T21:40:04")]


def _age(row: Row) -> tuple[str, str]:
    """Sorts versions of one object; S3's sequencers are compared as text, padded with zeros to equal length."""
    return _second(row), str(row.get("sequencer", "")).ljust(64, "0")
