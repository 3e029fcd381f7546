"""Creates events in the format of S3 event notifications, for the indexer. Does not call AWS."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from lambda_code.events import REPLAYED_BY, TOOL_PRINCIPAL
from lambda_code.metadata import format_time

if TYPE_CHECKING:
    from operations.listing import Version
    from operations.target import Target

Event = dict[str, Any]


def version_event(version: Version, target: Target, *, tool: str) -> Event:
    """Return the event that S3 sends when it creates a version or a delete marker.

    Args:
        version: the version or delete marker; its time becomes the event's time.
        target: the deployed stack.
        tool: name of the sending tool, which becomes part of the event's principal ID.
    """
    if version.marker:
        name, details = "ObjectRemoved:DeleteMarkerCreated", {}
    else:
        name, details = "ObjectCreated:Put", {"size": version.size, "eTag": version.etag}
    return _event(
        name, version.key, version.version_id, details=details, at=version.last_modified, target=target, tool=tool
    )


def deletion_event(key: str, version_id: str, target: Target, *, at: datetime, tool: str) -> Event:
    """Return the event that S3 sends when a version or a delete marker is deleted permanently.

    Args:
        key: the object key.
        version_id: the version ID of the version or delete marker.
        target: the deployed stack.
        at: the event's time. S3 does not list when a version was deleted, so callers use the current time.
        tool: name of the sending tool, which becomes part of the event's principal ID.
    """
    return _event("ObjectRemoved:Delete", key, version_id, details={}, at=at, target=target, tool=tool)


def replayed(event: Any, *, tool: str) -> Any:  # noqa: ANN401  JSON values
    """Return a failed event with the name of the tool that sends it again, so that the indexer measures no delay.

    Args:
        event: the event, as JSON values; only a JSON object is changed.
        tool: name of the sending tool.
    """
    return {**event, REPLAYED_BY: f"{TOOL_PRINCIPAL}{tool}"} if isinstance(event, dict) else event


def _event(
    name: str, key: str, version_id: str, *, details: dict[str, Any], at: datetime, target: Target, tool: str
) -> Event:
    """Return an event with a single record, so that the failure of one record does not affect other records."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": target.region,
        "eventTime": format_time(at),
        "eventName": name,
        "userIdentity": {"principalId": f"{TOOL_PRINCIPAL}{tool}"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": target.bucket},
            "object": {"key": quote_plus(key, safe="/"), "versionId": version_id, **details},
        },
    }
    return {"Records": [record]}
