"""The tool `sql`: runs an SQL query over the rows of the table, in DuckDB or in Athena, and writes the result."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import Engine
from operations.analytics.formats import WRITERS, json_value
from operations.analytics.named_queries import named_query, query_names
from operations.analytics.snapshot import Snapshot
from operations.errors import OperatorError
from operations.local_files import unfinished_file
from operations.output import count
from operations.tool import OK

if TYPE_CHECKING:
    import argparse

    from operations.analytics.athena import Athena, AthenaRows
    from operations.analytics.engine import QueryResult
    from operations.analytics.snapshot import Cache
    from operations.analytics.source import Source
    from operations.output import Progress

MAX_DOCUMENT_ROWS = 100_000
"""Maximum number of rows in the JSON output of --json. With all columns, so many rows need about 1 GB of memory."""


class SqlTool:
    """Tool for `sql (SQL | --name QUERY) [--format F] [--output FILE]`. The tool prints the query result itself.

    Args:
        options: the parsed options.
        source: source of the rows for DuckDB.
        cache: the cache of snapshots.
        athena: runs queries in the stack's Athena workgroup; None to run them in DuckDB.
    """

    def __init__(self, options: argparse.Namespace, source: Source, cache: Cache, athena: Athena | None) -> None:
        self._sql = named_query(options.name) if options.name else str(options.sql)
        if self._sql.strip() in query_names():
            name = self._sql.strip()
            raise OperatorError(f"{name!r} is the name of a query, not an SQL statement: use --name {name}")
        self._format: str = options.format
        self._output: Path | None = options.output
        self._json: bool = options.json
        self._memory: str = options.memory
        self._source = source
        self._cache = cache
        self._athena = athena
        self._described: Snapshot | AthenaRows | None = None
        self._columns: list[dict[str, str]] = []
        self._rows: list[list[Any]] = []
        self._number = 0

    def run(self, progress: Progress) -> int:
        if self._output is not None:  # An unusable path must fail before an export, which costs money and time.
            check_new_file(self._output)
        if self._athena is not None:
            self._described = self._run_in_athena(self._athena, progress)
        else:
            with Engine(spill=self._cache.folder) as engine:  # Checked first, because reading the rows can cost money.
                engine.check(self._sql)
            with self._cache.temporary() as folder, Engine(memory=self._memory, spill=folder) as engine:
                snapshot = self._source.snapshot(engine, progress)
                self._described = snapshot
                self._run_in_duckdb(engine, snapshot.path, progress)
        if not self._json:
            progress.note(f"{count(self._number, 'row')}, from the rows of the table at {self._described.time}")
        return OK

    def _run_in_athena(self, athena: Athena, progress: Progress) -> AthenaRows:
        rows = athena.open()
        if self._output is None:
            self._write_stdout(self._select(athena, rows, progress))
        else:
            with new_file(self._output) as part:
                self._write_file(self._select(athena, rows, progress), part)
        return rows

    def _select(self, athena: Athena, rows: AthenaRows, progress: Progress) -> QueryResult:
        try:
            with progress.step("run the query"):
                result = athena.select(self._sql)
        finally:
            progress.note(athena.costs())
        athena.check(rows)
        return result

    def _run_in_duckdb(self, engine: Engine, rows: Path, progress: Progress) -> None:
        if self._output is None:
            engine.open([rows])
            self._write_stdout(engine.select(self._sql))
            return
        with new_file(self._output) as part, progress.step("run the query"):
            if self._format == "parquet":
                engine.open([rows], writable=part)
                self._number = engine.write_parquet(self._sql, part)
                return
            engine.open([rows])
            self._write_file(engine.select(self._sql), part)

    def _write_file(self, result: QueryResult, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            self._number = WRITERS[self._format](result, file)

    def _write_stdout(self, result: QueryResult) -> None:
        if not self._json:
            self._number = WRITERS[self._format](result, sys.stdout)
            sys.stdout.flush()
            return
        self._columns = [{"name": name, "type": kind} for name, kind in zip(result.columns, result.types, strict=True)]
        rows = [[json_value(each) for each in row] for row in islice(result.rows, MAX_DOCUMENT_ROWS + 1)]
        if len(rows) > MAX_DOCUMENT_ROWS:
            limit = f"{MAX_DOCUMENT_ROWS:,} rows"
            raise OperatorError(f"--json: the result has more than {limit}: use --format json, which has no limit")
        self._rows = rows
        self._number = len(self._rows)

    def lines(self) -> list[str]:
        return []

    def summary(self) -> str:
        return f"sql: {count(self._number, 'row')}" if self._json else ""

    def document(self) -> dict[str, Any]:
        costs = self._athena.document() if self._athena else {}
        return {**described(self._described), **costs, "columns": self._columns, "rows": self._rows}

    def resume_hint(self) -> str:
        return "start sql again" if self._athena else hint(self._described)


def described(snapshot: Snapshot | AthenaRows | None) -> dict[str, Any]:
    """Return the fields of the JSON output that describe the queried rows: table, time, source and number."""
    if snapshot is None:
        return {}
    return {
        "table": snapshot.table,
        "time": snapshot.time,
        "source": snapshot.source,
        "table_rows": snapshot.rows,
    }


def hint(snapshot: Snapshot | AthenaRows | None) -> str:
    """Return a hint that the next run can use the cached rows, or an empty string if the cache has no rows."""
    cached = isinstance(snapshot, Snapshot) and Snapshot.read(snapshot.path.parent) is not None
    return "the rows of the table are in the cache, and the next run can use them (--max-age)" if cached else ""


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Context manager that creates a temporary file, and gives it its final name when it is complete.

    Args:
        path: final path of the file.

    Yields:
        The path of the unfinished file, which only the user can read.

    Raises:
        OperatorError: the file exists, or it cannot be written.
    """
    check_new_file(path)
    try:
        with unfinished_file(path) as part:
            yield part
            part.rename(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def check_new_file(path: Path) -> None:
    """Raise an OperatorError if a file cannot be created, because it exists or its folder does not exist.

    Args:
        path: path of the file.

    Raises:
        OperatorError: the path cannot be used.
    """
    try:
        if path.exists():
            raise OperatorError(f"--output {path}: the file exists; give the name of a new file")
        if not path.parent.is_dir():
            raise OperatorError(f"--output {path}: there is no folder {path.parent}. Create it")
    except OSError as error:  # for example, the name is too long
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"--output {path}: {error.strerror}; give the name of a new file in a writable folder with enough space"
    )
