"""Converts the data files of an S3 Inventory (CSV or Parquet) to one Parquet file. The files can exceed the memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_code.events import NULL_VERSION
from operations.analytics.engine import literal, parquet, translated_errors
from operations.errors import OperatorError
from operations.inventory.files import AGAIN, COLUMNS, CSV, Inventory, InventoryColumn
from operations.output import count

if TYPE_CHECKING:
    from operations.analytics.engine import Engine


def load(inventory: Inventory, paths: Sequence[Path], engine: Engine, target: Path) -> int:
    """Write the object versions of an inventory into one Parquet file, and return their number.

    Args:
        inventory: content of the inventory's manifest.
        paths: paths of the data files. The caller has verified their checksums.
        engine: DuckDB engine whose method `open` was not called.
        target: path of the Parquet file.

    Raises:
        OperatorError: a data file cannot be read, or it contains objects of another bucket or without required values.
    """
    try:
        with translated_errors(f"read the files of {inventory.place}"):
            engine.execute(f"COPY ({_query(inventory, paths)}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)")
    except OperatorError as error:
        raise _with_path(error, inventory, paths, engine, target) from error
    return _check(inventory, engine, target)


def _with_path(
    error: OperatorError, inventory: Inventory, paths: Sequence[Path], engine: Engine, target: Path
) -> OperatorError:
    """Return an error with the path of the first unreadable file, because DuckDB's own errors may lack the path."""
    for path in paths:
        try:
            with translated_errors(f"read {path}"):
                engine.execute(f"COPY ({_query(inventory, [path])}) TO {literal(target)} (FORMAT parquet)")
        except OperatorError as found:
            return OperatorError(f"{found}. {AGAIN}, or run audit without --from-inventory.")
    return error


def _query(inventory: Inventory, paths: Sequence[Path]) -> str:
    """Return the SQL query that reads the columns `COLUMNS` from the data files of an inventory."""
    if not paths:
        nulls = ", ".join(f"CAST(NULL AS {each.type}) AS {each.name}" for each in COLUMNS)
        return f"SELECT {nulls} LIMIT 0"
    columns = ", ".join(f"{_value(each, inventory)} AS {each.name}" for each in COLUMNS)
    if inventory.format == CSV:
        # The SQL text contains positions instead of field names, because the names in a manifest are untrusted.
        types = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(inventory.schema)))
        form = "header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', compression = 'gzip'"
        files = ", ".join(map(literal, paths))
        source = f"read_csv([{files}], {form}, columns = {{{types}}}, hive_partitioning = false)"
    else:
        source = parquet(*paths)
    return f"SELECT {columns} FROM {source}"  # noqa: S608  the SQL text contains only quoted paths


def _value(column: InventoryColumn, inventory: Inventory) -> str:
    """Return the SQL expression that reads the value of a column from a data file."""
    value = "NULL"
    if column.name in inventory.fields:
        value = column.parquet
        if inventory.format == CSV:
            # S3 encodes the keys in CSV files like an HTML form: a space is "+", and a plus sign is "%2B".
            value = f"nullif(c{inventory.schema.index(column.csv)}, '')"
            value = f"url_decode(replace({value}, '+', ' '))" if column.name == "key" else value
        elif column.type == "TIMESTAMP":
            return f"make_timestamp(epoch_us({value}))"  # In some Parquet inventories, the times have a time zone.
    if column.name == "version_id":  # S3 writes an empty field for the version ID `null`.
        return f"coalesce(nullif({value}, ''), '{NULL_VERSION}')"
    if column.name == "delete_marker":
        return f"coalesce(CAST({value} AS BOOLEAN), false)"
    return f"CAST({value} AS {column.type})"


def _check(inventory: Inventory, engine: Engine, target: Path) -> int:
    """Return the number of lines in a loaded inventory. Reject incomplete lines, and lines of other buckets."""
    complete = "uploaded_at IS NOT NULL AND (delete_marker OR (size_bytes IS NOT NULL AND etag IS NOT NULL))"
    others = "count(*) FILTER (bucket IS DISTINCT FROM ?)"
    sql = f"SELECT count(*), {others}, count(*) FILTER (key IS NULL OR NOT ({complete}))"
    with translated_errors(f"read the files of {inventory.place}"):
        [(rows, foreign, incomplete)] = engine.rows(f"{sql} FROM {parquet(target)}", [inventory.bucket])
    if foreign:
        raise OperatorError(
            f"the files of {inventory.place} have {count(foreign, 'row')} of other buckets than {inventory.bucket!r}. "
            f"{AGAIN}."
        )
    if incomplete:
        raise OperatorError(
            f"the files of {inventory.place} have {count(incomplete, 'row')} without key, time, size or ETag. {AGAIN}."
        )
    return int(rows)
