"""The tool `audit`: compares the settings of a stack and the rows of its buckets, and formats the results."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from operations.audit import GRACE
from operations.discovery import existing_bucket, failure_queue_arn, queue_before_sending
from operations.errors import OperatorError
from operations.listing import KeyFilter
from operations.output import count
from operations.rate import Capacity
from operations.setting_findings import RUNBOOK
from operations.settings import compare_settings, missing_document
from operations.tool import FINDINGS, OK
from operations.tools.bucket_audit import BucketAudit

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.inventory.source import Snapshotter
    from operations.output import Progress
    from operations.settings_document import ExpectedSettings, IndexedBucket
    from operations.target import Target

NO_CAPACITY = Capacity(read=None, write=None)
ONLY_THE_OWN_BUCKET = (
    "note: the names of the existing buckets are in the settings document, which does not exist, so only the stack's "
    "own bucket was compared"
)


class AuditTool:
    """Tool for `audit [--bucket NAME | --all-buckets] [--prefix P] [--heads | --from-inventory [PATH]] [--repair]`."""

    def __init__(
        self,
        options: argparse.Namespace,
        aws: Aws,
        target: Target,
        expected: ExpectedSettings | None,
        snapshotter: Snapshotter | None = None,
        *,
        grace: float = GRACE,
    ) -> None:
        self._aws, self._target, self._expected = aws, target, expected
        self._snapshotter = snapshotter
        self._all: bool = options.all_buckets
        self._repair: bool = options.repair
        self._notes = [ONLY_THE_OWN_BUCKET] * (self._all and expected is None)
        self._errors: list[OperatorError] = []
        selected: Iterable[IndexedBucket | None] = [existing_bucket(options.bucket, target, expected)]
        if self._all:
            selected = [None, *(expected.existing_buckets if expected else ())]
        if self._repair:
            queue_before_sending(aws, target)
        if expected is None:
            self._settings = missing_document(target.settings_parameter)
            key_filter = KeyFilter.from_notifications(aws.notifications(target.bucket), target.function_arn)
            if not key_filter.triggered:
                self._settings.without_trigger.add(target.bucket)
        else:
            self._settings = compare_settings(aws, expected)
            key_filter = expected.key_filter
        names = [each.name if each else target.bucket for each in selected]
        capacity = aws.capacity(target.table) if any(map(self._settings.comparable, names)) else NO_CAPACITY
        self._buckets = [
            BucketAudit(
                aws,
                target,
                each,
                key_filter=each.key_filter if each else key_filter,
                capacity=capacity,
                settings=self._settings,
                options=options,
                grace=grace,
            )
            for each in selected
        ]

    def run(self, progress: Progress) -> int:
        buckets = [each for each in self._buckets if each.comparable]
        if (snapshotter := self._snapshotter) is not None:
            buckets = self._for_each(buckets, lambda each: each.compare_snapshots(snapshotter, progress))
        else:
            buckets = self._for_each(buckets, lambda each: self._compare_keys(each, progress))
            if buckets:
                first, *others = (each.audit for each in buckets)
                first.scan(progress, others)
            buckets = self._for_each(buckets, lambda each: each.audit.compare_again(progress))
        for each in buckets:
            each.compared = True
        self._check_number_of_keys(buckets)
        if self._expected and self._expected.inspector:
            for each in buckets:
                each.note_rows_without_content()
        self._note_other_remedies(buckets)
        if self._repair:
            for note in [*self._notes, *(note for each in buckets for note in each.notes)]:
                progress.note(f"audit: {note}")
            self._for_each(buckets, lambda each: each.audit.repair(progress))
        if self._errors:
            raise OperatorError("; ".join(dict.fromkeys(map(str, self._errors)))) from self._errors[0]
        return FINDINGS if self._settings.findings or self._differing else OK

    def _compare_keys(self, bucket: BucketAudit, progress: Progress) -> None:
        if self._all:
            progress.note(f"audit: bucket {bucket.name}")
        bucket.audit.compare_keys(progress)

    def _for_each(self, buckets: Sequence[BucketAudit], step: Callable[[BucketAudit], None]) -> list[BucketAudit]:
        """Run a step of the audit for each bucket, and return the buckets for which the step did not fail."""
        for bucket in buckets:
            try:
                step(bucket)
            except OperatorError as error:  # `run` raises the error after the other buckets are audited.
                bucket.error = str(error)
                self._errors.append(error)
        return [each for each in buckets if not each.error]

    def _check_number_of_keys(self, buckets: Sequence[BucketAudit]) -> None:
        """Add a finding if the audit compared no key. Otherwise, an audit of nothing would report a consistent table.

        Of several audited buckets, one may be empty, but its key filter must not exclude all of its objects.
        """
        compared = any(each.audit.report.keys for each in buckets)
        for each in buckets:
            report = each.audit.report
            if not report.keys and (report.not_indexed or not compared):
                self._settings.add("compared keys", *each.reason_for_no_keys())

    def _note_other_remedies(self, buckets: Sequence[BucketAudit]) -> None:
        """Add a note for each problem to solve before --repair, such as messages in the failure queue."""
        for each in buckets:
            each.note_missing_rows()
        if any(each.audit.report.findings for each in buckets) and (failed := self._failed_events()):
            self._notes.append(
                f"note: the failure queue contains about {count(failed, 'message')}: run redrive with --replay before "
                f"--repair, so that deletions keep their times ({RUNBOOK}#failure-queue)"
            )

    def _failed_events(self) -> int:
        """Return the approximate number of messages in the failure queue; 0 if there is no such queue."""
        expected = self._expected
        arn = expected.failure_destination if expected else failure_queue_arn(self._aws, self._target)
        if arn is None or not self._aws.queue_exists(arn):
            return 0
        return sum(self._aws.message_counts(self._aws.queue_url(arn)))

    @property
    def _differing(self) -> list[BucketAudit]:
        return [each for each in self._buckets if each.audit.report.findings]

    @property
    def _sent(self) -> int:
        return sum(each.audit.report.sent for each in self._buckets)

    def lines(self) -> list[str]:
        if not self._all:
            warnings_and_notes, findings = self._buckets[0].lines_before_findings(), self._buckets[0].finding_lines()
            return [*warnings_and_notes, *self._notes, *self._setting_lines(), *findings]
        lines = [*self._notes, *self._setting_lines()]
        for each in self._buckets:
            lines += [each.line(), *each.lines_before_findings(), *each.finding_lines()]
        return lines

    def lines_without_keys(self) -> list[str]:
        """Return the lines of the output that contain no object keys: summary, notes, findings about settings."""
        buckets = [line for each in self._buckets for line in ([each.line()] * self._all + each.notes)]
        details = [*buckets, *self._notes, *self._setting_lines()]
        return [self.summary(), *([""] if details else []), *details]

    def _setting_lines(self) -> list[str]:
        return [
            line
            for each in self._settings.findings
            for line in (
                f"{'setting':<10}  {each.setting}: {each.problem}",
                f"            {each.remedy}",
                f"            Runbook: {each.runbook}",
            )
        ]

    def summary(self) -> str:
        about = f"{count(len(self._settings.findings), 'finding')} about the stack; " if self._settings.findings else ""
        return f"audit: {about}{self._result_of_all() if self._all else self._buckets[0].result()}"

    def _result_of_all(self) -> str:
        compared = [each for each in self._buckets if each.compared]
        them = "it" if len(compared) == 1 else "them"
        differences = sum(len(each.audit.report.findings) for each in self._differing)
        result = f"the table is consistent with {them}"
        if differences:
            result = f"{count(differences, 'difference')} in {len(self._differing)} of them"
        sent = f"; {count(self._sent, 'event')} sent: run audit again in a minute" if self._sent else ""
        missing = len(self._buckets) - len(compared)
        rest = f"; {count(missing, 'bucket')} not compared" if missing else ""
        return f"{count(len(compared), 'bucket')} compared: {result}{sent}{rest}"

    def document(self) -> dict[str, Any]:
        buckets = [each.document() for each in self._buckets]
        common = {
            "repair": self._repair,
            "settings": [{**asdict(each), "runbook": each.runbook} for each in self._settings.findings],
        }
        if self._all:
            return {"buckets": buckets, "sent": self._sent, "notes": self._notes, **common}
        return {**buckets[0], "notes": [*buckets[0]["notes"], *self._notes], **common}

    def resume_hint(self) -> str:
        return f"{count(self._sent, 'event')} sent, nothing else was changed; start the audit again"
