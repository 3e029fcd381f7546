"""Formats of query results: table, CSV and JSON. Keys and metadata in results are untrusted text."""

from __future__ import annotations

import io
import json
import math
import re
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
"""Characters with which a spreadsheet program begins a formula, also in full width (OWASP, CSV injection)."""
SPECIAL = re.compile(r'[",\r\n]')
"""Characters in a field of a CSV file that require quotation marks (RFC 4180)."""
EXPLAIN_COLUMNS = ("explain_key", "explain_value")
MAX_TABLE_ROWS = 1000
"""Number of rows that the format `table` prints."""
UNLIMITED = 1_000_000
"""Width in characters of a table that is not printed to a terminal."""
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")


def json_value(value: Any) -> Any:  # noqa: ANN401  a value of any column
    """Return a value of a result as a JSON value. Times have the format of rows: ISO 8601 in UTC with `Z`."""
    match value:
        case datetime():
            digits = "microseconds" if value.microsecond % 1000 else "milliseconds"
            value = value.replace(tzinfo=None).isoformat(timespec=digits) + "Z"
        case bytes():
            value = value.hex()
        case Decimal():
            value = int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):  # JSON has no infinity and no NaN
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


def text_value(value: Any) -> str:  # noqa: ANN401  a value of any column but NULL
    """Return a value of a result as a text. Maps and lists are JSON texts, and decimal numbers have all digits."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case Mapping() | list() | tuple():
            return json.dumps(json_value(value), ensure_ascii=False)
    return str(json_value(value))


def csv_field(value: Any, escaped: Callable[[str], str] = str) -> str:  # noqa: ANN401  a value of any column
    """Return a value of a result as a field of a CSV file. NULL is an empty field, and an empty text is `""`.

    A text that a spreadsheet program would run as a formula begins with an apostrophe.

    Args:
        value: the value.
        escaped: function that changes the text.
    """
    if value is None:
        return ""
    text = escaped(text_value(value))
    if isinstance(value, str) and value.startswith(FORMULA_CHARACTERS):
        text = f"'{text}"
    quoted = not text or SPECIAL.search(text)
    return '"' + text.replace('"', '""') + '"' if quoted else text


def write_csv(result: QueryResult, stream: TextIO) -> int:
    """Write a result as CSV with a header (RFC 4180), and return the number of rows.

    On a terminal, unprintable characters in texts have escapes.

    Args:
        result: the result.
        stream: stream without conversion of line ends.
    """
    escaped, number = printable if stream.isatty() else str, 0
    for number, row in enumerate(chain([result.columns], result.rows)):  # noqa: B007  the last number is the number of rows
        line = ",".join(csv_field(each, escaped) for each in row)
        stream.write((line or '""') + "\r\n")  # Many programs skip an empty line, which would be a row with one NULL.
    return number


def write_json(result: QueryResult, stream: TextIO) -> int:
    """Write a result as a JSON array with one object for each row, and return the number of rows.

    The second column with a name gets the suffix `_1`, as in Parquet files.

    Args:
        result: the result.
        stream: stream for the text.
    """
    number, names = 0, _distinct(result.columns)
    stream.write("[")
    for number, row in enumerate(result.rows, 1):
        stream.write(",\n" if number > 1 else "\n")
        stream.write(json_text(dict(zip(names, map(json_value, row), strict=True))))
    stream.write("\n]\n" if number else "]\n")
    return number


def write_table(result: QueryResult, stream: TextIO) -> int:
    """Write the first rows of a result as a table for a terminal, and return the number of written rows.

    The plan of an EXPLAIN statement has several lines, which are written unchanged.

    Args:
        result: the result.
        stream: stream for the text.
    """
    if result.columns == EXPLAIN_COLUMNS:
        plans = [str(plan) for _, plan in result.rows]
        stream.writelines(f"{printable(line)}\n" for plan in plans for line in plan.splitlines())
        return len(plans)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, kind in zip(result.columns, result.types, strict=True):
        table.add_column(Text(visible(name)), justify="right" if kind.startswith(NUMBERS) else "left", overflow="fold")
    rows = list(islice(result.rows, MAX_TABLE_ROWS + 1))
    for row in rows[:MAX_TABLE_ROWS]:
        table.add_row(*(Text(_shown(each)) for each in row))
    if stream.isatty():
        Console(file=stream).print(table)
    else:  # Each row is one line for programs such as grep, whatever the length of the keys.
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
"""Functions that write a result as text, by the name of the format."""


def _distinct(names: Iterable[str]) -> list[str]:
    """Return names of columns, of which repeated ones have a number at their end."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        found.append(name if name not in found else next(each for each in numbered if each not in found))
    return found


def _shown(value: Any) -> str:  # noqa: ANN401  a value of any column
    return "" if value is None else visible(text_value(value))
