"""Queries of the table, each as one small function. README shows this file: keep it fit to be pasted.

`table` is `boto3.resource("dynamodb").Table(NAME)`, `s3` is `boto3.client("s3")`. Rows are dictionaries as boto3
returns them (numbers are Decimal).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Table: TypeAlias = Any  # boto3 creates its classes at run time
S3Client: TypeAlias = Any

ONE_SECOND = timedelta(seconds=1)
NOT_FOUND = 404  # HTTP status


def one_version(table: Table, bucket: str, key: str, version_id: str) -> Row | None:
    """The row of one version of an object, or None."""
    row: Row | None = table.get_item(Key={"object_id": f"{bucket}/{key}", "version_id": version_id}).get("Item")
    return row


def all_versions(table: Table, bucket: str, key: str) -> list[Row]:
    """The rows of every version of an object, of delete markers and of what was deleted too, the newest first."""
    rows = _every_page(table, "object_id = :id", {":id": f"{bucket}/{key}"})
    return sorted(rows, key=_upload_order, reverse=True)


def latest(table: Table, s3: S3Client, bucket: str, key: str) -> Row | None:
    """The row of an object's latest version, or None if it has no version (any more).

    The latest may be a delete marker: then the object does not exist now, see `current`.

    S3 tells the time to the second, of a delete marker a little later. Versions of about the same second are told apart
    by the sequencers of their events, and where one has none, or all have the same, S3 is asked.
    """
    rows = list(still_there(all_versions(table, bucket, key)))
    newest = max((_second(row) for row in rows if "uploaded_at" in row), default=None)
    close = [row for row in rows if newest is None or "uploaded_at" not in row or newest - _second(row) <= ONE_SECOND]
    if len(close) > 1 and len(close) > len({row["sequencer"] for row in close if "sequencer" in row}):
        version_id = _latest_in_s3(s3, bucket, key)
        return one_version(table, bucket, key, version_id) if version_id else None
    return max(close, key=_sequence, default=None)


def current(table: Table, s3: S3Client, bucket: str, key: str) -> Row | None:
    """The row of what S3 serves under this key now, or None if the object does not exist: never did, or was deleted."""
    row = latest(table, s3, bucket, key)
    return None if row is None or "delete_marker" in row else row


def still_there(rows: Iterable[Row]) -> Iterator[Row]:
    """Of these rows those whose version exists now, current or not: `still_there(uploaded_on(table, "2026-11-22"))`."""
    return (row for row in rows if "deleted_at" not in row)


def uploaded_on(table: Table, day: str) -> Iterator[Row]:
    """What arrived on a day of UTC, such as `2026-11-22`, the oldest first, whether it is still there or not."""
    return _every_page(table, "upload_day = :day", {":day": day}, IndexName="uploads_by_day")


def uploaded_between(table: Table, start: datetime, end: datetime) -> Iterator[Row]:
    """What arrived from `start` up to, but not at, `end`, the oldest first. Both times need a time zone."""
    first, last = _row_time(start), _row_time(end)
    for day in _days(start.astimezone(UTC), end.astimezone(UTC)):
        values = {":day": day, ":first": first, ":last": last}
        condition = "upload_day = :day AND uploaded_at BETWEEN :first AND :last"
        for row in _every_page(table, condition, values, IndexName="uploads_by_day"):
            if row["uploaded_at"] < last:
                yield row


def _every_page(table: Table, condition: str, values: dict[str, str], **options: Any) -> Iterator[Row]:
    """The rows of all pages of a query: DynamoDB returns at most 1 MB a page."""
    query = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values, **options}
    while True:
        page = table.query(**query)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _days(start: datetime, end: datetime) -> Iterator[str]:
    day = start.date()
    while day <= end.date():
        yield day.isoformat()
        day += timedelta(days=1)


def _row_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _latest_in_s3(s3: S3Client, bucket: str, key: str) -> str | None:
    """The id of the latest version; that of a delete marker is in the headers of the 404 that hides what is below."""
    try:
        version_id: str = s3.head_object(Bucket=bucket, Key=key).get("VersionId", "null")
    except s3.exceptions.ClientError as error:
        response = error.response["ResponseMetadata"]
        if response["HTTPStatusCode"] != NOT_FOUND:
            raise
        marker_id: str | None = response["HTTPHeaders"].get("x-amz-version-id")
        return marker_id
    return version_id


def _second(row: Row) -> datetime:
    return datetime.fromisoformat(row["uploaded_at"]).replace(microsecond=0)


def _sequence(row: Row) -> str:
    """S3's sequencers are compared as text, padded with zeros to equal length."""
    return str(row.get("sequencer", "")).ljust(64, "0")


def _upload_order(row: Row) -> tuple[str, str]:
    """Sorts versions of one object. A row has no time if its version was deleted before anything else was told."""
    return str(row.get("uploaded_at", ""))[: len("2026-11-22T21:40:04")], _sequence(row)
