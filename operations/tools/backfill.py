"""The tool `backfill`: counts or sends events for existing object versions, and formats the results."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from operations.backfill import Backfill
from operations.discovery import queue_before_sending
from operations.listing import KeyFilter
from operations.output import count, quoted
from operations.rate import default_event_rate
from operations.tool import FINDINGS, OK

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.output import Progress
    from operations.target import Target


class BackfillTool:
    """Tool for `backfill [--prefix P] [--since T] [--rate N] [--start-after KEY] [--invoke]`."""

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target) -> None:
        self._invoke: bool = options.invoke
        if self._invoke:
            queue_before_sending(aws, target)
        self._key_filter = KeyFilter.from_notifications(aws.notifications(target.bucket), target.function_arn)
        self._backfill = Backfill(
            aws,
            target,
            key_filter=self._key_filter,
            per_second=options.rate or default_event_rate(aws.capacity(target.table)),
            prefix=options.prefix,
            since=options.since,
            start_after=options.start_after,
        )

    def run(self, progress: Progress) -> int:
        if self._invoke:
            self._backfill.invoke(progress)
        else:
            self._backfill.count(progress)
        to_send = self._backfill.report.selected - self._backfill.report.sent
        return FINDINGS if to_send or not self._key_filter.triggered else OK

    def lines(self) -> list[str]:
        return self._key_filter.warnings()

    def summary(self) -> str:
        report = self._backfill.report
        excluded = [f"versions older than --since: {report.excluded_by_since:,}"] * (report.excluded_by_since > 0)
        excluded += [f"versions excluded by the notification's filter: {report.not_indexed:,}"] * (
            report.not_indexed > 0
        )
        skipped = f" (skipped: {', '.join(excluded)})" if excluded else ""
        rate = self._backfill.per_second
        if self._invoke:
            return (
                f"backfill: {count(report.sent, 'event')} sent at up to {rate:g} per second{skipped}; "
                "run audit in a few minutes, and check the failure queue with redrive"
            )
        return (
            f"backfill: {count(report.selected, 'event')} to send, one for each version and delete marker{skipped}; "
            f"duration {timedelta(seconds=round(report.selected / rate))} at {rate:g} per second; "
            "dry run: --invoke sends them"
        )

    def document(self) -> dict[str, Any]:
        return {
            **asdict(self._backfill.report),
            "triggered": self._key_filter.triggered,
            "rate": self._backfill.per_second,
            "invoke": self._invoke,
        }

    def resume_hint(self) -> str:
        report = self._backfill.report
        where = f"with --start-after={quoted(report.resume_after)}" if report.resume_after else "from the start"
        return f"{count(report.sent, 'event')} sent; start the backfill again {where}"
