"""A record and the head result of its version → the update of one table row. No I/O.

A row is addressed by `object_id` (`{bucket}/{key}`) and `version_id`. Updates of a row commute and are idempotent; each
is one UpdateItem without a condition:

* object attributes, from HEAD: SET;
* attributes of the event, for an object that cannot be read: `if_not_exists`;
* a deletion: `if_not_exists`, since a version is deleted once, and a repeated event must not delay its expiry;
* a delete marker, which is a version like any other: `delete_marker`, SET, and its time, `if_not_exists`;
* provenance, which names the event about the version that was processed first: `if_not_exists`.

The version id `null` is the exception: its object can be replaced, so the update replaces the row.
"""

from __future__ import annotations

import binascii
import posixpath
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_code.events import Record

Value = str | int | bool | dict[str, str]
Attributes = dict[str, Value]

SCHEMA_VERSION = 1

# `deleted_by`, if S3 names no principal.
LIFECYCLE = "lifecycle"
UNKNOWN = "unknown"

# S3's defaults, which HEAD omits: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
DEFAULT_STORAGE_CLASS = "STANDARD"
DEFAULT_CONTENT_TYPE = "binary/octet-stream"

# Replacing a row removes those of these attributes that it does not set.
OBJECT_ATTRIBUTES = (
    "bucket",
    "key",
    "filename",
    "extension",
    "size_bytes",
    "content_type",
    "etag",
    "storage_class",
    "encryption",
    "checksum",
    "user_metadata",
    "uploaded_at",
    "upload_day",
)
PROVENANCE_ATTRIBUTES = ("event_name", "event_time", "sequencer", "request_id", "processed_at", "schema_version")
DELETION_ATTRIBUTES = ("deleted_at", "deleted_by", "expires_at", "delete_marker")


@dataclass(frozen=True, kw_only=True)
class DeleteMarker:
    """A version that is a delete marker. HEAD reports at most the time of its creation."""

    last_modified: datetime | None = None  # UTC


HeadResult = dict[str, Any] | DeleteMarker | None
"""What HEAD reports about a version: botocore's response for an object, a delete marker, or None if neither exists."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """One UpdateItem of one row."""

    object_id: str
    version_id: str
    set_attributes: Attributes  # SET, whatever the row had
    set_if_absent: Attributes = field(default_factory=dict)  # if_not_exists
    provenance: Attributes  # if_not_exists, unless the row is replaced
    replace: bool = False  # replace the row: provenance is SET too, and all other known attributes are removed

    def request(self, table_name: str) -> dict[str, Any]:
        """Return the arguments of DynamoDB's UpdateItem, whose response has the row as it was before.

        Every name goes through an expression attribute name, because DynamoDB reserves some 570 words.
        """
        always = {**self.set_attributes, **(self.provenance if self.replace else {})}
        once = {**self.set_if_absent, **({} if self.replace else self.provenance)}
        known = OBJECT_ATTRIBUTES + PROVENANCE_ATTRIBUTES + DELETION_ATTRIBUTES
        stale = [name for name in known if name not in always and name not in once] if self.replace else []
        alias = {name: f"#{number}" for number, name in enumerate([*always, *once, *stale])}
        sets = [f"{alias[name]} = :{alias[name][1:]}" for name in always]
        sets += [f"{alias[name]} = if_not_exists({alias[name]}, :{alias[name][1:]})" for name in once]
        remove = f" REMOVE {', '.join(alias[name] for name in stale)}" if stale else ""
        return {
            "TableName": table_name,
            "Key": {"object_id": attribute_value(self.object_id), "version_id": attribute_value(self.version_id)},
            "UpdateExpression": f"SET {', '.join(sets)}{remove}",
            "ExpressionAttributeNames": {alias[name]: name for name in alias},
            "ExpressionAttributeValues": {
                f":{alias[name][1:]}": attribute_value(value) for name, value in {**always, **once}.items()
            },
            "ReturnValues": "ALL_OLD",
        }

    def changed(self, old: Mapping[str, Any]) -> bool:
        """Whether the update changed the row, which was `old` (attribute values; empty if there was none).

        A row with the provenance of this invocation was written by an earlier attempt whose response was lost.
        """
        return (
            "processed_at" not in old
            or all(old.get(name) == attribute_value(self.provenance[name]) for name in ("request_id", "processed_at"))
            or any(old.get(name) != attribute_value(value) for name, value in self.set_attributes.items())
            or any(name not in old for name in self.set_if_absent)
        )


def from_head(record: Record, head: Mapping[str, Any], *, provenance: Attributes) -> Update:
    """Build the update of an object that HEAD returned (`head`: botocore's response)."""
    version_id = record.version_id or head.get("VersionId") or NULL_VERSION
    uploaded_at = format_time(head["LastModified"])
    attributes: Attributes = {
        **_address(record),
        "size_bytes": int(head["ContentLength"]),
        # always set: a row without it was written when its object could not be read (yet)
        "content_type": head.get("ContentType") or DEFAULT_CONTENT_TYPE,
        "etag": head["ETag"].strip('"'),
        "storage_class": head.get("StorageClass") or DEFAULT_STORAGE_CLASS,
        "uploaded_at": uploaded_at,
        "upload_day": uploaded_at[:10],
    }
    if head.get("ServerSideEncryption"):
        attributes["encryption"] = head["ServerSideEncryption"]
    if checksum := _checksum(head):
        attributes["checksum"] = checksum
    if head.get("Metadata"):
        # a row's map cannot have an empty name, a header's suffix can
        attributes["user_metadata"] = {k: decode_rfc2047(v) for k, v in head["Metadata"].items() if k}
    if version_id == NULL_VERSION:
        return _replacement(record, attributes, provenance)
    return _update(record, version_id, attributes, provenance)


def from_event(record: Record, *, version_id: str, provenance: Attributes) -> Update:
    """Build the update of a version that cannot be read (any more, or yet): attributes of the event, if absent."""
    from_record: Attributes = {}
    if record.size is not None:
        from_record["size_bytes"] = record.size
    if record.etag is not None:
        from_record["etag"] = record.etag
    if record.event_time is not None:
        from_record["uploaded_at"] = format_time(record.event_time)
        from_record["upload_day"] = format_time(record.event_time)[:10]
    return _update(record, version_id, _address(record), provenance, if_absent=from_record)


def from_marker(record: Record, marker: DeleteMarker, *, version_id: str, provenance: Attributes) -> Update:
    """Build the update of a delete marker. It has no `upload_day`: the index by day lists uploads only."""
    attributes: Attributes = {**_address(record), "delete_marker": True}
    time = marker.last_modified or record.event_time
    put_at: Attributes = {} if time is None else {"uploaded_at": format_time(time)}
    if version_id == NULL_VERSION:
        return _replacement(record, attributes | put_at, provenance)
    return _update(record, version_id, attributes, provenance, if_absent=put_at)


def from_deletion(record: Record, deletion: Attributes, *, version_id: str, provenance: Attributes) -> Update:
    """Build the update of a deleted version, whose row need not exist. A row that records a deletion keeps it."""
    return _update(record, version_id, _address(record), provenance, if_absent=deletion)


def from_deletion_of_null(record: Record, deletion: Attributes, *, provenance: Attributes) -> Update:
    """Build the update of a deleted version `null`, which can be deleted more than once: the last event wins.

    So a late repeat of an older event can reset the time and the expiry; the version is deleted in either case.
    """
    return _update(record, NULL_VERSION, _address(record) | deletion, provenance)


def deletion_of(record: Record, *, now: datetime, retention_days: int) -> Attributes:
    """The time and the principal of a deletion, from its event; `now` (UTC) if the event has no time."""
    by = LIFECYCLE if record.by_lifecycle else record.principal or UNKNOWN
    return deletion_at(record.event_time or now, by=by, retention_days=retention_days)


def deletion_at(time: datetime, *, by: str = UNKNOWN, retention_days: int) -> Attributes:
    """The attributes `deleted_at`, `deleted_by`, and, unless `retention_days` is 0, `expires_at`.

    `expires_at` is DynamoDB's time to live: a number, seconds since 1970. DynamoDB ignores a string.
    """
    deletion: Attributes = {"deleted_at": format_time(time), "deleted_by": by}
    if retention_days:
        # in seconds, because a datetime ends with the year 9999
        deletion["expires_at"] = (time - _EPOCH) // timedelta(seconds=1) + retention_days * 24 * 3600
    return deletion


def provenance_of(record: Record, *, request_id: str, processed_at: datetime) -> Attributes:
    """The origin of a row: its event and this invocation. `processed_at` is in UTC."""
    provenance: Attributes = {
        "event_name": record.event_name,
        "request_id": request_id,
        "processed_at": format_time(processed_at),
        "schema_version": SCHEMA_VERSION,
    }
    if record.event_time is not None:
        provenance["event_time"] = format_time(record.event_time)
    if record.sequencer is not None:
        provenance["sequencer"] = record.sequencer
    return provenance


def object_id(record: Record) -> str:
    """The partition key of a record's rows: at most 63 + 1 + 1024 of the 2048 bytes that DynamoDB allows."""
    return f"{record.bucket}/{record.key}"


def format_time(time: datetime) -> str:
    """ISO 8601, UTC, `Z`, always 24 characters, so that times sort as text: `2026-01-31T12:00:00.000Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# A run of RFC 2047 encoded words; white space between two of them is not part of the text.
_ENCODED_WORD = r"=\?utf-8\?[bq]\?[^?\s]*\?="
_ENCODED_WORDS = re.compile(rf"{_ENCODED_WORD}(?:\s+{_ENCODED_WORD})*", re.IGNORECASE)


def decode_rfc2047(text: str) -> str:
    """Decode a user-metadata value: S3 returns non-ASCII values as RFC 2047 encoded words, in UTF-8.

    A value that cannot be decoded is returned unchanged.
    """
    try:
        return _ENCODED_WORDS.sub(_decode_encoded_words, text)
    except ValueError:  # not base64, or not UTF-8
        return text


def attribute_value(value: Value) -> dict[str, Any]:
    """DynamoDB's typed form of a value."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    return {"M": {name: attribute_value(inner) for name, inner in value.items()}}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _update(
    record: Record, version_id: str, attributes: Attributes, provenance: Attributes, if_absent: Attributes | None = None
) -> Update:
    return Update(
        object_id=object_id(record),
        version_id=version_id,
        set_attributes=attributes,
        set_if_absent=if_absent or {},
        provenance=provenance,
    )


def _replacement(record: Record, attributes: Attributes, provenance: Attributes) -> Update:
    """Build the update that replaces the row of the version `null`."""
    # the event of this record need not be the one that put the object that HEAD returned
    provenance = {name: value for name, value in provenance.items() if name != "sequencer"}
    return replace(_update(record, NULL_VERSION, attributes, provenance), replace=True)


def _address(record: Record) -> Attributes:
    filename = record.key.rsplit("/", 1)[-1]
    extension = posixpath.splitext(filename)[1].removeprefix(".").lower()
    return {"bucket": record.bucket, "key": record.key, "filename": filename, "extension": extension}


def _checksum(head: Mapping[str, Any]) -> dict[str, str]:
    """`{algorithm, value, type}`: S3 keeps one checksum of an object, under a name that contains its algorithm."""
    for name in sorted(head):
        if name.startswith("Checksum") and name != "ChecksumType":
            checksum = {"algorithm": name.removeprefix("Checksum"), "value": str(head[name])}
            return checksum | ({"type": head["ChecksumType"]} if head.get("ChecksumType") else {})
    return {}


def _decode_encoded_words(match: re.Match[str]) -> str:
    decoded = b""
    for word in match[0].split():
        _, _, encoding, text, _ = word.split("?")
        decoded += binascii.a2b_base64(text) if encoding in "bB" else binascii.a2b_qp(text, header=True)
    return decoded.decode()
