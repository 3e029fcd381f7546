"""Converts the data files of an S3 Inventory (CSV or Parquet) to one Parquet file. The files can exceed the memory.

DuckDB ignores some damage of CSV files, for example long lines of NUL bytes, and converts values such as `5e3`. A
damaged file with a valid checksum must not make the inventory smaller. Therefore, the number of rows is compared with
the lines of CSV files or with the metadata of Parquet files, and each value must have the format that S3 writes.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_code.events import NULL_VERSION
from operations.analytics.engine import literal, literals, parquet
from operations.analytics.engine_errors import translated_errors
from operations.errors import OperatorError
from operations.inventory.files import AGAIN, COLUMNS, CSV, VERIFIERS, Inventory, InventoryColumn
from operations.output import count
from operations.pool import map_in_order

if TYPE_CHECKING:
    from operations.analytics.engine import Engine

CHUNK = 1024 * 1024
"""Number of decompressed bytes that are read from a CSV file at a time."""
TIME_FORMATS = "['%Y-%m-%dT%H:%M:%S.%gZ', '%Y-%m-%dT%H:%M:%SZ']"
"""Permitted formats of times in CSV files. A cast to TIMESTAMP would ignore the time zone."""
NOT_ENCODED = "'%($|.$|[^0-9A-Fa-f]|.[^0-9A-Fa-f])'"
"""Matches a percent sign that does not begin a URL-encoded byte such as %2B."""
PARQUET_TYPES = {
    "VARCHAR": "BYTE_ARRAY (UTF8|String).*",
    "BOOLEAN": "BOOLEAN",
    "BIGINT": "INT(32|64)( INT_(32|64)| Int.*)?",
    "TIMESTAMP": "INT96|INT64 T(IMESTAMP|imestamp).*",
}
"""Maps types of columns to patterns of permitted types in Parquet files. DuckDB would convert other types silently."""


def load(inventory: Inventory, paths: Sequence[Path], engine: Engine, target: Path) -> tuple[int, list[Path]]:
    """Write the object versions of an inventory into one Parquet file.

    Args:
        inventory: content of the inventory's manifest.
        paths: paths of the data files. The caller has verified their checksums.
        engine: DuckDB engine whose method `open` was not called.
        target: path of the Parquet file.

    Returns:
        The number of rows, and the data files without rows.

    Raises:
        OperatorError: a data file cannot be read, or it contains objects of another bucket or without required values.
    """
    if inventory.format == CSV:
        numbers = [lines for _, lines in map_in_order(_lines, paths, threads=VERIFIERS)]
    else:
        with _errors_with_path(inventory, paths, engine, target):
            numbers = _numbers_of_rows(paths, engine)
        _check_types(inventory, paths, engine)
    with _errors_with_path(inventory, paths, engine, target):
        engine.execute(f"COPY ({_query(inventory, paths)}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)")
    rows = _check(inventory, engine, target)
    if rows != sum(numbers):
        raise _lost_rows(inventory, dict(zip(paths, numbers, strict=True)), engine, rows)
    return rows, [path for path, number in zip(paths, numbers, strict=True) if not number]


@contextmanager
def _errors_with_path(inventory: Inventory, paths: Sequence[Path], engine: Engine, target: Path) -> Iterator[None]:
    """Context manager that adds the path of the first unreadable file to errors of DuckDB, which may lack the path."""
    try:
        with translated_errors(f"read the files of {inventory.place}"):
            yield
    except OperatorError as error:
        raise _with_path(error, inventory, paths, engine, target) from error


def _numbers_of_rows(paths: Sequence[Path], engine: Engine) -> list[int]:
    """Return the number of rows of each Parquet file, from the metadata in the file."""
    if not paths:
        return []
    found = dict(engine.rows(f"SELECT file_name, num_rows FROM parquet_file_metadata({literals(paths)})"))  # noqa: S608  the SQL text contains only quoted paths
    return [found[str(path)] for path in paths]


def _lines(path: Path) -> int:
    """Return the number of lines of a compressed CSV file. S3 encodes keys, so no value contains a line feed."""
    lines, last = 0, b"\n"
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK):
                lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    except (OSError, EOFError, zlib.error) as error:
        raise OperatorError(f"cannot read {path}: {error}. {AGAIN}.") from error
    return lines + (last != b"\n")


def _check_types(inventory: Inventory, paths: Sequence[Path], engine: Engine) -> None:
    """Raise an OperatorError if a Parquet file lacks a column, or has a column of another type."""
    if not paths:
        return
    kinds = "concat_ws(' ', type, coalesce(converted_type, regexp_extract(logical_type, '^[A-Za-z]+')))"
    # The names are compared in lower case, because DuckDB ignores the case of column names.
    sql = f"SELECT file_name, lower(name), {kinds} FROM parquet_schema({literals(paths)})"  # noqa: S608  the SQL text contains only quoted paths
    found = {(path, name): kind for path, name, kind in engine.rows(sql)}
    wanted = [each for each in COLUMNS if each.name in inventory.fields]
    for path, column in product(paths, wanted):
        kind = found.get((str(path), column.parquet), "")
        if not re.fullmatch(PARQUET_TYPES[column.type], kind):
            other = f", but one of the type {kind}" if kind else ""
            raise OperatorError(f"{path} has no column {column.parquet} of the type {column.type}{other}. {AGAIN}.")


def _lost_rows(inventory: Inventory, numbers: dict[Path, int], engine: Engine, rows: int) -> OperatorError:
    """Return an error with the path of the first file from which DuckDB reads an incorrect number of rows.

    Args:
        inventory: content of the inventory's manifest.
        numbers: maps each data file to its number of rows.
        engine: DuckDB engine whose method `open` was not called.
        rows: number of rows that were read from all files.
    """
    place, expected = inventory.place, sum(numbers.values())
    for path, number in numbers.items():
        with translated_errors(f"read {path}"):
            [(found,)] = engine.rows(f"SELECT count(*) FROM ({_query(inventory, [path])})")  # noqa: S608  the SQL text contains only quoted paths
        if found != number:
            place, expected, rows = str(path), number, found
            break
    return OperatorError(f"{place} is damaged: {count(rows, 'row')} of {expected:,} can be read. {AGAIN}.")


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
        source = f"read_csv({literals(paths)}, {form}, columns = {{{types}}}, hive_partitioning = false)"
    else:
        source = parquet(*paths)
    return f"SELECT {columns} FROM {source}"  # noqa: S608  the SQL text contains only quoted paths


def _value(column: InventoryColumn, inventory: Inventory) -> str:
    """Return the SQL expression that reads the value of a column from a data file."""
    value = "NULL"
    if column.name in inventory.fields:
        value = column.parquet
        if inventory.format == CSV:
            value = _csv_value(column, f"nullif(c{inventory.schema.index(column.csv)}, '')")
        elif column.type == "TIMESTAMP":
            return f"make_timestamp(epoch_us({value}))"  # Removes the time zone that some inventories have.
    if column.name == "version_id":  # S3 writes an empty field for the version ID `null`.
        return f"coalesce(nullif({value}, ''), '{NULL_VERSION}')"
    if column.name == "delete_marker":
        return f"coalesce(CAST({value} AS BOOLEAN), false)"
    return f"CAST({value} AS {column.type})"


def _csv_value(column: InventoryColumn, value: str) -> str:
    """Return the SQL expression that reads a value of a CSV file. The query fails for values that S3 never writes.

    Args:
        column: the column.
        value: SQL expression that returns the value as a string.
    """
    if column.name == "key":
        # S3 encodes keys like an HTML form: a space is "+", and a plus sign is "%2B".
        decoded = f"url_decode(replace({value}, '+', ' '))"
        message = f"'the key ' || {value} || ' is not URL-encoded'"
        return f"CASE WHEN regexp_matches({value}, {NOT_ENCODED}) THEN error({message}) ELSE {decoded} END"
    if column.type == "BIGINT":
        number = f"CAST({value} AS BIGINT)"
        message = f"'the value ' || {value} || ' is not a size in bytes'"
        return f"CASE WHEN {number} < 0 OR CAST({number} AS VARCHAR) <> {value} THEN error({message}) ELSE {number} END"
    return f"strptime({value}, {TIME_FORMATS})" if column.type == "TIMESTAMP" else value


def _check(inventory: Inventory, engine: Engine, target: Path) -> int:
    """Return the number of rows in a loaded inventory. Reject incomplete rows, and rows of other buckets."""
    complete = "isfinite(uploaded_at) IS TRUE AND (delete_marker OR (size_bytes IS NOT NULL AND etag IS NOT NULL))"
    others = "count(*) FILTER (bucket IS DISTINCT FROM ?)"
    sql = f"SELECT count(*), {others}, count(*) FILTER (key IS NULL OR NOT ({complete}))"
    with translated_errors(f"read the files of {inventory.place}"):
        [(rows, foreign, incomplete)] = engine.rows(f"{sql} FROM {parquet(target)}", [inventory.bucket])
    if foreign:
        raise OperatorError(
            f"the files of {inventory.place} have {count(foreign, 'row')} of buckets other than {inventory.bucket!r}. "
            f"{AGAIN}."
        )
    if incomplete:
        raise OperatorError(
            f"the files of {inventory.place} have {count(incomplete, 'row')} without key, time, size or ETag. {AGAIN}."
        )
    return int(rows)
