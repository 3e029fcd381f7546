"""Tests that docs/report.md describes each named query with its columns."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from operations.analytics.columns import COLUMNS
from operations.analytics.named_queries import named_query, query_names

DOCUMENT = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


def test_report_document_describes_each_named_query_with_its_columns() -> None:
    chapter = DOCUMENT.partition("\n## Queries\n")[2].partition("\n## ")[0]
    documented = {
        name: re.findall(r"`(\w+)`", columns)
        for name, columns in re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", chapter, re.MULTILINE)
    }
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE objects ({', '.join(f'{each.name} {each.type}' for each in COLUMNS)})")
        found = {
            name: [each[0] for each in connection.execute(named_query(name)).description or ()]
            for name in query_names()
        }
    assert documented == found
