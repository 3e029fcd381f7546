"""Compares the bucket's versions and delete markers with the table, and gives the function again what is not so.

1. The listing, in key order, against a Query per key: finds missing, wrong and incomplete rows. Of each version a
   digest is kept.
2. A Scan of the table against the digests: finds rows of versions that are not there.
3. What looked different is looked at again, key by key, and told only if it still does: what was on its way is there
   by then, so that a busy bucket raises no false alarm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from operations import events
from operations.compare import Finding, compare
from operations.digests import Digests
from operations.listing import Indexed, Version, by_key
from operations.pool import in_order
from operations.rate import Rate
from operations.sending import SHARE, Sender, default_rate

if TYPE_CHECKING:
    from operations.aws import Aws, Capacity, Page, Row
    from operations.events import Event
    from operations.output import Progress
    from operations.target import Target

GRACE = 10.0
"""Seconds between the two looks at a row. An event becomes a row in one or two; one that Lambda tries again takes a
minute, and its row is truly missing until then."""

SMALL_PAGE = 50
"""Versions per answer when one key is listed: it also lists every longer key, which nobody asked for."""

TOOL = "audit"

Key = tuple[str, tuple[Version, ...]]


@dataclass(kw_only=True)
class Report:
    """What was compared and what was found."""

    keys: int = 0
    versions: int = 0
    markers: int = 0  # delete markers, not among the versions
    not_indexed: int = 0  # versions and markers that the notification's filter leaves out
    rows: int = 0  # of the scan
    looked_again: int = 0  # versions that looked different at first
    findings: list[Finding] = field(default_factory=list)  # in key order
    sent: int = 0  # events to the function


class Audit:
    """One comparison of a bucket with its table.

    Attributes:
        report: what is known so far.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        *,
        indexed: Indexed,
        capacity: Capacity,
        prefix: str = "",
        grace: float = GRACE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.report = Report()
        self._aws = aws
        self._target = target
        self._indexed = indexed
        self._prefix = prefix
        self._grace = grace
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._reads = Rate(None if capacity.read is None else SHARE * capacity.read, clock=clock, sleep=sleep)
        self._sends = Rate(default_rate(capacity), clock=clock, sleep=sleep)
        self._listed = Digests()
        self._suspects: dict[str, set[str]] = {}  # key -> version ids

    def compare(self, progress: Progress) -> None:
        """Look at everything, and again at what looked different.

        Raises:
            OperatorError: AWS refused to answer.
        """
        with progress.step("listing and rows") as advance:
            for (key, versions), found in in_order(self._look, self._keys()):
                self._remember(key, versions, found)
                advance(len(versions))
        with progress.step("scan of the table") as advance:
            for row in self._read(self._aws.all_rows(self._target.table, prefix=self._object_id(self._prefix))):
                self._check_existence(row)
                advance(1)
        self._look_again(progress)

    def repair(self, progress: Progress) -> None:
        """Give the function the fact behind each finding again, as far as an event can mend it.

        Raises:
            OperatorError: Lambda did not accept an event.
        """
        mendable = [finding for finding in self.report.findings if not finding.final]
        sender = Sender(self._aws, self._target, self._sends)
        with progress.step("events sent", len(mendable)) as advance:
            try:
                sender.send(mendable, self._fact, accepted=lambda _: advance(1))
            finally:
                self.report.sent = sender.sent

    def _keys(self) -> Iterator[Key]:
        for key, versions in by_key(self._aws.versions(self._target.bucket, prefix=self._prefix)):
            if key in self._indexed:
                yield key, versions
            else:
                self.report.not_indexed += len(versions)

    def _look(self, listed: Key) -> list[Finding]:
        key, versions = listed
        rows = self._read(self._aws.rows_of(self._target.table, self._object_id(key)))
        return compare(self._target.bucket, key, versions, rows)

    def _remember(self, key: str, versions: tuple[Version, ...], found: list[Finding]) -> None:
        for version in versions:
            self._listed.add(self._object_id(key), version.version_id)
        markers = sum(version.marker for version in versions)
        self.report.keys += 1
        self.report.markers += markers
        self.report.versions += len(versions) - markers
        if found:
            self._suspects[key] = {finding.version_id for finding in found}

    def _check_existence(self, row: Row) -> None:
        key = row["object_id"].removeprefix(self._object_id(""))
        if key not in self._indexed:
            return
        self.report.rows += 1
        if "deleted_at" not in row and (row["object_id"], row["version_id"]) not in self._listed:
            self._suspects.setdefault(key, set()).add(row["version_id"])

    def _look_again(self, progress: Progress) -> None:
        self.report.looked_again = sum(map(len, self._suspects.values()))
        if not self._suspects:
            return
        with progress.step("second look", len(self._suspects)) as advance:
            self._sleep(self._grace)
            for key, found in in_order(self._look_now, sorted(self._suspects)):
                # A version that looks different only now was not there before: its event is on its way.
                self.report.findings += [each for each in found if each.version_id in self._suspects[key]]
                advance(1)

    def _look_now(self, key: str) -> list[Finding]:
        """Compare a key as it is at this moment; its own listing ends where the next key begins."""
        versions = self._versions_of(key)
        rows = self._read(self._aws.rows_of(self._target.table, self._object_id(key), consistent=True))
        found = compare(self._target.bucket, key, versions, rows)
        if any(finding.final for finding in found):
            # such a row is to be deleted by hand: be sure that its version did not go between the two answers
            there = {version.version_id for version in self._versions_of(key)}
            found = [finding for finding in found if not finding.final or finding.version_id in there]
        return found

    def _versions_of(self, key: str) -> list[Version]:
        listed = self._aws.versions(self._target.bucket, prefix=key, page=SMALL_PAGE)
        return list(takewhile(lambda version: version.key == key, listed))

    def _read(self, pages: Iterator[Page]) -> Iterator[Row]:
        """The rows of the pages, none of which is asked for before those until now are paid for."""
        while True:
            self._reads.take(0)
            page = next(pages, None)
            if page is None:
                return
            self._reads.charge(page.units)
            yield from page.rows

    def _fact(self, finding: Finding) -> Event:
        if finding.version is None:
            return events.absence(finding.key, finding.version_id, self._target, at=self._now(), tool=TOOL)
        return events.existence(finding.version, self._target, tool=TOOL)

    def _object_id(self, key: str) -> str:
        return f"{self._target.bucket}/{key}"
