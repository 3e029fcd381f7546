"""Checks the rows of a table export, and writes them into a Parquet file with the columns of the relation `objects`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from operations.analytics.columns import (
    COLUMNS,
    EXISTS_NOW,
    NEWEST_FIRST,
    SCHEMA_VERSION,
    empty_relation,
    exported_columns,
    item_type,
)
from operations.analytics.engine import literal, literals, parquet
from operations.analytics.engine_errors import translated_errors
from operations.analytics.export_files import AGAIN, DATA, LONGEST_LINE, Export, data_paths
from operations.errors import OperatorError
from operations.output import visible

if TYPE_CHECKING:
    from operations.analytics.engine import Engine

ROW_GROUP = 40_960
"""Number of rows in a row group of a Parquet file. While DuckDB writes, each thread keeps one row group in memory."""
MAX_CANDIDATES = 1000
"""Maximum number of repeated hash values whose rows are compared, in the search for repeated rows."""
ADDRESS = "STRUCT(object_id STRUCT(S VARCHAR), version_id STRUCT(S VARCHAR))"
"""DuckDB type of the structure `Item` in an export, if only the primary key is read."""


def write_relation(folder: Path, export: Export, engine: Engine, target: Path) -> None:
    """Write the relation `objects` for a verified table export into a Parquet file.

    Args:
        folder: the folder of the export.
        export: content of the export's manifests.
        engine: DuckDB engine whose method `open` was not called.
        target: path of the Parquet file.

    Raises:
        OperatorError: a row is invalid or repeated, or the number of rows differs from the manifests.
    """
    rows = target.with_suffix(".rows")
    try:
        with translated_errors(f"read the rows in {folder}"):
            _write_rows(folder, export, engine, rows)
            _check(engine, rows, export.items, folder)
            _check_unique(engine, rows, folder, export)
            _add_states(engine, rows, target)
    finally:
        rows.unlink(missing_ok=True)


def _write_rows(folder: Path, export: Export, engine: Engine, target: Path) -> None:
    """Write the columns that are row attributes. Types are explicit, because inferred types depend on the rows."""
    if paths := data_paths(folder, export.files):
        query = f"SELECT {exported_columns()} FROM {_exported(paths, item_type())}"  # noqa: S608  the SQL text contains only quoted paths
    else:
        query = empty_relation(each for each in COLUMNS if each.path)
    engine.execute(f"COPY ({query}) TO {literal(target)} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP})")


def _exported(paths: Sequence[Path], item: str) -> str:
    """Return SQL that reads data files of an export. The column `filename` contains the path of each row's file.

    Args:
        paths: the data files.
        item: DuckDB type of the structure `Item`, which contains one row.
    """
    types = f"columns = {{'Item': '{item}'}}, maximum_object_size = {LONGEST_LINE}"
    options = f"format = 'newline_delimited', compression = 'gzip', {types}, hive_partitioning = false, filename = true"
    return f"read_json({literals(paths)}, {options})"


def _check(engine: Engine, rows: Path, expected: int, folder: Path) -> None:
    sql = "SELECT count(*), count(object_id), count(version_id), max(schema_version)"
    [(found, objects, versions, schema)] = engine.rows(f"{sql} FROM {parquet(rows)}")
    if found != expected:
        raise OperatorError(f"{folder} has {found:,} rows, but its manifest states {expected:,}: {AGAIN}.")
    if min(objects, versions) < found:
        raise OperatorError(
            f"{folder} has rows without object_id or version_id: it is not an export of a stack's table."
        )
    if schema is not None and schema > SCHEMA_VERSION:
        raise OperatorError(
            f"{folder} has rows with the schema_version {schema}, but this tool reads versions up to {SCHEMA_VERSION}: "
            "use the command `tapstack` of the version that deployed the stack."
        )


def _check_unique(engine: Engine, rows: Path, folder: Path, export: Export) -> None:
    """Raise an OperatorError if the export contains a row more than once, because queries would count it repeatedly.

    To limit the memory, DuckDB first finds repeated hash values of primary keys. Then it compares the primary keys of
    the rows with these hash values.
    """
    hashes = f"SELECT hash(object_id, version_id) AS h FROM {parquet(rows)}"  # noqa: S608  the SQL text contains only quoted paths
    repeated = engine.rows(f"SELECT h FROM ({hashes}) GROUP BY h HAVING count(*) > 1 LIMIT {MAX_CANDIDATES}")  # noqa: S608  the SQL text contains only quoted paths
    if not repeated:
        return
    addresses = engine.rows(
        f"SELECT object_id, version_id, count(*) FROM {parquet(rows)} "  # noqa: S608  the SQL text contains only quoted paths
        "WHERE hash(object_id, version_id) IN (SELECT unnest(?)) GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1",
        [[each for (each,) in repeated]],
    )
    if not addresses:  # Different rows have the same hash value.
        return
    [(object_id, version_id, number)] = addresses
    source = _exported(data_paths(folder, export.files), ADDRESS)
    query = f"SELECT DISTINCT filename FROM {source} WHERE Item = {{object_id: {{S: ?}}, version_id: {{S: ?}}}}"  # noqa: S608  the SQL text contains only quoted paths
    paths = engine.rows(f"{query} ORDER BY ALL", [object_id, version_id])
    names = " and ".join(f"{DATA}/{Path(path).name}" for (path,) in paths)
    row = visible(f"{object_id}?versionId={version_id}")
    raise OperatorError(f"{folder} contains the row {row} {number:,} times, in {names}: {AGAIN}.")


def _add_states(engine: Engine, rows: Path, target: Path) -> None:
    """Add the columns `exists_now` and `is_current`, which depend on several rows of an object.

    To limit the memory, DuckDB sorts only the rows of objects with several versions. It finds these objects by hash
    values of the object IDs. If two objects have the same hash value, their rows are sorted too, which does not change
    the result. Superseded versions are identified by their row numbers in the file.
    """
    source = parquet(rows, options=", file_row_number = true")
    hashes = f"SELECT hash(object_id) AS h FROM {source} WHERE deleted_at IS NULL"  # noqa: S608  the SQL text contains only quoted paths
    several = f"SELECT h FROM ({hashes}) GROUP BY h HAVING count(*) > 1"  # noqa: S608  the SQL text contains only quoted paths
    place = f"row_number() OVER (PARTITION BY object_id ORDER BY {NEWEST_FIRST})"
    engine.execute(
        "CREATE TEMP TABLE superseded AS SELECT file_row_number FROM ("  # noqa: S608  the SQL text contains only quoted paths
        f"SELECT file_row_number, {place} AS place FROM {source} "
        f"WHERE deleted_at IS NULL AND hash(object_id) IN ({several})) WHERE place > 1"
    )
    current = "superseded.file_row_number IS NULL"
    engine.execute(
        f"COPY (SELECT rows.* EXCLUDE (file_row_number), {EXISTS_NOW} AS exists_now, "  # noqa: S608  the SQL text contains only quoted paths
        f"{EXISTS_NOW} AND {current} AS is_current "
        f"FROM {source} AS rows LEFT JOIN superseded ON superseded.file_row_number = rows.file_row_number) "
        f"TO {literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )
    engine.execute("DROP TABLE superseded")
