"""Writes files of S3 Inventory in the formats CSV and Parquet."""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import duckdb

from operations.inventory.files import CSV, PARQUET

if TYPE_CHECKING:
    from operations.listing import Version

BUCKET, LOG_BUCKET, CONFIGURATION = "uploads", "log-bucket", "indexer"
CREATED = datetime(2026, 2, 5, 1, 0, tzinfo=UTC)
FIELDS = {
    "Bucket": ("bucket", "VARCHAR", "binary", " (STRING)"),
    "Key": ("key", "VARCHAR", "binary", " (STRING)"),
    "VersionId": ("version_id", "VARCHAR", "binary", " (STRING)"),
    "IsLatest": ("is_latest", "BOOLEAN", "boolean", ""),
    "IsDeleteMarker": ("is_delete_marker", "BOOLEAN", "boolean", ""),
    "Size": ("size", "BIGINT", "int64", ""),
    "LastModifiedDate": ("last_modified_date", "TIMESTAMPTZ", "int64", " (TIMESTAMP(MILLIS,true))"),
    "ETag": ("e_tag", "VARCHAR", "binary", " (STRING)"),
    "StorageClass": ("storage_class", "VARCHAR", "binary", " (STRING)"),
    "IsMultipartUploaded": ("is_multipart_uploaded", "BOOLEAN", "boolean", ""),
    "EncryptionStatus": ("encryption_status", "VARCHAR", "binary", " (STRING)"),
    "ChecksumAlgorithm": ("checksum_algorithm", "VARCHAR", "binary", " (STRING)"),
}
"""Maps the name of each inventory field in CSV to its name, DuckDB type, physical type and annotation in Parquet."""
VERSION_FIELDS = ("VersionId", "IsLatest", "IsDeleteMarker")
"""Fields that exist only in inventories of all versions, not in inventories of current versions."""


@dataclass(frozen=True, kw_only=True)
class WrittenInventory:
    """Paths of the files of a written S3 Inventory.

    Attributes:
        root: folder that represents the destination bucket.
        folder: folder with the manifest.
        data: paths of the data files.
    """

    root: Path
    folder: Path
    data: tuple[Path, ...]

    @property
    def manifest(self) -> Path:
        """Path of the manifest."""
        return self.folder / "manifest.json"

    def change(self, **changes: Any) -> None:
        """Replace fields of the manifest, and update the checksum of the manifest.

        Args:
            changes: new values of the fields. The value None removes a field.
        """
        values = json.loads(self.manifest.read_bytes()) | changes
        write_manifest(self.folder, {name: value for name, value in values.items() if value is not None})

    def replace_data(self, content: bytes) -> None:
        """Replace the content of the first data file, and update its size and checksum in the manifest.

        Args:
            content: content of the data file.
        """
        self.data[0].write_bytes(content)
        files = json.loads(self.manifest.read_bytes())["files"]
        self.change(files=[files[0] | {"size": len(content), "MD5checksum": _md5(content)}, *files[1:]])


def write_inventory(
    root: Path,
    versions: Iterable[Version],
    *,
    bucket: str = BUCKET,
    format_: str = PARQUET,
    parts: int = 2,
    created: datetime = CREATED,
    prefix: str = "inventory",
    configuration: str = CONFIGURATION,
    fields: Sequence[str] = tuple(FIELDS),
    encryption: Mapping[tuple[str, str], str] | None = None,
) -> WrittenInventory:
    """Write the data files, the manifest and the checksum of an S3 Inventory.

    Args:
        root: folder that represents the destination bucket.
        versions: versions and delete markers. Those of one key must be adjacent, with the newest first.
        bucket: name of the source bucket.
        format_: `CSV` or `Parquet`.
        parts: number of data files. The version with the number N is in the data file N modulo `parts`.
        created: time at which S3 started to create the inventory.
        prefix: prefix of the object keys.
        configuration: ID of the inventory configuration. The default is the ID of the fake stack.
        fields: names of the inventory's fields in CSV, in S3's order.
        encryption: maps object key and version ID to the encryption status. The default status is SSE-S3.
    """
    rows = list(_rows(versions, bucket, encryption or {}))
    if "VersionId" not in fields:
        rows = [each for each in rows if each["IsLatest"] and not each["IsDeleteMarker"]]
    base = f"{prefix}/{bucket}/{configuration}"
    folder = root / base / f"{created:%Y-%m-%dT%H-%MZ}"
    folder.mkdir(parents=True)
    (root / base / "data").mkdir(exist_ok=True)
    suffix = "csv.gz" if format_ == CSV else "parquet"
    files, paths = [], []
    for number in range(parts):
        key = f"{base}/data/{_md5(f'{created}-{number}'.encode())}.{suffix}"
        path = root / key
        write = _write_csv if format_ == CSV else _write_parquet
        write(path, rows[number::parts], fields)
        content = path.read_bytes()
        files.append({"key": key, "size": len(content), "MD5checksum": _md5(content)})
        paths.append(path)
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{LOG_BUCKET}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(created.timestamp() * 1000)),
        "fileFormat": format_,
        "fileSchema": ", ".join(fields) if format_ == CSV else _parquet_schema(fields),
        "files": files,
    }
    write_manifest(folder, manifest)
    return WrittenInventory(root=root, folder=folder, data=tuple(paths))


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of an inventory, and the file with its checksum.

    Args:
        folder: folder of the manifest.
        manifest: content of the manifest.
    """
    content = json.dumps(manifest, indent=2).encode()
    (folder / "manifest.json").write_bytes(content)
    (folder / "manifest.checksum").write_text(f"{_md5(content)}\n", encoding="ascii")


def _rows(
    versions: Iterable[Version], bucket: str, encryption: Mapping[tuple[str, str], str]
) -> Iterable[dict[str, Any]]:
    """Yield one inventory line per version, with the values of all fields. Delete markers have no size and no ETag."""
    previous = None
    for each in versions:
        yield {
            "Bucket": bucket,
            "Key": each.key,
            "VersionId": "" if each.version_id == "null" else each.version_id,
            "IsLatest": each.key != previous,
            "IsDeleteMarker": each.marker,
            "Size": None if each.marker else each.size,
            "LastModifiedDate": f"{each.last_modified.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            "ETag": None if each.marker else each.etag,
            "StorageClass": None if each.marker else each.storage_class,
            "IsMultipartUploaded": "-" in each.etag,
            "EncryptionStatus": encryption.get((each.key, each.version_id), "NOT-SSE" if each.marker else "SSE-S3"),
            "ChecksumAlgorithm": None if each.marker else "CRC64NVME",
        }
        previous = each.key


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> None:
    """Write a CSV data file as S3 does: quoted values, no header, and object keys encoded like an HTML form."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        encoded = {**row, "Key": quote_plus(row["Key"], safe="/*")}
        writer.writerow([_csv_value(encoded[name]) for name in fields])
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=1, mtime=0))


def _csv_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> None:
    lines = path.with_suffix(".jsonl")
    names = [FIELDS[name][0] for name in fields]
    with lines.open("w", encoding="utf-8") as file:
        for row in rows:
            values = [row[name] for name in fields]
            file.write(json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + "\n")
    types = ", ".join(f"{FIELDS[name][0]}: '{FIELDS[name][1]}'" for name in fields)
    query = f"SELECT * FROM read_json('{lines}', format = 'newline_delimited', columns = {{{types}}})"  # noqa: S608  paths of tests
    _connection().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION snappy)")
    lines.unlink()


@functools.cache
def _connection() -> duckdb.DuckDBPyConnection:
    """Return a shared DuckDB connection, because opening a connection takes longer than writing a file."""
    return duckdb.connect(":memory:")


def _parquet_schema(fields: Sequence[str]) -> str:
    described = "  ".join(
        f"{'required' if name in ('Bucket', 'Key') else 'optional'} {physical} {column}{annotation};"
        for name, (column, _, physical, annotation) in ((name, FIELDS[name]) for name in fields)
    )
    return f"message s3.inventory {{  {described}}}"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
