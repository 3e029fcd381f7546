"""Copies rows that are missing in the stack's table from a restored table, while the indexer writes to the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations.aws.tables import ROWS_PER_BATCH
from operations.errors import OperatorError
from operations.output import visible
from operations.pool import THREADS, map_in_order
from operations.rate import Capacity, RateLimiter, default_read_rate
from operations.restored_row import address_of, has_expired, is_live_null, pending_updates

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.output import Progress
    from operations.restored_row import Address, Item, RowUpdate
    from operations.target import Target

KEY_SCHEMA = {("object_id", "HASH", "S"), ("version_id", "RANGE", "S")}
USABLE = ("ACTIVE", "UPDATING")
"""Statuses of a table whose rows can be read and written."""


@dataclass(kw_only=True)
class RestoreReport:
    """The results of a restore. Each number is a number of rows of the restored table.

    Attributes:
        read: rows that were read.
        missing: rows that the stack's table does not have.
        incomplete: rows that the stack's table has without an attribute or the provenance of the restored row.
        deletions: missing and incomplete rows that record a deletion.
        present: rows that the stack's table already contains completely.
        expired: rows that were not copied because they have expired.
        null_versions: rows of an existing version `null` that the stack's table does not have. They are not copied.
        other_buckets: rows that were not compared, because they are rows of other buckets than the selected one.
        copied: missing and incomplete rows that were copied.
        resume_after: primary key of a row up to which all rows were processed; None if there is none.
    """

    read: int = 0
    missing: int = 0
    incomplete: int = 0
    deletions: int = 0
    present: int = 0
    expired: int = 0
    null_versions: int = 0
    other_buckets: int = 0
    copied: int = 0
    resume_after: Address | None = None

    @property
    def found(self) -> int:
        """Number of rows to copy."""
        return self.missing + self.incomplete


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredRow:
    """A row of the restored table, and the alternative updates that copy it; no updates if there is nothing to copy."""

    address: Address
    updates: tuple[RowUpdate, ...] = ()


class Restore:
    """Copies the missing rows of a restored table to the stack's table, in the order of a Scan.

    Args:
        aws: the AWS calls.
        target: the deployed stack.
        source: name of the restored table.
        write_rate: maximum number of write units per second.
        source_capacity: capacity of the restored table.
        capacity: capacity of the stack's table.
        start_after: primary key of a restored row; only the rows after it are read.
        buckets: names of the buckets whose rows can be copied; empty for the stack's own bucket.
        any_bucket: whether to copy also the rows of other buckets.
        only: name of the only bucket whose rows are read; None for all buckets.
        threads: number of threads that write rows.
        clock: monotonic time in seconds.
        sleep: waits for a number of seconds.
        now: current time in seconds since 1970.

    Attributes:
        report: the results so far.
        write_rate: maximum number of write units per second.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        *,
        source: str,
        write_rate: float,
        source_capacity: Capacity,
        capacity: Capacity,
        start_after: Address | None = None,
        buckets: Sequence[str] = (),
        any_bucket: bool = False,
        only: str | None = None,
        threads: int = THREADS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.report = RestoreReport(resume_after=start_after)
        self.write_rate = write_rate
        self._aws = aws
        self._target = target
        self._source = source
        self._start_after = start_after
        self._buckets = tuple(buckets) or (target.bucket,)
        self._any_bucket = any_bucket
        self._only = only
        self._threads = threads
        self._sleep = sleep
        self._now = now
        self._scans = RateLimiter(default_read_rate(source_capacity), clock=clock, sleep=sleep)
        self._reads = RateLimiter(default_read_rate(capacity), clock=clock, sleep=sleep)
        self._writes = RateLimiter(write_rate, clock=clock, sleep=sleep)

    def compare(self, progress: Progress) -> None:
        """Count the rows that `copy` would copy.

        Raises:
            OperatorError: an AWS call failed, or the table does not have the rows of this stack.
        """
        with progress.step("rows read") as advance:
            for row in self._rows():
                self.report.resume_after = row.address
                advance(1)
        self.report.resume_after = None

    def copy(self, progress: Progress) -> None:
        """Copy the missing rows and attributes.

        Raises:
            OperatorError: an AWS call failed, or the table does not have the rows of this stack. A second restore can
                continue after the row in `report.resume_after`.
        """
        with progress.step("rows read") as advance:
            for row, copied in map_in_order(self._write, self._paced_rows(), threads=self._threads):
                self.report.copied += copied
                self.report.resume_after = row.address
                advance(1)
        self.report.resume_after = None

    def _paced_rows(self) -> Iterator[RestoredRow]:
        # The rate limiter waits in this thread, because Ctrl-C does not interrupt other threads.
        for row in self._rows():
            if row.updates:
                self._writes.acquire(1)
            yield row

    def _write(self, row: RestoredRow) -> bool:
        """Copy a row, and return whether the table was changed."""
        for update in row.updates:
            units = self._aws.update_row(self._target.table, update)
            if units is not None:
                self._writes.charge(max(0.0, units - 1))
                return True
        return False

    def _rows(self) -> Iterator[RestoredRow]:
        for batch, current in map_in_order(self._read_current, self._batches()):
            for item in batch:
                yield self._compared(item, current.get(address_of(item), {}))

    def _batches(self) -> Iterator[Sequence[Item]]:
        pages = self._aws.scan_items(self._source, after=self._start_after)
        while True:
            self._scans.acquire(0)
            page = next(pages, None)
            if page is None:
                return
            self._scans.charge(page.units)
            for start in range(0, len(page.items), ROWS_PER_BATCH):
                batch = self._of_bucket(page.items[start : start + ROWS_PER_BATCH])
                self._check_bucket(batch)
                self._reads.acquire(0)
                yield batch

    def _read_current(self, batch: Sequence[Item]) -> dict[Address, Item]:
        """Return the rows of the stack's table for a batch of restored rows, by primary key."""
        addresses = [address_of(item) for item in batch if not has_expired(item, now=self._now())]
        page = self._aws.get_items(self._target.table, addresses, sleep=self._sleep)
        self._reads.charge(page.units)
        return {address_of(item): item for item in page.items}

    def _compared(self, item: Item, current: Item) -> RestoredRow:
        report, address = self.report, address_of(item)
        report.read += 1
        if has_expired(item, now=self._now()):
            report.expired += 1
            return RestoredRow(address=address)
        if is_live_null(item):
            report.present += bool(current)
            report.null_versions += not current
            return RestoredRow(address=address)
        updates = pending_updates(item, current)
        report.missing += bool(updates and not current)
        report.incomplete += bool(updates and current)
        report.deletions += bool(updates and "deleted_at" in item)
        report.present += not updates
        return RestoredRow(address=address, updates=updates)

    def _of_bucket(self, batch: Sequence[Item]) -> Sequence[Item]:
        """Return the rows of the only bucket, and count the others; without such a bucket, return all rows."""
        if self._only is None:
            return batch
        rows = [item for item in batch if address_of(item)[0].startswith(f"{self._only}/")]
        self.report.other_buckets += len(batch) - len(rows)
        return rows

    def _check_bucket(self, batch: Sequence[Item]) -> None:
        prefixes = tuple(f"{bucket}/" for bucket in self._buckets)
        others = (address_of(item)[0] for item in batch if not address_of(item)[0].startswith(prefixes))
        if not self._any_bucket and (other := next(others, None)) is not None:
            buckets = "bucket is" if len(self._buckets) == 1 else "buckets are"
            raise OperatorError(
                f"the table {self._source!r} has a row of another bucket: object_id is {visible(other)}, but the "
                f"stack's {buckets} {', '.join(map(repr, self._buckets))}. If this is a backup of another stack's "
                "table, correct --from. If the stack's bucket had another name before, or if you removed a bucket from "
                "existingBuckets, use --any-bucket. To copy the rows of one bucket only, use --bucket"
            )


def check_tables(aws: Aws, *, source: str, table: str) -> None:
    """Check that two tables exist, are not the same, and have the primary key of the stack's table.

    Args:
        aws: the AWS calls.
        source: name of the restored table.
        table: name of the stack's table.

    Raises:
        OperatorError: a table cannot be used. The message states the remedy.
    """
    if source == table:
        raise OperatorError(
            f"--from {source!r} is the stack's own table: give the name of the table to which the backup was restored"
        )
    _check_table(aws, source, "check --from, the region and the account: `aws dynamodb list-tables` prints the tables")
    _check_table(aws, table, "`pulumi up --refresh` creates an empty table for the stack")


def _check_table(aws: Aws, table: str, missing: str) -> None:
    found = aws.table_description(table)
    if found is None:
        raise OperatorError(f"the table {table!r} does not exist: {missing}")
    if found.status not in USABLE:
        raise OperatorError(
            f"the table {table!r} has the status {found.status}, so its rows cannot be read or written yet: wait until "
            f"`aws dynamodb describe-table --table-name {table} --query Table.TableStatus` prints ACTIVE"
        )
    if set(found.keys) != KEY_SCHEMA:
        keys = ", ".join(f"{name} ({kind}, {kind_of_value})" for name, kind, kind_of_value in found.keys)
        raise OperatorError(
            f"the table {table!r} has the primary key {keys}, but a table of TapStack has object_id (HASH, S), "
            "version_id (RANGE, S): give the name of a table that was restored from a backup of the stack's table"
        )
