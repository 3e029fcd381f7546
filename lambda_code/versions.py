"""A record → what is asked of S3 and written to the row of its version: case by case, in the order it happens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_code import metadata
from lambda_code.events import NULL_VERSION, Kind
from lambda_code.metadata import DeleteMarker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from lambda_code.events import Record
    from lambda_code.metadata import Attributes, Look, Update


class Result(StrEnum):
    """What became of a record; also the word in the log."""

    INDEXED = "indexed"  # its row was written, or says something new
    DUPLICATE = "duplicate"  # its row already said it all
    DELETED = "deleted"  # its row now says that the version was deleted, or is a delete marker
    GONE = "gone"  # its object could not be read any more (or yet): the row has the event's own words
    IGNORED = "ignored"  # it says nothing that a row holds
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes what one record tells. Whatever `head` and `update` raise passes through."""

    record: Record
    provenance: Attributes
    head: Callable[[str | None], Look]  # of the record's key, by version id; None: the current version
    update: Callable[[Update], Mapping[str, Any]]  # returns the row as it was before
    now: Callable[[], datetime]
    retention_days: int  # 0: for ever

    def write(self) -> tuple[Result, str | None]:
        """Write the row; what became of the record, and of which version."""
        record = self.record
        if record.kind is Kind.OTHER:
            return Result.IGNORED, record.version_id
        if record.version_id is None:
            return self._current_version()
        if record.version_id == NULL_VERSION:
            return self._null_version(self.head(NULL_VERSION)), NULL_VERSION
        return self._version(record.version_id), record.version_id

    def _version(self, version_id: str) -> Result:
        """A version with an id of its own: what is told about it stays true."""
        if self.record.kind is Kind.DELETED:
            deletion = metadata.from_deletion(
                self.record, self._deletion(), version_id=version_id, provenance=self.provenance
            )
            return self._told(deletion, Result.DELETED)
        seen = DeleteMarker() if self.record.kind is Kind.MARKER else self.head(version_id)
        if isinstance(seen, DeleteMarker):
            marker = metadata.from_marker(self.record, seen, version_id=version_id, provenance=self.provenance)
            return self._told(marker, Result.DELETED)
        if seen is None:
            self.update(metadata.from_event(self.record, version_id=version_id, provenance=self.provenance))
            return Result.GONE
        return self._told(metadata.from_head(self.record, seen, provenance=self.provenance), Result.INDEXED)

    def _current_version(self) -> tuple[Result, str | None]:
        """A record written by hand that names no version, whatever it says has happened."""
        seen = self.head(None)
        if seen is None or isinstance(seen, DeleteMarker):
            return Result.GONE, None  # without a version there is no row that this could be about
        if (version_id := seen.get("VersionId") or NULL_VERSION) == NULL_VERSION:
            return self._null_version(seen), version_id
        return self._told(metadata.from_head(self.record, seen, provenance=self.provenance), Result.INDEXED), version_id

    def _null_version(self, seen: Look) -> Result:
        """The one version that can be replaced: any event about it means "read again".

        It can also be replaced between reading and writing, and two functions can do this at once: whoever writes looks
        again, so the last word about the row is about what is there.
        """
        anything_new = False
        while True:
            result, new = self._write_null_version(seen)
            anything_new |= new
            again = self.head(NULL_VERSION)
            if again == seen:
                return result if anything_new or result is Result.GONE else Result.DUPLICATE
            seen = again

    def _write_null_version(self, seen: Look) -> tuple[Result, bool]:
        """Write what was seen; what that makes of the record, and whether the row says something new."""
        record, provenance = self.record, self.provenance
        if isinstance(seen, DeleteMarker):
            marker = metadata.from_marker(record, seen, version_id=NULL_VERSION, provenance=provenance)
            return Result.DELETED, marker.changed(self.update(marker))
        if seen is not None:
            found = metadata.from_head(record, seen, provenance=provenance)
            return Result.INDEXED, found.changed(self.update(found))
        if record.kind is not Kind.CREATED:
            deletion = metadata.from_deletion_of_null(record, self._deletion(), provenance=provenance)
            return Result.DELETED, deletion.changed(self.update(deletion))
        old = self.update(metadata.from_event(record, version_id=NULL_VERSION, provenance=provenance))
        if not old.keys().isdisjoint({"content_type", "delete_marker"}) and "deleted_at" not in old:
            # it was seen, and is gone: whoever wrote it may have written over what its deletion told
            unseen = metadata.deletion_at(self.now(), retention_days=self.retention_days)
            self.update(metadata.from_deletion(record, unseen, version_id=NULL_VERSION, provenance=provenance))
        return Result.GONE, True

    def _deletion(self) -> Attributes:
        return metadata.deletion_by(self.record, now=self.now(), retention_days=self.retention_days)

    def _told(self, update: Update, result: Result) -> Result:
        """Write what is told; the result, if the row did not say it all before."""
        return result if update.changed(self.update(update)) else Result.DUPLICATE
