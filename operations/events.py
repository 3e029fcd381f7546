"""Builds events for the function in the format of S3's own notifications. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from lambda_code.metadata import format_time

if TYPE_CHECKING:
    from operations.listing import Version
    from operations.target import Target

Event = dict[str, Any]


def version_event(version: Version, target: Target, *, tool: str) -> Event:
    """Return the event of the creation of a version, or of a delete marker, at the time that S3 lists for it.

    `tool` signs the event: its name becomes the event's principal.
    """
    if version.marker:
        name, details = "ObjectRemoved:DeleteMarkerCreated", {}
    else:
        name, details = "ObjectCreated:Put", {"size": version.size, "eTag": version.etag}
    return _event(
        name, version.key, version.version_id, details=details, at=version.last_modified, target=target, tool=tool
    )


def deletion_event(key: str, version_id: str, target: Target, *, at: datetime, tool: str) -> Event:
    """Return the event of the deletion of a version, or of a delete marker; its time is unknown, so `at` is now."""
    return _event("ObjectRemoved:Delete", key, version_id, details={}, at=at, target=target, tool=tool)


def _event(
    name: str, key: str, version_id: str, *, details: dict[str, Any], at: datetime, target: Target, tool: str
) -> Event:
    """One record an event: then one that fails takes no other with it. No sequencer: only S3 knows those."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": target.region,
        "eventTime": format_time(at),
        "eventName": name,
        "userIdentity": {"principalId": f"tapstack:{tool}"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": target.bucket},
            "object": {"key": quote_plus(key, safe="/"), "versionId": version_id, **details},
        },
    }
    return {"Records": [record]}
