"""The tool `audit`: runs the comparison of bucket and table, and formats its results."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from operations.audit import GRACE, Audit
from operations.discovery import failure_queue
from operations.listing import KeyFilter
from operations.output import count
from operations.tool import FINDINGS, OK

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.compare import Finding
    from operations.output import Progress
    from operations.target import Target

MAX_FINDINGS_SHOWN = 100
"""Maximum number of findings in the text output; the option --json prints all of them."""


class AuditTool:
    """Tool for `audit [--prefix P] [--repair]`."""

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target, *, grace: float = GRACE) -> None:
        self._repair: bool = options.repair
        if self._repair:
            failure_queue(aws, target)
        self._key_filter = KeyFilter.from_notifications(aws.notifications(target.bucket), target.function_arn)
        self._audit = Audit(
            aws,
            target,
            key_filter=self._key_filter,
            capacity=aws.capacity(target.table),
            prefix=options.prefix,
            grace=grace,
        )

    def run(self, progress: Progress) -> int:
        self._audit.compare(progress)
        if self._repair:
            self._audit.repair(progress)
        return OK if self._key_filter.triggered and not self._audit.report.findings else FINDINGS

    def lines(self) -> list[str]:
        findings = self._audit.report.findings
        lines = self._key_filter.warnings()
        for finding in findings[:MAX_FINDINGS_SHOWN]:
            marker = "  (delete marker)" * _is_marker(finding)
            lines.append(f"{finding.difference:<10}  {finding.key}  {finding.version_id}{marker}")
            lines += [f"            {detail}" for detail in finding.details]
            lines += ["            no event can correct this row: delete it, then run audit with --repair"] * (
                not finding.repairable
            )
        return lines + [f"… and {len(findings) - MAX_FINDINGS_SHOWN:,} more: use --json to print all"] * (
            len(findings) > MAX_FINDINGS_SHOWN
        )

    def summary(self) -> str:
        report = self._audit.report
        compared = f"{count(report.versions, 'version')} and {count(report.markers, 'delete marker')}"
        compared += f" of {count(report.keys, 'key')}, {count(report.rows, 'row')}"
        not_indexed = (
            f"; versions excluded by the notification's filter: {report.not_indexed:,}" if report.not_indexed else ""
        )
        if not report.findings:
            return f"audit: the table is consistent with the bucket: {compared}{not_indexed}"
        kinds = Counter(finding.difference.value for finding in report.findings)
        counts = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        if self._repair:
            end = f"{count(report.sent, 'event')} sent: run audit again in a minute"
        else:
            end = "dry run: --repair sends an event for each difference"
        return f"audit: {count(len(report.findings), 'difference')} ({counts}) in {compared}{not_indexed}; {end}"

    def document(self) -> dict[str, Any]:
        report = self._audit.report
        return {
            "keys": report.keys,
            "versions": report.versions,
            "markers": report.markers,
            "not_indexed": report.not_indexed,
            "rows": report.rows,
            "looked_again": report.rechecked,
            "sent": report.sent,
            "triggered": self._key_filter.triggered,
            "repair": self._repair,
            "findings": [_as_json(finding) for finding in report.findings],
        }

    def resume_hint(self) -> str:
        return f"{count(self._audit.report.sent, 'event')} sent, nothing else was changed; start the audit again"


def _is_marker(finding: Finding) -> bool:
    return finding.version is not None and finding.version.marker


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "difference": finding.difference.value,
        "key": finding.key,
        "version_id": finding.version_id,
        "delete_marker": _is_marker(finding),
        "details": list(finding.details),
        "mendable": finding.repairable,
    }
