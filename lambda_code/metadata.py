"""A record and what HEAD says of its object → one commuting update of one table row. Pure.

A row is addressed by `object_id` (`{bucket}/{key}`) and `version_id`. What is written about it are facts that commute
and repeat harmlessly, each by one UpdateItem without a condition:

* object attributes, from HEAD: plain SET;
* the event's own words, for an object that is gone: only what is not there yet;
* a deletion: only what is not there yet, since a version is deleted once, and a repeat must not put off its expiry;
* a delete marker, which is a version like any other: that it is one;
* provenance, who told first: only if not there yet.

The version id `null` is the exception: its object can be replaced, so what is there is written over the whole row.
"""

from __future__ import annotations

import binascii
import posixpath
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_code.events import Record

Value = str | int | bool | dict[str, str]
Attributes = dict[str, Value]

SCHEMA_VERSION = 1

# Who deleted a version, where it was nobody that S3 names.
LIFECYCLE = "lifecycle"
UNKNOWN = "unknown"

# What S3 means when HEAD says nothing: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
DEFAULT_STORAGE_CLASS = "STANDARD"
DEFAULT_CONTENT_TYPE = "binary/octet-stream"

# Rewriting a row whole removes those of these that are not written again.
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
    """What HEAD says about a version that is a delete marker: nothing but when it was put, and not even that always."""

    last_modified: datetime | None = None  # UTC


Look = dict[str, Any] | DeleteMarker | None
"""What HEAD says about a version: botocore's answer about an object, a delete marker, or None: there is nothing."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """What one UpdateItem says about one row."""

    object_id: str
    version_id: str
    facts: Attributes  # SET, whatever was there
    words: Attributes = field(default_factory=dict)  # SET if not there yet
    provenance: Attributes
    whole: bool = False  # rewrite the row: provenance is SET too, and what is not written is removed

    def request(self, table_name: str) -> dict[str, Any]:
        """The arguments of DynamoDB's UpdateItem; it answers with the row as it was before.

        Every name goes through an expression attribute name, because DynamoDB reserves some 570 words.
        """
        always = {**self.facts, **(self.provenance if self.whole else {})}
        once = {**self.words, **({} if self.whole else self.provenance)}
        known = OBJECT_ATTRIBUTES + PROVENANCE_ATTRIBUTES + DELETION_ATTRIBUTES
        stale = [name for name in known if name not in always and name not in once] if self.whole else []
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
        """Whether the row, which was `old` (attribute values; empty if there was none), now says something new.

        A row that carries this very invocation's provenance was written by an earlier attempt whose answer got lost.
        """
        ours = ("request_id", "processed_at")
        return (
            "processed_at" not in old
            or all(old.get(name) == attribute_value(self.provenance[name]) for name in ours)
            or any(old.get(name) != attribute_value(value) for name, value in self.facts.items())
            or any(name not in old for name in self.words)
        )


def from_head(record: Record, head: Mapping[str, Any], *, provenance: Attributes) -> Update:
    """The row of an object that HEAD described (`head`: botocore's answer to HeadObject)."""
    version_id = record.version_id or head.get("VersionId") or NULL_VERSION
    uploaded_at = format_time(head["LastModified"])
    facts: Attributes = {
        **_address(record),
        "size_bytes": int(head["ContentLength"]),
        # always there: a row without it was written when its object could not be read (yet)
        "content_type": head.get("ContentType") or DEFAULT_CONTENT_TYPE,
        "etag": head["ETag"].strip('"'),
        "storage_class": head.get("StorageClass") or DEFAULT_STORAGE_CLASS,
        "uploaded_at": uploaded_at,
        "upload_day": uploaded_at[:10],
    }
    if head.get("ServerSideEncryption"):
        facts["encryption"] = head["ServerSideEncryption"]
    if checksum := _checksum(head):
        facts["checksum"] = checksum
    if head.get("Metadata"):
        # a row's map cannot have an empty name, a header's suffix can
        facts["user_metadata"] = {k: decode_rfc2047(v) for k, v in head["Metadata"].items() if k}
    if version_id == NULL_VERSION:
        return _whole(record, facts, provenance)
    return Update(object_id=object_id(record), version_id=version_id, facts=facts, provenance=provenance)


def from_event(record: Record, *, version_id: str, provenance: Attributes) -> Update:
    """The row of a version that HEAD cannot show (any more, or yet): the event's own words, where nothing is known."""
    words: Attributes = {}
    if record.size is not None:
        words["size_bytes"] = record.size
    if record.etag is not None:
        words["etag"] = record.etag
    if record.event_time is not None:
        words["uploaded_at"] = format_time(record.event_time)
        words["upload_day"] = format_time(record.event_time)[:10]
    return Update(
        object_id=object_id(record), version_id=version_id, facts=_address(record), words=words, provenance=provenance
    )


def from_marker(record: Record, marker: DeleteMarker, *, version_id: str, provenance: Attributes) -> Update:
    """The row of a delete marker. It has no `upload_day`: the index by day lists uploads only."""
    facts: Attributes = {**_address(record), "delete_marker": True}
    time = marker.last_modified or record.event_time
    words: Attributes = {} if time is None else {"uploaded_at": format_time(time)}
    if version_id == NULL_VERSION:
        return _whole(record, facts | words, provenance)
    return Update(object_id=object_id(record), version_id=version_id, facts=facts, words=words, provenance=provenance)


def from_deletion(record: Record, deletion: Attributes, *, version_id: str, provenance: Attributes) -> Update:
    """What a deletion adds to the row of a version, which need not be there yet; if another was told first, nothing."""
    return Update(
        object_id=object_id(record),
        version_id=version_id,
        facts=_address(record),
        words=deletion,
        provenance=provenance,
    )


def from_deletion_of_null(record: Record, deletion: Attributes, *, provenance: Attributes) -> Update:
    """The same of the version `null`, which can be deleted more than once: the last that is told is the one.

    So a late repeat of an older one can put its time back, and its expiry with it: the version is gone all the same.
    """
    return Update(
        object_id=object_id(record),
        version_id=NULL_VERSION,
        facts={**_address(record), **deletion},
        provenance=provenance,
    )


def deletion_by(record: Record, *, now: datetime, retention_days: int) -> Attributes:
    """When and by whom a version was deleted, as its event tells it; `now` stands in for a time that it does not."""
    by = LIFECYCLE if record.by_lifecycle else record.principal or UNKNOWN
    return deletion_at(record.event_time or now, by=by, retention_days=retention_days)


def deletion_at(time: datetime, *, by: str = UNKNOWN, retention_days: int) -> Attributes:
    """`deleted_at`, `deleted_by`, and, unless `retention_days` is 0, `expires_at`: DynamoDB's time to live.

    `expires_at` is a number, seconds since 1970: DynamoDB ignores a text.
    """
    deletion: Attributes = {"deleted_at": format_time(time), "deleted_by": by}
    if retention_days:
        # counted, not added to the time, which ends with the year 9999
        deletion["expires_at"] = (time - _EPOCH) // timedelta(seconds=1) + retention_days * 24 * 3600
    return deletion


def provenance_of(record: Record, *, request_id: str, processed_at: datetime) -> Attributes:
    """Where a row comes from; `processed_at` (UTC) is the time of this invocation's first word about it."""
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
_WORD = r"=\?utf-8\?[bq]\?[^?\s]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s+{_WORD})*", re.IGNORECASE)


def decode_rfc2047(text: str) -> str:
    """A user-metadata value as its owner wrote it: S3 returns non-ASCII values as RFC 2047 encoded words, in UTF-8.

    What does not decode is kept as it is.
    """
    try:
        return _WORDS.sub(_decoded_words, text)
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


def _whole(record: Record, facts: Attributes, provenance: Attributes) -> Update:
    """The row of the version `null`, written anew."""
    # nobody can tell which of the events of `null` made what HEAD just showed
    provenance = {name: value for name, value in provenance.items() if name != "sequencer"}
    return Update(object_id=object_id(record), version_id=NULL_VERSION, facts=facts, provenance=provenance, whole=True)


def _address(record: Record) -> Attributes:
    filename = record.key.rsplit("/", 1)[-1]
    extension = posixpath.splitext(filename)[1].removeprefix(".").lower()
    return {"bucket": record.bucket, "key": record.key, "filename": filename, "extension": extension}


def _checksum(head: Mapping[str, Any]) -> dict[str, str]:
    """`{algorithm, value, type}`: S3 keeps one checksum of an object, under a name that tells its algorithm."""
    for name in sorted(head):
        if name.startswith("Checksum") and name != "ChecksumType":
            checksum = {"algorithm": name.removeprefix("Checksum"), "value": str(head[name])}
            return checksum | ({"type": head["ChecksumType"]} if head.get("ChecksumType") else {})
    return {}


def _decoded_words(match: re.Match[str]) -> str:
    decoded = b""
    for word in match[0].split():
        _, _, encoding, text, _ = word.split("?")
        decoded += binascii.a2b_base64(text) if encoding in "bB" else binascii.a2b_qp(text, header=True)
    return decoded.decode()
