"""The tool `export`: exports the table, selects the export that Athena reads, and writes Parquet files."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import Engine, literal, parquet, translated_errors
from operations.aws.athena import NO_WORKGROUP
from operations.errors import OperatorError
from operations.output import count
from operations.tool import OK
from operations.tools.sql import described

if TYPE_CHECKING:
    import argparse

    from operations.analytics.athena import Athena, AthenaRows
    from operations.analytics.snapshot import Cache, Snapshot
    from operations.analytics.source import Source
    from operations.output import Progress


class ExportTool:
    """Tool for `export [--parquet FOLDER]`.

    Args:
        options: the parsed options.
        source: source of the rows.
        cache: the cache of snapshots.
        athena: runs queries in the stack's Athena workgroup; None if the stack has no workgroup.
    """

    def __init__(self, options: argparse.Namespace, source: Source, cache: Cache, athena: Athena | None) -> None:
        self._folder: Path | None = options.parquet
        self._memory: str = options.memory
        self._source = source
        self._cache = cache
        self._athena = athena
        self._rows: Snapshot | AthenaRows | None = None
        self._files = 0
        self._location = ""

    def run(self, progress: Progress) -> int:
        if self._folder is None:
            if self._athena is None:
                raise OperatorError(NO_WORKGROUP)
            self._source.export(progress)
        else:
            self._write_parquet(self._folder, progress)
        location = self._source.location
        if self._athena is not None and (self._folder is None or self._athena.has(location)):
            with progress.step("update Athena"):
                pointed = self._athena.point(location, table=self._source.table_arn())
            self._rows, self._location = self._rows or pointed, pointed.source
            self._athena.create_view()
        return OK

    def _write_parquet(self, folder: Path, progress: Progress) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OperatorError(f"--parquet {folder}: the folder is not empty; give a new folder")
        with self._cache.temporary() as spill, Engine(memory=self._memory, spill=spill) as engine:
            snapshot = self._source.snapshot(engine, progress)
            with progress.step("write the files"):
                self._write(engine, snapshot.path, folder)
        self._rows = snapshot

    def _write(self, engine: Engine, source: Path, folder: Path) -> None:
        """Write the files into a temporary folder, and rename it at the end, so that the final folder is complete."""
        unfinished = None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent)).absolute()
            with translated_errors(f"write to {folder}"):
                engine.execute(
                    f"COPY (SELECT * FROM {parquet(source)}) TO {literal(unfinished)} "  # noqa: S608  COPY has no parameters
                    "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (upload_day), OVERWRITE)"
                )
            self._files = sum(1 for each in unfinished.rglob("*.parquet"))
            unfinished.rename(folder)
        except OSError as error:
            raise OperatorError(f"--parquet {folder}: {error.strerror}; give a new folder") from error
        finally:
            if unfinished is not None:
                shutil.rmtree(unfinished, ignore_errors=True)

    def lines(self) -> list[str]:
        return [f"Athena reads {self._location}"] if self._location else []

    def summary(self) -> str:
        rows = count(self._rows.rows if self._rows else 0, "row")
        if self._folder is None:
            return f"export: {rows}"
        return f"export: {rows} in {count(self._files, 'file')} in {self._folder}, partitioned by upload_day"

    def document(self) -> dict[str, Any]:
        folder = None if self._folder is None else str(self._folder)
        return {**described(self._rows), "folder": folder, "files": self._files, "athena": self._location or None}

    def resume_hint(self) -> str:
        if self._folder is not None and self._rows is None:
            return f"{self._folder} was not written; start export again"
        remedy = "start export again" if self._folder is None else "start export again without --parquet"
        if self._location:
            return f"the view objects for the Athena console was not created; {remedy}"
        return f"Athena was not updated; {remedy}"
