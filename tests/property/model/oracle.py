"""What a row must say, may say and must not say, worked out from what the bucket was and is.

Every function answers with complaints, so that a test can show all of them; no complaint is good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION
from tests.support.fakes import BUCKET, RETENTION_DAYS
from tests.support.rows import expected_row, extension, format_time

if TYPE_CHECKING:
    from tests.property.model.bucket import Address, Bucket, Version

Row = dict[str, Any]

SECONDS_OF_A_DAY = 86_400

ALWAYS = {"event_name", "request_id", "processed_at", "schema_version"}
PROVENANCE = ALWAYS | {"event_time", "sequencer"}
DELETION = {"deleted_at", "deleted_by", "expires_at"}
EVENT_ATTRIBUTES = {
    "size_bytes",
    "etag",
    "uploaded_at",
    "upload_day",
}  # the attributes that an event reports without a HEAD of the object
TOLERANCE = 2.0  # seconds by which a marker's time may be off: its event's is not quite its Last-Modified
AUDIT = "tapstack:audit"


@dataclass
class Oracle:
    """Compares rows with a bucket.

    Attributes:
        unreadable_versions: versions for which S3 has answered 404, so that a row may have an event's words.
        unreported: addresses of which no event was sent while they existed, nor when they went.
        audited: the times at which an audit found that something was gone.
        expired: addresses whose rows were deleted as their time was over.
    """

    bucket: Bucket
    unreadable_versions: set[Address] = field(default_factory=set)
    unreported: set[Address] = field(default_factory=set)
    audited: set[str] = field(default_factory=set)
    expired: set[Address] = field(default_factory=set)

    def unsound(self, row: Row) -> Iterator[str]:
        """What a row says that never was so. Holds at any time, also when half of the events are still on their way."""
        address = row["key"], row["version_id"]
        if row["object_id"] != f"{BUCKET}/{row['key']}" or address not in self.bucket.ever:
            yield f"{row['object_id']!r} {row['version_id']} never existed"
            return
        if missing := ALWAYS - row.keys():
            yield f"{address} has no {missing}"
        if row["version_id"] == NULL_VERSION:  # may still be about what was there before
            return
        [version] = self.bucket.ever[address]
        wanted = self._marker(version) if version.marker else self._object(version)
        found = {name: value for name, value in row.items() if name not in PROVENANCE | DELETION}
        if "content_type" not in found:
            # the event's time stands for Last-Modified
            times = {format_time(version.last_modified), *self.bucket.event_times[address]}
            if found.pop("uploaded_at", None) not in {None, *times}:
                yield f"{address} has uploaded_at {row['uploaded_at']}, not one of {times}"
            days = {} if version.marker else {time[:10] for time in times}
            if found.pop("upload_day", None) not in {None, *days}:
                yield f"{address} has upload_day {row['upload_day']}"
        for name, value in found.items():
            if value != wanted.get(name):
                yield f"{address} has {name} {value!r}, not {wanted.get(name)!r}"
        yield from self._wrongly_deleted(row, address)

    def incomplete(self, address: Address, row: Row | None) -> Iterator[str]:
        """What is wrong with the row of an address about which every event has been worked on."""
        version = self.bucket.at(address)
        if version is None:
            yield from self._incomplete_of_removed(address, row)
        elif row is None:
            yield f"{address} has no row"
        elif version.address in self.unreadable_versions and "content_type" not in row:
            if missing := EVENT_ATTRIBUTES - row.keys():
                yield f"{address}, which answered 404, lacks {missing}"
            yield from _unwanted(address, row, DELETION | {"delete_marker"})
        else:
            yield from self._differences(version, row)

    def _differences(self, version: Version, row: Row) -> Iterator[str]:
        """Against the row of a version that is there, and that could be read."""
        address = version.address
        wanted = self._marker(version) if version.marker else self._object(version)
        found = {name: value for name, value in row.items() if name not in PROVENANCE}
        if version.marker:
            uploaded_at = found.pop("uploaded_at", None)
            late = datetime.fromisoformat(uploaded_at or "0001-01-01T00:00:00Z") - version.last_modified
            if abs(late.total_seconds()) > TOLERANCE:
                yield f"the marker {address} has uploaded_at {uploaded_at}, not {version.last_modified}"
        for name in sorted(wanted.keys() | found.keys()):
            if wanted.get(name) != found.get(name):
                yield f"{address} has {name} {found.get(name)!r}, not {wanted.get(name)!r}"

    def _incomplete_of_removed(self, address: Address, row: Row | None) -> Iterator[str]:
        if row is None:
            if address not in self.expired | self.unreported:
                yield f"{address} is gone from the bucket, and has no row that says so"
        elif missing := DELETION - row.keys():
            yield f"{address} is gone, but its row lacks {missing}"

    def _wrongly_deleted(self, row: Row, address: Address) -> Iterator[str]:
        if not row.keys() & DELETION:
            return
        removals = self.bucket.removals.get(address, [])
        if not removals:
            yield f"{address} was never deleted, but its row says so"
            return
        found = {(each.time, each.by) for each in removals} | {(time, AUDIT) for time in self.audited}
        if (row.get("deleted_at"), row.get("deleted_by")) not in found:
            yield f"{address} was not deleted at {row.get('deleted_at')} by {row.get('deleted_by')}, but {removals}"
            return
        deleted = datetime.fromisoformat(row["deleted_at"])
        if abs(row["expires_at"] - deleted.timestamp() - RETENTION_DAYS * SECONDS_OF_A_DAY) >= 1:  # whole seconds
            yield f"{address} was deleted at {deleted} and expires at {row['expires_at']}"

    @staticmethod
    def _object(version: Version) -> Row:
        head = {"ContentType": "binary/octet-stream", "Metadata": {}, **version.head()}
        return expected_row(BUCKET, version.key, head)

    @staticmethod
    def _marker(version: Version) -> Row:
        """All but `uploaded_at`, of which there are two truths: the event's time, and Last-Modified."""
        filename = version.key[version.key.rfind("/") + 1 :]
        return {
            "object_id": f"{BUCKET}/{version.key}",
            "version_id": version.version_id,
            "bucket": BUCKET,
            "key": version.key,
            "filename": filename,
            "extension": extension(filename),
            "delete_marker": True,
        }


def _unwanted(address: Address, row: Row, names: Iterable[str]) -> Iterator[str]:
    for name in sorted(row.keys() & set(names)):
        yield f"{address} has {name} {row[name]!r}"
