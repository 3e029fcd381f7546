"""Sends events to the indexer for existing object versions, for example those from before the stack's deployment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from operations.events import version_event
from operations.parallel_listing import LIST_WORKERS
from operations.rate import RateLimiter
from operations.sending import send

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.listing import KeyFilter, Version
    from operations.output import Progress
    from operations.target import Target

TOOL = "backfill"


@dataclass(kw_only=True)
class BackfillReport:
    """The results of a backfill. The numbers are of versions and delete markers.

    Attributes:
        selected: versions that match all options.
        excluded_by_since: versions excluded by the option --since.
        not_indexed: versions whose key does not match the filter of the bucket notification.
        sent: events that Lambda accepted.
        resume_after: last object key for which the events of all versions were sent; empty if there is none.
    """

    selected: int = 0
    excluded_by_since: int = 0
    not_indexed: int = 0
    sent: int = 0
    resume_after: str = ""


class Backfill:
    """A backfill of one bucket, in the order of the object keys.

    Attributes:
        report: the results so far.
        per_second: maximum number of events per second.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        *,
        key_filter: KeyFilter,
        per_second: float,
        prefix: str = "",
        since: datetime | None = None,
        start_after: str = "",
        workers: int = LIST_WORKERS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.report = BackfillReport(resume_after=start_after)
        self.per_second = per_second
        self._aws = aws
        self._target = target
        self._key_filter = key_filter
        self._prefix = prefix
        self._since = since
        self._start_after = start_after
        self._workers = workers
        self._limiter = RateLimiter(per_second, clock=clock, sleep=sleep)

    def count(self, progress: Progress) -> None:
        """Count the events that `invoke` would send.

        Raises:
            OperatorError: an S3 call failed.
        """
        with progress.step("listing") as advance:
            where: Any = {"prefix": self._prefix, "after": self._start_after}
            listed = self._aws.versions_in_any_order(self._target.bucket, **where, workers=self._workers)
            for _ in self._selected(listed):
                advance(1)

    def invoke(self, progress: Progress) -> None:
        """Send an event for each chosen version and delete marker.

        Raises:
            OperatorError: an AWS call failed, or Lambda did not accept an event. A second backfill can continue after
                the key in `report.resume_after`.
        """
        # The listing is in key order, so that a second backfill can continue after one key. Parallel requests would not
        # make the backfill faster: sequential requests list more versions per second than Lambda accepts events.
        key = self._start_after
        listed = self._aws.versions(self._target.bucket, prefix=self._prefix, after=key)
        events = ((version, version_event(version, self._target, tool=TOOL)) for version in self._selected(listed))
        with progress.step("events sent") as advance:
            for version in send(self._aws, self._target.function, events, limiter=self._limiter):
                self.report.sent += 1
                if version.key != key:
                    # The events of all versions of the previous object key have been sent.
                    self.report.resume_after, key = key, version.key
                advance(1)
        self.report.resume_after = ""

    def _selected(self, listed: Iterable[Version]) -> Iterator[Version]:
        report = self.report
        for version in listed:
            if version.key not in self._key_filter:
                report.not_indexed += 1
            elif self._since is not None and version.last_modified < self._since:
                report.excluded_by_since += 1
            else:
                report.selected += 1
                yield version
