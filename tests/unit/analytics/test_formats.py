"""Tests that query results with untrusted texts and unusual numbers are written correctly as table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from operations.analytics.engine import QueryResult
from operations.analytics.formats import write_csv, write_json

CONTROLS = "\x1b[31m\x9b31m\x7f\u202e\u2066\ufeff"
"""Characters that must be escaped: control characters (ESC, C1, DEL), text direction marks, and a byte order mark."""


def result(*values: Any, names: tuple[str, ...] = ()) -> QueryResult:
    columns = names or tuple(f"c{each}" for each in range(len(values)))
    return QueryResult(columns=columns, types=("VARCHAR",) * len(values), rows=iter([values]))


def as_json(query: QueryResult) -> str:
    stream = io.StringIO()
    write_json(query, stream)
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
    stream = io.StringIO()
    write_csv(result(*values), stream)
    assert stream.getvalue().splitlines()[1] == f"{large},{large},{2**53 + 1},2026-07-01T12:00:00.000Z"
