"""Writes local table exports in the format of DynamoDB's ExportTableToPointInTime."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from operations.analytics.export_files import read_export, verify
from operations.analytics.relation import write_relation
from operations.analytics.snapshot import OBJECTS

if TYPE_CHECKING:
    from operations.analytics.engine import Engine

ID = "01693685827463-2d8752fd"
"""Export ID of each written export."""
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/objects"
START, EXPORT_TIME, END = "2026-01-31T12:00:01.028Z", "2026-01-31T12:00:00.000Z", "2026-01-31T12:05:43.897Z"


def typed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a row with Python values to DynamoDB's typed form, without the attributes whose value is None."""
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in row.items() if value is not None}


def write_export(
    folder: Path, items: Iterable[Mapping[str, Any]], *, parts: int = 2, prefix: str = "", **changes: Any
) -> Path:
    """Write the files of a table export, and return the folder that contains manifest-summary.json.

    Args:
        folder: local folder that represents the bucket of the export.
        items: rows in DynamoDB's typed form (`typed`).
        parts: number of data files. The row with the number N is in the data file N modulo `parts`.
        prefix: S3 prefix of the export, without a slash at its end.
        changes: fields of manifest-summary.json to replace.
    """
    lines = [json.dumps({"Item": each}, ensure_ascii=False, separators=(",", ":")) for each in items]
    base = "/".join(filter(None, (prefix, "AWSDynamoDB", ID)))
    export = folder / base
    (export / "data").mkdir(parents=True)
    (export / "_started").write_bytes(b"")
    files = [_write_part(folder, f"{base}/data/{number:032x}.json.gz", lines[number::parts]) for number in range(parts)]
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{TABLE_ARN}/export/{ID}",
        "startTime": START,
        "endTime": END,
        "tableArn": TABLE_ARN,
        "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
        "exportTime": EXPORT_TIME,
        "s3Bucket": "export-bucket",
        "s3Prefix": prefix or None,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{base}/manifest-files.json",
        "billedSizeBytes": sum(map(len, lines)),
        "itemCount": len(lines),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }
    write_manifest(export / "manifest-files.json", files)
    write_manifest(export / "manifest-summary.json", [summary | changes])
    return export


def write_manifest(path: Path, documents: Sequence[Mapping[str, Any]]) -> None:
    """Write a manifest with one JSON document per line, and a file with the MD5 checksum of the manifest.

    Args:
        path: path of the manifest.
        documents: the documents.
    """
    content = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in documents).encode()
    path.write_bytes(content)
    path.with_suffix(".md5").write_text(checksum(content), encoding="ascii")


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """Return the JSON documents in a manifest, one for each line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write_part(folder: Path, key: str, lines: Sequence[str]) -> dict[str, Any]:
    content = gzip.compress("".join(line + "\n" for line in lines).encode(), compresslevel=1)
    (folder / key).write_bytes(content)
    etag = hashlib.md5(hashlib.md5(content, usedforsecurity=False).digest(), usedforsecurity=False).hexdigest()
    return {"itemCount": len(lines), "md5Checksum": checksum(content), "etag": f"{etag}-1", "dataFileS3Key": key}


def load(folder: Path, engine: Engine) -> None:
    """Load the relation `objects` from a table export into a DuckDB engine, and call the method `open` of the engine.

    Args:
        folder: the folder that contains manifest-summary.json. The Parquet file is written into this folder.
        engine: DuckDB engine whose method `open` was not called.
    """
    export = read_export(folder)
    verify(folder, export)
    write_relation(folder, export, engine, folder / OBJECTS)
    engine.open([folder / OBJECTS])


def checksum(content: bytes) -> str:
    """Return the MD5 checksum of bytes in Base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
