"""S3 event notifications for direct invocations of the indexer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from tests.support.rows import Row

Record = dict[str, Any]


def event(*records: Record) -> dict[str, list[Record]]:
    """A notification with these records."""
    return {"Records": list(records)}


def minimal_record(bucket: str, key: str) -> Record:
    """The least that an operator has to write to have an object indexed."""
    return {
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}},
    }


def removal_record(row: Row, event_name: str) -> Record:
    """The record of the deletion of a row's version, as AWS sends it: without size and ETag."""
    record = creation_record(row)
    record["s3"]["object"] = {"key": record["s3"]["object"]["key"], "versionId": row["version_id"]}
    return {**record, "eventName": event_name}


def creation_record(row: Row) -> Record:
    """The record that led to a row, reconstructed from its attributes."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": row["event_time"],
        "eventName": row["event_name"],
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": row["bucket"], "arn": f"arn:aws:s3:::{row['bucket']}"},
            "object": {
                "key": quote_plus(row["key"], safe="/"),
                "size": int(row["size_bytes"]),
                "eTag": row["etag"],
                "versionId": row["version_id"],
                "sequencer": row["sequencer"],
            },
        },
    }
