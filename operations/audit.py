"""Compares the bucket's versions and delete markers with the rows of the table, and repairs the table.

1. List the bucket in key order, and query the rows of each key. This finds missing, wrong and incomplete rows. A digest
   of each listed version is kept in memory.
2. Scan the table, and check each row's version against the digests. This finds rows whose version does not exist.
3. Wait for the grace period, and compare the keys with differences again. Only differences that remain are reported,
   because events that were pending at the first comparison have been processed by then.

The repair sends events to the indexer, which writes the rows. The audit itself never writes to the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from operations.compare import Finding, compare
from operations.digests import Digests
from operations.events import deletion_event, version_event
from operations.listing import KeyFilter, Version, group_by_key
from operations.pool import map_in_order
from operations.rate import RateLimiter, default_event_rate, default_read_rate
from operations.sending import send

if TYPE_CHECKING:
    from operations.aws import Aws, Page, Row
    from operations.events import Event
    from operations.output import Progress
    from operations.rate import Capacity
    from operations.target import Target

GRACE = 10.0
"""Seconds between the two comparisons of a row. The indexer usually writes a row within two seconds of the upload.
Lambda retries a failed event only after a minute, so the audit reports the row of such an event as missing."""

SMALL_PAGE = 50
"""Page size for listing the versions of one key. A larger page would only contain more versions of other keys."""

TOOL = "audit"

ListedKey = tuple[str, tuple[Version, ...]]


@dataclass(kw_only=True)
class AuditReport:
    """The results of an audit.

    Attributes:
        keys: compared object keys.
        versions: compared object versions, without delete markers.
        markers: compared delete markers.
        not_indexed: versions and markers whose key does not match the filter of the bucket notification.
        rows: scanned rows.
        rechecked: versions that differed in the first comparison.
        findings: differences that remained in the second comparison, in key order.
        sent: events sent to the indexer.
    """

    keys: int = 0
    versions: int = 0
    markers: int = 0
    not_indexed: int = 0
    rows: int = 0
    rechecked: int = 0
    findings: list[Finding] = field(default_factory=list)
    sent: int = 0


class Audit:
    """One comparison of an S3 bucket with the rows of its DynamoDB table.

    Attributes:
        report: the results so far.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        *,
        key_filter: KeyFilter,
        capacity: Capacity,
        prefix: str = "",
        grace: float = GRACE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.report = AuditReport()
        self._aws = aws
        self._target = target
        self._key_filter = key_filter
        self._prefix = prefix
        self._grace = grace
        self._sleep = sleep
        self._now = now
        self._reads = RateLimiter(default_read_rate(capacity), clock=clock, sleep=sleep)
        self._sends = RateLimiter(default_event_rate(capacity), clock=clock, sleep=sleep)
        self._listed = Digests()
        self._differing: dict[str, set[str]] = {}  # Maps object keys to IDs of versions that differ from their rows.

    def compare(self, progress: Progress) -> None:
        """Compare every key with its rows, and compare keys with differences a second time.

        Raises:
            OperatorError: an AWS call failed.
        """
        with progress.step("listing and rows") as advance:
            for (key, versions), found in map_in_order(self._compare_key, self._keys()):
                self._record(key, versions, found)
                advance(len(versions))
        with progress.step("scan of the table") as advance:
            for row in self._read(self._aws.scan_rows(self._target.table, prefix=self._object_id(self._prefix))):
                self._check_existence(row)
                advance(1)
        self._recheck(progress)

    def repair(self, progress: Progress) -> None:
        """Send an event to the indexer for each finding that an event can repair.

        Raises:
            OperatorError: Lambda did not accept an event.
        """
        repairable = [finding for finding in self.report.findings if finding.repairable]
        events = ((finding, self._event(finding)) for finding in repairable)
        with progress.step("events sent", len(repairable)) as advance:
            for _ in send(self._aws, self._target.function, events, limiter=self._sends):
                self.report.sent += 1
                advance(1)

    def _keys(self) -> Iterator[ListedKey]:
        for key, versions in group_by_key(self._aws.versions(self._target.bucket, prefix=self._prefix)):
            if key in self._key_filter:
                yield key, versions
            else:
                self.report.not_indexed += len(versions)

    def _compare_key(self, listed: ListedKey) -> list[Finding]:
        key, versions = listed
        rows = self._read(self._aws.query_rows(self._target.table, self._object_id(key)))
        return compare(self._target.bucket, key, versions, rows)

    def _record(self, key: str, versions: tuple[Version, ...], found: list[Finding]) -> None:
        for version in versions:
            self._listed.add(self._object_id(key), version.version_id)
        markers = sum(version.marker for version in versions)
        self.report.keys += 1
        self.report.markers += markers
        self.report.versions += len(versions) - markers
        if found:
            self._differing[key] = {finding.version_id for finding in found}

    def _check_existence(self, row: Row) -> None:
        key = row["object_id"].removeprefix(self._object_id(""))
        if key not in self._key_filter:
            return
        self.report.rows += 1
        if "deleted_at" not in row and (row["object_id"], row["version_id"]) not in self._listed:
            self._differing.setdefault(key, set()).add(row["version_id"])

    def _recheck(self, progress: Progress) -> None:
        self.report.rechecked = sum(map(len, self._differing.values()))
        if not self._differing:
            return
        with progress.step("recheck", len(self._differing)) as advance:
            self._sleep(self._grace)
            for key, found in map_in_order(self._recheck_key, sorted(self._differing)):
                # If a version differs only in the second comparison, it was uploaded meanwhile. Its event may still be
                # pending, so the audit does not report the version.
                self.report.findings += [each for each in found if each.version_id in self._differing[key]]
                advance(1)

    def _recheck_key(self, key: str) -> list[Finding]:
        """Compare an object key's versions with its rows again, with strongly consistent reads of the rows."""
        versions = self._versions_of(key)
        rows = self._read(self._aws.query_rows(self._target.table, self._object_id(key), consistent=True))
        found = compare(self._target.bucket, key, versions, rows)
        if not all(finding.repairable for finding in found):
            # An operator deletes the rows that no event can repair. Do not report correct rows of versions that were
            # deleted during this comparison.
            existing = {version.version_id for version in self._versions_of(key)}
            found = [finding for finding in found if finding.repairable or finding.version_id in existing]
        return found

    def _versions_of(self, key: str) -> list[Version]:
        listed = self._aws.versions(self._target.bucket, prefix=key, page=SMALL_PAGE)
        return list(takewhile(lambda version: version.key == key, listed))

    def _read(self, pages: Iterator[Page]) -> Iterator[Row]:
        """Yield the rows of a Query or Scan. All reads together use at most half of the provisioned read capacity."""
        while True:
            self._reads.acquire(0)
            page = next(pages, None)
            if page is None:
                return
            self._reads.charge(page.units)
            yield from page.rows

    def _event(self, finding: Finding) -> Event:
        if finding.version is None:
            return deletion_event(finding.key, finding.version_id, self._target, at=self._now(), tool=TOOL)
        return version_event(finding.version, self._target, tool=TOOL)

    def _object_id(self, key: str) -> str:
        return f"{self._target.bucket}/{key}"
