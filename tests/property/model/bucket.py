"""Model of an S3 bucket: versions, delete markers, suspended or no versioning, lifecycle rules, and S3 events.

Unlike a real bucket, the model also keeps deleted versions, and the time and principal of each deletion, because the
invariants require them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lambda_code.events import NULL_VERSION
from lambda_code.metadata import format_time
from tests.support.eventbridge import ACCOUNT
from tests.support.strategies import Json, head, s3_record

Address = tuple[str, str]  # object key and version ID of one object version

WAYS = ("Put", "Post", "Copy", "CompleteMultipartUpload")
USER = "AWS:AIDAJDPLRKLG7UEXAMPLE"
LIFECYCLE = "s3.amazonaws.com"  # principal ID in events about actions of lifecycle rules

# Objects with different metadata also have different sizes, because an audit cannot detect a change of metadata alone.
CONTENTS: tuple[dict[str, Any], ...] = (
    {"ContentLength": 0, "ContentType": "text/plain"},
    {"ContentLength": 3, "ContentType": "image/jpeg", "Metadata": {"owner": "a"}},
    {"ContentLength": 5 * 2**30, "Metadata": {"owner": "b", "note": "n"}, "ServerSideEncryption": None},
)


@dataclass(frozen=True, kw_only=True)
class Version:
    """Object version or delete marker of the model bucket, possibly deleted in the meantime."""

    key: str
    version_id: str
    put_at: datetime
    marker: bool = False
    content: int = 0  # index in CONTENTS, the list of possible object contents
    parts: int = 0  # number of parts of a multipart upload; 0 for other uploads
    customer_key: bool = False  # whether HEAD fails, because the object is encrypted with a customer-provided key
    kms_key: bool = False  # whether HEAD fails for the checksum, because the indexer must not use the object's KMS key
    readable: datetime | None = None  # time until which HEAD returns 404; None if the object is readable immediately

    @property
    def address(self) -> Address:
        return self.key, self.version_id

    @property
    def etag(self) -> str:
        digest = hashlib.md5(str(self.content).encode(), usedforsecurity=False).hexdigest()
        return f"{digest}-{self.parts}" if self.parts else digest

    @property
    def last_modified(self) -> datetime:
        return self.put_at.replace(microsecond=0)  # S3 reports Last-Modified in whole seconds.

    @property
    def size(self) -> int:
        size: int = CONTENTS[self.content]["ContentLength"]
        return size

    def head(self) -> dict[str, Any]:
        """Return S3's response to a HEAD of this object version."""
        response = head(VersionId=self.version_id, LastModified=self.last_modified, ETag=f'"{self.etag}"')
        del response["ContentType"]
        response |= CONTENTS[self.content]
        if self.kms_key:
            response |= {"ServerSideEncryption": "aws:kms", "ChecksumCRC64NVME": None, "ChecksumType": None}
        return {name: value for name, value in response.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Deletion or replacement of a version."""

    time: str  # time in UTC, such as `2026-01-31T12:00:00.000Z`
    by: str


@dataclass
class Bucket:
    """Model of an S3 bucket, with its versions by object key.

    Attributes:
        notify: receives the event record of every change, and whether EventBridge delivers it.
        existing: whether the stack does not own the bucket, so that an object can have a KMS key that is forbidden for
            the indexer.
        eventbridge: whether EventBridge delivers the next events, instead of S3 notifications. The time of an
            EventBridge event is in whole seconds, and its principal is an account.
        unnamed: beginnings of event names whose events omit the version ID `null`.
        versioned: whether versioning was ever enabled. In an unversioned bucket, each object has the version ID `null`.
        suspended: whether versioning is suspended now.
        versions: existing versions by key, the oldest first.
        subjects: the version that each event of S3 is about, by the sequencer of the event.
        unidentified: versions whose creation event has no version ID, although the version has one.
        event_times: event times of uploads and delete markers.
    """

    now: Callable[[], datetime]
    notify: Callable[[Json, bool], None]
    unnamed: tuple[str, ...] = ("ObjectCreated:",)
    versioned: bool = True
    suspended: bool = False
    existing: bool = False
    eventbridge: bool = False
    versions: dict[str, list[Version]] = field(default_factory=dict)
    ever: dict[Address, list[Version]] = field(default_factory=dict)
    removals: dict[Address, list[Removal]] = field(default_factory=dict)
    subjects: dict[str, Address] = field(default_factory=dict)
    unidentified: set[Address] = field(default_factory=set)
    event_times: dict[Address, set[str]] = field(default_factory=dict)
    changes: int = 0

    def upload(
        self,
        key: str,
        *,
        way: str = "Put",
        content: int = 0,
        unreadable: float = 0.0,
        customer_key: bool = False,
        kms_key: bool = False,
        named: bool = True,
    ) -> None:
        """Upload a new version of an object.

        Args:
            key: object key.
            way: last part of the event name.
            content: index in CONTENTS.
            unreadable: time after the upload during which HEAD returns 404 for a version with an ID, in seconds.
            customer_key: whether the object is encrypted with a customer-provided key, so that HEAD fails.
            kms_key: whether the indexer must not use the KMS key of the object, if the stack does not own the bucket.
            named: whether the event has the ID of the version. It may lack the ID just after versioning was enabled.
        """
        self._add(
            key,
            event_name=f"ObjectCreated:{way}",
            content=content,
            parts=2 if way == "CompleteMultipartUpload" else 0,
            unreadable=unreadable,
            customer_key=customer_key and not self.suspended,
            # The oracle does not describe a row of the version `null` that has only attributes of the event.
            kms_key=kms_key and self.existing and not customer_key and not self.suspended,
            named=named,
        )

    def delete(self, key: str, *, lifecycle: bool = False) -> None:
        """Delete an object without a version ID, which adds a delete marker if the bucket is versioned."""
        if not self.versioned:
            if version := self.current(key):
                self.delete_version(version, lifecycle=lifecycle)
            return
        kind = "LifecycleExpiration" if lifecycle else "ObjectRemoved"
        self._add(key, event_name=f"{kind}:DeleteMarkerCreated", marker=True, lifecycle=lifecycle)

    def delete_version(self, version: Version, *, lifecycle: bool = False) -> None:
        """Delete a version or a delete marker permanently."""
        kind = "LifecycleExpiration" if lifecycle else "ObjectRemoved"
        record = self._record(version, f"{kind}:Delete", lifecycle=lifecycle)
        self._remove(
            version, time=record["eventTime"], by="lifecycle" if lifecycle else record["userIdentity"]["principalId"]
        )
        self._announce(record)

    def expire(self, key: str) -> None:
        """Apply a lifecycle rule to an expired object. Each call either adds a delete marker or deletes one version."""
        match self.versions.get(key, []):
            case [*_, last] if not last.marker:
                self.delete(key, lifecycle=True)
            case [first, *_]:  # The oldest version is noncurrent, or is a delete marker without other versions.
                self.delete_version(first, lifecycle=True)

    def current(self, key: str) -> Version | None:
        """Return the current version of an object, which may be a delete marker."""
        versions = self.versions.get(key)
        return versions[-1] if versions else None

    def at(self, address: Address) -> Version | None:
        """Return the existing version with this object key and version ID, or None."""
        return next((each for each in self.versions.get(address[0], []) if each.address == address), None)

    def listing(self) -> list[Version]:
        """Return all versions and delete markers, sorted by key, the newest first."""
        return [each for key in sorted(self.versions) for each in reversed(self.versions[key])]

    def _add(
        self,
        key: str,
        *,
        event_name: str,
        content: int = 0,
        parts: int = 0,
        marker: bool = False,
        unreadable: float = 0.0,
        customer_key: bool = False,
        kms_key: bool = False,
        lifecycle: bool = False,
        named: bool = True,
    ) -> None:
        put_at = self.now()
        version = Version(
            key=key,
            version_id=NULL_VERSION if self.suspended else f"v{self.changes:04}",
            put_at=put_at,
            marker=marker,
            content=content,
            parts=parts,
            customer_key=customer_key,
            kms_key=kms_key,
            # The model delays only objects with a new version ID. HEAD finds an object of version `null` immediately.
            readable=None if self.suspended or marker or not unreadable else put_at + timedelta(seconds=unreadable),
        )
        # A version with the ID `null` replaces the previous one. S3 sends no event about the replaced version.
        if replaced := self.at(version.address):
            self._remove(replaced, time=format_time(put_at), by="replaced")
        self.versions.setdefault(key, []).append(version)
        self.ever.setdefault(version.address, []).append(version)
        record = self._record(version, event_name, lifecycle=lifecycle)
        if not named and version.version_id != NULL_VERSION:
            del record["s3"]["object"]["versionId"]
            self.unidentified.add(version.address)
        self.event_times.setdefault(version.address, set()).add(record["eventTime"])
        self._announce(record)

    def _remove(self, version: Version, *, time: str, by: str) -> None:
        self.versions[version.key] = [each for each in self.versions[version.key] if each is not version]
        self.removals.setdefault(version.address, []).append(Removal(time=time, by=by))

    def _record(self, version: Version, event_name: str, *, lifecycle: bool) -> Json:
        created = event_name.startswith("ObjectCreated:")
        nameless = version.version_id == NULL_VERSION and event_name.startswith(self.unnamed)
        record = s3_record(
            version.key,
            version_id=None if nameless else version.version_id,
            event_name=event_name,
            size=version.size if created else None,  # Deletion events of this model have no size and no ETag.
            etag=version.etag if created else None,
            event_time=format_time(self.now().replace(microsecond=0) if self.eventbridge else self.now()),
            sequencer=f"{self.changes:018X}",
        )
        self.subjects[record["s3"]["object"]["sequencer"]] = version.address
        record["userIdentity"] = {"principalId": LIFECYCLE if lifecycle else ACCOUNT if self.eventbridge else USER}
        return record

    def _announce(self, record: Json) -> None:
        self.changes += 1
        self.notify(record, self.eventbridge)
