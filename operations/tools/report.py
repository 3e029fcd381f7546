"""The tool `report`: describes the rows of a table as text, as JSON and as one HTML file."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import Engine, translated_errors
from operations.analytics.report import Filters, Report, create_report, query_of
from operations.analytics.text import lines
from operations.errors import OperatorError
from operations.output import count
from operations.tool import OK
from operations.tools.sql import described, hint

if TYPE_CHECKING:
    import argparse

    from operations.analytics.snapshot import Cache, Snapshot
    from operations.analytics.source import Source
    from operations.output import Progress

DEFAULT_SIZE = (100, 24)
"""Columns and lines of an output that is not a terminal."""


class ReportTool:
    """Tool for `report [--since T] [--until T] [--prefix P] [--bucket B] [--top N] [--html FILE]`."""

    def __init__(self, options: argparse.Namespace, source: Source, cache: Cache) -> None:
        self._memory: str = options.memory
        self._html: Path | None = options.html
        self._top: int = options.top
        self._filters = Filters(
            since=options.since, until=options.until, bucket=options.bucket or "", prefix=options.prefix
        )
        self._source = source
        self._cache = cache
        self._snapshot: Snapshot | None = None
        self._report: Report | None = None

    def run(self, progress: Progress) -> int:
        if self._html:  # The path is checked first, because a large report takes time.
            if not self._html.parent.is_dir():
                raise OperatorError(
                    f"cannot write {self._html}: {self._html.parent} is not a folder: create the folder"
                )
            if self._html.exists() and not self._html.is_file():
                raise OperatorError(f"cannot write {self._html}: it is a folder or a device: give the name of a file")
        with self._cache.temporary() as folder, Engine(memory=self._memory, spill=folder) as engine:
            self._snapshot = self._source.snapshot(engine, progress)
            engine.open([self._snapshot.path])
            source = f"{self._snapshot.source} of {self._snapshot.table} at {self._snapshot.time}"
            with progress.step("run queries"), translated_errors("calculate the report"):
                self._report = create_report(query_of(engine), source=source, filters=self._filters, top=self._top)
        if self._html:
            from operations.analytics.html import page  # noqa: PLC0415  only this option needs Jinja2 and Leather

            part = self._html.with_name(f".{self._html.name}.part")
            try:
                part.write_text(page(self._report), encoding="utf-8")
                part.replace(self._html)
            except OSError as error:
                raise OperatorError(
                    f"cannot write {self._html}: {error.strerror}; give a file in a writable folder with enough space"
                ) from error
            finally:
                part.unlink(missing_ok=True)
        return OK

    def lines(self) -> list[str]:
        return lines(self._report, width=shutil.get_terminal_size(DEFAULT_SIZE).columns) if self._report else []

    def summary(self) -> str:
        rows = self._report.totals["index_rows"] if self._report else 0
        return f"report: {count(rows, 'row')}" + (f"; {self._html} is written" if self._html else "")

    def document(self) -> dict[str, Any]:
        report = self._report.document() | {"top": self._top} if self._report else {}
        return described(self._snapshot) | report

    def resume_hint(self) -> str:
        return hint(self._snapshot)
