"""Tests of errors during a parallel scan of the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

from operations.analytics.scan import SEGMENTS, Scan
from operations.aws.tables import ItemPage
from operations.errors import OperatorError
from tests.support.operations_fakes import FakeAws


class SlowTable(FakeAws):
    """Fake table in which each page consumes the read units of one hour, and in which the last segment fails.

    Attributes:
        counted: barrier that the threads pass when each segment but the last has read its first page.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counted = Barrier(SEGMENTS)

    def scan_segment(self, table: str, segment: int, segments: int) -> Iterator[ItemPage]:
        assert (table, segments) == ("objects", SEGMENTS)
        if segment == SEGMENTS - 1:
            self.counted.wait()
            raise OperatorError("access denied")
        while True:
            yield ItemPage(items=(), units=3600.0)


def test_scan_with_a_failed_segment_ends_without_a_wait_for_read_units(tmp_path: Path) -> None:
    table, raised = SlowTable(), []

    def advance(_: int) -> None:
        table.counted.wait()

    def run() -> None:
        try:
            scan = Scan(table, "objects", rate=1.0, max_rows=None, advance=advance)
            scan.write(tmp_path, arn="", time="")
        except OperatorError as error:
            raised.append(str(error))

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert raised == ["access denied"]
