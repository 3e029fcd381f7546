"""Reconstructs records of S3 event notifications from rows, for direct invocations of the indexer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.strategies import s3_record

if TYPE_CHECKING:
    from tests.support.rows import Row


def creation_record(row: Row, **changes: Any) -> dict[str, Any]:
    """Return the ObjectCreated record that led to a row, reconstructed from the row's attributes."""
    values = {
        "version_id": row["version_id"],
        "event_name": row["event_name"],
        "bucket": row["bucket"],
        "size": int(row["size_bytes"]),
        "etag": row["etag"],
        "event_time": row["event_time"],
        "sequencer": row["sequencer"],
    }
    return s3_record(row["key"], **(values | changes))


def removal_record(row: Row, event_name: str) -> dict[str, Any]:
    """Return the record that AWS sends for the deletion of a row's version; it has no size and no ETag."""
    return creation_record(row, event_name=event_name, size=None, etag=None)
