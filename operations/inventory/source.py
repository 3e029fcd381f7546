"""Provides the two snapshots that an audit from an inventory compares: the inventory and the rows of the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import Engine
from operations.analytics.options import DEFAULT_MEMORY
from operations.analytics.source import Source, disk_errors
from operations.errors import OperatorError
from operations.inventory.compare import Comparison, differing
from operations.inventory.coverage import Configuration, Listed, look_up_listed, read_configuration
from operations.inventory.files import Inventory, verify
from operations.inventory.load import load
from operations.inventory.places import Place, place
from operations.inventory_settings import inventory_configuration, inventory_differences, inventory_id
from operations.option_types import memory_size
from operations.output import count, time_text

if TYPE_CHECKING:
    import argparse

    from operations.analytics.snapshot import Cache, Snapshot
    from operations.aws import Aws
    from operations.listing import KeyFilter
    from operations.output import Progress
    from operations.settings_document import ExpectedSettings
    from operations.target import Target

USUAL_AGE = timedelta(days=3)
"""Age of the newest inventory above which the audit adds a note: a daily configuration has younger inventories."""
USUAL_SKEW = timedelta(days=1)
"""Difference between the times of inventory and rows above which the audit adds a note."""


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """An inventory and the rows of about the same time.

    Attributes:
        inventory: the inventory.
        path: the Parquet file of the loaded inventory.
        rows: the rows.
        engine: the engine for the comparison.
        notes: notes about the two snapshots.
        configuration: the configuration of the inventory.
        listed: versions of the bucket that were looked up in the inventory.
        differences: differences of an existing bucket's configuration from that of the stack.
    """

    inventory: Inventory
    path: Path
    rows: Snapshot
    engine: Engine
    notes: list[str]
    configuration: Configuration
    listed: Listed
    differences: list[str]

    @property
    def rows_time(self) -> datetime:
        """Time of the rows."""
        return datetime.fromisoformat(self.rows.time)

    def compare(self, *, prefix: str, key_filter: KeyFilter) -> Comparison:
        """Compare the inventory with the rows.

        Args:
            prefix: beginning of the keys to compare.
            key_filter: the keys that the stack indexes.

        Raises:
            OperatorError: DuckDB cannot read a file, or has too little memory or disk space.
        """
        return differing(
            self.engine,
            self.path,
            self.rows.path,
            inventory=self.inventory,
            exported=self.rows_time,
            prefix=prefix,
            key_filter=key_filter,
        )

    def document(self) -> dict[str, Any]:
        """Return the facts about the snapshots as a JSON object."""
        return {
            "path": self.inventory.place,
            "created": time_text(self.inventory.created),
            "format": self.inventory.format,
            "files": len(self.inventory.files),
            "rows_time": time_text(self.rows_time),
            "rows_source": self.rows.source,
            "configuration": self.configuration.identifier if self.configuration.values is not None else None,
            "looked_up": self.listed.versions,
            "lacking": len(self.listed.missing),
        }


class Snapshotter:
    """Finds, downloads and loads the snapshots that the options of `audit` select.

    Args:
        options: `from_inventory`, `from_export`, `memory` and `prefix`.
        aws: the AWS calls.
        target: the deployed stack.
        expected: its settings document; None if it does not exist.
        cache: the cache folder.
        now: returns the current time.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        aws: Aws,
        target: Target,
        expected: ExpectedSettings | None,
        cache: Cache,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path: str | bool = options.from_inventory
        self._export: str | None = options.from_export
        self._memory: str = options.memory or memory_size(DEFAULT_MEMORY)
        self._prefix: str = options.prefix
        self._aws = aws
        self._target = target
        self._expected = expected
        self._cache = cache
        self._rows = Source(options, aws, target, expected, cache)
        self._now = now

    @contextmanager
    def open(self, bucket: str, *, versioned: bool, key_filter: KeyFilter, progress: Progress) -> Iterator[Snapshots]:
        """Context manager for the snapshots of a bucket. Its temporary files are deleted at the end.

        Args:
            bucket: name of the bucket.
            versioned: whether the bucket has versioning.
            key_filter: the keys that the stack indexes.
            progress: display of the steps.

        Raises:
            OperatorError: an inventory or an export is missing, damaged or unsuitable, or an AWS call failed.
        """
        where = self._place(bucket)
        inventory, notes = where.newest(bucket)
        inventory.check(bucket, versioned=versioned)
        progress.note(
            f"inventory of {time_text(inventory.created)}: {count(len(inventory.files), 'file')}, "
            f"{count(inventory.size, 'byte')}"
        )
        owner = self._target.account
        prefixes = key_filter.prefixes(self._prefix)
        found = read_configuration(self._aws, inventory, owner, prefixes=prefixes, versioned=versioned)
        read_rows = self._reader(inventory, progress)
        with self._cache.temporary() as folder, Engine(memory=self._memory, spill=folder / "spill") as engine:
            # The inventory is loaded before the rows are exported, because an export costs money.
            path, empty = self._load(where, inventory, engine, folder, progress)
            with progress.step("listing of some keys"):
                listed = look_up_listed(self._aws, engine, path, inventory, prefixes=prefixes)
            progress.note(f"completeness of the inventory: {found.text()}; {listed.text()}")
            if listed.missing:
                progress.note(listed.example())
            if found.values is None:
                notes.append(f"note: completeness of the inventory: {found.text()}; {listed.text()}")
            if empty:
                notes.append(
                    f"note: {count(len(empty), 'file')} of the inventory without rows, such as {empty[0].name}"
                )
            rows = read_rows(engine)
            yield Snapshots(
                inventory=inventory,
                path=path,
                rows=rows,
                engine=engine,
                notes=[*notes, *self._notes(inventory, rows)],
                configuration=found,
                listed=listed,
                differences=self._differences(bucket, found),
            )

    def _place(self, bucket: str) -> Place:
        if isinstance(self._path, str):
            return place(self._path, self._aws, bucket=bucket)
        location = self._expected.inventory_location if self._expected else ""
        if not location:
            raise OperatorError(
                "--from-inventory: the stack has no inventory: set the configuration key inventory to true and run "
                "`pulumi up`, or give the path of an inventory (a folder or an s3:// URL)"
            )
        # Another configuration with the same destination can have a filter.
        return place(f"{location}/{bucket}/{inventory_id(self._target)}", self._aws, bucket=bucket)

    def _differences(self, bucket: str, found: Configuration) -> list[str]:
        """Return the differences of an existing bucket's inventory configuration from that of the stack.

        The settings document does not contain which existing buckets have the configuration, so only an audit from an
        inventory of the stack expects it. The usual audit compares the configuration of the stack's own bucket.
        """
        if isinstance(self._path, str) or self._expected is None or bucket == self._expected.bucket:
            return []
        name = f"the inventory configuration {found.identifier!r} of the bucket {bucket!r}"
        if found.values is None:
            return [] if found.denied else [f"{name} does not exist, so S3 writes no further inventories"]
        wanted = inventory_configuration(self._target, self._expected.inventory_location)
        return [f"{name}: {each}" for each in inventory_differences(found.values, wanted)]

    def _reader(self, inventory: Inventory, progress: Progress) -> Callable[[Engine], Snapshot]:
        """Print the price of the rows if they need a new export, and return a function that reads the rows."""
        if self._export is not None:
            return lambda engine: self._rows.snapshot(engine, progress)
        return self._rows.at(inventory.created.replace(microsecond=0), progress)

    def _load(
        self, where: Place, inventory: Inventory, engine: Engine, folder: Path, progress: Progress
    ) -> tuple[Path, list[Path]]:
        """Return the path of the Parquet file with the inventory, and the data files without rows."""
        downloads, path = folder / "inventory", folder / "inventory.parquet"
        downloads.mkdir()
        with disk_errors(folder):
            with progress.step("inventory files", inventory.size) as advance:
                paths = where.data_files(inventory, downloads, advance)
            with progress.step("checksums", inventory.size) as advance:
                verify(list(zip(inventory.files, paths, strict=True)), advance)
        with progress.step("read the inventory"):
            _, empty = load(inventory, paths, engine, path)
        for each in downloads.iterdir():
            each.unlink()
        return path, empty

    def _notes(self, inventory: Inventory, rows: Snapshot) -> list[str]:
        """Return notes about an old inventory, and about rows of another time."""
        notes = []
        if (age := self._now() - inventory.created) > USUAL_AGE:
            notes.append(
                f"note: the newest complete inventory is {count(age.days, 'day')} old "
                f"({time_text(inventory.created)}): later changes were not compared. S3 writes a daily inventory "
                "within two days"
            )
        time = datetime.fromisoformat(rows.time)
        skew = abs(time - inventory.created)
        if skew >= timedelta(seconds=1):
            order = "after" if time > inventory.created else "before"
            text = (
                f"note: the rows are of {time_text(time)}, {_duration(skew)} {order} the inventory of "
                f"{time_text(inventory.created)}"
            )
            if skew > USUAL_SKEW:
                text += ". Use an export of the time of the inventory: without --from-export, the audit exports it"
            notes.append(text)
        return notes


def _duration(value: timedelta) -> str:
    """Return a duration in its two largest units, such as `2 days 3 hours`."""
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")]
    return " ".join([count(number, unit) for number, unit in parts if number][:2])
