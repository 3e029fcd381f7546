"""The tool `backfill`: counts or sends events for existing object versions, and formats the results."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from operations.backfill import Backfill
from operations.discovery import existing_bucket, queue_before_sending, read_settings
from operations.existing_settings import compare_existing_bucket
from operations.listing import KeyFilter
from operations.output import count, quoted
from operations.rate import default_event_rate
from operations.setting_findings import SettingsReport
from operations.tool import FINDINGS, OK

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.output import Progress
    from operations.target import Target


class BackfillTool:
    """Tool for `backfill [--bucket NAME] [--prefix P] [--since T] [--rate N] [--start-after KEY] [--invoke]`."""

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target) -> None:
        self._invoke: bool = options.invoke
        if self._invoke:
            queue_before_sending(aws, target)
        expected = read_settings(aws, target) if options.bucket else None
        self._existing = existing_bucket(options.bucket, target, expected)
        if self._existing and expected:
            self._key_filter, report = self._existing.key_filter, SettingsReport()
            statements = aws.invoke_statements(target.function)
            compare_existing_bucket(aws, expected, self._existing, report, statements=statements)
            self._triggered = self._existing.name not in report.without_trigger
            self._notes = [f"note: {each.problem}; {each.remedy}" for each in report.findings]
        else:
            self._key_filter = KeyFilter.from_notifications(aws.notifications(target.bucket), target.function_arn)
            self._triggered, self._notes = self._key_filter.triggered, self._key_filter.warnings()
        self._bucket = self._existing.name if self._existing else target.bucket
        self._backfill = Backfill(
            aws,
            replace(target, bucket=self._bucket),
            key_filter=self._key_filter,
            per_second=options.rate or default_event_rate(aws.capacity(target.table)),
            prefix=options.prefix,
            since=options.since,
            start_after=options.start_after,
            workers=options.workers,
        )

    def run(self, progress: Progress) -> int:
        if self._invoke:
            self._backfill.invoke(progress)
        else:
            self._backfill.count(progress)
        to_send = self._backfill.report.selected - self._backfill.report.sent
        return FINDINGS if to_send or not self._triggered else OK

    def lines(self) -> list[str]:
        return self._notes

    def summary(self) -> str:
        report = self._backfill.report
        excluded = [f"versions older than --since: {report.excluded_by_since:,}"] * (report.excluded_by_since > 0)
        key_filter = "existingBuckets" if self._existing else "the notification's filter"
        excluded += [f"versions excluded by {key_filter}: {report.not_indexed:,}"] * (report.not_indexed > 0)
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
            "inspect": False,
            **asdict(self._backfill.report),
            "bucket": self._bucket,
            "triggered": self._triggered,
            "rate": self._backfill.per_second,
            "invoke": self._invoke,
        }

    def resume_hint(self) -> str:
        report = self._backfill.report
        where = f"with --start-after={quoted(report.resume_after)}" if report.resume_after else "from the start"
        return f"{count(report.sent, 'event')} sent; start the backfill again {where}"
