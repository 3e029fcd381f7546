"""S3 events in the formats of the AWS documentation, including events that emulators send incorrectly or never.

Each event has a name, a documentation page, the response of S3 to a HEAD request, and the expected result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.fakes import BUCKET
from tests.support.strategies import Json, failure_message, head
from tests.unit.lambda_code.aws_shapes import (
    DESTINATIONS,
    EVENTBRIDGE,
    GUIDE,
    KEY,
    KEYS,
    LIFECYCLE,
    MARKER,
    MARKERS,
    PRINCIPAL,
    S3_ITSELF,
    STRUCTURE,
    SUSPENDED,
    TIERING,
    TIME,
    TYPES,
    VERSION,
    created,
    event,
    removed,
    without,
)

EXPIRES = int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())
INDEXED = {"size_bytes": 1024, "content_type": "image/jpeg", "uploaded_at": "2026-01-31T11:59:58.000Z"}
DELETED = {"deleted_at": TIME, "deleted_by": PRINCIPAL, "expires_at": EXPIRES}
EXPIRED = {**DELETED, "deleted_by": "lifecycle"}
MARKED = {
    "delete_marker": True,
    "uploaded_at": TIME,
    "upload_day": None,
    "deleted_at": None,
    "deleted_by": None,
    "expires_at": None,
}

# Values of the field `eventVersion`. Up to version 2.3, the value depends on the event type. Since version 2.4, it is
# the same for all event types.
GENERAL = ("2.1", "2.4", "2.5", "2.6")
OF_RULES = ("2.3", "2.4", "2.5", "2.6")


@dataclass(frozen=True, kw_only=True)
class RealEvent:
    """One S3 event and its expected result.

    Attributes:
        there: response to a HEAD of the object version; None for status 404, "marker" for status 405.
        result: expected return value of the handler; None if the handler raises an error.
        error: text that the error contains.
        key, version_id: object key and version ID of the expected row.
        versioned: whether versioning was ever enabled for the bucket.
        row: expected attributes of the row, with None for a missing attribute; None if no row may exist.
    """

    name: str
    page: str
    event: Any
    there: dict[str, Any] | str | None = None
    result: dict[str, int] | None = None
    error: str | None = None
    key: str = KEY
    version_id: str = VERSION
    versioned: bool = True
    row: dict[str, Any] | None = None


def indexed(
    name: str, page: str, sent: Json, row: Json = INDEXED, *, there: Json | None = None, **more: Any
) -> RealEvent:
    there = there or head(VersionId=more.get("version_id", VERSION))
    return RealEvent(name=name, page=page, event=sent, there=there, result={"indexed": 1}, row=row, **more)


def deleted(name: str, page: str, sent: Json, row: Json = DELETED, **more: Any) -> RealEvent:
    return RealEvent(name=name, page=page, event=sent, result={"deleted": 1}, row=row, **more)


def marked(name: str, page: str, sent: Json, row: Json = MARKED, *, version_id: str = MARKER) -> RealEvent:
    return deleted(name, page, sent, row, there="marker", version_id=version_id)


def rejected(name: str, page: str, sent: Json, error: str) -> RealEvent:
    return RealEvent(name=name, page=page, event=sent, there=head(), error=f"malformed: {error}")


def removals(versions: Sequence[str], prefix: str, by: str, row: Json, actor: str, page: str) -> Iterator[RealEvent]:
    """Yield a deletion event and a delete marker event for each version of the event format."""
    for version in versions:
        sent = event(f"{prefix}:Delete", removed(), version=version, by=by)
        yield deleted(f"deletion by {actor}, format {version}", page, sent, row)
        sent = event(f"{prefix}:DeleteMarkerCreated", removed(versionId=MARKER), version=version, by=by)
        yield marked(f"delete marker by {actor}, format {version}", page, sent)


CREATIONS = [
    indexed(
        f"{name}, format {version}",
        TYPES,
        event(f"ObjectCreated:{name}", created(), version=version),
        {
            **INDEXED,
            "event_name": f"ObjectCreated:{name}",
            "event_time": TIME,
            "sequencer": "0055AED6DCD90281E5",
            "deleted_at": None,
        },
    )
    for name in ("Put", "Post", "Copy", "CompleteMultipartUpload")
    for version in GENERAL
]

DELETE, MARK, PUT = "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectCreated:Put"
NOTHING_KNOWN = {"size_bytes": None, "etag": None, "delete_marker": None}
ETAG_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
REMOVALS = [
    *removals(GENERAL, "ObjectRemoved", PRINCIPAL, DELETED | NOTHING_KNOWN, "a user", TYPES),
    *removals(OF_RULES, "LifecycleExpiration", S3_ITSELF, EXPIRED, "a lifecycle rule", LIFECYCLE),
    deleted(
        "deletion from an emulator, with size 0 and an empty ETag",
        STRUCTURE,
        event(DELETE, removed(size=0, eTag="")),
        DELETED | NOTHING_KNOWN,
    ),
    marked(
        "delete marker with the ETag of an empty object",
        MARKERS,
        event(MARK, removed(versionId=MARKER, eTag=ETAG_OF_NOTHING)),
        MARKED | {"etag": None, "size_bytes": None},
    ),
    deleted("deletion of a delete marker", MARKERS, event(DELETE, removed(versionId=MARKER)), version_id=MARKER),
    deleted(
        "deletion by an unknown principal",
        STRUCTURE,
        event(DELETE, removed(), by=""),
        DELETED | {"deleted_by": "unknown"},
    ),
]

# While versioning is off or suspended, `versionId` is missing or null in S3 events.
WITHOUT_VERSION = [
    indexed(
        "creation without a version ID",
        SUSPENDED,
        event(PUT, without("versionId", created())),
        INDEXED | {"sequencer": None},
        version_id="null",
    ),
    indexed("creation with version ID null", STRUCTURE, event(PUT, created(versionId=None)), version_id="null"),
    deleted(
        "deletion without a version ID in an unversioned bucket",
        STRUCTURE,
        event(DELETE, without("versionId", removed())),
        version_id="null",
        versioned=False,
    ),
    RealEvent(
        name="deletion without a version ID in a versioned bucket, for an object without a row",
        page=STRUCTURE,
        event=event(DELETE, without("versionId", removed())),
        result={"gone": 1},
    ),
    deleted(
        "deletion by a lifecycle rule in an unversioned bucket, without a version ID",
        LIFECYCLE,
        event("LifecycleExpiration:Delete", without("versionId", removed()), version="2.3", by=S3_ITSELF),
        EXPIRED,
        version_id="null",
        versioned=False,
    ),
    marked("delete marker with version ID null", SUSPENDED, event(MARK, removed(versionId="null")), version_id="null"),
]

ENCODED_KEYS = [
    indexed(
        f"key sent as {sent}",
        page,
        event(PUT, created(sent)),
        {"key": key, "filename": key.rsplit("/", 1)[-1]},
        key=key,
    )
    for sent, key, page in (
        ("red+flower.jpg", "red flower.jpg", STRUCTURE),
        ("a%2Bb.jpg", "a+b.jpg", STRUCTURE),
        ("100%25.txt", "100%.txt", STRUCTURE),
        ("%252B.txt", "%2B.txt", STRUCTURE),
        ("caf%C3%A9/%E5%86%99%E7%9C%9F.JPG", "café/写真.JPG", KEYS),
        ("%F0%9F%A6%8A.png", "🦊.png", KEYS),
        ("year%3D2026/a%26b%40c.csv", "year=2026/a&b@c.csv", KEYS),
        ("folder/", "folder/", KEYS),
    )
]
ENCODED_KEYS.append(
    deleted(
        "deletion with an encoded key",
        STRUCTURE,
        event(DELETE, removed("my+caf%C3%A9%2B.txt")),
        {**DELETED, "key": "my café+.txt", "extension": "txt"},
        key="my café+.txt",
    )
)

# The stack does not subscribe to these event types. If an operator adds them, they must not fill the failure queue.
RESTORED = {"lifecycleRestorationExpiryTime": "2026-02-28T00:00:00.000Z", "lifecycleRestoreStorageClass": "GLACIER"}
REPLICATION = {
    "replicationRuleId": "rule",
    "destinationBucket": "arn:aws:s3:::elsewhere",
    "s3Operation": "OBJECT_PUT",
    "requestTime": TIME,
    "failureReason": "AssumeRoleNotPermitted",
}
OF_S3 = {"version": "2.3", "by": S3_ITSELF}
IGNORED = [
    RealEvent(name=sent["Records"][0]["eventName"], page=page, event=sent, there=head(), result={"ignored": 1})
    for page, sent in (
        (
            STRUCTURE,
            event("ObjectRestore:Completed", created(), by=S3_ITSELF, glacierEventData={"restoreEventData": RESTORED}),
        ),
        (
            TIERING,
            event(
                "IntelligentTiering",
                without("sequencer", created()),
                member="get_object",  # S3 Intelligent-Tiering events have no field `object`.
                intelligentTieringEventData={"destinationAccessTier": "DEEP_ARCHIVE_ACCESS"},
                **OF_S3,
            ),
        ),
        (
            STRUCTURE,
            event(
                "LifecycleTransition",
                created(),
                lifecycleEventData={"transitionEventData": {"destinationStorageClass": "GLACIER"}},
                **OF_S3,
            ),
        ),
        (
            STRUCTURE,
            event("Replication:OperationFailedReplication", created(), version="2.2", replicationEventData=REPLICATION),
        ),
        *(
            (TYPES, event(name, created(), version="2.3"))
            for name in (
                "ObjectRestore:Post",
                "ObjectRestore:Delete",
                "ObjectTagging:Put",
                "ObjectTagging:Delete",
                "ObjectAcl:Put",
                "ReducedRedundancyLostObject",
                "Replication:OperationNotTracked",
                "Replication:OperationMissedThreshold",
                "Replication:OperationReplicatedAfterThreshold",
            )
        ),
    )
]

TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-01-31T12:00:00.000Z",
    "Bucket": BUCKET,
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
}
FROM_EVENTBRIDGE = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": BUCKET}, "object": {"key": "a+b.txt", "version-id": VERSION}},
}
LATER = event(PUT, created(somethingNew={"a": [1]}), version="2.99", moreEventData={"b": None})
FAILED = failure_message(
    event(DELETE, removed()), request_id="r", attempts=3, error_type="IndexingError", message="1 of 1 records failed"
)
NO_RECORDS = "there is no list of Records"
OTHERS = [
    indexed(
        "object in Glacier",
        TYPES,
        event(PUT, created()),
        INDEXED | {"storage_class": "GLACIER"},
        there=head(StorageClass="GLACIER"),
    ),
    indexed("creation with fields of a later minor format version", STRUCTURE, LATER),
    rejected(
        "creation with the next major format version",
        STRUCTURE,
        event(PUT, created(), version="3.0"),
        "Records[0].eventVersion is '3.0'",
    ),
    RealEvent(
        name="test event of a new notification",
        page=f"{GUIDE}/how-to-enable-disable-notification-intro.html",
        event=TEST_EVENT,
        result={},
    ),
    deleted("failed event from a message of the failure queue", DESTINATIONS, FAILED["requestPayload"]),
    rejected("message of the failure queue", DESTINATIONS, FAILED, NO_RECORDS),
    indexed("event from EventBridge, whose key is not encoded", EVENTBRIDGE, FROM_EVENTBRIDGE, key="a+b.txt"),
]

REAL_EVENTS = [*CREATIONS, *REMOVALS, *WITHOUT_VERSION, *ENCODED_KEYS, *IGNORED, *OTHERS]
