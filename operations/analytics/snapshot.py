"""Snapshots of the relation `objects`: Parquet files in a cache folder that only the user can read."""

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
"""Names of the files in the folder of a snapshot."""
FORMAT = 1
"""Version of the files of a snapshot. Increase it if the columns of the relation change."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
PREFIX, UNFINISHED = "snapshot-", "unfinished-"
"""Beginnings of the folder names in the cache. `cache clear` deletes only these folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The rows of a table at one time, as a Parquet file.

    Attributes:
        table: ARN of the table.
        time: time of the rows, ISO 8601 in UTC.
        source: `scan`, `export`, or the path of the export folder.
        rows: number of rows.
        path: the Parquet file.
    """

    table: str
    time: str
    source: str
    rows: int
    path: Path

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the snapshot in a folder; None if it has none in the current format, or an incomplete file."""
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
    """Folder with the snapshots and with temporary files. Only the user can read it.

    Args:
        folder: path of the folder, which is created if it does not exist.

    Raises:
        OperatorError: the folder cannot be created, or other users can write into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not any(folder.iterdir()):  # The modes of a folder with other files, such as /tmp, must not change.
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
        """Context manager for a new folder, which is deleted at the end."""
        try:
            folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        except OSError as error:
            raise self._error(error) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def newest(self, table: str, *, since: datetime, sources: tuple[str, ...]) -> Snapshot | None:
        """Return the newest snapshot of a table; None if there is none.

        Args:
            table: ARN of the table.
            since: earliest time of the rows.
            sources: permitted sources.
        """
        found = [each for each in self._snapshots(table, sources) if datetime.fromisoformat(each.time) >= since]
        return max(found, key=lambda each: each.time, default=None)

    def at(self, table: str, *, time: datetime, sources: tuple[str, ...]) -> Snapshot | None:
        """Return a snapshot with the rows of one time; None if there is none.

        Args:
            table: ARN of the table.
            time: the time of the rows.
            sources: permitted sources.
        """
        found = (each for each in self._snapshots(table, sources) if datetime.fromisoformat(each.time) == time)
        return next(found, None)

    def _snapshots(self, table: str, sources: tuple[str, ...]) -> list[Snapshot]:
        snapshots = filter(None, map(Snapshot.read, self.folder.glob(f"{PREFIX}*")))
        return [each for each in snapshots if each.table == table and each.source in sources]

    def load(self, export: Path, engine: Engine, *, source: str, table: str = "") -> Snapshot:
        """Return the snapshot of an export folder, which is read and verified if the cache does not contain it.

        Args:
            export: the folder that contains manifest-summary.json.
            engine: an engine without the relation.
            source: source of the snapshot.
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
            if Snapshot.read(folder) is None:  # Another process can have written the same snapshot.
                shutil.rmtree(folder, ignore_errors=True)  # an incomplete one, from which a user has deleted a file
                with suppress(OSError):
                    unfinished.rename(folder)
        found = Snapshot.read(folder)
        if found is None:
            raise OperatorError(f"another process changed the snapshot {folder}: start the tool again")
        return found

    def clear(self) -> tuple[int, int]:
        """Delete all snapshots and temporary folders, and return the numbers of snapshots and of bytes.

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
                "for its end"
            ) from error
        return sum(each.name.startswith(PREFIX) for each in folders), size

    def _error(self, error: OSError) -> OperatorError:
        return OperatorError(
            f"cannot write to the cache folder {self.folder}: {error.strerror}. Set {CACHE_VARIABLE} to a folder of "
            "yours on a disk with enough space"
        )


def _size(path: Path) -> int:
    """Return the size of a file in bytes; -1 if it does not exist."""
    return path.stat().st_size if path.is_file() else -1


def cache_folder(variables: Mapping[str, str]) -> Path:
    """Return the path of the cache folder.

    Args:
        variables: the environment variables.

    Raises:
        OperatorError: the folder is in the home directory, which is unknown.
    """
    path, base = variables.get(CACHE_VARIABLE), Path(variables.get("XDG_CACHE_HOME", ""))
    try:
        if path:
            return Path(path).expanduser().absolute()
        return (base if base.is_absolute() else Path.home() / ".cache") / "tapstack"
    except RuntimeError as error:
        raise OperatorError(f"the home directory is unknown: set {CACHE_VARIABLE} to the path of a folder") from error
