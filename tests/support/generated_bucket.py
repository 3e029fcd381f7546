"""Fake buckets with a history of uploads and deletions, and with the rows that the indexer writes for it.

The real indexer writes the rows with fakes of S3 and DynamoDB. The listing of the bucket is independent of the rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from lambda_code.settings import Bucket
from lambda_code.update import CUSTOMER_KEY
from tests.support.fakes import START, START_SECONDS, IndexerHarness
from tests.support.strategies import s3_event, s3_record

if TYPE_CHECKING:
    from tests.support.update_expressions import Item


@dataclass(kw_only=True)
class ListedVersion:
    """Object version or delete marker, with the attributes in S3's responses and with its history.

    Attributes:
        size: size in bytes; None for a delete marker.
        checksum: algorithm, value and type of the checksum; None if S3 stores none.
        content: type that the inspector detected; None if it has not read the object.
        mismatch: whether the inspector reported a mismatch.
        encryption: server-side encryption in the HEAD response; SSE-C for a customer-provided key.
        written_from: source of the event that wrote the row: `event` (S3), `tool`, or `null version`.
        deleted: time and principal of the permanent deletion; None if the version exists.
    """

    bucket: str
    key: str
    version_id: str
    last_modified: datetime
    processed_at: datetime
    size: int | None = None
    content_type: str = ""
    storage_class: str = "STANDARD"
    checksum: tuple[str, str, str] | None = None
    content: str | None = None
    mismatch: bool = False
    encryption: str = ""
    written_from: str = "event"
    deleted: tuple[datetime, str] | None = None

    @property
    def marker(self) -> bool:
        return self.size is None

    @property
    def etag(self) -> str:
        return "" if self.marker else f"{self.version_id}-{self.size}"


@dataclass
class GeneratedBucket:
    """Fake bucket that sends an S3 event to the indexer for each change.

    Attributes:
        name: name of the bucket.
        versioned: False if versioning was never enabled.
        harness: the indexer, with fakes of S3 and DynamoDB.
        listing: existing versions and delete markers of each key, oldest first.
        ever: all versions that ever existed, by key and version ID.
    """

    name: str
    versioned: bool = True
    harness: IndexerHarness = field(default_factory=IndexerHarness)
    listing: dict[str, list[ListedVersion]] = field(default_factory=dict)
    ever: dict[tuple[str, str], ListedVersion] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        storage = replace(self.harness.indexer.storage, bucket_name=self.name)
        buckets = {self.name: Bucket(name=self.name, versioned=self.versioned)}
        self.harness.indexer = replace(self.harness.indexer, buckets=buckets, storage=storage)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.harness.clock.now - START_SECONDS)

    @property
    def items(self) -> list[Item]:
        """Rows of the table in DynamoDB's typed form."""
        return list(self.harness.dynamodb.rows.values())

    def versions(self) -> Iterator[tuple[ListedVersion, bool]]:
        """Yield each existing version and delete marker, and whether it is the latest of its key (`IsLatest`)."""
        for versions in self.listing.values():
            for each in versions:
                yield each, each is versions[-1]

    def upload(
        self, key: str, *, size: int, delay: float = 0.5, null: bool = False, by_tool: bool = False, **facts: Any
    ) -> ListedVersion:
        """Upload an object, and send its event to the indexer.

        Args:
            key: object key.
            size: size in bytes.
            delay: seconds from Last-Modified until the indexer processes the event.
            null: whether versioning is suspended during the upload.
            by_tool: whether `backfill` sends the event.
            facts: values of further attributes of `ListedVersion`.
        """
        number = self._start()
        null = null or not self.versioned
        version_id = "null" if null else f"v{number}"
        at = self.now
        self.harness.clock.advance(delay)
        written_from = "null version" if null else "tool" if by_tool else "event"
        version = ListedVersion(
            bucket=self.name,
            key=key,
            version_id=version_id,
            last_modified=at,
            processed_at=self.now,
            size=size,
            written_from=written_from,
            **{"content_type": "text/plain", **facts},
        )
        kept = [each for each in self.listing.get(key, []) if each.version_id != version_id]
        self.listing[key] = [*kept, version]
        self.ever[key, version_id] = version
        self._put(version)
        record = self._record(version, "ObjectCreated:Put", at=at, principal="AWS:uploader", number=number)
        if by_tool:
            del record["s3"]["object"]["sequencer"]
        self._send(record)
        self._inspect(version)
        return version

    def delete(self, key: str, *, by: str) -> None:
        """Delete an object without a version ID. With versioning, this adds a delete marker."""
        number = self._start()
        if not self.versioned:
            for version in self.listing.pop(key, []):
                self._remove(version, by, number)
            return
        marker = ListedVersion(
            bucket=self.name, key=key, version_id=f"m{number}", last_modified=self.now, processed_at=self.now
        )
        self.listing.setdefault(key, []).append(marker)
        self.ever[key, marker.version_id] = marker
        self.harness.s3.markers[key, marker.version_id] = marker.last_modified
        self._send(self._record(marker, "ObjectRemoved:DeleteMarkerCreated", at=self.now, principal=by, number=number))

    def delete_version(self, key: str, place: int, *, by: str) -> None:
        """Delete a version or a delete marker permanently.

        Args:
            key: object key.
            place: index of the version in the list of the key's versions, modulo their number.
            by: principal; `lifecycle` for a lifecycle rule.
        """
        versions = self.listing.get(key, [])
        if not versions or (self.versioned and versions[place % len(versions)].version_id == "null"):
            return
        self._remove(versions.pop(place % len(versions)), by, self._start())

    def _start(self) -> int:
        """Advance the clock to a whole second, as in Last-Modified, and return the number of the change."""
        self.harness.clock.now = float(int(self.harness.clock.now) + 1)
        return next(self._numbers)

    def _put(self, version: ListedVersion) -> None:
        head: dict[str, Any] = {
            "LastModified": version.last_modified,
            "ContentLength": version.size,
            "ETag": f'"{version.etag}"',
            "ContentType": version.content_type,
            "StorageClass": version.storage_class,
            "Metadata": {},
            "VersionId": version.version_id,
        }
        if version.checksum:
            algorithm, value, kind = version.checksum
            head |= {f"Checksum{algorithm}": value, "ChecksumType": kind}
        if version.encryption != CUSTOMER_KEY:
            head |= {"ServerSideEncryption": version.encryption} if version.encryption else {}
            self.harness.s3.customer_keys -= {(version.key, version.version_id), (version.key, None)}
        else:
            self.harness.s3.customer_keys |= {(version.key, version.version_id), (version.key, None)}
        self.harness.s3.put(version.key, version.version_id, head)

    def _remove(self, version: ListedVersion, by: str, number: int) -> None:
        version.deleted = (self.now, by)
        self.harness.s3.delete(version.key, version.version_id)
        self.harness.s3.customer_keys -= {(version.key, version.version_id), (version.key, None)}
        name = "LifecycleExpiration:Delete" if by == "lifecycle" else "ObjectRemoved:Delete"
        self._send(self._record(version, name, at=self.now, principal=by, number=number))

    def _record(
        self, version: ListedVersion, name: str, *, at: datetime, principal: str, number: int
    ) -> dict[str, Any]:
        record = s3_record(
            version.key,
            version_id=None if version.version_id == "null" else version.version_id,
            event_name=name,
            bucket=self.name,
            size=version.size,
            etag=version.etag,
            event_time=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            sequencer=f"{number:016X}",
        )
        record["userIdentity"] = {"principalId": principal}
        return record

    def _send(self, record: dict[str, Any]) -> None:
        self.harness.handle(s3_event(record))

    def _inspect(self, version: ListedVersion) -> None:
        """Add the attribute `content` to a row, as the inspector does."""
        if version.content is None or version.encryption == CUSTOMER_KEY:
            return
        item = self.harness.dynamodb.rows[f"{self.name}/{version.key}", version.version_id]
        item["content"] = TypeSerializer().serialize({"type": version.content})
        item["content_of"] = item["etag"]
        if version.mismatch:
            item["mismatch"] = {"BOOL": True}
