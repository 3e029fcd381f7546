"""Compares the versions of one object key with its rows in the table. Does not call AWS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION
from lambda_code.metadata import CUSTOMER_KEY, format_time
from operations.output import visible

if TYPE_CHECKING:
    from operations.listing import Version

ATTRIBUTES = (
    *("object_id", "version_id", "bucket", "key", "size_bytes", "content_type", "etag"),
    *("encryption", "uploaded_at", "upload_day", "deleted_at", "delete_marker"),
)
"""Attributes of a row that the audit reads. Other attributes, such as user metadata, can have several kilobytes."""

NULL_MARKER_SECONDS = 2.0
"""Tolerance in seconds for the time in the row of a delete marker that has the version ID `null`.

The row may have the time of the event, and S3 lists times without fractions of a second.
"""

MARKER_SECONDS = 24 * 3600.0
"""Tolerance in seconds for the time in the row of a delete marker that has a version ID other than `null`.

If a lifecycle rule creates a delete marker, S3 can send the event hours later.
"""

SECONDS_LENGTH = len("2026-11-22T21:40:04")
"""Length of a time without fractions of a second. Rows have milliseconds, but S3 lists whole seconds."""


class Difference(StrEnum):
    """Kind of difference between the bucket and the table.

    Attributes:
        MISSING: S3 lists the version, but the table has no row for it.
        WRONG: an attribute of the row contradicts S3.
        INCOMPLETE: the row has no `content_type`, because the indexer could not read the object. Rows of objects that
            are encrypted with a customer-provided key (SSE-C) never have one.
        STALE: the version does not exist, but its row is not marked as deleted.
    """

    MISSING = "missing"
    WRONG = "wrong"
    INCOMPLETE = "incomplete"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row that is missing or not consistent with the bucket.

    Attributes:
        details: one sentence for each reported difference, for example with the values in the row and in S3.
        version: the version that S3 lists; None for a stale row.
        repairable: whether an event corrects the row; if not, an operator has to delete the row first.
    """

    difference: Difference
    key: str
    version_id: str
    details: tuple[str, ...] = ()
    version: Version | None = None
    repairable: bool = True


def compare(bucket: str, key: str, versions: Iterable[Version], rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Return the differences between the versions and the rows of one object key.

    Args:
        bucket: name of the bucket.
        key: the object key.
        versions: all versions and delete markers of the key.
        rows: all rows of the key.
    """
    unmatched = {row["version_id"]: row for row in rows}
    findings = [
        each
        for version in versions
        if (each := _compare_version(bucket, version, unmatched.pop(version.version_id, None)))
    ]
    return findings + [
        Finding(difference=Difference.STALE, key=key, version_id=version_id)
        for version_id, row in unmatched.items()
        if "deleted_at" not in row
    ]


def _compare_version(bucket: str, version: Version, row: Mapping[str, Any] | None) -> Finding | None:
    def finding(difference: Difference, *details: str, repairable: bool = True) -> Finding:
        return Finding(
            difference=difference,
            key=version.key,
            version_id=version.version_id,
            details=details,
            version=version,
            repairable=repairable,
        )

    if row is None:
        return finding(Difference.MISSING)
    if details := tuple(_contradictions(version, row)):
        # The indexer never removes the attributes of a deletion, because a deleted version cannot be restored. Only the
        # version `null` can be written again, and then the indexer replaces its row.
        return finding(Difference.WRONG, *details, repairable=version.version_id == NULL_VERSION)
    if not version.marker and "content_type" not in row and row.get("encryption") != CUSTOMER_KEY:
        return finding(Difference.INCOMPLETE)
    if details := tuple(_differences(bucket, version, row)):
        return finding(Difference.WRONG, *details)
    return None


def _contradictions(version: Version, row: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each wrong attribute that an event can correct only if the version ID is `null`."""
    if "deleted_at" in row:
        yield f"deleted_at is {row['deleted_at']}, but S3 has the version"
    if not version.marker and "delete_marker" in row:
        yield "delete_marker is set, but S3 has an object"
    if version.marker and "upload_day" in row:
        yield "upload_day is set, but S3 has a delete marker, which is not an upload"
    if version.marker and "uploaded_at" in row and _times_differ(row["uploaded_at"], version):
        yield _time_differs(version, row)


def _differences(bucket: str, version: Version, row: Mapping[str, Any]) -> Iterator[str]:
    expected: dict[str, object] = {"bucket": bucket, "key": version.key}
    if version.marker:
        expected["delete_marker"] = True
        if "uploaded_at" not in row:
            yield _time_differs(version, row)
    else:
        uploaded_at = format_time(version.last_modified)
        expected |= {"size_bytes": version.size, "etag": version.etag}
        if row.get("encryption") != CUSTOMER_KEY:  # The row of such an object has the time of the event.
            expected["upload_day"] = uploaded_at[:10]
            if str(row.get("uploaded_at"))[:SECONDS_LENGTH] != uploaded_at[:SECONDS_LENGTH]:
                yield _time_differs(version, row)
    for name, value in expected.items():
        if row.get(name) != value:
            yield f"{name} is {_visible(row.get(name))} in the row and {_visible(value)} in S3"


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) else value


def _time_differs(version: Version, row: Mapping[str, Any]) -> str:
    return f"uploaded_at is {row.get('uploaded_at')} in the row and {format_time(version.last_modified)} in S3"


def _times_differ(recorded: object, version: Version) -> bool:
    """Return whether the time in a delete marker's row is invalid, or differs too much from the time that S3 lists."""
    tolerance = NULL_MARKER_SECONDS if version.version_id == NULL_VERSION else MARKER_SECONDS
    try:
        return abs((datetime.fromisoformat(str(recorded)) - version.last_modified).total_seconds()) > tolerance
    except (TypeError, ValueError):  # A time without a time zone raises TypeError.
        return True
