"""Tests that query results with untrusted texts and unusual numbers are written correctly as table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from operations.analytics.engine import QueryResult
from operations.analytics.formats import write_csv, write_json, write_table

CONTROLS = "\x1b[31m\x9b31m\x7f\u202e\u2066\ufeff"
"""Characters that must be escaped: control characters (ESC, C1, DEL), text direction marks, and a byte order mark."""


def result(*values: Any, names: tuple[str, ...] = ()) -> QueryResult:
    columns = names or tuple(f"c{each}" for each in range(len(values)))
    return QueryResult(columns=columns, types=("VARCHAR",) * len(values), rows=iter([values]))


def as_json(query: QueryResult) -> str:
    stream = io.StringIO()
    write_json(query, stream)
    return stream.getvalue()


def as_csv(query: QueryResult) -> str:
    """Return the only row of a query result as a line of a CSV file."""
    stream = io.StringIO()
    write_csv(query, stream)
    return stream.getvalue().partition("\r\n")[2].removesuffix("\r\n")


def as_table(query: QueryResult, stream: io.StringIO) -> str:
    write_table(query, stream)
    return stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20A"]
)
def test_text_or_header_that_a_spreadsheet_runs_as_a_formula_begins_with_an_apostrophe_in_csv(text: str) -> None:
    stream = io.StringIO()
    write_csv(result(text, names=(text,)), stream)
    assert list(csv.reader(io.StringIO(stream.getvalue(), newline=""))) == [[f"'{text}"], [f"'{text}"]]


def test_json_has_escapes_for_characters_that_a_terminal_would_execute() -> None:
    text = as_json(result(CONTROLS, {"ä": "日本 😀"}))
    assert text.replace("\n", "").isprintable()
    assert "日本 😀" in text
    assert json.loads(text) == [{"c0": CONTROLS, "c1": {"ä": "日本 😀"}}]


def test_csv_has_escapes_for_control_characters_on_a_terminal_and_none_in_a_file() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        write_csv(result(CONTROLS, names=(CONTROLS,)), stream)
    assert terminal.getvalue().replace("\r\n", "").isprintable()
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [[CONTROLS], [CONTROLS]]


def test_json_keeps_the_values_of_columns_with_the_same_name() -> None:
    found = json.loads(as_json(result(1, 2, 3, 4, names=("a", "a", "a_1", "a"))))
    assert found == [{"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4}]


def test_numbers_and_times_in_json_and_csv_are_exact() -> None:
    large = 2**63 * 5
    values = (large, Decimal(large), 2**53 + 1, datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert json.loads(as_json(result(*values))) == [
        {"c0": large, "c1": large, "c2": 2**53 + 1, "c3": "2026-07-01T12:00:00.000Z"}
    ]
    assert as_csv(result(*values)) == f"{large},{large},{2**53 + 1},2026-07-01T12:00:00.000Z"


def test_csv_distinguishes_null_from_an_empty_text() -> None:
    assert as_csv(result(None, "", None)) == ',"",'
    assert as_csv(result(None)) == '""'  # Many programs skip an empty line.


def test_csv_quotes_texts_with_special_characters() -> None:
    values = ('a"b', "a,b", "a\nb", "a\rb", " a ", {"a": "x"}, [1, None])
    text = as_csv(result(*values))
    assert text == '"a""b","a,b","a\nb","a\rb", a ,"{""a"": ""x""}","[1, null]"'
    assert next(csv.reader(io.StringIO(text, newline=""))) == [*values[:5], '{"a": "x"}', "[1, null]"]


VALUES = [
    (True, "true"),
    (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
    (float("inf"), "inf"),
    (float("-inf"), "-inf"),
    (float("nan"), "nan"),
    (0.1, "0.1"),
    (datetime(2026, 7, 1, 12, 0, 0, 123456), "2026-07-01T12:00:00.123456Z"),  # noqa: DTZ001  DuckDB returns times without a time zone
    (date(2026, 7, 1), "2026-07-01"),
    (b"\x00ab", "006162"),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_value_of_a_query_result_has_the_same_text_in_csv_and_in_a_table(value: object, text: str) -> None:
    assert as_csv(result(value, 1)) == f"{text},1"
    assert as_table(result(value), io.StringIO()).splitlines()[1].strip() == text


def test_json_contains_null_for_infinity_and_nan() -> None:
    values = [value for value, _ in VALUES]
    assert list(json.loads(as_json(result(*values)))[0].values()) == [
        *(True, 12345678901234567890.1, None, None, None, 0.1),
        *("2026-07-01T12:00:00.123456Z", "2026-07-01", "006162"),
    ]


def on_terminal(query: QueryResult, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines of a query result on a terminal of this width, without the spaces at their ends."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")  # Rich uses a width of 80 characters for a terminal without this variable.
    text = re.sub(r"\x1b\[\d*m", "", as_table(query, Terminal()))
    return [line.rstrip() for line in text.splitlines()]


def test_result_with_more_columns_than_the_terminal_has_space_for_is_printed_as_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = tuple(f"column_{number:02}" for number in range(20))
    query = QueryResult(columns=names, types=("VARCHAR",) * 20, rows=iter([("x" * 50,) * 20, ("", None) * 10]))
    lines = on_terminal(query, 80, monkeypatch)
    assert lines[:2] == ["row 1", f"  column_00  {'x' * 50}"]
    assert lines[20:23] == [f"  column_19  {'x' * 50}", "row 2", "  column_00"]
    assert len(lines) == 42


def test_result_of_a_wide_query_stays_a_table_in_a_pipe_and_on_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    values = ("x" * 8,) * 20
    assert len(on_terminal(result(*values), 250, monkeypatch)) == 2
    assert len(as_table(result(*values), io.StringIO()).splitlines()) == 2


def test_numbers_and_times_are_not_divided_into_lines_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    time, size, key = datetime(2026, 11, 28, 20, 52, 28, tzinfo=UTC), 3_715_993_137_728, "samples/" + "k" * 60
    query = QueryResult(
        columns=("key", "size_bytes", "uploaded_at", "detected_type"),
        types=("VARCHAR", "BIGINT", "TIMESTAMP", "VARCHAR"),
        rows=iter([(key, size, time, "application/octet-stream")]),
    )
    text = "\n".join(on_terminal(query, 80, monkeypatch))
    assert text.startswith("key ")
    assert str(size) in text
    assert "2026-11-28T20:52:28.000Z" in text


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_plan_of_an_explain_statement_is_printed_in_the_lines_of_duckdb(stream: io.StringIO) -> None:
    plan = "╭─ Read Parquet ─╮\n│ Filters: a\x1b  │\n╰────────────────╯\n"
    query = result("physical_plan", plan, names=("explain_key", "explain_value"))
    assert as_table(query, stream) == plan.replace("\x1b", "\\x1b")
