"""Writes the two Parquet files that the inventory comparison joins: a loaded inventory, and rows of the table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import literal
from operations.analytics.export_files import read_export
from operations.analytics.relation import write_relation
from operations.inventory.files import PARQUET, Inventory, InventoryFile
from tests.support.export_folder import typed, write_export
from tests.support.operations_fakes import BUCKET

if TYPE_CHECKING:
    from operations.analytics.engine import Engine
    from operations.listing import Version

COLUMNS = {
    "bucket": "VARCHAR",
    "key": "VARCHAR",
    "version_id": "VARCHAR",
    "is_latest": "BOOLEAN",
    "delete_marker": "BOOLEAN",
    "size_bytes": "BIGINT",
    "uploaded_at": "TIMESTAMP",
    "etag": "VARCHAR",
    "storage_class": "VARCHAR",
    "encryption": "VARCHAR",
    "checksum_algorithm": "VARCHAR",
}
"""Maps the columns of a loaded inventory to their DuckDB types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeInventory(Inventory):
    """Inventory manifest with default values for tests. By default, it has all fields and no data files."""

    bucket: str = BUCKET
    created: datetime
    format: str = PARQUET
    files: tuple[InventoryFile, ...] = ()
    schema: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset(COLUMNS)
    place: str = "manifest.json"


def listed(version: Version, *, encryption: str | None = "NOT-SSE", bucket: str = BUCKET) -> dict[str, Any]:
    """Return the line of a loaded inventory for an object version or a delete marker.

    Args:
        version: the object version or delete marker.
        encryption: S3's encryption status of the object.
        bucket: name of the bucket.
    """
    line = {
        "bucket": bucket,
        "key": version.key,
        "version_id": version.version_id,
        "is_latest": True,
        "delete_marker": version.marker,
        "uploaded_at": f"{version.last_modified:%Y-%m-%d %H:%M:%S}",
    }
    if not version.marker:
        line |= {"size_bytes": version.size, "etag": version.etag, "storage_class": version.storage_class}
        line |= {"encryption": encryption}
    return line


def write_inventory(engine: Engine, path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    """Write the Parquet file of a loaded inventory, and return its path.

    Args:
        engine: the DuckDB connection.
        path: path of the file.
        lines: dictionaries with the column names as keys. A missing column is NULL.
    """
    text = path.with_suffix(".jsonl")
    text.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    columns = ", ".join(f"'{name}': '{type_}'" for name, type_ in COLUMNS.items())
    source = f"read_json({literal(text)}, format = 'newline_delimited', columns = {{{columns}}})"
    engine.execute(f"COPY (SELECT * FROM {source}) TO {literal(path)} (FORMAT parquet)")  # noqa: S608  values of the test
    return path


def write_rows(engine: Engine, folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write the Parquet file of the relation `objects`, and return its path.

    Args:
        engine: the DuckDB connection.
        folder: a new folder.
        rows: rows with Python values.
    """
    export = write_export(folder, map(typed, rows))
    write_relation(export, read_export(export), engine, folder / "objects.parquet")
    return folder / "objects.parquet"
