"""Writes query results as a table, CSV or JSON. Object keys and metadata in results are untrusted text."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from operations.output import json_text, printable, visible

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from operations.analytics.engine import QueryResult

FORMULA_CHARACTERS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
"""Characters at the beginning of a formula in spreadsheet programs, also in full width (OWASP, "CSV Injection")."""
SPECIAL = re.compile(r'[",\r\n]')
"""Matches the characters because of which a CSV field requires quotation marks (RFC 4180)."""
EXPLAIN_COLUMNS = ("explain_key", "explain_value")
"""Names of the columns in the result of DuckDB's EXPLAIN statement."""
MAX_TABLE_ROWS = 1000
"""Maximum number of rows that the format `table` prints."""
UNLIMITED = 1_000_000
"""Width in characters of a table that is written to a file or a pipe. It is larger than any table."""
READABLE_WIDTH = 14
"""Width in characters up to which a text column of a table is not made narrower. Longer texts are wrapped."""
GAP = 2
"""Number of spaces between two columns of a table."""
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")
UNDIVIDED = (*NUMBERS, "TIMESTAMP", "DATE", "BOOLEAN")
"""Types whose values are not divided into several lines of a table."""


def json_value(value: Any) -> Any:  # noqa: ANN401  a column may have any type
    """Convert a value of a query result to a JSON value. Times become ISO 8601 strings in UTC, which end with `Z`."""
    match value:
        case datetime():
            digits = "microseconds" if value.microsecond % 1000 else "milliseconds"
            value = value.replace(tzinfo=None).isoformat(timespec=digits) + "Z"
        case bytes():
            value = value.hex()
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


def text_value(value: Any) -> str:  # noqa: ANN401  a column may have any type
    """Convert a value of a query result, other than NULL, to a text.

    Maps and lists become JSON texts. Decimal numbers keep all digits.
    """
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


def csv_field(value: Any, escaped: Callable[[str], str] = str) -> str:  # noqa: ANN401  a column may have any type
    """Convert a value of a query result to a field of a CSV file. NULL is an empty field, and an empty text is `""`.

    An apostrophe is added to texts that a spreadsheet program would run as formulas.

    Args:
        value: the value.
        escaped: function that escapes characters of the text.
    """
    if value is None:
        return ""
    text = escaped(text_value(value))
    if isinstance(value, str) and value.startswith(FORMULA_CHARACTERS):
        text = f"'{text}"
    quoted = not text or SPECIAL.search(text)
    return '"' + text.replace('"', '""') + '"' if quoted else text


def write_csv(result: QueryResult, stream: TextIO) -> int:
    """Write a query result as CSV with a header (RFC 4180), and return the number of rows.

    If the stream is a terminal, unprintable characters are escaped.

    Args:
        result: the result.
        stream: text stream that does not convert line ends.
    """
    escaped, number = printable if stream.isatty() else str, 0
    for number, row in enumerate(chain([result.columns], result.rows)):  # noqa: B007  after the loop, `number` is the number of rows
        line = ",".join(csv_field(each, escaped) for each in row)
        # A row with one NULL would be an empty line, which many programs skip.
        stream.write((line or '""') + "\r\n")
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

    If a terminal is too narrow for the columns, each row is written as a list of names and values. The lines of an
    EXPLAIN statement's plan are written unchanged, without a table.

    Args:
        result: the result.
        stream: text stream to which the result is written.
    """
    if result.columns == EXPLAIN_COLUMNS:
        plans = [str(plan) for _, plan in result.rows]
        stream.writelines(f"{printable(line)}\n" for plan in plans for line in plan.splitlines())
        return len(plans)
    names = [visible(name) for name in result.columns]
    rows = list(islice(result.rows, MAX_TABLE_ROWS + 1))
    cells = [[_shown(each) for each in row] for row in rows[:MAX_TABLE_ROWS]]
    if stream.isatty():
        console = Console(file=stream)
        if _readable_width(names, result.types, cells) <= console.width:
            console.print(_table(names, result.types, cells))
        else:
            _print_records(console, names, cells)
    else:  # In a pipe, each row is one line, for programs such as grep.
        console = Console(file=io.StringIO(), width=UNLIMITED, color_system=None)
        with console.capture() as captured:
            console.print(_table(names, result.types, cells))
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
    return "" if value is None else visible(text_value(value))


def _table(names: Sequence[str], types: Sequence[str], cells: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, GAP // 2), header_style="bold")
    for name, kind in zip(names, types, strict=True):
        justify: JustifyMethod = "right" if kind.startswith(NUMBERS) else "left"
        table.add_column(Text(name), justify=justify, overflow="fold", no_wrap=kind.startswith(UNDIVIDED))
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _readable_width(names: Sequence[str], types: Sequence[str], cells: Iterable[Sequence[str]]) -> int:
    """Return the smallest number of characters in a line with which a table of these columns is readable."""
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    least = [
        width if kind.startswith(UNDIVIDED) else min(width, READABLE_WIDTH)
        for width, kind in zip(widths, types, strict=True)
    ]
    return sum(least) + GAP * (len(least) - 1)


def _print_records(console: Console, names: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    for number, row in enumerate(cells, 1):
        record = Table(box=None, show_header=False, padding=(0, 0, 0, GAP))
        record.add_column(style="bold", overflow="fold")
        record.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            record.add_row(Text(name), Text(value))
        console.print(Text(f"row {number}", style="bold"), record, sep="\n")
