"""Tests of the translation of SQL for Athena: rejected statements, WITH clauses, parameters, and the view `objects`."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlglot
from trino_sql_validator import validate

from operations.analytics.athena_sql import translate, view
from operations.analytics.columns import COLUMNS
from operations.analytics.named_queries import named_query, query_names
from operations.analytics.report import Filters
from operations.errors import OperatorError
from tests.support.attack_keys import ATTACK_KEYS
from tests.support.nonempty import nonempty


def body(sql: str) -> str:
    """Translate a statement for Athena, and return it without the definition of the relation `objects`."""
    return translate(sql).partition(") AS ordered)")[2].strip(" ,")


@pytest.mark.parametrize("name", query_names())
def test_translated_named_query_is_valid_athena_sql(name: str) -> None:
    result = validate(translate(named_query(name)))
    assert (result.valid, result.error, result.warnings) == (True, None, ())


def test_athena_view_objects_is_valid_sql_with_all_columns() -> None:
    result = validate(view())
    assert (result.valid, result.error) == (True, None)
    query = sqlglot.parse_one(view(), read="trino").expression
    assert query.named_selects == [each.name for each in COLUMNS]
    assert view().startswith("CREATE OR REPLACE VIEW objects AS SELECT ")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT key FROM objects", "SELECT key FROM indexed_objects AS objects"),
        ("SELECT objects.key FROM Objects;", "SELECT objects.key FROM indexed_objects AS objects"),
        ('SELECT o.key AS "a ""b" FROM "objects" o', 'SELECT o.key AS "a ""b" FROM indexed_objects AS o'),
        ("SELECT key FROM objects; -- comment", "SELECT key FROM indexed_objects AS objects"),
        ("FROM objects LIMIT 5", "SELECT * FROM indexed_objects AS objects LIMIT 5"),
        ("SELECT 1 FROM objects -- a; */ b\n", "SELECT 1 FROM indexed_objects AS objects"),
        (
            "WITH a AS (SELECT key FROM objects) SELECT key FROM A ORDER BY key",
            "a AS (SELECT key FROM indexed_objects AS objects) SELECT key FROM A ORDER BY key",
        ),
        (
            "WITH objects AS (SELECT key FROM objects) SELECT count(*) FROM objects",
            "objects AS (SELECT key FROM indexed_objects AS objects) SELECT COUNT(*) FROM objects",
        ),
        (
            "SELECT user_metadata['a''b'] FROM objects WHERE key = 'ключ \\'",
            "SELECT ELEMENT_AT(user_metadata, 'a''b') FROM indexed_objects AS objects WHERE key = 'ключ \\'",
        ),
        (
            "SELECT (SELECT max(key) FROM objects) UNION SELECT key FROM objects",
            "SELECT (SELECT MAX(key) FROM indexed_objects AS objects) UNION SELECT key FROM indexed_objects AS objects",
        ),
    ],
)
def test_translated_query_reads_the_relation_objects_also_in_its_with_clauses(sql: str, expected: str) -> None:
    assert body(sql) == expected
    assert validate(translate(sql)).valid


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("split(key, '/')[2]", "ELEMENT_AT(SPLIT(key, '/'), 2)"),
        ("split(key, '/')[-1]", "ELEMENT_AT(SPLIT(key, '/'), -1)"),
        ("split(key, '/')[size_bytes]", "ELEMENT_AT(SPLIT(key, '/'), size_bytes)"),
        ("split(split(key, '/')[1], '.')[2]", "ELEMENT_AT(SPLIT(ELEMENT_AT(SPLIT(key, '/'), 1), '.'), 2)"),
        ("dayofweek(uploaded_at)", "(DAY_OF_WEEK(uploaded_at) % 7)"),
        ("extract(dow FROM uploaded_at)", "(DAY_OF_WEEK(uploaded_at) % 7)"),
        ("isodow(uploaded_at)", "DAY_OF_WEEK(uploaded_at)"),
        (
            "date_diff('week', uploaded_at, deleted_at)",
            "DATE_DIFF('WEEK', DATE_TRUNC('WEEK', uploaded_at), DATE_TRUNC('WEEK', deleted_at))",
        ),
        (
            "greatest(uploaded_at, deleted_at)",
            "GREATEST(COALESCE(uploaded_at, deleted_at), COALESCE(deleted_at, uploaded_at))",
        ),
        ("least(1, size_bytes)", "LEAST(COALESCE(1, size_bytes), COALESCE(size_bytes, 1))"),
        (
            "uploaded_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'",
            "AT_TIMEZONE(AT_TIMEZONE(uploaded_at, 'UTC'), 'Europe/Berlin')",
        ),
        ("max(uploaded_at) AT TIME ZONE 'UTC'", "AT_TIMEZONE(MAX(uploaded_at), 'UTC')"),
        (
            "(uploaded_at::TIMESTAMPTZ) AT TIME ZONE 'Europe/Berlin'",
            "AT_TIMEZONE((CAST(uploaded_at AS TIMESTAMP WITH TIME ZONE)), 'Europe/Berlin')",
        ),
        ("now() AT TIME ZONE 'Europe/Berlin'", "AT_TIMEZONE(NOW(), 'Europe/Berlin')"),
        ("regexp_replace(key, 'a', 'b', 'g')", "REGEXP_REPLACE(key, 'a', 'b')"),
    ],
)
def test_translated_function_returns_the_result_of_duckdb(expression: str, expected: str) -> None:
    """For example, Sunday is 0 in DuckDB and 7 in Trino, and only in DuckDB does `greatest` ignore NULL."""
    sql = f"SELECT {expression} FROM objects"  # noqa: S608  the test defines the expression
    assert body(sql) == f"SELECT {expected} FROM indexed_objects AS objects"  # noqa: S608  the SQL text is not executed
    assert validate(translate(sql)).valid


def test_translated_query_defines_the_relation_under_an_unused_name() -> None:
    sql = "WITH indexed_objects AS (SELECT 1 AS n) SELECT n FROM indexed_objects, objects"
    assert body(sql).endswith("SELECT n FROM indexed_objects, indexed_objects_ AS objects")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "has 0 statements"),
        ("-- comment", "has 0 statements"),
        ("SELECT 1; SELECT 2", "has 2 statements"),
        ("SELECT 1 FROM objects; DROP TABLE exported_rows", "has 2 statements"),
        ("SELECT '; --", "cannot translate the SQL statement for Athena: "),
        ("SELECT 1 +", r"cannot translate .* Line 1, Col: 10\. Correct the statement, or run it without --athena"),
        (f"SELECT {'(' * 5000}1{')' * 5000}", "cannot translate"),
        ("DROP TABLE exported_rows", "DROP statements are not allowed with --athena"),
        ("CREATE TABLE a AS SELECT * FROM objects", "CREATE statements are not allowed"),
        ("INSERT INTO objects SELECT 1", "INSERT statements are not allowed"),
        ("DELETE FROM objects", "DELETE statements are not allowed"),
        ("MSCK REPAIR TABLE objects", "not allowed|cannot translate"),
        ("CALL system.flush()", "COMMAND statements are not allowed"),
        ("DESCRIBE objects", "DESCRIBE statements are not allowed"),
        ("VALUES (1)", "VALUES statements are not allowed"),
        ("WITH a AS (INSERT INTO b SELECT 1) SELECT * FROM a", "the statement contains INSERT"),
        ("SELECT * INTO copies FROM objects", "the statement contains INTO"),
        ("USING EXTERNAL FUNCTION f(x VARCHAR) RETURNS VARCHAR LAMBDA 'l' SELECT f('a')", "cannot translate"),
        ("SELECT * FROM exported_rows", "can only read the relation objects, not the table exported_rows"),
        ("SELECT * FROM other.objects", r"can only read the relation objects, not other\.objects"),
        ("SELECT * FROM awsdatacatalog.other.objects", "not awsdatacatalog.other.objects"),
        ("SELECT * FROM information_schema.tables", "not information_schema.tables"),
        ('SELECT * FROM "objects$partitions"', "not the table objects.partitions"),
        ("SELECT * FROM 's3://bucket/key'", "not the table s3://bucket/key"),
        ("SELECT * FROM read_csv('/etc/passwd')", "can only read the relation objects, not READ_CSV"),
        ("SELECT * FROM TABLE(system.query('x'))", "can only read the relation objects"),
        ("SELECT * FROM objects WHERE key IN (SELECT key FROM secret)", "not the table secret"),
        ("WITH secret AS (SELECT * FROM secret) SELECT * FROM secret", "not the table secret"),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", "not the table b"),
        ("SELECT * FROM secret, (WITH secret AS (SELECT 1) SELECT * FROM secret) AS t", "not the table secret"),
        ("SELECT 1 FROM objects UNION SELECT 1 FROM secret", "not the table secret"),
        (
            "SELECT uploaded_at AT TIME ZONE 'Europe/Berlin' FROM objects",
            "write uploaded_at AT TIME ZONE 'UTC' AT TIME ZO",
        ),
        ("SELECT (uploaded_at) AT TIME ZONE 'Europe/Berlin' FROM objects", "write uploaded_at AT TIME ZONE 'UTC' AT"),
        (
            "SELECT date_trunc('day', uploaded_at) AT TIME ZONE 'Europe/Berlin' FROM objects",
            r"write DATE_TRUNC\('DAY', uploaded_at\) AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'",
        ),
        (
            "SELECT max(uploaded_at AT TIME ZONE 'UTC') AT TIME ZONE 'Europe/Berlin' FROM objects",
            r"MAX\(.* returns different times in DuckDB and Athena: .* or run the query without --athena",
        ),
        (
            "SELECT uploaded_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC' FROM objects",
            "returns different times in DuckDB and Athena",
        ),
        ("SELECT regexp_replace(key, 'a', 'b') FROM objects", "regexp_replace replaces only the first match in DuckDB"),
        ("SELECT regexp_replace(key, 'a', 'b', 'gi') FROM objects", "add the option 'g', or run the query without"),
        ("SELECT * FROM objects WHERE key = ?", r"has the parameter \?: replace it with a value"),
        ("SELECT * FROM objects WHERE key = $key", r"has the parameter \$key: replace it with a value"),
    ],
)
def test_sql_for_athena_that_writes_or_reads_another_table_is_rejected(sql: str, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        translate(sql)


def test_query_with_a_recursive_with_clause_is_translated_for_athena() -> None:
    sql = "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3) SELECT n FROM a, objects"
    assert validate(translate(sql)).valid


def test_parameter_values_become_literals_and_cannot_inject_sql() -> None:
    for key in nonempty(ATTACK_KEYS[::3]):
        where, parameters = Filters(bucket=key, prefix=key).where("uploaded_at")
        sql = translate(f"SELECT key FROM objects WHERE {where} LIMIT $limit", {**parameters, "limit": 3})  # noqa: S608  as in the report
        tree = sqlglot.parse_one(sql, read="trino")
        literals = [each.this for each in tree.args["where"].find_all(sqlglot.exp.Literal)]
        assert literals == [key, key]
        assert "\x00" in key or validate(sql).valid, key


def test_datetime_parameter_becomes_a_timestamp_literal() -> None:
    time = datetime.fromisoformat("2026-01-31T12:00:00.250")
    sql = translate("SELECT key FROM objects WHERE uploaded_at >= $since", {"since": time})
    assert sql.endswith("WHERE uploaded_at >= CAST('2026-01-31 12:00:00.250' AS TIMESTAMP)")
