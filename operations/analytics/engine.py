"""DuckDB connection with limited memory, in which SQL of a user can only read the relation `objects`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import duckdb

from operations.analytics.columns import empty_relation
from operations.analytics.options import CACHE_VARIABLE, DEFAULT_MEMORY
from operations.errors import OperatorError

ROWS_AT_ONCE = 1000
"""Rows of a result that Python reads at once."""
READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
HUGE_INTEGERS = ("HUGEINT", "UHUGEINT")
DAMAGED = (".parquet'", "Parquet")
"""Parts of DuckDB's messages about a damaged file in the cache."""
EXPLAIN_PREFIX = re.compile(
    r"\A(?:\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN\b\s*(?:ANALYZE\b|ANALYSE\b|\([^()]*\))?", re.IGNORECASE | re.DOTALL
)
"""The beginning of an EXPLAIN statement, before the explained statement."""
COLUMNS_DOCUMENT = "docs/sql.md lists the columns of the relation objects"
COLUMNS_HELP = f"{COLUMNS_DOCUMENT}, and DESCRIBE objects prints them"


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """Result of a query.

    Attributes:
        columns: names of the columns.
        types: DuckDB types of the columns.
        rows: the rows, which can be read once.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class Engine:
    """DuckDB connection in which SQL of a user can only read the relation `objects`.

    Args:
        memory: limit of DuckDB's memory, such as `1GB`. DuckDB writes larger intermediate results to `spill`.
        spill: folder for intermediate results that exceed the limit.
    """

    def __init__(self, *, memory: str = DEFAULT_MEMORY, spill: Path) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": str(spill),
            "preserve_insertion_order": "false",  # the order of rows needs memory, and queries sort their results
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # SQL must not read variables of this program
        }
        with translated_errors():
            self.connection = duckdb.connect(":memory:", config=config)
            self.connection.execute("SET TimeZone = 'UTC'")  # now() and casts depend on it, and rows have times in UTC

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def open(self, files: Sequence[Path], *, writable: Path | None = None) -> None:
        """Create the view `objects`, and then prevent all other access to files and all changes of settings.

        Args:
            files: the Parquet files of the relation.
            writable: path of a file that `write_parquet` writes later.
        """
        permitted = ", ".join(map(literal, [*files, *([writable] if writable else [])]))
        with translated_errors():
            self.connection.execute(f"CREATE VIEW objects AS SELECT * FROM {parquet(*files)}")  # noqa: S608  a view has no parameters
            self.connection.execute(f"SET allowed_paths = [{permitted}]")
            self._lock()

    def check(self, sql: str) -> None:
        """Raise an OperatorError if `select` would reject a statement of a user, without any rows.

        The engine cannot open the relation afterwards.

        Args:
            sql: the statement.
        """
        with translated_errors():
            statement = _statement(sql)
            self.connection.execute(f"CREATE VIEW objects AS {empty_relation()}")
            self._lock()
            if statement.type != duckdb.StatementType.EXPLAIN:  # DuckDB does not prepare an EXPLAIN statement.
                self.connection.execute(f"PREPARE checked AS {statement.query}")

    def _lock(self) -> None:
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> duckdb.DuckDBPyConnection:
        """Run a statement of the program in a thread, because DuckDB does not react to Ctrl-C while a statement runs.

        Args:
            sql: the statement.
            parameters: values of the parameters `?` or `$name` in the statement.
        """
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self.connection.execute, sql, parameters)
            try:
                return future.result()
            except KeyboardInterrupt:
                self.connection.interrupt()
                raise

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of the result of a query of the program itself.

        Args:
            sql: the query.
            parameters: values of the parameters `?` in the query.
        """
        return self.execute(sql, parameters).fetchall()

    def select(self, sql: str) -> QueryResult:
        """Run a query of a user.

        Args:
            sql: one statement that only reads.

        Raises:
            OperatorError: the statement is invalid, is not a query, or reads something else than the relation.
        """
        with translated_errors():
            cursor = self.execute(_query(sql))
        description = cursor.description or []
        names, types = (tuple(str(each[place]) for each in description) for place in (0, 1))
        return QueryResult(columns=names, types=types, rows=_batches(cursor))

    def write_parquet(self, sql: str, path: Path) -> int:
        """Write the result of a user's query into a Parquet file, and return the number of rows.

        Args:
            sql: one statement that only reads.
            path: path of the file, which `open` has made writable.

        Raises:
            OperatorError: as for `select`, or the file cannot be written.
        """
        with translated_errors():
            query = self._without_huge_integers(f"{_query(sql)}\n")  # The last line of a statement can be a comment.
            copied = self.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, USE_TMP_FILE false)")
            [(rows,)] = copied.fetchall()
        return int(rows)

    def _without_huge_integers(self, query: str) -> str:
        """Return a query whose sums are decimal numbers, because DuckDB writes HUGEINT into Parquet as DOUBLE."""
        described = self.execute(f"DESCRIBE SELECT * FROM ({query})").fetchall()  # noqa: S608  a checked query
        huge = ['"' + name.replace('"', '""') + '"' for name, kind, *_ in described if kind in HUGE_INTEGERS]
        if not huge:
            return query
        casts = ", ".join(f"CAST({name} AS DECIMAL(38, 0)) AS {name}" for name in huge)
        return f"SELECT * REPLACE ({casts}) FROM ({query})"  # noqa: S608  a checked query


def literal(value: Path | str) -> str:
    """Return a path or a text as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def parquet(*paths: Path, options: str = "") -> str:
    """Return the SQL text of a table function that reads Parquet files.

    DuckDB would replace columns by parts of a path such as `bucket=prod/`, so this is disabled.

    Args:
        paths: the files.
        options: further arguments, with a comma at the beginning.
    """
    return f"read_parquet([{', '.join(map(literal, paths))}], hive_partitioning = false{options})"


@contextmanager
def translated_errors(action: str = "run the SQL statement") -> Iterator[None]:
    """Raise DuckDB's errors as OperatorErrors that state the remedy.

    Args:
        action: the action as an infinitive without "to".
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        raise OperatorError(f"cannot {action}: {_message(error)}") from error


def _query(sql: str) -> str:
    """Return the text of a statement that only reads."""
    return _statement(sql).query.strip().rstrip(";")


def _statement(sql: str) -> duckdb.Statement:
    """Return a statement that only reads.

    Raises:
        OperatorError: there is no statement or more than one, or it does not only read.
    """
    statement = _single(sql)
    if statement.type == duckdb.StatementType.EXPLAIN:  # EXPLAIN ANALYZE runs the explained statement.
        explained = EXPLAIN_PREFIX.sub("", statement.query)
        if _single(explained).type != duckdb.StatementType.SELECT:
            raise OperatorError("EXPLAIN is only allowed for a SELECT statement, because the relation is read-only")
    return statement


def _single(sql: str) -> duckdb.Statement:
    """Return the only statement of an SQL text, which reads or explains another statement."""
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise OperatorError(f"the SQL text has {len(statements)} statements: give exactly one SELECT statement")
    [statement] = statements
    if statement.type == duckdb.StatementType.MULTI:
        raise OperatorError(
            "PIVOT requires a list of the values that become columns, such as ON extension IN ('pdf', 'jpg')"
        )
    if statement.type not in READS:
        raise OperatorError(
            f"{statement.type.name} statements are not allowed, because the relation objects is read-only: give a "
            "SELECT statement. To write the result of a query to a file, use --format and --output"
        )
    return statement


def _batches(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with translated_errors():
            rows = cursor.fetchmany(ROWS_AT_ONCE)
        if not rows:
            return
        yield from rows


def _message(error: duckdb.Error) -> str:
    """Return DuckDB's message in one line, without the excerpt of the SQL text, and with the remedy."""
    excerpt = str(error).strip().partition("\nLINE ")[0]
    text = " ".join(line.strip() for line in excerpt.splitlines() if line.strip()).rstrip(".")
    remedy = ""
    match error:
        case duckdb.CatalogException() if "Table with name" in text:
            remedy = f"The only table is objects; {COLUMNS_HELP}"
        case duckdb.BinderException() if "No function matches" in text:
            text = text.partition(" Candidate functions:")[0].rstrip(
                "."
            )  # without the list of signatures of the function
            remedy = COLUMNS_HELP
        case duckdb.CatalogException() | duckdb.BinderException():
            remedy = COLUMNS_HELP
        case duckdb.ParserException():
            remedy = "The SQL dialect is that of DuckDB; docs/sql.md has examples"
        case duckdb.PermissionException():
            remedy = "A query can only read the relation objects. It cannot read files or URLs, or load extensions"
        case duckdb.OutOfMemoryException():
            text = text.partition(" Possible solutions:")[0]  # without advice about settings that users cannot change
            remedy = "Increase the limit with --memory, such as --memory 4GB, or set TAPSTACK_CACHE to a larger disk"
    # If a parallel write fails, the text of DuckDB's exception is a JSON document.
    if match := re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', text):
        text = json.loads(match[1])
    if "No space left on device" in text:
        remedy = (
            "The disk is full: delete files (`tapstack cache clear` deletes the cache), or set "
            f"{CACHE_VARIABLE} to a folder on another disk"
        )
    elif any(word in text for word in DAMAGED) or type(error) in (duckdb.Error, duckdb.InternalException):
        remedy = (
            "A file in the cache may be damaged: delete the cache with `tapstack cache clear`, and start the tool again"
        )
    return f"{text}{'' if text.endswith(('!', '?')) else '.'} {remedy}".rstrip(". ")
