"""Runs SQL in DuckDB with limited memory. The SQL of a user can only read the relation `objects`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Self

import duckdb

from operations.analytics.columns import empty_relation
from operations.analytics.engine_errors import translated_errors
from operations.analytics.options import DEFAULT_MEMORY
from operations.errors import OperatorError

ROWS_AT_ONCE = 1000
"""Number of rows that Python fetches from a query result at a time."""
BYTES_PER_THREAD = 100_000_000
"""Bytes of the memory limit per DuckDB thread. With half of this size, the import of 1,000,000 rows fails."""
READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
HUGE_INTEGERS = ("HUGEINT", "UHUGEINT")
EXPLAIN_PREFIX = re.compile(
    r"\A(?:\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN\b\s*(?:ANALYZE\b|ANALYSE\b|\([^()]*\))?", re.IGNORECASE | re.DOTALL
)
"""Matches the keyword EXPLAIN with its options, up to the statement that it explains."""


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """Result of a query.

    Attributes:
        columns: names of the columns.
        types: DuckDB types of the columns.
        rows: iterator over the rows.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class Engine:
    """DuckDB connection in which the SQL of a user can only read the relation `objects`.

    Args:
        memory: limit of DuckDB's memory, such as `1GB`. DuckDB writes larger intermediate results to `spill`, and uses
            fewer threads than cores if the limit is too small for one thread per core.
        spill: folder for intermediate results that exceed the limit.
    """

    def __init__(self, *, memory: str = DEFAULT_MEMORY, spill: Path) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": str(spill),
            # DuckDB needs more memory to keep the order of rows in files. Queries sort their results instead.
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # SQL of users must not read Python variables.
        }
        with translated_errors():
            self.connection = duckdb.connect(":memory:", config=config)
            # Rows contain times in UTC. Without this setting, now() and casts use the local time zone.
            self.connection.execute("SET TimeZone = 'UTC'")
            sql = "SELECT current_setting('threads'), parse_formatted_bytes(current_setting('memory_limit'))"
            [(cores, limit)] = self.connection.execute(sql).fetchall()
            self.connection.execute(f"SET threads = {max(1, min(cores, round(limit / BYTES_PER_THREAD)))}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def open(self, files: Sequence[Path], *, writable: Path | None = None) -> None:
        """Create the view `objects`, and then deny access to other files and changes of DuckDB's settings.

        Args:
            files: the Parquet files with the rows of the view.
            writable: path of the file that `write_parquet` will write; None for no file.
        """
        permitted = [*files, *([writable] if writable else [])]
        with translated_errors():
            self.connection.execute(f"CREATE VIEW objects AS SELECT * FROM {parquet(*files)}")  # noqa: S608  the SQL of a view cannot have parameters
            self.connection.execute(f"SET allowed_paths = {literals(permitted)}")
            self._lock()

    def check(self, sql: str) -> None:
        """Raise an OperatorError if `select` would reject a user's statement. The check needs no rows of the table.

        After this call, `open` fails, so use another instance for the query.

        Args:
            sql: the statement.
        """
        with translated_errors():
            statement = _statement(sql)
            self.connection.execute(f"CREATE VIEW objects AS {empty_relation()}")
            self._lock()
            if statement.type != duckdb.StatementType.EXPLAIN:  # DuckDB cannot prepare an EXPLAIN statement.
                self.connection.execute(f"PREPARE checked AS {statement.query}")

    def _lock(self) -> None:
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> duckdb.DuckDBPyConnection:
        """Run a statement that this program has composed. It runs in a thread, so that Ctrl-C can interrupt DuckDB.

        Args:
            sql: the statement.
            parameters: values of the parameters `?` or `$name` in the statement.
        """
        result: Future[duckdb.DuckDBPyConnection] = Future()

        def run() -> None:
            if result.set_running_or_notify_cancel():
                try:
                    result.set_result(self.connection.execute(sql, parameters))
                except Exception as error:  # noqa: BLE001  The calling thread raises it.
                    result.set_exception(error)

        try:
            Thread(target=run).start()
            return result.result()
        except KeyboardInterrupt:
            while not (result.cancel() or result.done()):
                self.connection.interrupt()  # Repeated, because DuckDB ignores it before the statement starts.
                wait([result], timeout=0.1)
            raise

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query that this program has composed, and return all rows of the result.

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
            OperatorError: the statement is invalid, is not a query, or reads something other than `objects`.
        """
        with translated_errors():
            cursor = self.execute(_query(sql))
        description = cursor.description or []
        names, types = (tuple(str(each[place]) for each in description) for place in (0, 1))
        return QueryResult(columns=names, types=types, rows=_batches(cursor))

    def write_parquet(self, sql: str, path: Path) -> int:
        """Run a user's query, write its result into a Parquet file, and return the number of rows.

        Args:
            sql: one statement that only reads.
            path: path of the file, which `open` has made writable.

        Raises:
            OperatorError: `select` would reject the statement, or the file cannot be written.
        """
        with translated_errors():
            # The line end terminates a comment at the end of the statement.
            query = self._without_huge_integers(f"{_query(sql)}\n")
            copied = self.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, USE_TMP_FILE false)")
            [(rows,)] = copied.fetchall()
        return int(rows)

    def _without_huge_integers(self, query: str) -> str:
        """Cast HUGEINT columns to DECIMAL, because DuckDB writes HUGEINT to Parquet as DOUBLE, which is not exact."""
        described = self.execute(f"DESCRIBE SELECT * FROM ({query})").fetchall()  # noqa: S608  the query was checked: it only reads
        huge = ['"' + name.replace('"', '""') + '"' for name, kind, *_ in described if kind in HUGE_INTEGERS]
        if not huge:
            return query
        casts = ", ".join(f"CAST({name} AS DECIMAL(38, 0)) AS {name}" for name in huge)
        return f"SELECT * REPLACE ({casts}) FROM ({query})"  # noqa: S608  the query was checked: it only reads


def literal(value: Path | str) -> str:
    """Return a path or a string as an SQL literal, with escaped quotation marks."""
    return "'" + str(value).replace("'", "''") + "'"


def literals(paths: Iterable[Path]) -> str:
    """Return paths as an SQL list of literals."""
    return f"[{', '.join(map(literal, paths))}]"


def parquet(*paths: Path, options: str = "") -> str:
    """Return a call of DuckDB's function `read_parquet` as SQL text.

    Hive partitioning is off, because DuckDB would replace a column by a part of a path such as `bucket=prod/`.

    Args:
        paths: the files.
        options: further arguments of the function; the text begins with a comma.
    """
    return f"read_parquet({literals(paths)}, hive_partitioning = false{options})"


def _query(sql: str) -> str:
    """Return the only statement in an SQL string. Raise an OperatorError if it can write."""
    return _statement(sql).query.strip().rstrip(";")


def _statement(sql: str) -> duckdb.Statement:
    """Return the only statement in an SQL string, after a check that it only reads.

    Raises:
        OperatorError: the string has no statement or several, or the statement can write.
    """
    statement = _single(sql)
    # EXPLAIN ANALYZE executes the explained statement, which must not write.
    if statement.type == duckdb.StatementType.EXPLAIN:
        explained = EXPLAIN_PREFIX.sub("", statement.query)
        if _single(explained).type != duckdb.StatementType.SELECT:
            raise OperatorError("EXPLAIN is only allowed for a SELECT statement, because the relation is read-only")
    return statement


def _single(sql: str) -> duckdb.Statement:
    """Return the only statement in an SQL string: a query, or an EXPLAIN of another statement."""
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
    if statement.named_parameters:
        name = min(statement.named_parameters)
        raise OperatorError(f"the statement has the parameter ${name}: replace it with a value")
    return statement


def _batches(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with translated_errors():
            rows = cursor.fetchmany(ROWS_AT_ONCE)
        if not rows:
            return
        yield from rows
