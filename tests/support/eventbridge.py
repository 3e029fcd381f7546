"""S3 events in the format of EventBridge, and the parts in which they differ from S3 event notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

ACCOUNT = "123456789012"
S3_ITSELF = "s3.amazonaws.com"  # requester of events that a lifecycle rule causes
REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "ObjectRemoved:Delete": "DeleteObject",
    "ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
    "LifecycleExpiration:Delete": "Lifecycle Expiration",
    "LifecycleExpiration:DeleteMarkerCreated": "Lifecycle Expiration",
}


def eventbridge_event(record: dict[str, Any]) -> dict[str, Any]:
    """Return the event that EventBridge delivers for the change of an S3 event notification record.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html

    Args:
        record: record of an S3 event notification with the event name of a creation or a deletion.
    """
    event_name, bucket = record["eventName"], record["s3"]["bucket"]["name"]
    s3_object, reason = record["s3"]["object"], REASONS[event_name]
    names = {"size": "size", "eTag": "etag", "versionId": "version-id", "sequencer": "sequencer"}
    by_lifecycle = reason == "Lifecycle Expiration"
    detail = {
        "version": "0",
        "event-version": "1.1",
        "bucket": {"name": bucket},
        "object": {
            "key": unquote_plus(s3_object["key"]),
            **{names[name]: value for name, value in s3_object.items() if name in names},
        },
        "request-id": record["responseElements"]["x-amz-request-id"],
        "requester": S3_ITSELF if by_lifecycle else ACCOUNT,
        **({} if by_lifecycle else {"source-ip-address": record["requestParameters"]["sourceIPAddress"]}),
        "reason": reason,
    }
    deleted = not event_name.startswith("ObjectCreated:")
    if deleted:
        marker = event_name.endswith("DeleteMarkerCreated")
        detail["deletion-type"] = "Delete Marker Created" if marker else "Permanently Deleted"
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Deleted" if deleted else "Object Created",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": whole_seconds(record["eventTime"]),
        "region": record["awsRegion"],
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": detail,
    }


def whole_seconds(time: str) -> str:
    """Return an ISO 8601 time without fractions of a second, as in EventBridge events."""
    return datetime.fromisoformat(time).isoformat(timespec="seconds").replace("+00:00", "Z")
