"""Uploads files and waits for their rows, with a limited number of uploads in flight."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localstack.showcase.demo.files import Problem
from localstack.showcase.demo.store import Upload

if TYPE_CHECKING:
    from localstack.showcase.demo.files import Source
    from localstack.showcase.demo.store import Store

IN_FLIGHT = 4
"""Most uploads without a row. The emulator starts a process per concurrent invocation: 8 at once take twice as long."""

ROWS_PER_MORE = 10
"""Rows after which one more upload may be in flight: cold starts side by side slow each other down."""

TIMEOUT = 30.0
"""Seconds without a new row after which the transfer stops; the first row, the slowest, takes one or two."""

OVERDUE = 5.0
"""Seconds after which an upload without a row no longer delays other uploads; its row is still read."""

SHORTEST_PAUSE, LONGEST_PAUSE, PAUSE_GROWTH = 0.005, 0.05, 1.5
"""Seconds between two reads of the table without a new row; the longest is the error of a measured latency."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """An object's row as read from the table.

    `seconds` is the time from the end of the upload until the row was read. `differences` has a
    sentence for each attribute in which the row and S3's HEAD of the same version disagree.
    """

    upload: Upload
    item: Mapping[str, Any]
    seconds: float
    differences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Result of a transfer.

    `rows` are in the order of the sources. `missing` uploads have no row; `unreadable` files could not be opened;
    `refused` are the uploads that S3 refused; `not_tried` is the number of files not uploaded because of the timeout.
    """

    rows: tuple[Row, ...]
    missing: tuple[Upload, ...] = ()
    unreadable: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    not_tried: int = 0


def transfer(
    sources: Sequence[Source],
    store: Store,
    *,
    on_upload: Callable[[], None],
    on_row: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    timeout: float = TIMEOUT,
    in_flight: int = IN_FLIGHT,
) -> Transfer:
    """Upload every source, each with a key of its own, and wait for its row.

    `on_upload` is called for each file that is through, well or badly, `on_row` for each row, both from this thread.

    Raises:
        ClientError, BotoCoreError: a request to DynamoDB or S3's HEAD failed.
    """
    with ThreadPoolExecutor(in_flight, thread_name_prefix="upload") as threads:
        run = _Run(sources, store, threads, clock, in_flight)
        pause, waiting_since = SHORTEST_PAUSE, clock()
        while not run.finished():
            run.start_uploads()
            uploads, rows = run.collect_uploads(on_upload), run.collect_rows(on_row)
            if rows or not run.waiting:
                waiting_since = clock()
            elif clock() - waiting_since > timeout:
                break
            if uploads or rows:
                pause = SHORTEST_PAUSE
            else:
                run.wait(pause, sleep)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
    run.collect_uploads(on_upload)  # uploads that were running at the timeout
    return run.outcome()


class _Run:
    """State of a transfer: each source is in the queue, uploading, waiting for its row, or finished."""

    def __init__(
        self,
        sources: Sequence[Source],
        store: Store,
        threads: ThreadPoolExecutor,
        clock: Callable[[], float],
        in_flight: int,
    ) -> None:
        self._order = {source.key: position for position, source in enumerate(sources)}
        self._store, self._threads, self._clock = store, threads, clock
        self._in_flight = in_flight
        self._todo = deque(sources)
        self.uploading: dict[Future[Upload], Source] = {}
        self.waiting: dict[str, Upload] = {}
        self._rows: list[Row] = []
        self._unreadable: list[Problem] = []
        self._refused: list[Problem] = []

    def finished(self) -> bool:
        return not (self._todo or self.uploading or self.waiting)

    def start_uploads(self) -> None:
        while self._todo and len(self.uploading) < self._free_slots():
            source = self._todo.popleft()
            self.uploading[self._threads.submit(self._upload, source)] = source

    def _free_slots(self) -> int:
        """Number of uploads that may run, besides those that wait for their rows."""
        now = self._clock()
        waiting = sum(now - upload.finished <= OVERDUE for upload in self.waiting.values())
        return min(self._in_flight, 1 + len(self._rows) // ROWS_PER_MORE) - waiting

    def collect_uploads(self, on_upload: Callable[[], None]) -> int:
        done = [future for future in self.uploading if future.done()]
        for future in done:
            source = self.uploading.pop(future)
            try:
                self.waiting[source.key] = future.result()
            except OSError as error:
                reason = f"cannot be read: {error.strerror or error}"
                self._unreadable.append(Problem(path=source.path, reason=reason))
            except (ClientError, BotoCoreError) as error:
                self._refused.append(Problem(path=source.path, reason=f"was not taken by S3: {error}"))
            on_upload()
        return len(done)

    def collect_rows(self, on_row: Callable[[], None]) -> int:
        if not self.waiting:
            return 0
        before = len(self._rows)
        for upload, item in self._store.rows(list(self.waiting.values())):
            seconds = max(0.0, self._clock() - upload.finished)
            del self.waiting[upload.source.key]
            differences = self._store.differences(upload, item)
            self._rows.append(Row(upload=upload, item=item, seconds=seconds, differences=differences))
            on_row()
        return len(self._rows) - before

    def wait(self, pause: float, sleep: Callable[[float], None]) -> None:
        if self.uploading:
            wait(self.uploading, timeout=pause, return_when=FIRST_COMPLETED)
        else:
            sleep(pause)

    def outcome(self) -> Transfer:
        return Transfer(
            rows=tuple(sorted(self._rows, key=lambda row: self._order[row.upload.source.key])),
            missing=tuple(self.waiting.values()),
            unreadable=tuple(self._unreadable),
            refused=tuple(self._refused),
            not_tried=len(self._todo),
        )

    def _upload(self, source: Source) -> Upload:
        version_id = self._store.put(source)
        return Upload(source=source, version_id=version_id, finished=self._clock())
