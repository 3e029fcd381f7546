"""Events as AWS sends them, shaped after its documentation: among them what emulators get wrong, or never send.

Each has a name, the page that it is shaped after, what S3 has when the function asks, and what must become of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.fakes import BUCKET
from tests.support.strategies import head
from tests.unit.lambda_code.aws_shapes import (
    DESTINATIONS,
    GUIDE,
    KEY,
    KEYS,
    LIFECYCLE,
    MARKER,
    MARKERS,
    S3_ITSELF,
    SEQUENCER,
    SOMEBODY,
    STRUCTURE,
    SUSPENDED,
    TIERING,
    TIME,
    TYPES,
    VERSION,
    created,
    event,
    failed,
    removed,
    without,
)

EXPIRES = int(datetime(2026, 5, 1, 11, 59, 58, tzinfo=UTC).timestamp())
INDEXED = {"size_bytes": 1024, "content_type": "image/jpeg", "uploaded_at": "2026-01-31T11:59:58.000Z"}
DELETED = {"deleted_at": TIME, "deleted_by": SOMEBODY, "expires_at": EXPIRES}
EXPIRED = {**DELETED, "deleted_by": "lifecycle"}

# Up to 2.3 each family of events had a version of its own; since 2.4 all have the same.
GENERAL = ("2.1", "2.4", "2.5", "2.6")
OF_RULES = ("2.3", "2.4", "2.5", "2.6")


@dataclass(frozen=True, kw_only=True)
class RealEvent:
    """One event, and what must become of it.

    Attributes:
        there: what HEAD answers about the version in question: None for 404, "marker" for 405.
        result: what the handler answers; None if it raises.
        error: what the handler's error says.
        key, version_id: of the row. No row must exist if `row` is None.
        row: what its row must say; of attributes that it must not have the value is None.
    """

    name: str
    page: str
    event: Any
    there: dict[str, Any] | str | None = None
    result: dict[str, int] | None = None
    error: str | None = None
    key: str = KEY
    version_id: str = VERSION
    row: dict[str, Any] | None = None


CREATIONS = [
    RealEvent(
        name=f"{name}, version {version}",
        page=TYPES,
        event=event(f"ObjectCreated:{name}", created(), version=version),
        there=head(),
        result={"indexed": 1},
        row={**INDEXED, "event_name": f"ObjectCreated:{name}", "event_time": TIME, **SEQUENCER, "deleted_at": None},
    )
    for name in ("Put", "Post", "Copy", "CompleteMultipartUpload")
    for version in GENERAL
]

REMOVALS = [
    *(
        RealEvent(
            name=f"deletion of a version, version {version}",
            page=TYPES,
            event=event("ObjectRemoved:Delete", removed(), version=version),
            result={"deleted": 1},
            row={**DELETED, "size_bytes": None, "etag": None, "delete_marker": None},
        )
        for version in GENERAL
    ),
    *(
        RealEvent(
            name=f"delete marker, version {version}",
            page=MARKERS,
            event=event("ObjectRemoved:DeleteMarkerCreated", removed(versionId=MARKER), version=version),
            there="marker",
            result={"deleted": 1},
            version_id=MARKER,
            row={"delete_marker": True, "uploaded_at": TIME, "upload_day": None, "deleted_at": None},
        )
        for version in GENERAL
    ),
    *(
        RealEvent(
            name=f"version expired by a rule, version {version}",
            page=LIFECYCLE,
            event=event("LifecycleExpiration:Delete", removed(), version=version, by=S3_ITSELF),
            result={"deleted": 1},
            row=EXPIRED,
        )
        for version in OF_RULES
    ),
    *(
        RealEvent(
            name=f"delete marker of a rule, version {version}",
            page=LIFECYCLE,
            event=event(
                "LifecycleExpiration:DeleteMarkerCreated", removed(versionId=MARKER), version=version, by=S3_ITSELF
            ),
            there="marker",
            result={"deleted": 1},
            version_id=MARKER,
            row={"delete_marker": True, "uploaded_at": TIME, "deleted_by": None},
        )
        for version in OF_RULES
    ),
    RealEvent(
        name="removal as emulators send it, with a size of 0 and an empty ETag",
        page=STRUCTURE,
        event=event("ObjectRemoved:Delete", removed(size=0, eTag="")),
        result={"deleted": 1},
        row={**DELETED, "size_bytes": None, "etag": None},
    ),
    RealEvent(
        name="delete marker with an ETag, that of nothing",
        page=MARKERS,
        event=event(
            "ObjectRemoved:DeleteMarkerCreated", removed(versionId=MARKER, eTag="d41d8cd98f00b204e9800998ecf8427e")
        ),
        there="marker",
        result={"deleted": 1},
        version_id=MARKER,
        row={"delete_marker": True, "etag": None, "size_bytes": None},
    ),
    RealEvent(
        name="removal of a delete marker",
        page=MARKERS,
        event=event("ObjectRemoved:Delete", removed(versionId=MARKER)),
        result={"deleted": 1},
        version_id=MARKER,
        row=DELETED,
    ),
    RealEvent(
        name="removal by nobody who is known",
        page=STRUCTURE,
        event=event("ObjectRemoved:Delete", removed(), by=""),
        result={"deleted": 1},
        row={**DELETED, "deleted_by": "unknown"},
    ),
]

# Versioning off or suspended: `versionId` is missing, or null.
WITHOUT_VERSION = [
    RealEvent(
        name="creation without a version",
        page=SUSPENDED,
        event=event("ObjectCreated:Put", without("versionId", created())),
        there=head(VersionId="null"),
        result={"indexed": 1},
        version_id="null",
        row={**INDEXED, "sequencer": None},
    ),
    RealEvent(
        name="creation whose version is null",
        page=STRUCTURE,
        event=event("ObjectCreated:Put", created(versionId=None)),
        there=head(VersionId="null"),
        result={"indexed": 1},
        version_id="null",
        row=INDEXED,
    ),
    RealEvent(
        name="removal without a version",
        page=STRUCTURE,
        event=event("ObjectRemoved:Delete", without("versionId", removed())),
        result={"deleted": 1},
        version_id="null",
        row=DELETED,
    ),
    RealEvent(
        name="object expired by a rule, without a version",
        page=LIFECYCLE,
        event=event("LifecycleExpiration:Delete", without("versionId", removed()), version="2.3", by=S3_ITSELF),
        result={"deleted": 1},
        version_id="null",
        row=EXPIRED,
    ),
    RealEvent(
        name="delete marker with the version null",
        page=SUSPENDED,
        event=event("ObjectRemoved:DeleteMarkerCreated", removed(versionId="null")),
        there="marker",
        result={"deleted": 1},
        version_id="null",
        row={"delete_marker": True, "uploaded_at": TIME, "upload_day": None},
    ),
]

ENCODED_KEYS = [
    RealEvent(
        name=f"key sent as {sent}",
        page=page,
        event=event("ObjectCreated:Put", created(sent)),
        there=head(),
        result={"indexed": 1},
        key=key,
        row={"key": key, "filename": key.rsplit("/", 1)[-1]},
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
] + [
    RealEvent(
        name="encoded key of a removal",
        page=STRUCTURE,
        event=event("ObjectRemoved:Delete", removed("my+caf%C3%A9%2B.txt")),
        result={"deleted": 1},
        key="my café+.txt",
        row={**DELETED, "key": "my café+.txt", "extension": "txt"},
    )
]

RESTORED = {"lifecycleRestorationExpiryTime": "2026-02-28T00:00:00.000Z", "lifecycleRestoreStorageClass": "GLACIER"}

# Not subscribed to. Somebody who adds them to the notification must not fill the failure queue.
NOT_OURS = [
    RealEvent(name=name, page=page, event=sent, there=head(), result={"ignored": 1})
    for name, page, sent in (
        (
            "restored from Glacier",
            STRUCTURE,
            event(
                "ObjectRestore:Completed",
                created(),
                by=S3_ITSELF,
                glacierEventData={"restoreEventData": RESTORED},
            ),
        ),
        (
            "moved by intelligent tiering",
            TIERING,
            event(
                "IntelligentTiering",
                without("sequencer", created()),
                version="2.3",
                by=S3_ITSELF,
                called="get_object",  # so the page has it
                intelligentTieringEventData={"destinationAccessTier": "DEEP_ARCHIVE_ACCESS"},
            ),
        ),
        (
            "moved by a rule",
            STRUCTURE,
            event(
                "LifecycleTransition",
                created(),
                version="2.3",
                by=S3_ITSELF,
                lifecycleEventData={"transitionEventData": {"destinationStorageClass": "GLACIER"}},
            ),
        ),
        (
            "not replicated",
            STRUCTURE,
            event(
                "Replication:OperationFailedReplication",
                created(),
                version="2.2",
                by=S3_ITSELF,
                replicationEventData={
                    "replicationRuleId": "rule",
                    "destinationBucket": "arn:aws:s3:::elsewhere",
                    "s3Operation": "OBJECT_PUT",
                    "requestTime": TIME,
                    "failureReason": "AssumeRoleNotPermitted",
                },
            ),
        ),
        *(
            (name, TYPES, event(name, created(), version="2.3"))
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

OTHERS = [
    RealEvent(
        name="an object in Glacier",
        page=TYPES,
        event=event("ObjectCreated:Put", created()),
        there=head(StorageClass="GLACIER"),
        result={"indexed": 1},
        row={**INDEXED, "storage_class": "GLACIER"},
    ),
    RealEvent(
        name="a creation with fields that a later version added",
        page=STRUCTURE,
        event=event("ObjectCreated:Put", created(somethingNew={"a": [1]}), version="2.99", moreEventData={"b": None}),
        there=head(),
        result={"indexed": 1},
        row=INDEXED,
    ),
    RealEvent(
        name="a creation of the next major version",
        page=STRUCTURE,
        event=event("ObjectCreated:Put", created(), version="3.0"),
        there=head(),
        error="malformed: Records[0].eventVersion is '3.0'",
    ),
    RealEvent(
        name="the greeting of a new notification",
        page=f"{GUIDE}/how-to-enable-disable-notification-intro.html",
        event={
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": "2026-01-31T12:00:00.000Z",
            "Bucket": BUCKET,
            "RequestId": "5582815E1AEA5ADF",
            "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
        },
        result={},
    ),
    RealEvent(
        name="what failed before, taken out of its message",
        page=DESTINATIONS,
        event=failed(event("ObjectRemoved:Delete", removed()))["requestPayload"],
        result={"deleted": 1},
        row=DELETED,
    ),
    RealEvent(
        name="what failed before, sent with the message around it",
        page=DESTINATIONS,
        event=failed(event("ObjectRemoved:Delete", removed())),
        error="malformed: there is no list of Records",
    ),
    RealEvent(
        name="an event of EventBridge, whose keys are not encoded",
        page=f"{GUIDE}/ev-events.html",
        event={
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": "a+b.txt", "version-id": VERSION}},
        },
        error="malformed: there is no list of Records",
    ),
]

REAL_EVENTS = [*CREATIONS, *REMOVALS, *WITHOUT_VERSION, *ENCODED_KEYS, *NOT_OURS, *OTHERS]
