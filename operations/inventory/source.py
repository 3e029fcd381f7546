"""Provides the data for `audit --from-inventory`: an S3 Inventory, and the rows of the table at the same time."""

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
"""Age of the newest inventory above which the audit prints a note. Daily inventories are usually younger."""
USUAL_SKEW = timedelta(days=1)
"""Difference between the time of the inventory and the time of the rows above which the audit prints a remedy."""


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """An S3 Inventory, and the rows of the table at about the same time.

    Attributes:
        inventory: content of the inventory's manifest.
        path: Parquet file into which `load` has written the inventory.
        rows: snapshot of the rows.
        engine: DuckDB engine for the comparison.
        notes: notes for the user, for example about an old inventory.
        configuration: inventory configuration that has produced the inventory.
        listed: result of looking up listed versions in the inventory.
        differences: descriptions of differences between an existing bucket's configuration and that of the stack.
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
        """Point in time of the rows."""
        return datetime.fromisoformat(self.rows.time)

    def compare(self, *, prefix: str, key_filter: KeyFilter) -> Comparison:
        """Compare the inventory with the rows of the table.

        Args:
            prefix: prefix of the object keys to compare.
            key_filter: filter of the object keys that the stack indexes.

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
        """Return the properties of the inventory and of the rows, for the field `inventory` of the JSON output."""
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
    """Finds, downloads and loads the inventory and the rows that the options of `audit` select.

    Args:
        options: parsed options `from_inventory`, `from_export`, `memory` and `prefix`.
        aws: client for the AWS calls.
        target: the deployed stack.
        expected: settings document of the stack; None if it does not exist.
        cache: cache of the exported rows.
        now: function that returns the current time.
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
        """Context manager that yields the inventory and the rows of a bucket, and deletes temporary files on exit.

        Args:
            bucket: name of the bucket.
            versioned: whether the bucket has versioning.
            key_filter: filter of the keys that the stack indexes.
            progress: displays the progress of the steps.

        Raises:
            OperatorError: an inventory or an export is missing, damaged or unsuitable, or an AWS call failed.
        """
        where = self._place(bucket)
        inventory, notes = where.newest(bucket)
        inventory.check(bucket, versioned=versioned)
        progress.note(
            f"using the inventory of {time_text(inventory.created)}: {count(len(inventory.files), 'file')}, "
            f"{count(inventory.size, 'byte')}"
        )
        owner = self._target.account
        prefixes = key_filter.prefixes(self._prefix)
        found = read_configuration(self._aws, inventory, owner, prefixes=prefixes, versioned=versioned)
        read_rows = self._reader(inventory, progress)
        with self._cache.temporary() as folder, Engine(memory=self._memory, spill=folder / "spill") as engine:
            # The inventory is verified before the rows are exported, because an export costs money.
            path, empty = self._load(where, inventory, engine, folder, progress)
            with progress.step("look up listed versions"):
                listed = look_up_listed(self._aws, engine, path, inventory, prefixes=prefixes)
            completeness = f"completeness of the inventory: {found.text()}; {listed.text()}"
            if found.values is None:
                notes.append(f"note: {completeness}")
            else:
                progress.note(completeness)
            if listed.missing:
                progress.note(listed.example())
            if empty:
                notes.append(
                    f"note: the inventory has {count(len(empty), 'data file')} without rows, such as {empty[0].name}"
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
                "--from-inventory: the stack configures no S3 Inventory: set the configuration key inventory to true "
                "and run `pulumi up`, or give the path of an inventory (a folder or an s3:// URL)"
            )
        # Inventories of other configurations are ignored, because these configurations may have filters.
        return place(f"{location}/{bucket}/{inventory_id(self._target)}", self._aws, bucket=bucket)

    def _differences(self, bucket: str, found: Configuration) -> list[str]:
        """Describe the differences between an existing bucket's inventory configuration and that of the stack.

        The settings document does not contain the existing buckets with this configuration. Therefore, only an audit
        from an inventory of the stack compares it. The live audit compares only the stack's own bucket.
        """
        if isinstance(self._path, str) or self._expected is None or bucket == self._expected.bucket:
            return []
        name = f"the inventory configuration {found.identifier!r} of the bucket {bucket!r}"
        if found.values is None:
            return [] if found.denied else [f"{name} does not exist, so S3 writes no further inventories"]
        wanted = inventory_configuration(self._target, self._expected.inventory_location)
        return [f"{name}: {each}" for each in inventory_differences(found.values, wanted)]

    def _reader(self, inventory: Inventory, progress: Progress) -> Callable[[Engine], Snapshot]:
        """Return a function that reads the rows. If this needs a new export of the table, print the price first."""
        if self._export is not None:
            return lambda engine: self._rows.snapshot(engine, progress)
        return self._rows.at(inventory.created.replace(microsecond=0), progress)

    def _load(
        self, where: Place, inventory: Inventory, engine: Engine, folder: Path, progress: Progress
    ) -> tuple[Path, list[Path]]:
        """Fetch and load an inventory. Return the path of its Parquet file, and the data files without rows."""
        downloads, path = folder / "inventory", folder / "inventory.parquet"
        downloads.mkdir()
        with disk_errors(folder):
            with progress.step("fetch inventory files", inventory.size) as advance:
                paths = where.data_files(inventory, downloads, advance)
            with progress.step("verify checksums", inventory.size) as advance:
                verify(list(zip(inventory.files, paths, strict=True)), advance)
        with progress.step("read the inventory"):
            _, empty = load(inventory, paths, engine, path)
        for each in downloads.iterdir():
            each.unlink()
        return path, empty

    def _notes(self, inventory: Inventory, rows: Snapshot) -> list[str]:
        """Return notes for the user if the inventory is old, or if the rows have another time than the inventory."""
        notes = []
        if (age := self._now() - inventory.created) > USUAL_AGE:
            notes.append(
                f"note: the newest complete inventory is {count(age.days, 'day')} old "
                f"({time_text(inventory.created)}): later changes were not compared. S3 delivers a daily inventory "
                "within 48 hours. If there is no newer inventory, check the inventory configuration of the bucket"
            )
        time = datetime.fromisoformat(rows.time)
        skew = abs(time - inventory.created)
        if skew >= timedelta(seconds=1):
            order = "after" if time > inventory.created else "before"
            text = (
                f"note: the export has the rows of {time_text(time)}, {_duration(skew)} {order} the inventory of "
                f"{time_text(inventory.created)}"
            )
            if skew > USUAL_SKEW:
                text += ". Use an export of the same time: without --from-export, the audit creates such an export"
            notes.append(text)
        return notes


def _duration(value: timedelta) -> str:
    """Return a duration in its two largest units, such as `2 days 3 hours`."""
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")]
    return " ".join([count(number, unit) for number, unit in parts if number][:2])
