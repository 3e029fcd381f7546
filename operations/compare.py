"""What S3 lists of a key against the rows that the table has of it. Pure."""

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

NULL_MARKER_SECONDS = 2.0
"""By which the time of a marker `null` may be off: it may be the event's, and Last-Modified is cut to the second."""

MARKER_SECONDS = 24 * 3600.0
"""The same of other markers, which are put once: lifecycle rules, which put markers too, tell of it when they like."""

SECONDS = len("2026-11-22T21:40:04")  # of a row's time: S3 lists no fraction


class Difference(StrEnum):
    """How a row can differ from the bucket."""

    MISSING = "missing"  # S3 has the version, the table has no row of it
    WRONG = "wrong"  # the row says something else than S3
    INCOMPLETE = "incomplete"  # the row was written when the object could not be read (yet): it has no content_type
    STALE = "stale"  # the row does not say that its version is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row that is not as the bucket is.

    Attributes:
        details: what the row says and what S3 says, one sentence for each attribute.
        version: what S3 lists; None of a stale row.
        final: no event takes back what the row says; the row has to be deleted before it can be written anew.
    """

    difference: Difference
    key: str
    version_id: str
    details: tuple[str, ...] = ()
    version: Version | None = None
    final: bool = False


def compare(bucket: str, key: str, versions: Iterable[Version], rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """What differs between all versions and markers of a key and all of its rows."""
    left = {row["version_id"]: row for row in rows}
    findings = [
        each for version in versions if (each := _compared(bucket, version, left.pop(version.version_id, None)))
    ]
    return findings + [
        Finding(difference=Difference.STALE, key=key, version_id=version_id)
        for version_id, row in left.items()
        if "deleted_at" not in row
    ]


def _compared(bucket: str, version: Version, row: Mapping[str, Any] | None) -> Finding | None:
    def finding(difference: Difference, *details: str, final: bool = False) -> Finding:
        return Finding(
            difference=difference,
            key=version.key,
            version_id=version.version_id,
            details=details,
            version=version,
            final=final,
        )

    if row is None:
        return finding(Difference.MISSING)
    if untrue := tuple(_untrue(version, row)):
        # A version that was deleted never comes back, so the function takes no word of it back; only what it calls
        # `null` can be written again, and its row is.
        return finding(Difference.WRONG, *untrue, final=version.version_id != NULL_VERSION)
    if not version.marker and "content_type" not in row:
        return finding(Difference.INCOMPLETE)
    if details := tuple(_different(bucket, version, row)):
        return finding(Difference.WRONG, *details)
    return None


def _untrue(version: Version, row: Mapping[str, Any]) -> Iterator[str]:
    if "deleted_at" in row:
        yield f"deleted_at is {row['deleted_at']}, and S3 has the version"
    if not version.marker and "delete_marker" in row:
        yield "delete_marker is there, and S3 has an object"
    if version.marker and "upload_day" in row:
        yield "upload_day is there, and S3 has a delete marker: the index by day is of uploads"
    if version.marker and "uploaded_at" in row and _apart(row["uploaded_at"], version):
        # of a marker `null` it tells of one that was put over it, of which nobody told the function
        yield _time_differs(version, row)


def _different(bucket: str, version: Version, row: Mapping[str, Any]) -> Iterator[str]:
    expected: dict[str, object] = {"bucket": bucket, "key": version.key}
    if version.marker:
        expected["delete_marker"] = True
        if "uploaded_at" not in row:
            yield _time_differs(version, row)
    else:
        uploaded_at = format_time(version.last_modified)
        expected |= {"size_bytes": version.size, "etag": version.etag, "upload_day": uploaded_at[:10]}
        if str(row.get("uploaded_at"))[:SECONDS] != uploaded_at[:SECONDS]:
            yield _time_differs(version, row)
    for name, value in expected.items():
        if row.get(name) != value:
            yield f"{name} is {row.get(name)} in the row and {value} in S3"


def _time_differs(version: Version, row: Mapping[str, Any]) -> str:
    return f"uploaded_at is {row.get('uploaded_at')} in the row and {format_time(version.last_modified)} in S3"


def _apart(said: object, version: Version) -> bool:
    """Whether the time of a marker in its row is not the one in S3; a text that is no time is not."""
    tolerance = NULL_MARKER_SECONDS if version.version_id == NULL_VERSION else MARKER_SECONDS
    try:
        return abs((datetime.fromisoformat(str(said)) - version.last_modified).total_seconds()) > tolerance
    except (TypeError, ValueError):  # the former: it has no time zone
        return True
