"""Compares the versions of one object key with its rows in the table. Does not call AWS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION, Kind, Record
from lambda_code.metadata import format_time, from_head
from lambda_code.update import CUSTOMER_KEY
from operations.output import visible

if TYPE_CHECKING:
    from operations.listing import Version

ATTRIBUTES = (
    *("object_id", "version_id", "bucket", "key", "filename", "extension", "size_bytes", "content_type", "etag"),
    *("encryption", "storage_class", "uploaded_at", "upload_day", "deleted_at", "delete_marker", "content_of"),
)
"""Attributes of a row that the audit reads without HEAD requests."""

HEAD_ATTRIBUTES = ("checksum", "user_metadata")
"""Attributes of a row that only an audit with HEAD requests reads, because their values can have several kilobytes."""

ADDRESS = ("bucket", "key", "filename", "extension")
"""Attributes that the rows of objects and of delete markers have in common."""

TRANSITIONS = {
    "STANDARD": 0,
    "REDUCED_REDUNDANCY": 0,
    "STANDARD_IA": 1,
    "INTELLIGENT_TIERING": 2,
    "ONEZONE_IA": 3,
    "GLACIER_IR": 4,
    "GLACIER": 5,
    "DEEP_ARCHIVE": 6,
}
"""Storage classes with their places in the order of lifecycle transitions, which only change to a later place.

Source: AWS documentation page "Transitioning objects using Amazon S3 Lifecycle".
"""

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
        OUTDATED: the row has the content of other bytes than those of the object: `content_of` is not the `etag`.
    """

    MISSING = "missing"
    WRONG = "wrong"
    INCOMPLETE = "incomplete"
    STALE = "stale"
    OUTDATED = "outdated"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingKey:
    """An object key whose versions differed from their rows in a first comparison.

    Attributes:
        versions: IDs of the versions that differed.
        heads: IDs of the versions whose difference only a HEAD request can confirm.
        unlisted: IDs of the versions that have a row, but that the inventory does not list.
    """

    key: str
    versions: AbstractSet[str]
    heads: AbstractSet[str] = frozenset()
    unlisted: AbstractSet[str] = frozenset()


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


def compare_head(
    bucket: str, version: Version, row: Mapping[str, Any], head: Mapping[str, Any], *, existing: bool = False
) -> Finding | None:
    """Return the difference between the row of an object version and the response of HeadObject, if there is one.

    Args:
        bucket: name of the bucket.
        version: the version, whose row is consistent with the list of versions.
        row: the row, with the attributes `ATTRIBUTES` and `HEAD_ATTRIBUTES`.
        head: boto3's response of HeadObject, which was called with ChecksumMode.
        existing: whether this is an existing bucket, whose KMS keys the indexer may not be allowed to use.
    """
    update = from_head(_record(bucket, version), head, provenance={})
    expected: dict[str, Any] = {"encryption": None, **dict.fromkeys(HEAD_ATTRIBUTES), **update.set_attributes}
    no_checksum = expected["checksum"] is None or (existing and "checksum" not in row)
    if no_checksum and str(expected["encryption"]).startswith("aws:kms"):
        del expected["checksum"]  # S3 omits the checksum if the caller must not use the KMS key of the object.
    details = tuple(_differences(row, expected))
    return _finding(Difference.WRONG, version, *details) if details else None


def _finding(difference: Difference, version: Version, *details: str, repairable: bool = True) -> Finding:
    return Finding(
        difference=difference,
        key=version.key,
        version_id=version.version_id,
        details=details,
        version=version,
        repairable=repairable,
    )


def _compare_version(bucket: str, version: Version, row: Mapping[str, Any] | None) -> Finding | None:
    if row is None:
        return _finding(Difference.MISSING, version)
    if details := tuple(_contradictions(version, row)):
        # The indexer never removes the attributes of a deletion, because a deleted version cannot be restored. Only the
        # version `null` can be written again, and then the indexer replaces its row.
        return _finding(Difference.WRONG, version, *details, repairable=version.version_id == NULL_VERSION)
    if not version.marker and "content_type" not in row and row.get("encryption") != CUSTOMER_KEY:
        return _finding(Difference.INCOMPLETE, version)
    if details := tuple(_differences(row, _expected(bucket, version, row))):
        return _finding(Difference.WRONG, version, *details)
    if (described := row.get("content_of")) is not None and described != version.etag and not version.marker:
        details = (f"content_of is {_visible(described)} in the row, but the object has the ETag {version.etag}",)
        return _finding(Difference.OUTDATED, version, *details, repairable=False)
    return None


def lacks_content(row: Mapping[str, Any]) -> bool:
    """Return whether a row is that of an existing object that S3 returned, and the inspector has not described it."""
    return "content_type" in row and not row.keys() & {"content_of", "deleted_at", "delete_marker"}


def _record(bucket: str, version: Version) -> Record:
    return Record(
        index=0, event_name="", kind=Kind.CREATED, bucket=bucket, key=version.key, version_id=version.version_id
    )


def _contradictions(version: Version, row: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each wrong attribute. An event can correct these attributes only for the version `null`."""
    if "deleted_at" in row:
        yield f"deleted_at is {row['deleted_at']}, but S3 has the version"
    if not version.marker and "delete_marker" in row:
        yield "delete_marker is set, but S3 has an object"
    if version.marker and "upload_day" in row:
        yield "upload_day is set, but S3 has a delete marker, which is not an upload"
    if version.marker and "uploaded_at" in row and _times_differ(row["uploaded_at"], version):
        yield _time_differs(version, row)


def _expected(bucket: str, version: Version, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that the indexer writes, as far as the list of versions determines them."""
    listed = {
        "LastModified": version.last_modified,
        "ContentLength": version.size,
        "ETag": version.etag,
        "StorageClass": version.storage_class,
    }
    expected: dict[str, Any] = dict(from_head(_record(bucket, version), listed, provenance={}).set_attributes)
    del expected["content_type"]
    if not version.marker and row.get("encryption") == CUSTOMER_KEY:
        # The indexer could not read the object, so the row has the time of the S3 event.
        for name in ("uploaded_at", "upload_day", "storage_class"):
            del expected[name]
    if not version.marker:
        return expected
    names = ADDRESS if "uploaded_at" in row else (*ADDRESS, "uploaded_at")
    return {name: expected[name] for name in names} | {"delete_marker": True}


def _differences(row: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each attribute, or entry of a map, whose value in the row differs from the expected one."""
    for name, value in expected.items():
        recorded = row.get(name)
        if isinstance(value, dict) or isinstance(recorded, dict):
            entries = (recorded or {}, value or {})
            for entry in sorted(entries[0].keys() | entries[1].keys()):
                in_row, in_s3 = (each.get(entry) for each in entries)
                if in_row != in_s3:
                    yield f"{name}.{entry} is {_visible(in_row)} in the row and {_visible(in_s3)} in S3"
        elif not _matches(name, recorded, value):
            yield f"{name} is {_visible(recorded)} in the row and {_visible(value)} in S3"


def _matches(name: str, recorded: object, value: object) -> bool:
    if name == "uploaded_at":
        return str(recorded)[:SECONDS_LENGTH] == str(value)[:SECONDS_LENGTH]
    if name == "storage_class" and {recorded, value} <= TRANSITIONS.keys():
        # The row keeps the storage class of the upload, because the indexer receives no event of a transition.
        return recorded == value or TRANSITIONS[str(value)] > TRANSITIONS[str(recorded)]
    return recorded == value


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
