"""The three tools as commands: their options, what they do with them, and what they say in the end."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from operations.audit import GRACE, Audit
from operations.backfill import Backfill
from operations.errors import OperatorError
from operations.listing import Indexed
from operations.output import count, quoted
from operations.redrive import Message, Redrive
from operations.sending import default_rate
from operations.target import failure_queue

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.compare import Finding
    from operations.output import Progress
    from operations.target import Target

GOOD, DIFFERENT = 0, 1
"""Exit codes: nothing is left to do; there is something: differences, or messages in the queue."""

SHOWN = 100
"""Findings that are shown to people; `--json` has all."""
OBJECTS_SHOWN = 5
ERROR_CHARACTERS = 300


class Tool(Protocol):
    """A run of one tool. What it says is about what is known at that moment, also when it could not end."""

    def run(self, progress: Progress) -> int:
        """Do it; return the exit code."""

    def lines(self) -> list[str]:
        """What it found, for people."""

    def summary(self) -> str:
        """One line on what came of it."""

    def document(self) -> dict[str, Any]:
        """All of it, for machines."""

    def go_on(self) -> str:
        """How to start again after it was interrupted; `lines` has what was found by then."""


class AuditTool:
    """`audit [--prefix P] [--repair]`."""

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target, *, grace: float = GRACE) -> None:
        self._repair: bool = options.repair
        if self._repair:
            failure_queue(aws, target)
        self._indexed = Indexed.of(aws.notifications(target.bucket), target.function_arn)
        self._audit = Audit(
            aws,
            target,
            indexed=self._indexed,
            capacity=aws.capacity(target.table),
            prefix=options.prefix,
            grace=grace,
        )

    def run(self, progress: Progress) -> int:  # noqa: D102  see Tool
        self._audit.compare(progress)
        if self._repair:
            self._audit.repair(progress)
        return GOOD if self._indexed.triggered and not self._audit.report.findings else DIFFERENT

    def lines(self) -> list[str]:  # noqa: D102  see Tool
        findings = self._audit.report.findings
        lines = [] if self._indexed.triggered else [NO_TRIGGER]
        for finding in findings[:SHOWN]:
            marker = "  (delete marker)" * _is_marker(finding)
            lines.append(f"{finding.difference:<10}  {finding.key}  {finding.version_id}{marker}")
            lines += [f"            {detail}" for detail in finding.details]
            lines += ["            no event mends this: delete the row, then audit with --repair"] * finding.final
        return lines + [f"… and {len(findings) - SHOWN:,} more: --json has all"] * (len(findings) > SHOWN)

    def summary(self) -> str:  # noqa: D102  see Tool
        report = self._audit.report
        looked = f"{count(report.versions, 'version')} and {count(report.markers, 'delete marker')}"
        looked += f" of {count(report.keys, 'key')}, {count(report.rows, 'row')}"
        left_out = f"; not indexed, so left out: {report.not_indexed:,}" if report.not_indexed else ""
        if not report.findings:
            return f"audit: the table is true: {looked}{left_out}"
        kinds = Counter(finding.difference.value for finding in report.findings)
        told = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        if self._repair:
            end = f"{count(report.sent, 'event')} sent: audit again in a minute"
        else:
            end = "dry run: --repair gives the function the facts again"
        return f"audit: {count(len(report.findings), 'difference')} ({told}) in {looked}{left_out}; {end}"

    def document(self) -> dict[str, Any]:  # noqa: D102  see Tool
        report = self._audit.report
        numbers = {name: getattr(report, name) for name in report.__dataclass_fields__ if name != "findings"}
        return {
            **numbers,
            "triggered": self._indexed.triggered,
            "repair": self._repair,
            "findings": [_as_json(finding) for finding in report.findings],
        }

    def go_on(self) -> str:  # noqa: D102  see Tool
        return f"{count(self._audit.report.sent, 'event')} sent, nothing else was changed; start it again"


class BackfillTool:
    """`backfill [--prefix P] [--since T] [--rate N] [--start-after KEY] [--invoke]`."""

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target) -> None:
        self._invoke: bool = options.invoke
        if self._invoke:
            failure_queue(aws, target)
        self._indexed = Indexed.of(aws.notifications(target.bucket), target.function_arn)
        self._backfill = Backfill(
            aws,
            target,
            indexed=self._indexed,
            per_second=options.rate or default_rate(aws.capacity(target.table)),
            prefix=options.prefix,
            since=options.since,
            start_after=options.start_after,
        )

    def run(self, progress: Progress) -> int:  # noqa: D102  see Tool
        if self._invoke:
            self._backfill.invoke(progress)
        else:
            self._backfill.count(progress)
        return GOOD

    def lines(self) -> list[str]:  # noqa: D102  see Tool
        return [] if self._indexed.triggered else [NO_TRIGGER]

    def summary(self) -> str:  # noqa: D102  see Tool
        report = self._backfill.report
        left_out = [f"older than --since: {report.older:,}"] * (report.older > 0)
        left_out += [f"not indexed: {report.not_indexed:,}"] * (report.not_indexed > 0)
        skipped = f" (left out: {', '.join(left_out)})" if left_out else ""
        rate = self._backfill.per_second
        if self._invoke:
            return (
                f"backfill: {count(report.sent, 'event')} sent at up to {rate:g} a second{skipped}; "
                "the function is at work: audit in some minutes, and look into the failure queue with redrive"
            )
        return (
            f"backfill: {count(report.chosen, 'event')} to send, one for each version and delete marker{skipped}: "
            f"in {timedelta(seconds=round(report.chosen / rate))} at {rate:g} a second; "
            "dry run: --invoke sends them"
        )

    def document(self) -> dict[str, Any]:  # noqa: D102  see Tool
        return {
            **asdict(self._backfill.report),
            "triggered": self._indexed.triggered,
            "rate": self._backfill.per_second,
            "invoke": self._invoke,
        }

    def go_on(self) -> str:  # noqa: D102  see Tool
        report = self._backfill.report
        where = f"with --start-after={quoted(report.resume_after)}" if report.resume_after else "from the start"
        return f"{count(report.sent, 'event')} sent; start it again {where}"


class RedriveTool:
    """`redrive [--reason R] [--max N] [--replay | --export FILE]`."""

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target) -> None:
        self._replay: bool = options.replay
        self._export: Path | None = options.export
        self._exported = 0
        self._redrive = Redrive(
            aws,
            target,
            failure_queue(aws, target),
            per_second=default_rate(aws.capacity(target.table)),
            reason=options.reason,
            most=options.max,
        )

    def run(self, progress: Progress) -> int:  # noqa: D102  see Tool
        with self._redrive.reading(progress):
            if self._replay:
                self._redrive.replay(progress)
            if self._export is not None:
                self._write(self._export)
        return GOOD if self._redrive.report.empty else DIFFERENT

    def lines(self) -> list[str]:  # noqa: D102  see Tool
        report = self._redrive.report
        lines = []
        for group, messages in sorted(_groups(report.chosen).items()):
            lines.append(f"{group}: {count(len(messages), 'message')}, the oldest of {_oldest(messages)}")
            lines += [f"    {line}" for line in _about(messages)]
        for message in report.messages:
            if message.failure is None:
                lines.append(f"not ours, left alone: message {message.raw.id}: {message.not_ours}")
            if message.refused:
                lines.append(f"left in the queue: message {message.raw.id}: {message.refused}")
        if others := sum(each.failure is not None for each in report.messages) - len(report.chosen):
            lines.append(f"with other reasons: {count(others, 'message')}")
        if report.elsewhere:
            lines.append(
                f"about {count(report.elsewhere, 'more message')} hidden by another reader, perhaps a run of this tool"
            )
        return lines + [f"note: {report.note}"] * bool(report.note)

    def summary(self) -> str:  # noqa: D102  see Tool
        report = self._redrive.report
        if not report.messages:
            return "redrive: the failure queue is empty" + (" but for the hidden messages" if report.elsewhere else "")
        read, left = count(len(report.messages), "message"), len(report.messages) - report.replayed
        more = f", and about {report.unread:,} more that were not read" if report.unread else ""
        if self._replay:
            return f"redrive: {report.replayed:,} of {read} replayed and deleted, {left:,} left in the queue{more}"
        if self._export is not None:
            return f"redrive: {self._exported:,} of {read} written to {self._export}; all are still in the queue{more}"
        return f"redrive: {read} in the queue{more}; dry run: --replay gives the function their events again"

    def document(self) -> dict[str, Any]:  # noqa: D102  see Tool
        report = self._redrive.report
        return {
            "read": len(report.messages),
            "replayed": report.replayed,
            "exported": self._exported,
            "unread": report.unread,
            "hidden_by_others": report.elsewhere,
            "messages": [
                {
                    "message_id": each.raw.id,
                    "sent_at": _moment(each.raw.sent_ms),
                    "reasons": list(each.failure.reasons) if each.failure else [],
                    "error": each.failure.error if each.failure else None,
                    "objects": list(each.failure.objects) if each.failure else [],
                    "not_ours": each.not_ours or None,
                    "chosen": each.chosen,
                    "replayed": each.replayed,
                    "refused": each.refused or None,
                }
                for each in report.messages
            ],
        }

    def go_on(self) -> str:  # noqa: D102  see Tool
        replayed = count(self._redrive.report.replayed, "message")
        return f"{replayed} replayed and deleted, the others are in the queue; start it again"

    def _write(self, path: Path) -> None:
        unfinished = path.with_name(f"{path.name}.part")  # so that a file with this name is whole
        try:
            path.touch(exist_ok=False)
            with unfinished.open("w", encoding="utf-8") as file:
                self._exported = self._redrive.export(file)
            unfinished.replace(path)
        except FileExistsError as error:
            raise OperatorError(f"--export {path}: there is such a file already; name a new one") from error
        except OSError as error:
            raise OperatorError(f"--export {path}: {error.strerror}") from error


NO_TRIGGER = (
    "note: the bucket does not notify this function, so new uploads get no row: `pulumi up --refresh` mends that. "
    "Every key counts as one to index"
)


def _is_marker(finding: Finding) -> bool:
    return finding.version is not None and finding.version.marker


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "difference": finding.difference.value,
        "key": finding.key,
        "version_id": finding.version_id,
        "delete_marker": _is_marker(finding),
        "details": list(finding.details),
        "mendable": not finding.final,
    }


def _groups(messages: Sequence[Message]) -> dict[str, list[Message]]:
    groups: dict[str, list[Message]] = {}
    for message in messages:
        if message.failure is not None:
            groups.setdefault(message.failure.group, []).append(message)
    return groups


def _about(messages: Sequence[Message]) -> list[str]:
    """The objects that messages of one reason are about, and the error of the first."""
    failures = [message.failure for message in messages if message.failure]
    objects = list(dict.fromkeys(key for failure in failures for key in failure.objects))
    more = [f"… and {len(objects) - OBJECTS_SHOWN:,} more: --json has all"] * (len(objects) > OBJECTS_SHOWN)
    return [*objects[:OBJECTS_SHOWN], *more, f"such as: {failures[0].error[:ERROR_CHARACTERS]}"]


def _oldest(messages: Sequence[Message]) -> str:
    return _moment(min(message.raw.sent_ms for message in messages))


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
