"""The shapes of what AWS sends, after its documentation, and the pages that they are taken from."""

from __future__ import annotations

from typing import Any

from tests.support.fakes import BUCKET

GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
STRUCTURE = f"{GUIDE}/notification-content-structure.html"
TYPES = f"{GUIDE}/notification-how-to-event-types-and-destinations.html"
LIFECYCLE = f"{GUIDE}/lifecycle-configure-notification.html"
TIERING = f"{GUIDE}/intelligent-tiering-managing.html"
MARKERS = f"{GUIDE}/DeleteMarker.html"
SUSPENDED = f"{GUIDE}/AddingObjectstoVersionSuspendedBuckets.html"
KEYS = f"{GUIDE}/object-keys.html"
DESTINATIONS = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"

KEY = "photos/2026/cat.jpg"
VERSION = "096fKKXTRTtl3on89fVO.nfljtsv6qko"
MARKER = "4857jgfjndy.vdHfgjrh58g0hIvOs9T7"
TIME = "2026-01-31T11:59:58.250Z"
SOMEBODY = "AWS:AIDAINPONIXQXHT3IKHL2"
S3_ITSELF = "s3.amazonaws.com"  # the principal, and the address, of what rules of the bucket do

SIZE_AND_ETAG = {"size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e"}
SEQUENCER = {"sequencer": "0055AED6DCD90281E5"}


def event(
    name: str,
    s3_object: dict[str, Any],
    *,
    version: str = "2.1",
    by: str = SOMEBODY,
    called: str = "object",
    **more: Any,
) -> dict[str, Any]:
    """An event of one record, as all are; `more` is what an event of its kind has beside the others' fields."""
    record = {
        "eventVersion": version,
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": TIME,
        "eventName": name,
        "userIdentity": {"principalId": by},
        "requestParameters": {"sourceIPAddress": by if by == S3_ITSELF else "203.0.113.10"},
        "responseElements": {
            "x-amz-request-id": "C3D13FE58DE4C810",
            "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "index-uploads",
            "bucket": {
                "name": BUCKET,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": f"arn:aws:s3:::{BUCKET}",
            },
            called: s3_object,
        },
    }
    return {"Records": [record | more]}


def created(key: str = KEY, **changes: Any) -> dict[str, Any]:
    """The `object` of a creation: with everything."""
    return {"key": key, **SIZE_AND_ETAG, "versionId": VERSION, **SEQUENCER, **changes}


def removed(key: str = KEY, **changes: Any) -> dict[str, Any]:
    """The `object` of a removal: without size and ETag."""
    return {"key": key, "versionId": VERSION, **SEQUENCER, **changes}


def without(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def failed(payload: dict[str, Any]) -> dict[str, Any]:
    """What Lambda puts into the failure queue about an event."""
    return {
        "version": "1.0",
        "timestamp": "2026-01-31T12:03:05.568Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:tapstack-prod-indexer:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "1 of 1 records failed: record 0: denied", "errorType": "IndexingError"},
    }
