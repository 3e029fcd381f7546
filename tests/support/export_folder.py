"""Writes export folders in the format of DynamoDB's ExportTableToPointInTime, from rows in DynamoDB's typed form."""

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
"""ID of the written exports."""
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/objects"
START, EXPORT_TIME, END = "2026-01-31T12:00:01.028Z", "2026-01-31T12:00:00.000Z", "2026-01-31T12:05:43.897Z"


def typed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with Python values in DynamoDB's typed form; attributes with the value None are removed."""
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in row.items() if value is not None}


def write_export(
    folder: Path, items: Iterable[Mapping[str, Any]], *, parts: int = 2, prefix: str = "", **changes: Any
) -> Path:
    """Write the files of an export, and return the folder that contains its manifest-summary.json.

    Args:
        folder: folder for the bucket of the export.
        items: rows in DynamoDB's typed form (`typed`).
        parts: number of data files; row number N is in data file N modulo `parts`.
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
    """Write a manifest with one JSON document a line, and the file with its MD5 checksum.

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
    """Create the relation `objects` from an export folder, and prevent all other access to files.

    Args:
        folder: the folder that contains manifest-summary.json. The Parquet file is written into this folder.
        engine: an engine without the relation.
    """
    export = read_export(folder)
    verify(folder, export)
    write_relation(folder, export, engine, folder / OBJECTS)
    engine.open([folder / OBJECTS])


def checksum(content: bytes) -> str:
    """Return the MD5 checksum of bytes in Base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
