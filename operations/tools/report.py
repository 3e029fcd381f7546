"""The tool `report`: summarizes the rows of the table as text, JSON or one HTML file."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import Engine
from operations.analytics.engine_errors import translated_errors
from operations.analytics.formats import UNLIMITED
from operations.analytics.report import Filters, Report, check_filters, create_report, query_of
from operations.analytics.text import lines
from operations.errors import OperatorError
from operations.local_files import unfinished_file
from operations.output import count
from operations.tool import OK
from operations.tools.sql import described, hint

if TYPE_CHECKING:
    import argparse

    from operations.analytics.athena import Athena, AthenaRows
    from operations.analytics.snapshot import Cache, Snapshot
    from operations.analytics.source import Source
    from operations.output import Progress

DEFAULT_SIZE = (UNLIMITED, 24)
"""Assumed width and height in characters if the output is not a terminal. Each row of a table is then one line."""


class ReportTool:
    """Tool for `report [--since T] [--until T] [--prefix P] [--bucket B] [--top N] [--html FILE]`.

    Args:
        options: the parsed options.
        source: source of the rows for DuckDB.
        cache: the cache of snapshots.
        athena: runs queries in the stack's Athena workgroup; None to run them in DuckDB.
    """

    def __init__(self, options: argparse.Namespace, source: Source, cache: Cache, athena: Athena | None) -> None:
        self._memory: str = options.memory
        self._html: Path | None = options.html
        self._top: int = options.top
        self._filters = Filters(
            since=options.since, until=options.until, bucket=options.bucket or "", prefix=options.prefix
        )
        self._selection: dict[str, Any] = {"filters": self._filters, "top": self._top}
        self._source = source
        self._cache = cache
        self._athena = athena
        self._rows: Snapshot | AthenaRows | None = None
        self._report: Report | None = None

    def run(self, progress: Progress) -> int:
        if self._html:  # The path is checked before the queries run, because a report can take minutes.
            if not self._html.parent.is_dir():
                raise OperatorError(f"cannot write {self._html}: there is no folder {self._html.parent}. Create it")
            if self._html.exists() and not self._html.is_file():
                raise OperatorError(f"cannot write {self._html}: it is a folder or a device: give the name of a file")
        if self._athena:
            self._report = self._run_in_athena(self._athena, progress)
        else:
            self._report = self._run_in_duckdb(progress)
        if self._html:
            from operations.analytics.html import page  # noqa: PLC0415  only this option needs Jinja2 and Leather

            try:
                with unfinished_file(self._html) as part:
                    part.write_text(page(self._report), encoding="utf-8")
                    part.replace(self._html)
            except OSError as error:
                raise OperatorError(
                    f"cannot write {self._html}: {error.strerror}; give a file in a writable folder with enough space"
                ) from error
        return OK

    def _run_in_duckdb(self, progress: Progress) -> Report:
        with self._cache.temporary() as folder, Engine(memory=self._memory, spill=folder) as engine:
            self._rows = snapshot = self._source.snapshot(engine, progress)
            engine.open([snapshot.path])
            with progress.step("run queries"), translated_errors("calculate the report"):
                run = query_of(engine)
                report = create_report(run, source=_source(snapshot), **self._selection)
                if not report.totals["index_rows"]:
                    check_filters(run, self._filters, time=snapshot.time)
                return report

    def _run_in_athena(self, athena: Athena, progress: Progress) -> Report:
        self._rows = rows = athena.open()
        try:
            with progress.step("run queries"):
                report = create_report(
                    athena.run, source=_source(rows), relation="objects", apply=athena.map, **self._selection
                )
                if not report.totals["index_rows"]:
                    check_filters(athena.run, self._filters, time=rows.time, relation="objects")
        finally:
            progress.note(athena.costs())
        athena.check(rows)
        found = report.totals["index_rows"]
        if self._filters == Filters() and found != rows.rows:
            raise OperatorError(
                f"Athena read {count(found, 'row')}, but the manifest of {rows.source} states {rows.rows:,}: a "
                "lifecycle rule or a user may have deleted files of the export. Run `tapstack export` again"
            )
        return report

    def lines(self) -> list[str]:
        return lines(self._report, width=shutil.get_terminal_size(DEFAULT_SIZE).columns) if self._report else []

    def summary(self) -> str:
        rows = self._report.totals["index_rows"] if self._report else 0
        return f"report: {count(rows, 'row')}" + (f"; wrote {self._html}" if self._html else "")

    def document(self) -> dict[str, Any]:
        report = self._report.document() | {"top": self._top} if self._report else {}
        return described(self._rows) | (self._athena.document() if self._athena else {}) | report

    def resume_hint(self) -> str:
        return "start report again" if self._athena else hint(self._rows)


def _source(rows: Snapshot | AthenaRows) -> str:
    return f"rows of {rows.table} at {rows.time} (source: {rows.source})"
