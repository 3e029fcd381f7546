"""Compares the bucket's versions and delete markers with the rows of the table, and repairs the table.

1. List the bucket, and query the rows of each key. This finds missing, wrong and incomplete rows. A digest of each
   listed version is kept in memory.
2. Scan the table, and check each row's version against the digests. This finds rows whose version does not exist.
3. If requested, compare a random sample of the versions with HEAD requests. With HEAD requests for all versions, step 1
   sends them.
4. Wait for the grace period, and compare the keys with differences again. Only differences that remain are reported,
   because events that were pending at the first comparison have been processed by then.

The repair sends events to the indexer, which writes the rows. The audit itself never writes to the table.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from operations.audit_report import AuditReport, ComparedKey, Counts
from operations.compare import DifferingKey, Finding, compare, compare_head, lacks_content
from operations.digests import Digests
from operations.events import deletion_event, version_event
from operations.listing import KeyFilter, Version, group_by_key
from operations.parallel_listing import LIST_WORKERS
from operations.pool import map_in_order
from operations.rate import RateLimiter, default_event_rate, default_read_rate
from operations.sample import Sample
from operations.sending import send

if TYPE_CHECKING:
    from operations.aws import Aws, Page, Row
    from operations.events import Event
    from operations.inventory.compare import Comparison
    from operations.output import Progress
    from operations.rate import Capacity
    from operations.target import Target

GRACE = 10.0
"""Seconds between the two comparisons of a row. The indexer usually writes a row within two seconds of the upload.
Lambda retries a failed event only after a minute, so the audit reports the row of such an event as missing."""

SMALL_PAGE = 50  # page size to list one key: a larger page would contain other keys
TOOL = "audit"

ListedKey = tuple[str, tuple[Version, ...]]


class Audit:
    """One comparison of an S3 bucket with the rows of its DynamoDB table.

    Attributes:
        bucket: name of the bucket.
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
        workers: int = LIST_WORKERS,
        heads: bool = False,
        sample: int = 0,
        existing: bool = False,
        rng: random.Random | None = None,
        grace: float = GRACE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.bucket = target.bucket
        self.report = AuditReport()
        self._aws = aws
        self._target = target
        self._key_filter = key_filter
        self._prefix = prefix
        self._workers = workers
        self._heads = heads
        self._existing = existing
        self._sample = Sample(sample, rng or random.Random())  # noqa: S311  The sample needs no cryptographic numbers.
        self._grace = grace
        self._sleep = sleep
        self._now = now
        self._reads = RateLimiter(default_read_rate(capacity), clock=clock, sleep=sleep)
        self._sends = RateLimiter(default_event_rate(capacity), clock=clock, sleep=sleep)
        self._limit = datetime.max.replace(tzinfo=UTC)  # The inventory must contain all versions before this time.
        self._listed = Digests()
        self._differing: dict[str, set[str]] = {}  # Maps object keys to IDs of versions that differ from their rows.

    def compare(self, progress: Progress) -> None:
        """Compare every key with its rows, and compare keys with differences a second time.

        Raises:
            OperatorError: an AWS call failed.
        """
        self.compare_keys(progress)
        self.scan(progress)
        self.compare_again(progress)

    def compare_keys(self, progress: Progress) -> None:
        """List the bucket, and compare every key with its rows."""
        with progress.step("compare keys with rows") as advance:
            for (key, versions), compared in map_in_order(self._compare_key, self._keys()):
                self._record(key, versions, compared)
                advance(len(versions))

    def scan(self, progress: Progress, others: Sequence[Audit] = ()) -> None:
        """Scan the table, and find rows whose version is in none of the listed buckets.

        Args:
            progress: the display of the progress.
            others: audits of other buckets with the same table, which share the scan.
        """
        audits = {each.bucket: each for each in (self, *others)}
        prefix = "" if others else self._object_id(self._prefix)
        with progress.step("scan the table") as advance:
            for row in self._read(self._aws.scan_rows(self._target.table, prefix=prefix)):
                bucket, _, key = row["object_id"].partition("/")
                if bucket in audits:
                    audits[bucket].check_existence(key, row)
                advance(1)

    def compare_again(self, progress: Progress) -> None:
        """Compare the random sample with HEAD requests, then compare keys with differences a second time."""
        if self._sample.versions:
            with progress.step("HEAD requests", len(self._sample.versions)) as advance:
                for version, compared in map_in_order(self._compare_sampled, self._sample.versions):
                    self._count(version.key, compared)
                    advance(1)
        self._recheck(progress)

    def confirm(self, comparison: Comparison, progress: Progress) -> None:
        """Compare the candidates of an inventory comparison again, and report the differences that still exist.

        Args:
            comparison: candidates for differences between the inventory and the rows, older than pending events.
            progress: the display of the progress.
        """
        if text := comparison.duration(self._reads.per_second):
            progress.note(text)
        for each in fields(Counts):
            setattr(self.report, each.name, getattr(comparison, each.name))
        self._limit = comparison.limit
        with progress.step("recheck", comparison.differing_keys) as advance:
            self._confirm(comparison, advance)

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
        listed = self._aws.versions_in_any_order(self._target.bucket, prefix=self._prefix, workers=self._workers)
        for key, versions in group_by_key(listed):
            if key in self._key_filter:
                yield key, versions
            else:
                self.report.not_indexed += len(versions)

    def _compare_key(self, listed: ListedKey) -> ComparedKey:
        key, versions = listed
        rows = list(self._read(self._aws.query_rows(self._target.table, self._object_id(key), heads=self._heads)))
        found = compare(self._target.bucket, key, versions, rows)
        return self._with_heads(versions, rows, found) if self._heads else ComparedKey(found)

    def _compare_sampled(self, version: Version) -> ComparedKey:
        rows = list(self._read(self._aws.query_rows(self._target.table, self._object_id(version.key), heads=True)))
        # The step "compare keys with rows" has recorded differences from the list of versions.
        found = compare(self._target.bucket, version.key, [version], rows)
        return self._with_heads([version], rows, [each for each in found if each.version_id == version.version_id])

    def _with_heads(self, versions: Iterable[Version], rows: Iterable[Row], found: list[Finding]) -> ComparedKey:
        """Compare the rows that have no difference yet with HEAD requests.

        Args:
            versions: versions of one key.
            rows: rows of the key.
            found: differences of the rows from the list of versions.
        """
        compared, differing = ComparedKey(found), {finding.version_id for finding in found}
        by_id = {row["version_id"]: row for row in rows}
        for version in versions:
            if version.version_id in differing or "content_type" not in by_id[version.version_id]:
                continue  # The row is that of a delete marker, or of an object that needs a customer-provided key.
            head = self._aws.head(self._target.bucket, version.key, version.version_id)
            compared.heads += head is not None
            compared.unreadable += head is None
            row, bucket = by_id[version.version_id], self._target.bucket
            if head and (finding := compare_head(bucket, version, row, head, existing=self._existing)):
                compared.findings.append(finding)
        return compared

    def _count(self, key: str, compared: ComparedKey) -> None:
        self.report.heads += compared.heads
        self.report.unreadable += compared.unreadable
        if compared.findings:
            self._differing.setdefault(key, set()).update(finding.version_id for finding in compared.findings)

    def _record(self, key: str, versions: tuple[Version, ...], compared: ComparedKey) -> None:
        for version in versions:
            self._listed.add(self._object_id(key), version.version_id)
            if not version.marker:
                self._sample.add(version)
        markers = sum(version.marker for version in versions)
        self.report.keys += 1
        self.report.markers += markers
        self.report.versions += len(versions) - markers
        self._count(key, compared)

    def check_existence(self, key: str, row: Row) -> None:
        """Record a difference if the version of a row of this bucket is not in the bucket.

        Args:
            key: the object key.
            row: the row.
        """
        if key not in self._key_filter or not key.startswith(self._prefix):
            return
        self.report.rows += 1
        self.report.without_content += lacks_content(row)
        if "deleted_at" not in row and (row["object_id"], row["version_id"]) not in self._listed:
            self._differing.setdefault(key, set()).add(row["version_id"])

    def _recheck(self, progress: Progress) -> None:
        if not self._differing:
            return
        heads = self._heads or bool(self._sample.versions)
        differing = (
            DifferingKey(key=key, versions=versions, heads=versions if heads else frozenset())
            for key, versions in sorted(self._differing.items())
        )
        with progress.step("recheck", len(self._differing)) as advance:
            self._sleep(self._grace)
            self._confirm(differing, advance)

    def _confirm(self, differing: Iterable[DifferingKey], advance: Callable[[int], None]) -> None:
        """Compare keys again, and add the remaining differences to the findings."""
        for each, found in map_in_order(self._recheck_key, differing):
            self.report.rechecked += len(each.versions)
            # A version that differs only in the second comparison was uploaded after the first one. Its event may
            # still be pending, so the audit does not report this version.
            self.report.findings += [finding for finding in found.findings if finding.version_id in each.versions]
            self.report.unlisted += found.unlisted
            advance(1)

    def _recheck_key(self, differing: DifferingKey) -> ComparedKey:
        """Compare an object key's versions with its rows again, with strongly consistent reads of the rows."""
        key, heads = differing.key, differing.heads
        versions = self._versions_of(key)
        query = self._aws.query_rows(self._target.table, self._object_id(key), consistent=True, heads=bool(heads))
        rows = list(self._read(query))
        found = compare(self._target.bucket, key, versions, rows)
        if heads:
            to_read = [each for each in versions if each.version_id in heads]
            found = self._with_heads(to_read, rows, found).findings
        if not all(finding.repairable for finding in found):
            # An operator deletes the rows that no event can repair. Do not report correct rows of versions that were
            # deleted during this comparison.
            existing = {version.version_id for version in self._versions_of(key)}
            found = [finding for finding in found if finding.repairable or finding.version_id in existing]
        unlisted = sum(each.version_id in differing.unlisted and each.last_modified < self._limit for each in versions)
        return ComparedKey(found, unlisted=unlisted)

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
