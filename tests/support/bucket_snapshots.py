"""Generates buckets whose rows have errors, with an inventory of the bucket and an export of the table.

The inventory and the export may have different times. As in S3, the inventory may lack versions of its last 48 hours,
and may contain versions that were deleted in this time.
"""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from lambda_code.metadata import format_time
from operations.listing import KeyFilter, Version
from tests.support.attack_keys import ATTACK_KEYS
from tests.support.generated_bucket import GeneratedBucket, ListedVersion
from tests.support.update_expressions import plain

if TYPE_CHECKING:
    from operations.aws import HeadResponse, Row
    from tests.support.update_expressions import Item

UNRELIABLE = timedelta(hours=48)
STATUSES = {"": "NOT-SSE", "AES256": "SSE-S3", "aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS", "SSE-C": "SSE-C"}
"""Maps the encryption of an object version to the encryption status in an inventory."""
LATER_CLASSES = ("STANDARD_IA", "GLACIER_IR", "DEEP_ARCHIVE")
NAMES = ("a", "a/b.PDF", "a/b", "b/c.tar.gz", "b/é+ü .TXT", *ATTACK_KEYS)
FILTERS = (None, None, None, None, (("a", ""),), (("", ".PDF"), ("b/", ".gz")))
VALUES: dict[str, list[Any]] = {
    **{key: ["other"] for key in ("etag", "filename", "extension", "bucket", "key", "content_of")},
    "size_bytes": [7, None],
    "storage_class": ["DEEP_ARCHIVE", "SNOW", None],
    "upload_day": ["2026-01-01", None],
    "deleted_at": ["2026-01-31T12:00:00.000Z"],
    "content_type": [None],
    "encryption": ["aws:kms", "SSE-C", None],
    "no uploaded_at": [None],
}
"""Maps names of row attributes to wrong values. The value None removes the attribute."""
SHIFTS = (-100_000, -100_000, -3, 1, 3, 100_000)
"""Differences in seconds between a wrong and the correct value of the row attribute `uploaded_at`."""
DAMAGES = (*VALUES, "missing", "stale", "unknown version", "transition", "uploaded_at", "uploaded_at", "delete_marker")
"""Kinds of errors: damage of a row, or a change of an object version without an event."""


@dataclass
class Snapshots:
    """Random bucket whose table has errors, with an inventory of the bucket and an export of the table.

    Attributes:
        rng: random number generator.
        damages: kinds of the errors that the inventory and the export show.
        uncertain: object keys and version IDs of errors that the inventory or the export may not show.
        listed: versions in the inventory.
        exported_rows: rows in the export.
        changed: whether the bucket changed after the errors in `damages`.
    """

    rng: random.Random
    bucket: GeneratedBucket = field(init=False)
    damages: list[str] = field(default_factory=list)
    uncertain: set[tuple[str, str]] = field(default_factory=set)
    listed: list[ListedVersion] = field(default_factory=list)
    exported_rows: list[Item] = field(default_factory=list)
    changed: bool = False

    def __post_init__(self) -> None:
        self.bucket = GeneratedBucket("uploads", versioned=self.rng.random() < 0.8)
        self.key_filter = KeyFilter(self.rng.choice(FILTERS))
        self.prefix = self.rng.choice(["", "", "", "", "", "a", "b/"])
        self._keys = self.rng.sample(NAMES, self.rng.randint(1, 5))
        for _ in range(self.rng.randint(1, 14)):
            self._change()
            self._wait(timedelta(hours=self.rng.choice([0, 0, 1, 30])))
        self._begin = self.bucket.now
        for _ in range(self.rng.choice([0, 1, 2, 3, 5, 8])):
            self._damage(self.rng.choice(DAMAGES))
        settled = self._begin + timedelta(hours=self.rng.choice([6, 6, 300]))
        self.created = settled + UNRELIABLE
        self.exported = self.rng.choice(
            [
                self.created,
                self.created,
                self.created + timedelta(hours=self.rng.uniform(0, 36)),
                self.created + timedelta(minutes=self.rng.uniform(-9, 9)),
                self.created + timedelta(days=self.rng.uniform(1, 20)),
                settled + timedelta(hours=self.rng.uniform(0, 48)),
                self._begin + timedelta(hours=self.rng.uniform(0, 6)),
            ]
        )
        self._live()
        if self.changed:
            for _ in range(self.rng.choice([0, 0, 1])):
                self._damage(self.rng.choice(DAMAGES), late=True)

    @property
    def limit(self) -> datetime:
        """Time from which the inventory or the export may lack changes, so that the audit does not compare them."""
        return min(self.created - UNRELIABLE, self.exported)

    @property
    def versions(self) -> list[Version]:
        """Versions that the bucket contains now."""
        return [_version(each) for each, _ in self.bucket.versions()]

    @property
    def rows(self) -> list[Row]:
        """Rows that the table contains now."""
        return [_plain(each) for each in self.bucket.items]

    @property
    def heads(self) -> dict[tuple[str, str], HeadResponse]:
        """Responses of S3 to HEAD requests for all present versions, by object key and version ID."""
        return {
            (each.key, each.version_id): {
                **self.bucket.harness.s3.heads[each.key, each.version_id],
                "StorageClass": each.storage_class,
            }
            for each, _ in self.bucket.versions()
            if not each.marker
        }

    def inventory_lines(self) -> list[dict[str, Any]]:
        """Return the lines of the inventory as dictionaries with the column names as keys."""
        lines: list[dict[str, Any]] = []
        for each in self.listed:
            line: dict[str, Any] = {"bucket": each.bucket, "key": each.key, "version_id": each.version_id}
            line |= {"delete_marker": each.marker, "uploaded_at": f"{each.last_modified:%Y-%m-%d %H:%M:%S}"}
            if not each.marker:
                line |= {"size_bytes": each.size, "etag": each.etag, "storage_class": each.storage_class}
                line |= {"encryption": STATUSES[each.encryption]}
            lines.append(line)
        return lines

    def export(self) -> list[Row]:
        """Return the rows of the export with Python values."""
        return [_plain(each) for each in self.exported_rows]

    def _live(self) -> None:
        """Change the bucket at random times, and record the inventory and the export at their times."""
        end = max(self.created, self.exported) + timedelta(hours=12)
        number = self.rng.choice([0, 0, 3, 8])
        seconds = (end - self._begin).total_seconds()
        times = sorted(self._begin + timedelta(seconds=self.rng.uniform(0, seconds)) for _ in range(number))
        settled, certain, seen = self.created - UNRELIABLE, self._listing(), self._listing()
        exported = False
        for time in [*times, end]:
            if not exported and time >= self.exported:
                self.exported_rows, exported = deepcopy(self.bucket.items), True
            self._wait(time - self.bucket.now)
            if time == end:
                break
            self._change()
            self.changed = True
            if self.bucket.now < settled:
                certain, seen = self._listing(), self._listing()
            elif self.bucket.now < self.created:
                certain = [each for each in certain if each in self._listing()]
                seen += [each for each in self._listing() if each not in seen]
        uncertain = [each for each in seen if each not in certain and self.rng.random() < 0.5]
        self.listed = [deepcopy(each) for each in (*certain, *uncertain)]

    def _listing(self) -> list[ListedVersion]:
        return [each for each, _ in self.bucket.versions()]

    def _wait(self, duration: timedelta) -> None:
        self.bucket.harness.clock.advance(max(0.0, duration.total_seconds()))

    def _change(self) -> None:
        key, rng = self.rng.choice(self._keys), self.rng
        match rng.choice(["upload", "upload", "upload", "delete", "delete version"]):
            case "upload":
                self.bucket.upload(
                    key,
                    size=rng.choice([0, 5, 5 * 2**40]),
                    delay=rng.choice([0.0, 0.5, 2.0]),
                    null=rng.random() < 0.2,
                    content=rng.choice([None, "text/plain"]),
                    storage_class=rng.choice(["STANDARD", "STANDARD", "GLACIER", "REDUCED_REDUNDANCY"]),
                    encryption=rng.choice(["AES256", "AES256", "AES256", *STATUSES]),
                )
            case "delete":
                self.bucket.delete(key, by="AWS:AIDA1")
            case _:
                self.bucket.delete_version(key, rng.randrange(9), by="lifecycle")

    def _damage(self, kind: str, *, late: bool = False) -> None:
        """Cause an error: damage the row of a random version, or change the version without an event.

        Args:
            kind: one of `DAMAGES`.
            late: whether the inventory and the export are older than the error.
        """
        rows = self.bucket.harness.dynamodb.rows
        existing = [each for each in self._listing() if (f"uploads/{each.key}", each.version_id) in rows]
        if not existing:
            return
        markers = [each for each in existing if each.marker]
        version = self.rng.choice(markers if markers and self.rng.random() < 0.5 else existing)
        address = f"uploads/{version.key}", version.version_id
        self.damages += [] if late else [kind]
        match kind:
            case "missing":
                del rows[address]
            case "stale":
                self.bucket.listing[version.key].remove(version)
            case "unknown version":
                rows[address[0], "v0"] = {**deepcopy(rows[address]), "version_id": {"S": "v0"}}
                # If the original row has a wrong time, the copied row has the same wrong time.
                uncertain = late or (version.key, version.version_id) in self.uncertain
                self.uncertain |= {(version.key, "v0")} if uncertain else set()
            case "transition" if not version.marker:
                version.storage_class = self.rng.choice(LATER_CLASSES)
            case "uploaded_at":
                time = version.last_modified + timedelta(seconds=self.rng.choice(SHIFTS))
                _set(rows[address], kind, format_time(time))
                # For the version `null`, the audit cannot distinguish a wrong later time from a later upload.
                late = late or time >= self._begin
            case "delete_marker":
                _set(rows[address], kind, None if version.marker else True)
            case _ if kind in VALUES:
                _set(rows[address], kind.removeprefix("no "), self.rng.choice(VALUES[kind]))
        self.uncertain |= {(version.key, version.version_id)} if late else set()


def _set(item: Item, name: str, value: object) -> None:
    item.pop(name, None)
    if value is not None:
        item[name] = TypeSerializer().serialize(value)


def _version(listed: ListedVersion) -> Version:
    return Version(
        key=listed.key,
        version_id=listed.version_id,
        last_modified=listed.last_modified,
        marker=listed.marker,
        size=listed.size or 0,
        etag=listed.etag,
        storage_class=listed.storage_class,
    )


def _plain(item: Item) -> Row:
    return {name: plain(value) for name, value in item.items()}
