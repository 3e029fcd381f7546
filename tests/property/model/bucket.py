"""A bucket as S3 keeps it: versions, delete markers, suspended versioning, lifecycle, and the events about all that.

It also remembers what a real bucket forgets, and the invariants need: everything that ever was at an address, and who
took it away and when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lambda_code.events import NULL_VERSION
from lambda_code.metadata import format_time
from tests.support.strategies import Json, head, s3_record

Address = tuple[str, str]  # key, version id

WAYS = ("Put", "Post", "Copy", "CompleteMultipartUpload")
USER = "AWS:AIDAJDPLRKLG7UEXAMPLE"
LIFECYCLE = "s3.amazonaws.com"  # the principal of what S3 does by itself

# One content, one description: a listing shows the first only, so an audit could not see the second change alone.
CONTENTS: tuple[dict[str, Any], ...] = (
    {"ContentLength": 0, "ContentType": "text/plain"},
    {"ContentLength": 3, "ContentType": "image/jpeg", "Metadata": {"owner": "a"}},
    {"ContentLength": 5 * 2**30, "Metadata": {"owner": "b", "note": "n"}, "ServerSideEncryption": None},
)


@dataclass(frozen=True, kw_only=True)
class Version:
    """What is, or was, at an address."""

    key: str
    version_id: str
    put_at: datetime
    marker: bool = False
    content: int = 0  # index of CONTENTS
    parts: int = 0  # of a multipart upload
    readable: datetime | None = None  # from when on; S3 may answer 404 for a new version, for a quarter of an hour

    @property
    def address(self) -> Address:
        return self.key, self.version_id

    @property
    def etag(self) -> str:
        digest = hashlib.md5(str(self.content).encode(), usedforsecurity=False).hexdigest()
        return f"{digest}-{self.parts}" if self.parts else digest

    @property
    def last_modified(self) -> datetime:
        return self.put_at.replace(microsecond=0)  # S3 reports whole seconds

    @property
    def size(self) -> int:
        size: int = CONTENTS[self.content]["ContentLength"]
        return size

    def head(self) -> dict[str, Any]:
        """S3's answer to HeadObject about an object."""
        response = head(VersionId=self.version_id, LastModified=self.last_modified, ETag=f'"{self.etag}"')
        del response["ContentType"]
        response |= CONTENTS[self.content]
        return {name: value for name, value in response.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Removal:
    """That a version was taken away."""

    time: str  # as rows have it
    by: str


@dataclass
class Bucket:
    """Versions by key, the oldest first; `tell` is given the record of every change."""

    now: Callable[[], datetime]
    notify: Callable[[Json], None]
    unnamed: tuple[str, ...] = ("ObjectCreated:",)  # events that leave the version out where it is `null`
    suspended: bool = False
    versions: dict[str, list[Version]] = field(default_factory=dict)
    ever: dict[Address, list[Version]] = field(default_factory=dict)
    removals: dict[Address, list[Removal]] = field(default_factory=dict)
    event_times: dict[Address, set[str]] = field(default_factory=dict)  # event times of creations and markers
    changes: int = 0

    def upload(self, key: str, *, way: str = "Put", content: int = 0, unreadable: float = 0.0) -> None:
        """Put, post, copy, or complete a multipart upload; the new version answers 404 for `unreadable` seconds."""
        self._add(
            key,
            event_name=f"ObjectCreated:{way}",
            content=content,
            parts=2 if way == "CompleteMultipartUpload" else 0,
            unreadable=unreadable,
        )

    def delete(self, key: str, *, lifecycle: bool = False) -> None:
        """Delete without naming a version: that is a marker on top."""
        kind = "LifecycleExpiration" if lifecycle else "ObjectRemoved"
        self._add(key, event_name=f"{kind}:DeleteMarkerCreated", marker=True, lifecycle=lifecycle)

    def delete_version(self, version: Version, *, lifecycle: bool = False) -> None:
        """Delete one version, or one marker, for good."""
        kind = "LifecycleExpiration" if lifecycle else "ObjectRemoved"
        record = self._record(version, f"{kind}:Delete", lifecycle=lifecycle)
        self._remove(version, time=record["eventTime"], by="lifecycle" if lifecycle else USER)
        self._announce(record)

    def expire(self, key: str) -> None:
        """What a lifecycle rule does to a key whose days are over: one step at a time, as S3 does."""
        match self.versions.get(key, []):
            case [*_, last] if not last.marker:
                self.delete(key, lifecycle=True)
            case [first, *_]:  # a noncurrent version, or at last the marker that hides nothing
                self.delete_version(first, lifecycle=True)

    def current(self, key: str) -> Version | None:
        """The version that a request without a version id is about."""
        versions = self.versions.get(key)
        return versions[-1] if versions else None

    def at(self, address: Address) -> Version | None:
        """What is at an address now."""
        return next((each for each in self.versions.get(address[0], []) if each.address == address), None)

    def listing(self) -> list[Version]:
        """Every version and marker, in key order."""
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
        lifecycle: bool = False,
    ) -> None:
        put_at = self.now()
        version = Version(
            key=key,
            version_id=NULL_VERSION if self.suspended else f"v{self.changes:04}",
            put_at=put_at,
            marker=marker,
            content=content,
            parts=parts,
            # what comes in the place of an older `null` is not new to S3
            readable=None if self.suspended or marker or not unreadable else put_at + timedelta(seconds=unreadable),
        )
        if replaced := self.at(version.address):  # no event tells of that
            self._remove(replaced, time=format_time(put_at), by="replaced")
        self.versions.setdefault(key, []).append(version)
        self.ever.setdefault(version.address, []).append(version)
        record = self._record(version, event_name, lifecycle=lifecycle)
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
            size=version.size if created else None,  # of what is removed, S3 tells no more than its name
            etag=version.etag if created else None,
            event_time=format_time(self.now()),
            sequencer=f"{self.changes:018X}",
        )
        record["userIdentity"] = {"principalId": LIFECYCLE if lifecycle else USER}
        return record

    def _announce(self, record: Json) -> None:
        self.changes += 1
        self.notify(record)
