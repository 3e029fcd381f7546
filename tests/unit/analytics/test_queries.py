"""Tests of the report's named SQL queries: their format, their translation to Trino SQL, and their prices."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import sqlglot
import sqlglot.expressions
from trino_sql_validator import validate

from operations.analytics.named_queries import named_query, query_names
from operations.analytics.sections import PRICES, SECTIONS, TOTALS
from operations.planning.prices import GB, STORAGE_CLASSES

NAMES = query_names()


def test_report_uses_each_named_query_once() -> None:
    assert sorted(each.query for each in (*SECTIONS, TOTALS)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_named_query_begins_with_a_comment_and_has_no_with_clause(name: str) -> None:
    text = named_query(name)
    comments = re.match(r"(?:-- [A-Z].*\.\n)+SELECT\n", text)
    assert comments, text
    assert sqlglot.parse_one(text, read="duckdb").find(sqlglot.expressions.With) is None
    assert text.endswith("\n")


@pytest.mark.parametrize("name", NAMES)
def test_named_query_is_valid_trino_sql_after_transpilation(name: str) -> None:
    [translated] = sqlglot.transpile(named_query(name), read="duckdb", write="trino")
    result = validate(translated)
    assert result.valid, result.error
    assert not result.warnings, result.warnings


def test_prices_in_the_query_of_noncurrent_versions_are_the_list_prices() -> None:
    [values] = sqlglot.parse_one(named_query(PRICES), read="duckdb").find_all(sqlglot.expressions.Values)
    found = {row[0]: row[1:] for row in (tuple(each.to_py() for each in row.expressions) for row in values.expressions)}
    assert found == {
        name: (Decimal(str(each.storage.dollars)), each.least_bytes, each.index_bytes, each.name_bytes)
        for name, each in STORAGE_CLASSES.items()
    }
    standard = STORAGE_CLASSES["STANDARD"].storage.dollars
    assert f"* CAST({standard} AS DOUBLE)) / {GB} AS" in named_query(PRICES)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "totals"])
def test_named_query_sorts_its_rows_in_a_unique_order(name: str) -> None:
    """Without a unique order, DuckDB and Athena could return rows with equal sort keys in different orders."""
    tree = sqlglot.parse_one(named_query(name), read="duckdb")
    order = {each.this.name for each in tree.args["order"].expressions}
    if grouping := tree.args.get("group"):
        expected = {each.alias_or_name for each in grouping.expressions}
    else:
        expected = {"bucket", "key"}
    # Exceptions: the query `types` sorts by column aliases, and `duplicates` sorts by the checksum of a group.
    aliases = {"types": {"detected_type", "declared_type"}, "duplicates": {"checksum_algorithm", "checksum_value"}}
    assert aliases.get(name, expected) <= order
