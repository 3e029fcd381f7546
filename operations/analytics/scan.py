"""Scans a DynamoDB table in parallel, and writes its rows into files in the format of a table export."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

from operations.analytics.export_files import DATA, DataFile, Export, write_manifests
from operations.checksums import md5_digest
from operations.errors import OperatorError

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.aws.exports import TableSize
    from operations.rate import RateLimiter

SEGMENTS = 8
"""Number of segments of a parallel DynamoDB scan."""
MAX_ROWS = 1_000_000
"""Maximum number of rows that a scan reads without the option --force."""
REMEDY = "use --export, which costs less and consumes no read capacity, or add --force to scan the table"


class Scan:
    """Scans all rows of a DynamoDB table once.

    Args:
        aws: the AWS calls.
        table: name of the table.
        limiter: limits the consumed read units per second.
        max_rows: the scan fails if the table has more rows than this number; None for no limit.
        advance: function that is called with the number of rows of each page.
    """

    def __init__(
        self,
        aws: Aws,
        table: str,
        *,
        limiter: RateLimiter,
        max_rows: int | None,
        advance: Callable[[int], None],
    ) -> None:
        self._aws = aws
        self._table = table
        self._limiter = limiter
        self._max_rows = max_rows
        self._advance = advance
        self._lock = Lock()
        self._stopped = Event()
        self._rows = 0

    def write(self, folder: Path, *, arn: str, time: str) -> None:
        """Scan the table, and write its rows and the manifests of an export into a folder.

        Args:
            folder: an empty folder.
            arn: ARN of the table.
            time: time at which the scan starts, ISO 8601 in UTC.

        Raises:
            OperatorError: the table cannot be read, or it has too many rows.
        """
        (folder / DATA).mkdir()
        with ThreadPoolExecutor(SEGMENTS) as pool:
            futures = [pool.submit(self._segment, folder, number) for number in range(SEGMENTS)]
            try:
                files = tuple(future.result() for future in futures)
            finally:
                self._stopped.set()
        write_manifests(folder, Export(table=arn, time=time, items=self._rows, files=files))

    def _segment(self, folder: Path, number: int) -> DataFile:
        key = f"{DATA}/{number}.json.gz"
        items = 0
        try:
            with gzip.open(folder / key, "wt", compresslevel=1, encoding="utf-8") as file:
                for page in self._aws.scan_segment(self._table, number, SEGMENTS):
                    if self._stopped.is_set():
                        break
                    file.writelines(json.dumps({"Item": each}, ensure_ascii=False) + "\n" for each in page.items)
                    items += len(page.items)
                    self._count(len(page.items))
                    self._limiter.charge(page.units)
                    self._limiter.acquire(0)
        except BaseException:
            self._stopped.set()
            raise
        return DataFile(key=key, items=items, md5=base64.b64encode(md5_digest(folder / key)).decode())

    def _count(self, rows: int) -> None:
        with self._lock:
            self._rows += rows
            if self._max_rows is not None and self._rows > self._max_rows:
                raise OperatorError(f"the table {self._table!r} has more than {self._max_rows:,} rows: {REMEDY}")
        self._advance(rows)


def check_size(table: TableSize) -> None:
    """Raise an OperatorError if a table has too many rows for a scan without --force.

    Args:
        table: ARN and approximate size of the table.
    """
    if table.items > MAX_ROWS:
        name = table.arn.rpartition("/")[2]
        raise OperatorError(
            f"--scan: the table {name!r} has about {table.items:,} rows, and the limit is {MAX_ROWS:,}: {REMEDY}"
        )
