"""Provides the rows for SQL and reports, from the cache, a scan of the table, a new export, or an existing export."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from operations.analytics.cells import CENT
from operations.analytics.export_files import DATA, FILES, SUMMARY, Export, find_export
from operations.analytics.scan import MAX_ROWS, Scan, check_size
from operations.aws.exports import COMPLETED, FAILED, TableExport
from operations.errors import OperatorError
from operations.output import count, time_text
from operations.planning.prices import GB, ROWS_EXPORTED
from operations.pool import map_in_order
from operations.rate import default_scan_rate
from operations.s3_url import SCHEME, split_s3_url

if TYPE_CHECKING:
    import argparse

    from operations.analytics.engine import Engine
    from operations.analytics.snapshot import Cache, Snapshot
    from operations.aws import Aws
    from operations.aws.exports import TableSize
    from operations.output import Progress
    from operations.settings_document import ExpectedSettings
    from operations.target import Target

SCAN, EXPORT = "scan", "export"
POLL_SECONDS = 10.0
"""Seconds between requests for the status of an export. An export takes at least a few minutes."""


class Source:
    """Reads the rows of the DynamoDB table from the source that the tool's options select.

    Args:
        options: parsed options `scan`, `export`, `from_export`, `max_age`, `rate` and `force`.
        aws: client for the AWS calls; None if the options need no AWS calls.
        target: the deployed stack; None if the options identify no stack.
        expected: settings document of the stack; None if it does not exist.
        cache: the cache of snapshots.
        now: function that returns the current time.
        sleep: function that waits for a number of seconds.

    Attributes:
        location: path or S3 URL of the export that was read; empty before the rows are read, after a scan, and if the
            cache had the rows.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        aws: Aws | None,
        target: Target | None,
        expected: ExpectedSettings | None,
        cache: Cache,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._aws = aws
        self._target = target
        self._expected = expected
        self._cache = cache
        self._now = now
        self._sleep = sleep
        self.location = path.removesuffix(SUMMARY).rstrip("/") if (path := options.from_export or "") else ""

    def snapshot(self, engine: Engine, progress: Progress) -> Snapshot:
        """Return a snapshot of the rows from the cache. If the cache has none, read the rows and store them first.

        Args:
            engine: DuckDB engine whose method `open` was not called.
            progress: displays the progress of the steps.

        Raises:
            OperatorError: the rows cannot be read, or no option selects rows and the cache has no recent snapshot.
        """
        path: str | None = self._options.from_export
        table = None
        if self._aws is not None and self._target is not None:
            table = self._aws.table_size(self._target.table)
        if path is not None:
            return self._from_path(path, table, engine, progress)
        assert table is not None, "without --from-export, a stack is required"
        found = self._cache.newest(table.arn, since=self._earliest, sources=self._sources)
        if found is not None:
            progress.note(
                f"using rows of {found.time} from the cache (source: {found.source}); --max-age 0 reads the table again"
            )
            return found
        if self._options.scan:
            return self._scan(table, engine, progress)
        if self._options.export:
            return self._export(table, engine, progress)
        export = f"--export ({_costs(table)}), " if self._expected and self._expected.export_bucket else ""
        raise OperatorError(
            f"the cache has no rows of the table {self._stack.table!r} that are younger than --max-age: add "
            f"{export}--scan or --from-export PATH"
        )

    def export(self, progress: Progress) -> str:
        """Return the S3 URL of a recent export of the table. If there is none, export the table first.

        Args:
            progress: displays the progress of the steps.

        Raises:
            OperatorError: the table cannot be exported.
        """
        if not self.location:
            self._completed_export(self._calls.table_size(self._stack.table), progress)
        return self.location

    def table_arn(self) -> str:
        """Return the ARN of the stack's table."""
        return self._calls.table_size(self._stack.table).arn

    @property
    def _stack(self) -> Target:
        assert self._target is not None, "a stack is required"
        return self._target

    @property
    def _calls(self) -> Aws:
        assert self._aws is not None, "a client for the AWS calls is required"
        return self._aws

    @property
    def _earliest(self) -> datetime:
        age = self._options.max_age
        return self._now() - age if age else datetime.max.replace(tzinfo=UTC)

    @property
    def _sources(self) -> tuple[str, ...]:
        return (EXPORT,) if self._options.export else (SCAN, EXPORT)

    def _from_path(self, path: str, table: TableSize | None, engine: Engine, progress: Progress) -> Snapshot:
        arn = table.arn if table else ""
        if not path.startswith(SCHEME):
            folder = find_export(Path(path)).absolute()
            with progress.step("read the export"):
                return self._cache.load(folder, engine, source=str(folder), table=arn)
        bucket, key = split_s3_url(path)
        with self._cache.temporary() as folder:
            self._download(bucket, f"{key.removesuffix(SUMMARY).rstrip('/')}/", folder, progress)
            with progress.step("read the export"):
                return self._cache.load(folder, engine, source=path, table=arn)

    def _scan(self, table: TableSize, engine: Engine, progress: Progress) -> Snapshot:
        if not self._options.force:
            check_size(table)
        rate = self._options.rate or default_scan_rate(self._calls.capacity(self._stack.table))
        progress.note(f"scanning about {count(table.items, 'row')} with at most {rate:g} read units per second")
        with self._cache.temporary() as folder:
            with progress.step("scan the table", max(table.items, 1)) as advance:
                scan = Scan(
                    self._calls,
                    self._stack.table,
                    rate=rate,
                    max_rows=None if self._options.force else MAX_ROWS,
                    advance=advance,
                )
                with disk_errors(folder):
                    scan.write(folder, arn=table.arn, time=time_text(self._now()))
            return self._cache.load(folder, engine, source=SCAN, table=table.arn)

    def _export(self, table: TableSize, engine: Engine, progress: Progress) -> Snapshot:
        return self._read(self._completed_export(table, progress), table, engine, progress)

    def _read(self, export: TableExport, table: TableSize, engine: Engine, progress: Progress) -> Snapshot:
        """Download a completed table export, and return its rows as a snapshot."""
        with self._cache.temporary() as folder:
            self._download(export.bucket, export.folder, folder, progress)
            with progress.step("read the export"):
                return self._cache.load(folder, engine, source=EXPORT, table=table.arn)

    def _completed_export(self, table: TableSize, progress: Progress) -> TableExport:
        """Return a completed export that is younger than --max-age. If there is none, start one and wait for it."""
        bucket = self._expected.export_bucket if self._expected else ""
        if not bucket:
            raise OperatorError(
                "--export: the stack has no export bucket: set the configuration key analytics to true and run "
                "`pulumi up`, or use --scan"
            )
        export = self._recent_export(table.arn, bucket)
        if export is None:
            progress.note(f"exporting {table.size_bytes / GB:,.2f} GB, which {_costs(table)} in us-east-1")
            progress.note(
                "if you interrupt the tool, the export continues in AWS, and a later run with --export uses it"
            )
            export = self._start(table.arn, bucket)
        else:
            progress.note(
                f"using the export of {time_text(export.time)}, without new costs; --max-age 0 exports the table again"
            )
        return self._wait(export, progress)

    def at(self, time: datetime, progress: Progress) -> Callable[[Engine], Snapshot]:
        """Check that the rows of an earlier time can be read, and print the price if a new export is necessary.

        Args:
            time: the time in whole seconds.
            progress: displays the progress of the steps.

        Returns:
            A function that reads the rows of this time from the cache, from an export in S3, or from a new export.

        Raises:
            OperatorError: the stack has no export bucket, or DynamoDB cannot export the rows of this time.
        """
        table = self._calls.table_size(self._stack.table)
        if (found := self._cache.at(table.arn, time=time, sources=(EXPORT,))) is not None:
            progress.note(f"using rows of {found.time} from the cache, without new costs")
            return lambda _: found
        bucket = self._expected.export_bucket if self._expected else ""
        if not bucket:
            raise OperatorError(
                f"the audit compares the inventory with an export of the table at the same time, {time_text(time)}, "
                "but the stack has no export bucket: set the configuration key analytics to true and run `pulumi up`. "
                "Or export the table with `aws dynamodb export-table-to-point-in-time --export-time`, and add "
                "--from-export PATH"
            )
        export = next((each for each in self._suitable_exports(table.arn, bucket) if each.time == time), None)
        if export is not None:
            progress.note(f"using the export of {time_text(time)} in s3://{bucket}/{export.folder}, without new costs")
        else:
            self._check_recovery(time)
            progress.note(
                f"exporting the rows of {time_text(time)}: {table.size_bytes / GB:,.2f} GB, which "
                f"{_costs(table)} in us-east-1"
            )

        def read(engine: Engine) -> Snapshot:
            started = export or self._start(table.arn, bucket, time=time)
            return self._read(self._wait(started, progress), table, engine, progress)

        return read

    def _check_recovery(self, time: datetime) -> None:
        """Raise an OperatorError if a time is outside the table's window for point-in-time recovery."""
        window = self._calls.recovery_window(self._stack.table)
        remedy = "or use an export of about this time with --from-export PATH"
        if window is None:
            raise OperatorError(
                f"the table {self._stack.table!r} has no point-in-time recovery, so DynamoDB cannot export the rows of "
                f"{time_text(time)}: run `pulumi up --refresh`, which enables it again, and use a later inventory, "
                f"{remedy}"
            )
        earliest, latest = window
        if not earliest <= time <= latest:
            later = "wait some minutes and start the audit again" if time > latest else "use a later inventory"
            raise OperatorError(
                f"DynamoDB cannot export the rows of {time_text(time)}, the time of the inventory, because the "
                f"recovery window of the table {self._stack.table!r} is from {time_text(earliest)} to "
                f"{time_text(latest)}: {later}, {remedy}"
            )

    def _start(self, table: str, bucket: str, *, time: datetime | None = None) -> TableExport:
        """Start an export of the DynamoDB table to S3, and return its description.

        Args:
            table: ARN of the table.
            bucket: name of the export bucket.
            time: time of the rows; None for the current rows.
        """
        prefix = f"exports/{self._now():%Y-%m-%dT%H-%M-%SZ}"
        owner, key = self._stack.account, self._expected.export_key if self._expected else ""
        arn = self._calls.start_export(table, bucket=bucket, prefix=prefix, owner=owner, key=key, time=time)
        return self._calls.table_export(arn)

    def _wait(self, export: TableExport, progress: Progress) -> TableExport:
        """Wait until an export is completed, and return its description. A failed export raises an OperatorError."""
        with progress.step("wait for the export") as advance:
            while export.status not in (COMPLETED, FAILED):
                self._sleep(POLL_SECONDS)
                advance(1)
                export = self._calls.table_export(export.arn)
        if export.status == FAILED:
            raise OperatorError(f"the export {export.arn} failed: {export.failure}. Correct the cause and start again")
        self.location = f"s3://{export.bucket}/{export.folder.rstrip('/')}"
        return export

    def _recent_export(self, table: str, bucket: str) -> TableExport | None:
        """Return the newest suitable export of the table. It may still be in progress."""
        if not self._options.max_age:
            return None
        found = [each for each in self._suitable_exports(table, bucket) if each.time >= self._earliest]
        return max(found, key=lambda each: each.time, default=None)

    def _suitable_exports(self, table: str, bucket: str) -> list[TableExport]:
        """Return the full exports of a table to a bucket, except for failed exports."""
        wanted = (bucket, "DYNAMODB_JSON", "FULL_EXPORT")
        return [each for each in self._calls.table_exports(table) if (each.bucket, each.format, each.kind) == wanted]

    def _download(self, bucket: str, base: str, folder: Path, progress: Progress) -> None:
        """Download the manifests and the data files of an export.

        Args:
            bucket: name of the bucket.
            base: beginning of the object keys, with a slash at its end.
            folder: an empty folder.
            progress: displays the progress of the steps.
        """
        manifests = {name: self._calls.read_file(bucket, base + name) for name in (SUMMARY, FILES)}
        export = Export.parse(manifests[SUMMARY], manifests[FILES], place=f"s3://{bucket}/{base.rstrip('/')}")
        with disk_errors(folder), progress.step("download", len(export.files)) as advance:
            (folder / DATA).mkdir()
            for name, content in manifests.items():
                (folder / name).write_bytes(content)
            names = [each.name for each in export.files]
            calls = self._calls
            for _ in map_in_order(
                lambda name: calls.download_file(bucket, f"{base}{DATA}/{name}", folder / DATA / name), names
            ):
                advance(1)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Context manager that converts an OSError to an OperatorError with the path of the cache folder."""
    try:
        yield
    except OSError as error:
        raise OperatorError(
            f"cannot write to the cache folder {folder.parent}: {error.strerror}. Delete files (`tapstack cache "
            "clear`), or set TAPSTACK_CACHE to a folder on another disk"
        ) from error


def _costs(table: TableSize) -> str:
    price = ROWS_EXPORTED.cost(table.size_bytes / GB)
    return "costs less than $0.01" if price < CENT else f"costs about ${price:,.2f}"
