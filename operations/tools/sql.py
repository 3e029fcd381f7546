"""The tool `sql`: runs a query over the rows of a table, and writes its result."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import Engine
from operations.analytics.formats import WRITERS, json_value
from operations.analytics.named_queries import named_query
from operations.errors import OperatorError
from operations.output import count
from operations.tool import OK

if TYPE_CHECKING:
    import argparse

    from operations.analytics.snapshot import Cache, Snapshot
    from operations.analytics.source import Source
    from operations.output import Progress


class SqlTool:
    """Tool for `sql (SQL | --name QUERY) [--format F] [--output FILE]`. It prints the result instead of lines."""

    def __init__(self, options: argparse.Namespace, source: Source, cache: Cache) -> None:
        self._sql = named_query(options.name) if options.name else str(options.sql)
        self._format: str = options.format
        self._output: Path | None = options.output
        self._json: bool = options.json
        self._memory: str = options.memory
        self._source = source
        self._cache = cache
        self._snapshot: Snapshot | None = None
        self._columns: list[dict[str, str]] = []
        self._rows: list[list[Any]] = []
        self._number = 0

    def run(self, progress: Progress) -> int:
        with Engine(spill=self._cache.folder) as engine:  # A wrong statement is an error before the rows are read.
            engine.check(self._sql)
        with self._cache.temporary() as folder, Engine(memory=self._memory, spill=folder) as engine:
            self._snapshot = self._source.snapshot(engine, progress)
            if self._output is not None:
                with new_file(self._output) as part:
                    self._write_file(engine, part, progress)
            else:
                self._write_stdout(engine)
        if not self._json:
            progress.note(f"{count(self._number, 'row')}, from the rows of the table at {self._snapshot.time}")
        return OK

    def _write_file(self, engine: Engine, path: Path, progress: Progress) -> None:
        assert self._snapshot is not None, "the method run reads the snapshot"
        with progress.step("run the query"):
            if self._format == "parquet":
                engine.open([self._snapshot.path], writable=path)
                self._number = engine.write_parquet(self._sql, path)
                return
            engine.open([self._snapshot.path])
            result = engine.select(self._sql)
            with path.open("w", encoding="utf-8", newline="") as file:
                self._number = WRITERS[self._format](result, file)

    def _write_stdout(self, engine: Engine) -> None:
        assert self._snapshot is not None, "the method run reads the snapshot"
        engine.open([self._snapshot.path])
        result = engine.select(self._sql)
        if not self._json:
            self._number = WRITERS[self._format](result, sys.stdout)
            sys.stdout.flush()
            return
        self._columns = [{"name": name, "type": kind} for name, kind in zip(result.columns, result.types, strict=True)]
        self._rows = [[json_value(each) for each in row] for row in result.rows]
        self._number = len(self._rows)

    def lines(self) -> list[str]:
        return []

    def summary(self) -> str:
        return f"sql: {count(self._number, 'row')}" if self._json else ""

    def document(self) -> dict[str, Any]:
        return {**described(self._snapshot), "columns": self._columns, "rows": self._rows}

    def resume_hint(self) -> str:
        return hint(self._snapshot)


def described(snapshot: Snapshot | None) -> dict[str, Any]:
    """Return the fields of a JSON document that describe the rows of a table."""
    if snapshot is None:
        return {}
    return {
        "table": snapshot.table,
        "time": snapshot.time,
        "source": snapshot.source,
        "table_rows": snapshot.rows,
    }


def hint(snapshot: Snapshot | None) -> str:
    """Return how to continue after an error, or an empty text if no rows have been read."""
    return "the rows are in the cache, and the next run uses them (--max-age)" if snapshot else ""


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Context manager for a new file, which has its name only after it is complete.

    Args:
        path: path of the file.

    Yields:
        The path of the unfinished file, which only the user can read.

    Raises:
        OperatorError: the file exists, or it cannot be written.
    """
    part = path.with_name(f".{path.name}.part").absolute()
    try:
        if path.exists():
            raise OperatorError(f"--output {path}: the file exists; give the name of a new file")
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        yield part
        part.rename(path)
    except OSError as error:
        raise OperatorError(
            f"--output {path}: {error.strerror}; give the name of a new file in a writable folder with enough space"
        ) from error
    finally:
        part.unlink(missing_ok=True)
