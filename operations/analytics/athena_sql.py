"""Translates SQL from DuckDB's dialect to Athena's, and rejects SQL that does more than read the relation `objects`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.expressions import apply_index_offset

from operations.analytics.columns import athena_relation
from operations.errors import OperatorError

DUCKDB, TRINO = "duckdb", "trino"
"""Names of DuckDB's and Athena's SQL dialects in the package sqlglot. Athena is based on Trino."""
RELATION = "objects"
EXPORTED_ROWS = "exported_rows"
"""Name of the Glue table that describes the files of a DynamoDB export."""
READ_ONLY = "with --athena, a query can only read the relation objects"
WRITES = (exp.DDL, exp.DML, exp.Drop, exp.Into, exp.Command)
"""Node types of sqlglot's syntax tree for statements and clauses that write data, or that sqlglot cannot parse."""


def translate(sql: str, parameters: Mapping[str, object] | None = None) -> str:
    """Return a statement in Athena's dialect, with a WITH clause that defines the relation `objects`.

    Args:
        sql: one SELECT statement that reads the relation `objects`, in DuckDB's SQL dialect.
        parameters: values of the parameters `$name` in the statement.

    Raises:
        OperatorError: the SQL text is not exactly one SELECT statement, reads something other than the relation
            `objects`, or cannot be translated.
    """
    try:
        query = _query(sql)
        _set_parameters(query, parameters or {})
        # Inner expressions, which `find_all` returns after the outer ones, are replaced first.
        for each in reversed(list(query.find_all(*REPLACEMENTS))):
            each.replace(REPLACEMENTS[type(each)](each))
        _add_relation(query)
        return query.sql(dialect=TRINO, unsupported_level=ErrorLevel.RAISE, comments=False)
    except (SqlglotError, RecursionError) as error:
        message = " ".join(str(error).partition("\n")[0].split()).rstrip(".")
        raise OperatorError(
            f"cannot translate the SQL statement for Athena: {message}. Correct the statement, or run it without "
            "--athena"
        ) from error


def view() -> str:
    """Return the SQL statement that creates the view `objects` in Athena."""
    body = sqlglot.parse_one(athena_relation(EXPORTED_ROWS), read=TRINO)
    return exp.Create(this=exp.to_table(RELATION), kind="VIEW", replace=True, expression=body).sql(dialect=TRINO)


def _query(sql: str) -> exp.Query:
    """Parse an SQL string. Raise an OperatorError unless it is one SELECT statement that writes nothing."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # The warnings would repeat the tool's error message.
    parsed = sqlglot.parse(sql, read=DUCKDB)
    # sqlglot parses a comment after a semicolon as a statement.
    statements = [each for each in parsed if not isinstance(each, exp.Semicolon | None)]
    if len(statements) != 1:
        raise OperatorError(f"the SQL text has {len(statements)} statements: give exactly one SELECT statement")
    [statement] = statements
    if not isinstance(statement, exp.Query) or isinstance(statement, exp.Table):
        kind = type(statement).__name__.upper()
        raise OperatorError(f"{kind} statements are not allowed with --athena: give a SELECT statement")
    if (writing := statement.find(*WRITES)) is not None:
        kind = type(writing).__name__.upper()
        raise OperatorError(f"{READ_ONLY}, and the statement contains {kind}: give a SELECT statement")
    return statement


def _set_parameters(query: exp.Query, parameters: Mapping[str, object]) -> None:
    """Replace parameters by literal nodes of the syntax tree, so that a value cannot inject SQL."""
    for each in list(query.find_all(exp.Placeholder, exp.Parameter)):
        if each.name not in parameters:
            raise OperatorError(f"the statement has the parameter {each.sql(dialect=DUCKDB)}: replace it with a value")
        value = parameters[each.name]
        if isinstance(value, datetime):
            literal = exp.Literal.string(value.isoformat(sep=" ", timespec="milliseconds"))
            each.replace(exp.Cast(this=literal, to=exp.DataType.build("TIMESTAMP")))
        else:
            each.replace(exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(str(value)))


def _subscript(bracket: exp.Bracket) -> exp.Expression:
    """Replace `map[key]` by `element_at(map, key)`, because `map[key]` fails in Athena if the key is missing.

    The same function returns the elements of lists. In sqlglot's syntax tree, the number of the first element is 0.
    """
    if len(bracket.expressions) != 1 or isinstance(bracket.expressions[0], exp.Slice):
        return bracket
    [key] = apply_index_offset(bracket.this, bracket.expressions, 1, dialect=DUCKDB)
    return exp.Anonymous(this="element_at", expressions=[bracket.this, key])


def _day_of_week(function: exp.DayOfWeek) -> exp.Expression:
    """Return an expression for the day of the week, in which Sunday is 0, as in DuckDB. In Trino, Sunday is 7."""
    return exp.paren(exp.Mod(this=exp.DayOfWeekIso(this=function.this), expression=exp.Literal.number(7)))


def _extract(function: exp.Extract) -> exp.Expression:
    """Replace `extract(dow FROM time)` by an expression with DuckDB's numbers of the days."""
    is_day = function.name.upper() in ("DOW", "DAYOFWEEK", "WEEKDAY")
    return _day_of_week(exp.DayOfWeek(this=function.expression)) if is_day else function


def _date_diff(function: exp.DateDiff) -> exp.Expression:
    """Count the boundaries between two times, such as starts of weeks, as DuckDB does. Trino counts complete weeks."""
    function.args["date_part_boundary"] = True
    return function


def _at_time_zone(expression: exp.AtTimeZone) -> exp.Expression:
    """Reject `time AT TIME ZONE zone` if DuckDB and Trino return different times.

    For a time without a zone, DuckDB assumes this zone, and Trino assumes UTC.
    """
    time, zone = expression.this.unnest(), expression.args["zone"]
    has_zone = _has_zone(time)
    if has_zone:
        return expression
    if has_zone is False and not isinstance(time, exp.AtTimeZone):
        if zone.name.upper() == "UTC":
            return expression
        name, to = time.sql(dialect=DUCKDB), zone.sql(dialect=DUCKDB)
        raise OperatorError(f"columns contain times in UTC: write {name} AT TIME ZONE 'UTC' AT TIME ZONE {to}")
    raise OperatorError(
        f"{expression.sql(dialect=DUCKDB)} returns different times in DuckDB and Athena: convert a column directly, as "
        "in uploaded_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin', or run the query without --athena"
    )


def _has_zone(time: exp.Expr) -> bool | None:
    """Return whether a time has a time zone in DuckDB; None if the expression does not show it."""
    time = time.unnest()
    if isinstance(time, exp.AtTimeZone):
        inner = _has_zone(time.this)
        return None if inner is None else not inner
    if _is_zoned(time):
        return True
    return None if any(map(_is_zoned, time.walk())) or time.find(exp.AtTimeZone, exp.Anonymous) else False


def _is_zoned(time: exp.Expr) -> bool:
    """Return whether an expression is the current time, or a cast to a time with a time zone."""
    cast = isinstance(time, exp.Cast) and time.is_type(exp.DataType.Type.TIMESTAMPTZ)
    now = isinstance(time, exp.Anonymous) and time.name.lower() == "now"
    return cast or now or isinstance(time, exp.CurrentTimestamp | exp.UnixToTime)


def _extreme(function: exp.Greatest | exp.Least) -> exp.Expression:
    """Make `greatest` and `least` ignore NULL arguments, as in DuckDB. In Trino, the result would be NULL."""
    values = [function.this, *function.expressions]
    present = [
        exp.Coalesce(this=each.copy(), expressions=[other.copy() for other in values if other is not each])
        for each in values
    ]
    return type(function)(this=present[0], expressions=present[1:]) if len(values) > 1 else function


def _regexp_replace(function: exp.RegexpReplace) -> exp.Expression:
    """Reject `regexp_replace` without the option `g`, with which DuckDB replaces all matches, as Trino does."""
    if function.args.get("modifiers") != exp.Literal.string("g"):
        raise OperatorError(
            "regexp_replace replaces only the first match in DuckDB, and all matches in Athena: add the option 'g', "
            "or run the query without --athena"
        )
    function.set("modifiers", None)
    return function


REPLACEMENTS: Mapping[type[exp.Expression], Callable[[Any], exp.Expression]] = {
    exp.Bracket: _subscript,
    exp.AtTimeZone: _at_time_zone,
    exp.DayOfWeek: _day_of_week,
    exp.Extract: _extract,
    exp.DateDiff: _date_diff,
    exp.Greatest: _extreme,
    exp.Least: _extreme,
    exp.RegexpReplace: _regexp_replace,
}
"""Maps types of expressions to functions that return a replacement, because Trino returns other results than DuckDB."""


def _add_relation(query: exp.Query) -> None:
    """Add a definition of the relation `objects` to a query's WITH clause, and reject all other tables.

    The definition has a name that the query does not use, because the query's own WITH clause may define a table
    `objects`. An alias permits references such as `objects.column`.
    """
    names = {each.alias.lower() for each in query.find_all(exp.CTE)}
    relation = "indexed_objects"
    while relation in names:
        relation += "_"
    for table in list(query.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or table.args.get("db") or table.args.get("catalog"):
            raise OperatorError(f"{READ_ONLY}, not {table.sql(dialect=DUCKDB)}")
        if _is_cte(table):
            continue
        if table.name.lower() != RELATION:
            raise OperatorError(f"{READ_ONLY}, not the table {table.name}")
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(RELATION)))
        table.set("this", exp.to_identifier(relation))
    body = sqlglot.parse_one(athena_relation(EXPORTED_ROWS), read=TRINO)
    definition = exp.CTE(this=body, alias=exp.TableAlias(this=exp.to_identifier(relation)))
    if (clause := query.args.get("with_")) is not None:
        clause.set("expressions", [definition, *clause.expressions])
    else:
        query.set("with_", exp.With(expressions=[definition]))


def _is_cte(table: exp.Table) -> bool:
    """Return whether a table is a common table expression, which a WITH clause defines before its use."""
    name = table.name.lower()
    inside: Any = table
    node: Any = table.parent
    while node is not None:
        clause = node if isinstance(node, exp.With) else node.args.get("with_")
        if clause is not None and clause is not inside:
            definitions = clause.expressions
            if clause is node:
                place = next(number for number, each in enumerate(definitions) if each is inside)
                definitions = definitions[: place + bool(clause.args.get("recursive"))]
            if any(each.alias.lower() == name for each in definitions):
                return True
        inside, node = node, node.parent
    return False
