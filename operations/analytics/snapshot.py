"""Stores snapshots of the relation `objects` as Parquet files in a cache folder that only the user can read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from operations.analytics.columns import (
    COLUMNS,
    EXISTS_NOW,
    NEWEST_FIRST,
    SCHEMA_VERSION,
    empty_relation,
    exported_columns,
    item_type,
)
from operations.analytics.engine import literal, parquet, translated_errors
from operations.analytics.export_files import LONGEST_LINE, SUMMARY, Export, data_paths, read_export, verify
from operations.analytics.options import CACHE_VARIABLE
from operations.errors import OperatorError

if TYPE_CHECKING:
    from operations.analytics.engine import Engine

OBJECTS, DESCRIPTION = "objects.parquet", "snapshot.json"
"""Names of the two files in the folder of a snapshot: the rows, and their description."""
FORMAT = 1
"""Version of the file format of snapshots. Increase it when the columns of the relation `objects` change."""
ROW_GROUP = 40_960
"""Number of rows in a row group of a Parquet file. While DuckDB writes, each thread keeps one row group in memory."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
PREFIX, UNFINISHED = "snapshot-", "unfinished-"
"""Prefixes of the names of snapshots and of temporary folders. `tapstack cache clear` deletes only such folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All rows of the DynamoDB table at one point in time, stored as a Parquet file.

    Attributes:
        table: ARN of the table.
        time: time of the rows, ISO 8601 in UTC.
        source: source of the rows: `scan`, `export`, or the path of an export folder.
        rows: number of rows.
        path: path of the Parquet file.
    """

    table: str
    time: str
    source: str
    rows: int
    path: Path

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read a snapshot's description. Return None if the folder has no complete snapshot in the current format."""
        try:
            values = json.loads((folder / DESCRIPTION).read_bytes())
        except (OSError, ValueError):
            return None
        match values:
            case {
                "format": int(number),
                "table": str(table),
                "time": str(time),
                "source": str(source),
                "rows": int(rows),
                "bytes": int(size),
            } if number == FORMAT and _size(folder / OBJECTS) == size:
                return cls(table=table, time=time, source=source, rows=rows, path=folder / OBJECTS)
        return None


class Cache:
    """Cache folder with snapshots and temporary files. Only the user can read it.

    Args:
        folder: path of the folder, which is created if it does not exist.

    Raises:
        OperatorError: the folder cannot be created, or other users can write into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The permissions of a folder with other files, such as /tmp, must not change.
            if not any(folder.iterdir()):
                folder.chmod(0o700)
            status = folder.stat()
        except OSError as error:
            raise OperatorError(
                f"the cache folder {folder} cannot be used: {error.strerror}. Set {CACHE_VARIABLE} to a folder of yours"
            ) from error
        if status.st_uid != os.geteuid() or status.st_mode & OTHERS_WRITE:
            raise OperatorError(
                f"the cache folder {folder} cannot be used, because other users can write into it: remove their "
                f"permissions (`chmod go-w`), or set {CACHE_VARIABLE} to a folder of yours"
            )

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """Context manager that creates a temporary folder in the cache, and deletes it on exit."""
        try:
            folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        except OSError as error:
            raise OperatorError(f"cannot write to the cache folder {self.folder}: {error.strerror}") from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def newest(self, table: str, *, since: datetime, sources: tuple[str, ...]) -> Snapshot | None:
        """Return the newest snapshot of a table in the cache, or None.

        Args:
            table: ARN of the table.
            since: minimum time of the snapshot.
            sources: permitted values of `Snapshot.source`.
        """
        found = [each for each in self._snapshots(table, sources) if datetime.fromisoformat(each.time) >= since]
        return max(found, key=lambda each: each.time, default=None)

    def at(self, table: str, *, time: datetime, sources: tuple[str, ...]) -> Snapshot | None:
        """Return a snapshot of a table at exactly one point in time, or None.

        Args:
            table: ARN of the table.
            time: the point in time.
            sources: permitted values of `Snapshot.source`.
        """
        found = (each for each in self._snapshots(table, sources) if datetime.fromisoformat(each.time) == time)
        return next(found, None)

    def _snapshots(self, table: str, sources: tuple[str, ...]) -> list[Snapshot]:
        snapshots = filter(None, map(Snapshot.read, self.folder.glob(f"{PREFIX}*")))
        return [each for each in snapshots if each.table == table and each.source in sources]

    def load(self, export: Path, engine: Engine, *, source: str, table: str = "") -> Snapshot:
        """Return the snapshot of an export. If the cache does not contain it, verify the export and add its snapshot.

        Args:
            export: the folder that contains manifest-summary.json.
            engine: DuckDB engine whose method `open` was not called.
            source: value of `Snapshot.source`.
            table: ARN of the expected table; empty for any table.

        Raises:
            OperatorError: a file is missing or damaged, or the export belongs to another table.
        """
        opened = read_export(export)
        if table and opened.table != table:
            raise OperatorError(
                f"{export / SUMMARY} is the manifest of an export of the table {opened.table}, but the table of the "
                f"stack is {table}: give an export of the stack's table"
            )
        identity = json.dumps([FORMAT, source, asdict(opened)], sort_keys=True)
        folder = self.folder / f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
        if (found := Snapshot.read(folder)) is not None:
            return found
        verify(export, opened)
        with self.temporary() as unfinished:
            write_relation(export, opened, engine, unfinished / OBJECTS)
            values = {"format": FORMAT, "table": opened.table, "time": opened.time, "source": source}
            description = json.dumps(values | {"rows": opened.items, "bytes": _size(unfinished / OBJECTS)})
            try:
                (unfinished / DESCRIPTION).write_text(description, encoding="utf-8")
                for path in unfinished.iterdir():
                    path.chmod(0o600)
            except OSError as error:
                raise OperatorError(f"cannot write to the cache folder {self.folder}: {error.strerror}") from error
            if Snapshot.read(folder) is None:  # Another process may have written the same snapshot.
                # A damaged snapshot, of which a user has deleted a file, is replaced.
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    unfinished.rename(folder)
        found = Snapshot.read(folder)
        if found is None:
            raise OperatorError(f"another process changed the snapshot {folder}: start the tool again")
        return found

    def clear(self) -> tuple[int, int]:
        """Delete all snapshots and temporary folders. Return the number of deleted snapshots and of deleted bytes."""
        folders = [each for start in (PREFIX, UNFINISHED) for each in self.folder.glob(f"{start}*")]
        folders = [each for each in folders if each.is_dir() and not each.is_symlink()]
        size = sum(each.stat().st_size for folder in folders for each in folder.rglob("*") if each.is_file())
        for each in folders:
            shutil.rmtree(each)
        return sum(each.name.startswith(PREFIX) for each in folders), size


def _size(path: Path) -> int:
    """Return the size of a file in bytes, or -1 if the file does not exist."""
    return path.stat().st_size if path.is_file() else -1


def cache_folder(variables: Mapping[str, str]) -> Path:
    """Return the path of the cache folder, which the variables TAPSTACK_CACHE and XDG_CACHE_HOME determine.

    Args:
        variables: the environment variables.
    """
    if path := variables.get(CACHE_VARIABLE):
        return Path(path).absolute()
    return Path(variables.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tapstack")


def write_relation(folder: Path, export: Export, engine: Engine, target: Path) -> None:
    """Write the relation `objects` for a verified table export into a Parquet file.

    Args:
        folder: the folder of the export.
        export: content of the export's manifests.
        engine: DuckDB engine whose method `open` was not called.
        target: path of the Parquet file.

    Raises:
        OperatorError: a row is invalid, or the number of rows differs from the manifests.
    """
    rows = target.with_suffix(".rows")
    try:
        with translated_errors(f"read the rows in {folder}"):
            _write_rows(folder, export, engine, rows)
            _check(engine, rows, export.items, folder)
            _add_states(engine, rows, target)
    finally:
        rows.unlink(missing_ok=True)


def _write_rows(folder: Path, export: Export, engine: Engine, target: Path) -> None:
    """Write the columns that are row attributes. Types are explicit, because inferred types depend on the rows."""
    if paths := data_paths(folder, export.files):
        files = ", ".join(map(literal, paths))
        types = f"columns = {{'Item': '{item_type()}'}}, maximum_object_size = {LONGEST_LINE}"
        options = f"{types}, hive_partitioning = false"
        source = f"read_json([{files}], format = 'newline_delimited', compression = 'gzip', {options})"
        query = f"SELECT {exported_columns()} FROM {source}"  # noqa: S608  the SQL text contains only quoted paths
    else:
        query = empty_relation(each for each in COLUMNS if each.path)
    engine.execute(f"COPY ({query}) TO {literal(target)} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP})")


def _check(engine: Engine, rows: Path, expected: int, folder: Path) -> None:
    sql = "SELECT count(*), count(object_id), count(version_id), max(schema_version)"
    [(found, objects, versions, schema)] = engine.rows(f"{sql} FROM {parquet(rows)}")
    if found != expected:
        raise OperatorError(f"{folder} has {found:,} rows, but its manifest states {expected:,}.")
    if min(objects, versions) < found:
        raise OperatorError(
            f"{folder} has rows without object_id and version_id: it is not an export of a stack's table."
        )
    if schema is not None and schema > SCHEMA_VERSION:
        raise OperatorError(
            f"{folder} has rows with the schema_version {schema}, but this tool reads versions up to {SCHEMA_VERSION}: "
            "use the tools of the version that deployed the stack."
        )


def _add_states(engine: Engine, rows: Path, target: Path) -> None:
    """Add the columns `exists_now` and `is_current`, which depend on several rows of an object.

    To limit the memory, DuckDB sorts only the rows of objects with several versions. It finds these objects by hash
    values of the object IDs. If two objects have the same hash value, their rows are sorted too, which does not change
    the result. Superseded versions are identified by their row numbers in the file.
    """
    source = parquet(rows, options=", file_row_number = true")
    hashes = f"SELECT hash(object_id) AS h FROM {source} WHERE deleted_at IS NULL"  # noqa: S608  the SQL text contains only quoted paths
    several = f"SELECT h FROM ({hashes}) GROUP BY h HAVING count(*) > 1"  # noqa: S608  the SQL text contains only quoted paths
    place = f"row_number() OVER (PARTITION BY object_id ORDER BY {NEWEST_FIRST})"
    engine.execute(
        "CREATE TEMP TABLE superseded AS SELECT file_row_number FROM ("  # noqa: S608  the SQL text contains only quoted paths
        f"SELECT file_row_number, {place} AS place FROM {source} "
        f"WHERE deleted_at IS NULL AND hash(object_id) IN ({several})) WHERE place > 1"
    )
    current = "superseded.file_row_number IS NULL"
    engine.execute(
        f"COPY (SELECT rows.* EXCLUDE (file_row_number), {EXISTS_NOW} AS exists_now, "  # noqa: S608  the SQL text contains only quoted paths
        f"{EXISTS_NOW} AND {current} AS is_current "
        f"FROM {source} AS rows LEFT JOIN superseded ON superseded.file_row_number = rows.file_row_number) "
        f"TO {literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )
    engine.execute("DROP TABLE superseded")
