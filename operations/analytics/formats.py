"""Writes query results as a table, CSV or JSON. Object keys and metadata in results are untrusted text."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from operations.output import json_text, printable, visible

if TYPE_CHECKING:
    from operations.analytics.engine import QueryResult

FORMULA_CHARACTERS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
"""Characters at the beginning of a formula in spreadsheet programs, also in full width (OWASP, "CSV Injection")."""
MAX_TABLE_ROWS = 1000
"""Maximum number of rows that the format `table` prints."""
UNLIMITED = 1_000_000
"""Width in characters of a table that is written to a file or a pipe. It is larger than any table."""
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")


def json_value(value: Any) -> Any:  # noqa: ANN401  a column may have any type
    """Convert a value of a query result to a JSON value. Times become ISO 8601 texts in UTC, which end with `Z`."""
    match value:
        case datetime():
            value = value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        case Decimal():
            value = int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):  # JSON supports neither infinity nor NaN.
            value = None
        case Mapping():
            value = {str(name): json_value(each) for name, each in value.items()}
        case list() | tuple():
            value = [json_value(each) for each in value]
        case None | bool() | int() | float() | str():
            pass
        case _:
            value = str(value)
    return value


def csv_cell(value: Any) -> Any:  # noqa: ANN401  a column may have any type
    """Convert a value of a query result to a CSV value.

    An apostrophe is added to texts that a spreadsheet program would run as formulas. Maps and lists become JSON texts.
    """
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(json_value(value), ensure_ascii=False)
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_CHARACTERS) else value
    return json_value(value)


def write_csv(result: QueryResult, stream: TextIO) -> int:
    """Write a query result as CSV with a header (RFC 4180), and return the number of rows.

    If the stream is a terminal, unprintable characters are escaped.

    Args:
        result: the result.
        stream: text stream that does not convert line ends.
    """
    writer, terminal = csv.writer(stream, lineterminator="\r\n"), stream.isatty()
    number = 0
    for number, row in enumerate(chain([result.columns], result.rows)):  # noqa: B007  after the loop, `number` is the number of rows
        cells = map(csv_cell, row)
        writer.writerow([printable(each) if terminal and isinstance(each, str) else each for each in cells])
    return number


def write_json(result: QueryResult, stream: TextIO) -> int:
    """Write a query result as a JSON array with one object per row, and return the number of rows.

    If two columns have the same name, the second one gets the suffix `_1`, as in Parquet files.

    Args:
        result: the result.
        stream: text stream to which the result is written.
    """
    number, names = 0, _distinct(result.columns)
    stream.write("[")
    for number, row in enumerate(result.rows, 1):
        stream.write(",\n" if number > 1 else "\n")
        stream.write(json_text(dict(zip(names, map(json_value, row), strict=True))))
    stream.write("\n]\n" if number else "]\n")
    return number


def write_table(result: QueryResult, stream: TextIO) -> int:
    """Write the first rows of a query result as a table for readers, and return the number of written rows.

    Args:
        result: the result.
        stream: text stream to which the result is written.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, kind in zip(result.columns, result.types, strict=True):
        table.add_column(Text(visible(name)), justify="right" if kind.startswith(NUMBERS) else "left", overflow="fold")
    rows = list(islice(result.rows, MAX_TABLE_ROWS + 1))
    for row in rows[:MAX_TABLE_ROWS]:
        table.add_row(*(Text(_shown(each)) for each in row))
    if stream.isatty():
        Console(file=stream).print(table)
    else:  # In a pipe, each row is one line, for programs such as grep.
        console = Console(file=io.StringIO(), width=UNLIMITED, color_system=None)
        with console.capture() as captured:
            console.print(table)
        stream.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    if len(rows) > MAX_TABLE_ROWS:
        stream.write(f"… and more rows: use LIMIT, or --format csv, which has no limit of {MAX_TABLE_ROWS:,} rows\n")
    return min(len(rows), MAX_TABLE_ROWS)


WRITERS: Mapping[str, Callable[[QueryResult, TextIO], int]] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
}
"""Maps the name of each text format to the function that writes a query result in this format."""


def _distinct(names: Iterable[str]) -> list[str]:
    """Return the column names, with a number at the end of each repeated name."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        found.append(name if name not in found else next(each for each in numbered if each not in found))
    return found


def _shown(value: Any) -> str:  # noqa: ANN401  a column may have any type
    if value is None:
        return ""
    if isinstance(value, Mapping | list | tuple):
        return visible(json.dumps(json_value(value), ensure_ascii=False))
    return visible(value) if isinstance(value, str) else str(json_value(value))
