"""Has the function index versions that existed before the function, or of which it was not notified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from operations.events import version_event
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
    """Numbers of versions, delete markers included."""

    chosen: int = 0
    older: int = 0  # than --since
    not_indexed: int = 0  # the notification's filter leaves them out
    sent: int = 0
    resume_after: str = ""  # every version of this key, and of those before it, was sent; empty: none


class Backfill:
    """One run through the bucket, in key order.

    Attributes:
        report: the results so far.
        per_second: events a second.
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
        self._limiter = RateLimiter(per_second, clock=clock, sleep=sleep)

    def count(self, progress: Progress) -> None:
        """Count the events without sending them.

        Raises:
            OperatorError: an S3 call failed.
        """
        with progress.step("listing") as advance:
            for _ in self._versions():
                advance(1)

    def invoke(self, progress: Progress) -> None:
        """Send the events.

        Raises:
            OperatorError: an AWS call failed, or Lambda did not accept an event; `report.resume_after` is the key after
                which to continue.
        """
        key = self._start_after  # the key whose versions are being sent
        events = ((version, version_event(version, self._target, tool=TOOL)) for version in self._versions())
        with progress.step("events sent") as advance:
            for version in send(self._aws, self._target.function, events, limiter=self._limiter):
                self.report.sent += 1
                if version.key != key:  # all versions of the key before have been sent
                    self.report.resume_after, key = key, version.key
                advance(1)
        self.report.resume_after = ""

    def _versions(self) -> Iterator[Version]:
        report = self.report
        for version in self._aws.versions(self._target.bucket, prefix=self._prefix, after=self._start_after):
            if version.key not in self._key_filter:
                report.not_indexed += 1
            elif self._since is not None and version.last_modified < self._since:
                report.older += 1
            else:
                report.chosen += 1
                yield version
