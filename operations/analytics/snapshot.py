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

from operations.analytics.export_files import SUMMARY, read_export, verify
from operations.analytics.options import CACHE_VARIABLE
from operations.analytics.relation import write_relation
from operations.errors import OperatorError

if TYPE_CHECKING:
    from operations.analytics.engine import Engine

OBJECTS, DESCRIPTION = "objects.parquet", "snapshot.json"
"""Names of the two files in the folder of a snapshot: the rows, and their description."""
FORMAT = 1
"""Version of the file format of snapshots. Increase it when the columns of the relation `objects` change."""
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
                f"the cache folder {folder} cannot be used: {error.strerror}. Set "
                f"{CACHE_VARIABLE} to a folder that you can write to"
            ) from error
        if status.st_uid != os.geteuid() or status.st_mode & OTHERS_WRITE:
            raise OperatorError(
                f"the cache folder {folder} cannot be used, because other users can write into it: remove their "
                f"permissions (`chmod go-w`), or set {CACHE_VARIABLE} to a folder that only you can write"
            )

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """Context manager that creates a temporary folder in the cache, and deletes it on exit."""
        try:
            folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        except OSError as error:
            raise self._error(error) from error
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
                raise self._error(error) from error
            if Snapshot.read(folder) is None:  # Another process may have written the same snapshot.
                # A snapshot with a missing file is replaced.
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    unfinished.rename(folder)
        found = Snapshot.read(folder)
        if found is None:
            raise OperatorError(f"another process changed the cached rows in {folder}: start the tool again")
        return found

    def clear(self) -> tuple[int, int]:
        """Delete all snapshots and temporary folders. Return the number of deleted snapshots and of deleted bytes.

        Raises:
            OperatorError: a file cannot be deleted.
        """
        try:
            folders = [each for start in (PREFIX, UNFINISHED) for each in self.folder.glob(f"{start}*")]
            folders = [each for each in folders if each.is_dir() and not each.is_symlink()]
            size = sum(each.stat().st_size for folder in folders for each in folder.rglob("*") if each.is_file())
            for each in folders:
                shutil.rmtree(each)
        except OSError as error:
            raise OperatorError(
                f"cannot delete the files in {self.folder}: {error.strerror}. If another process uses the cache, wait "
                "until it has ended"
            ) from error
        return sum(each.name.startswith(PREFIX) for each in folders), size

    def _error(self, error: OSError) -> OperatorError:
        return OperatorError(
            f"cannot write to the cache folder {self.folder}: {error.strerror}. Set {CACHE_VARIABLE} to a folder "
            "that you can write to, on a disk with enough space"
        )


def _size(path: Path) -> int:
    """Return the size of a file in bytes, or -1 if the file does not exist."""
    return path.stat().st_size if path.is_file() else -1


def cache_folder(variables: Mapping[str, str]) -> Path:
    """Return the path of the cache folder, which the variables TAPSTACK_CACHE and XDG_CACHE_HOME determine.

    Args:
        variables: the environment variables.

    Raises:
        OperatorError: the folder is in the home directory, and the path of the home directory is unknown.
    """
    path, base = variables.get(CACHE_VARIABLE), Path(variables.get("XDG_CACHE_HOME", ""))
    try:
        if path:
            return Path(path).expanduser().absolute()
        return (base if base.is_absolute() else Path.home() / ".cache") / "tapstack"
    except RuntimeError as error:
        raise OperatorError(
            f"the path of your home directory is unknown: set {CACHE_VARIABLE} to the path of the cache folder"
        ) from error
