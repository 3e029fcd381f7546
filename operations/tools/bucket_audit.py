"""Audits one bucket for the tool `audit`: compares the bucket with the rows, and formats the results."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from operations.audit import Audit
from operations.compare import Difference
from operations.output import count, visible
from operations.setting_findings import CHAPTERS, RUNBOOK

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.compare import Finding
    from operations.inventory.source import Snapshotter
    from operations.listing import KeyFilter
    from operations.output import Progress
    from operations.rate import Capacity
    from operations.setting_findings import SettingsReport
    from operations.settings_document import IndexedBucket
    from operations.target import Target

MAX_FINDINGS_SHOWN = 100
"""Maximum number of findings of a bucket in the text output; the option --json prints all of them."""
UNREPAIRABLE = f"--repair cannot correct this row: delete it ({RUNBOOK}#details), then run audit with --repair"
UNLISTED = (
    "if the inventory configuration has a prefix filter, add this prefix with --prefix, or remove the filter and use "
    "the next inventory; otherwise, run audit without --from-inventory"
)
OUTDATED = "run backfill with --inspect --invoke: the inspector then reads the object again"


class BucketAudit:
    """Audit of one bucket.

    Args:
        aws: the AWS calls.
        target: the deployed stack.
        existing: the existing bucket; None for the stack's own bucket.
        key_filter: the object keys that the stack indexes.
        capacity: capacity of the table.
        settings: the comparison of the stack's settings.
        options: the options of the tool.
        grace: seconds between the two comparisons.

    Attributes:
        name: name of the bucket.
        audit: the comparison with the rows.
        notes: notes about the rows of the bucket.
        comparable: whether the bucket and the table exist.
        inventory: properties of the compared inventory as a JSON object; None if no inventory was compared.
        compared: whether the comparison has ended without an error.
        error: the error that ended the comparison or the repair; empty if there was none.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        existing: IndexedBucket | None,
        *,
        key_filter: KeyFilter,
        capacity: Capacity,
        settings: SettingsReport,
        options: argparse.Namespace,
        grace: float,
    ) -> None:
        self.name = existing.name if existing else target.bucket
        self.notes: list[str] = []
        self.inventory: dict[str, Any] | None = None
        self.compared = False
        self.error = ""
        self.comparable = settings.comparable(self.name)
        self._existing = existing is not None
        self._versioned = existing is None or existing.versioned
        self._settings = settings
        self._repair: bool = options.repair
        self._prefix: str = options.prefix
        self._heads: bool = options.heads or options.heads_sample > 0
        self._all: bool = options.all_buckets
        self._key_filter = key_filter
        self.audit = Audit(
            aws,
            replace(target, bucket=self.name),
            key_filter=key_filter,
            capacity=capacity,
            prefix=options.prefix,
            workers=options.workers,
            heads=options.heads,
            sample=options.heads_sample,
            existing=self._existing,
            grace=grace,
        )

    def compare_snapshots(self, snapshotter: Snapshotter, progress: Progress) -> None:
        """Compare an inventory with the rows of about the same time, and confirm the differences.

        Args:
            snapshotter: provides the inventory and the rows.
            progress: the display of the progress.

        Raises:
            OperatorError: the inventory or the rows cannot be read, or an AWS call failed.
        """
        opened = snapshotter.open(self.name, versioned=self._versioned, key_filter=self._key_filter, progress=progress)
        with opened as snapshots:
            with progress.step("compare inventory with rows"):
                comparison = snapshots.compare(prefix=self._prefix, key_filter=self._key_filter)
            self.notes += [*snapshots.notes, *comparison.notes()]
            self.inventory = {**snapshots.document(), "too_young": comparison.too_young}
            progress.note(f"confirming {count(comparison.differing, 'possible difference')}")
            self.audit.confirm(comparison, progress)
        for difference in snapshots.differences:
            self._settings.add("inventory", difference, f"run: tapstack adopt {self.name} --inventory --apply")
        if number := max(self.audit.report.unlisted, len(snapshots.listed.missing)):
            problem = (
                f"the inventory lacks {count(number, 'version')} that existed 48 hours before its creation. If it "
                "lacks other versions, and these have no rows, the audit did not find them"
            )
            self._settings.add("inventory", problem, UNLISTED)

    def note_missing_rows(self) -> None:
        """Add a note if the table has no row of the bucket, because --repair cannot create rows of deleted versions."""
        if not self.audit.report.findings or self.audit.report.rows or self._prefix:
            return
        remedy = f"see {RUNBOOK}#{CHAPTERS['table']} before --repair, which cannot create the rows of deleted versions"
        if self._existing:
            backfill = f"if its objects were never indexed, run backfill with --bucket {self.name}"
            remedy = f"{backfill}; otherwise, {remedy}"
        self.notes.append(f"note: the table has no row of the bucket {self.name!r}: {remedy}")

    def note_rows_without_content(self) -> None:
        """Add a note if rows of existing objects have no content. Such rows are not a difference."""
        if number := self.audit.report.without_content:
            bucket = f" --bucket {self.name}" * self._existing
            self.notes.append(
                f"note: the inspector has not described the objects of {count(number, 'row')}: it has not processed "
                f"the rows yet, or cannot read the objects. Run backfill with --inspect --invoke{bucket} to inspect "
                "them"
            )

    def reason_for_no_keys(self) -> tuple[str, str]:
        """Return why the audit compared no key, and the remedy."""
        report, name = self.audit.report, f"the bucket {self.name!r}" if self._existing or self._all else "the bucket"
        if report.not_indexed:
            key_filter = (
                f"the prefixes of {self.name!r} exclude" if self._existing else "the notification's filter excludes"
            )
            problem = f"{key_filter} all {count(report.not_indexed, 'version')} that were listed"
            keys = "existingBuckets" if self._existing else "notificationPrefix, notificationSuffix"
            remedy = f"check {keys}, and the option --prefix of audit"
        elif self.inventory and self.inventory["too_young"]:
            problem = "the inventory has only changes of the 48 hours before its creation, which can be incomplete"
            remedy = "run audit without --from-inventory, or with a later inventory"
        elif self._prefix:
            problem = f"{name} has no key with the prefix {self._prefix!r}"
            remedy = "check the option --prefix of audit"
        else:
            problem = f"{name} is empty"
            remedy = "upload a file, then run audit again"
            remedy += "" if self._existing else "; `pulumi stack output test_command` prints a command"
        return f"{problem}, so the audit compared nothing", remedy

    def lines_before_findings(self) -> list[str]:
        """Return the warnings and the notes as lines of text."""
        return [*self._key_filter.warnings(), *self.notes]

    def line(self) -> str:
        """Return the result in one line, with the name of the bucket and without object keys."""
        return f"{'bucket':<10}  {self.name}: {self.result()}"

    def finding_lines(self) -> list[str]:
        """Return the findings as lines of text."""
        findings, lines = self.audit.report.findings, []
        for finding in findings[:MAX_FINDINGS_SHOWN]:
            marker = "  (delete marker)" * _is_marker(finding)
            lines.append(f"{finding.difference:<10}  {visible(finding.key)}  {finding.version_id}{marker}")
            lines += [f"            {detail}" for detail in finding.details]
            remedy = OUTDATED if finding.difference is Difference.OUTDATED else UNREPAIRABLE
            lines += [f"            {remedy}"] * (not finding.repairable)
        if len(findings) > MAX_FINDINGS_SHOWN:
            lines.append(f"… and {len(findings) - MAX_FINDINGS_SHOWN:,} more: use --json to print all")
        return lines + [f"            Runbook: {RUNBOOK}#audit"] * bool(findings)

    def result(self) -> str:
        """Return the result of the comparison in one line, without object keys."""
        report = self.audit.report
        bucket = f"the bucket {self.name}" if self._existing and not self._all else "the bucket"
        if not self.comparable:
            return "bucket and table were not compared"
        if not self.compared:
            return f"not compared: {self.error}" if self.error else "the comparison was not completed"
        compared = f"{count(report.versions, 'version')} and {count(report.markers, 'delete marker')}"
        compared += f" of {count(report.keys, 'key')}, {count(report.rows, 'row')}"
        if self._heads:
            compared += f", HEAD of {count(report.heads, 'version')}"
            compared += f" ({count(report.unreadable, 'version')} not readable)" if report.unreadable else ""
        compared += f", inventory of {self.inventory['created']}" if self.inventory else ""
        key_filter = "existingBuckets" if self._existing else "the notification's filter"
        compared += f"; versions excluded by {key_filter}: {report.not_indexed:,}" if report.not_indexed else ""
        if not report.findings:
            consistent = f"the table is consistent with {bucket}" if report.keys else "no key was compared"
            return f"{consistent}: {compared}"
        kinds = Counter(finding.difference.value for finding in report.findings)
        counts = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        return f"{count(len(report.findings), 'difference')} ({counts}) in {compared}; {self._next_step()}"

    def _next_step(self) -> str:
        """Return the actions of --repair, completed or planned, and the remaining steps for the user."""
        report = self.audit.report
        repairable = sum(finding.repairable for finding in report.findings)
        outdated = sum(finding.difference is Difference.OUTDATED for finding in report.findings)
        rest = len(report.findings) - repairable - outdated
        steps = [f"delete the {count(rest, 'row')} that --repair cannot correct, then run audit with --repair"] * bool(
            rest
        )
        steps += [f"run backfill with --inspect --invoke for {count(outdated, 'outdated row')}"] * bool(outdated)
        if self.error:
            return f"{count(report.sent, 'event')} sent, then: {self.error}"
        if self._repair:
            again = ": run audit again in a minute" * bool(report.sent)
            return "; ".join([f"{count(report.sent, 'event')} sent{again}", *steps])
        events = f"{count(repairable, 'event')}" if steps else "an event for each difference"
        return "; ".join([f"dry run: --repair sends {events}"] * bool(repairable) + steps)

    def document(self) -> dict[str, Any]:
        """Return the results as a JSON object."""
        report = self.audit.report
        return {
            "bucket": self.name,
            "keys": report.keys,
            "versions": report.versions,
            "markers": report.markers,
            "not_indexed": report.not_indexed,
            "rows": report.rows,
            "without_content": report.without_content,
            "heads": report.heads,
            "heads_unreadable": report.unreadable,
            "rechecked": report.rechecked,
            "sent": report.sent,
            "inventory": self.inventory,
            "triggered": self.name not in self._settings.without_trigger,
            "notes": self.notes,
            "findings": [_as_json(finding) for finding in report.findings],
            **({"error": self.error} if self.error and self._all else {}),
        }


def _is_marker(finding: Finding) -> bool:
    return finding.version is not None and finding.version.marker


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "difference": finding.difference.value,
        "key": finding.key,
        "version_id": finding.version_id,
        "delete_marker": _is_marker(finding),
        "details": list(finding.details),
        "repairable": finding.repairable,
        "runbook": f"{RUNBOOK}#{'audit' if finding.repairable else 'details'}",
    }
