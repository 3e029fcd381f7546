"""Compares the versions that S3 lists of a key with the rows of the table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION
from lambda_code.metadata import format_time

if TYPE_CHECKING:
    from operations.listing import Version

ATTRIBUTES = (
    *("object_id", "version_id", "bucket", "key", "size_bytes", "content_type", "etag"),
    *("uploaded_at", "upload_day", "deleted_at", "delete_marker"),
)
"""The attributes that the audit reads of a row, which may also have kilobytes of user metadata."""

NULL_MARKER_SECONDS = 2.0
"""Tolerance for the time of a marker `null`: it may be the event's, and Last-Modified is cut to the second."""

MARKER_SECONDS = 24 * 3600.0
"""Tolerance for other markers, which are put once: a lifecycle rule may notify long after it has put a marker."""

SECONDS_LENGTH = len("2026-11-22T21:40:04")  # of a row's time: S3 lists no fraction


class Difference(StrEnum):
    """How a row can differ from the bucket."""

    MISSING = "missing"  # S3 has the version, the table has no row of it
    WRONG = "wrong"  # the row contradicts S3
    INCOMPLETE = "incomplete"  # the row was written when the object could not be read (yet): it has no content_type
    STALE = "stale"  # the row is not marked as deleted, and its version does not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row that is not consistent with the bucket.

    Attributes:
        details: the value in the row and in S3, one sentence for each attribute.
        version: the version that S3 lists; None for a stale row.
        repairable: whether an event corrects the row; otherwise the row has to be deleted first.
    """

    difference: Difference
    key: str
    version_id: str
    details: tuple[str, ...] = ()
    version: Version | None = None
    repairable: bool = True


def compare(bucket: str, key: str, versions: Iterable[Version], rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Return the differences between all versions and markers of a key and all of its rows."""
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
        # A version that was deleted never comes back, so the function never removes the attributes of a deletion;
        # only a version `null` can be written again, and the function replaces its row.
        return finding(Difference.WRONG, *details, repairable=version.version_id == NULL_VERSION)
    if not version.marker and "content_type" not in row:
        return finding(Difference.INCOMPLETE)
    if details := tuple(_differences(bucket, version, row)):
        return finding(Difference.WRONG, *details)
    return None


def _contradictions(version: Version, row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the row claims that no event takes back."""
    if "deleted_at" in row:
        yield f"deleted_at is {row['deleted_at']}, and S3 has the version"
    if not version.marker and "delete_marker" in row:
        yield "delete_marker is there, and S3 has an object"
    if version.marker and "upload_day" in row:
        yield "upload_day is there, and S3 has a delete marker: the index by day is of uploads"
    if version.marker and "uploaded_at" in row and _times_differ(row["uploaded_at"], version):
        # for a marker `null`: a newer one replaced it, and the function was not notified
        yield _time_differs(version, row)


def _differences(bucket: str, version: Version, row: Mapping[str, Any]) -> Iterator[str]:
    expected: dict[str, object] = {"bucket": bucket, "key": version.key}
    if version.marker:
        expected["delete_marker"] = True
        if "uploaded_at" not in row:
            yield _time_differs(version, row)
    else:
        uploaded_at = format_time(version.last_modified)
        expected |= {"size_bytes": version.size, "etag": version.etag, "upload_day": uploaded_at[:10]}
        if str(row.get("uploaded_at"))[:SECONDS_LENGTH] != uploaded_at[:SECONDS_LENGTH]:
            yield _time_differs(version, row)
    for name, value in expected.items():
        if row.get(name) != value:
            yield f"{name} is {row.get(name)} in the row and {value} in S3"


def _time_differs(version: Version, row: Mapping[str, Any]) -> str:
    return f"uploaded_at is {row.get('uploaded_at')} in the row and {format_time(version.last_modified)} in S3"


def _times_differ(recorded: object, version: Version) -> bool:
    """Return whether the time of a marker in its row differs from S3's; a text that is no time does."""
    tolerance = NULL_MARKER_SECONDS if version.version_id == NULL_VERSION else MARKER_SECONDS
    try:
        return abs((datetime.fromisoformat(str(recorded)) - version.last_modified).total_seconds()) > tolerance
    except (TypeError, ValueError):  # the former: it has no time zone
        return True
