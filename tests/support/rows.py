"""What a row should say, worked out from what S3 says about the object: a second opinion on the product's own code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.index import Head, Row

FROM_THE_EVENT = {"event_name", "event_time", "sequencer", "request_id", "processed_at", "schema_version"}
SCHEMA_VERSION = 1


def told_by_s3(bucket: str, key: str, head: Head, *, metadata: Mapping[str, str] | None = None) -> Row:
    """The attributes of the row of an object with this HEAD.

    `metadata` is the user metadata as its owner wrote it, where HEAD has it encoded.
    """
    uploaded_at = as_text(head["LastModified"])
    filename = key[key.rfind("/") + 1 :]
    told: Row = {
        "object_id": f"{bucket}/{key}",
        "version_id": head["VersionId"],
        "bucket": bucket,
        "key": key,
        "filename": filename,
        "extension": extension(filename),
        "size_bytes": head["ContentLength"],
        "content_type": head["ContentType"],
        "etag": head["ETag"][1:-1],
        "storage_class": head.get("StorageClass", "STANDARD"),
        "uploaded_at": uploaded_at,
        "upload_day": uploaded_at[:10],
    }
    if "ServerSideEncryption" in head:
        told["encryption"] = head["ServerSideEncryption"]
    checksums = [name for name in head if name.startswith("Checksum") and name != "ChecksumType"]
    if checksums:
        [name] = checksums
        told["checksum"] = {"algorithm": name[len("Checksum") :], "value": head[name]}
        if "ChecksumType" in head:
            told["checksum"]["type"] = head["ChecksumType"]
    if head["Metadata"]:
        told["user_metadata"] = dict(metadata or head["Metadata"])
    return told


def extension(filename: str) -> str:
    """What follows the last dot, in small letters; dots at the front are a hidden file's and do not count."""
    stem, dot, end = filename.lstrip(".").rpartition(".")
    return end.lower() if dot and stem else ""


def as_text(time: datetime) -> str:
    """How rows write a time: ISO 8601, UTC, three digits of a second, `Z`."""
    utc = time.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
