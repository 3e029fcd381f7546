"""Translates SQL from DuckDB's dialect to Athena's, and rejects SQL that does more than read the relation `objects`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ErrorLevel, SqlglotError

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
        for each in list(query.find_all(exp.Bracket)):
            _replace_subscript(each)
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
    """Parse an SQL text. Raise an OperatorError unless it is one SELECT statement that writes nothing."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # sqlglot's warnings would repeat the tool's error message
    parsed = sqlglot.parse(sql, read=DUCKDB)
    # A comment after a semicolon is a statement for sqlglot.
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


def _replace_subscript(subscript: exp.Bracket) -> None:
    """Replace `map[key]` by `element_at(map, key)`, because `map[key]` fails in Athena if the key is missing."""
    if len(subscript.expressions) == 1 and not isinstance(subscript.expressions[0], exp.Slice):
        subscript.replace(exp.Anonymous(this="element_at", expressions=[subscript.this, subscript.expressions[0]]))


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
