"""Has the function index what was in the bucket before it was there, or before it was told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from operations import events
from operations.rate import Rate
from operations.sending import Sender

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.listing import Indexed, Version
    from operations.output import Progress
    from operations.target import Target

TOOL = "backfill"


@dataclass(kw_only=True)
class Report:
    """What was listed and what was sent: versions and delete markers alike."""

    chosen: int = 0
    older: int = 0  # than --since
    not_indexed: int = 0  # the notification's filter leaves them out
    sent: int = 0
    resume_after: str = ""  # every version of this key, and of those before it, was sent; nothing: start anew


class Backfill:
    """One run through the bucket, in key order.

    Attributes:
        report: what is known so far.
        per_second: events a second.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        *,
        indexed: Indexed,
        per_second: float,
        prefix: str = "",
        since: datetime | None = None,
        start_after: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.report = Report(resume_after=start_after)
        self.per_second = per_second
        self._aws = aws
        self._target = target
        self._indexed = indexed
        self._prefix = prefix
        self._since = since
        self._start_after = start_after
        self._clock = clock
        self._sleep = sleep
        self._key = start_after  # whose versions are being sent

    def count(self, progress: Progress) -> None:
        """Only list what would be sent.

        Raises:
            OperatorError: S3 refused to answer.
        """
        with progress.step("listing") as advance:
            for _ in self._versions():
                advance(1)

    def invoke(self, progress: Progress) -> None:
        """List and send.

        Raises:
            OperatorError: AWS refused to answer or to accept an event; `report.resume_after` says where to go on.
        """
        sender = Sender(self._aws, self._target, Rate(self.per_second, clock=self._clock, sleep=self._sleep))

        def accepted(version: Version) -> None:
            self.report.sent += 1
            if version.key != self._key:  # so the one before has been sent whole
                self.report.resume_after, self._key = self._key, version.key
            advance(1)

        with progress.step("events sent") as advance:
            sender.send(
                self._versions(), lambda version: events.existence(version, self._target, tool=TOOL), accepted=accepted
            )
        self.report.resume_after = ""

    def _versions(self) -> Iterator[Version]:
        report = self.report
        for version in self._aws.versions(self._target.bucket, prefix=self._prefix, after=self._start_after):
            if version.key not in self._indexed:
                report.not_indexed += 1
            elif self._since is not None and version.last_modified < self._since:
                report.older += 1
            else:
                report.chosen += 1
                yield version
