"""The tool `redrive`: shows, exports or replays the messages of the failure queue, and formats the results."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.discovery import failure_queue
from operations.errors import OperatorError
from operations.output import count
from operations.rate import default_event_rate
from operations.redrive import FailureMessage, Redrive
from operations.tool import FINDINGS, OK

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.output import Progress
    from operations.target import Target

MAX_OBJECTS_SHOWN = 5
MAX_ERROR_CHARACTERS = 300


class RedriveTool:
    """Tool for `redrive [--reason R] [--max N] [--replay | --export FILE]`."""

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target) -> None:
        self._replay: bool = options.replay
        self._export: Path | None = options.export
        self._exported = 0
        self._redrive = Redrive(
            aws,
            target,
            failure_queue(aws, target),
            per_second=default_event_rate(aws.capacity(target.table)),
            reason=options.reason,
            max_messages=options.max,
        )

    def run(self, progress: Progress) -> int:
        with self._redrive.reading(progress):
            if self._replay:
                self._redrive.replay(progress)
            if self._export is not None:
                self._export_to(self._export)
        return OK if self._redrive.report.empty else FINDINGS

    def lines(self) -> list[str]:
        report = self._redrive.report
        lines = []
        for group, messages in sorted(_groups(report.chosen).items()):
            lines.append(f"{group}: {count(len(messages), 'message')}, the oldest from {_oldest(messages)}")
            lines += [f"    {line}" for line in _details(messages)]
        for message in report.messages:
            if message.failure is None:
                lines.append(f"not from this indexer, left in the queue: message {message.raw.id}: {message.not_ours}")
            if message.refused:
                lines.append(f"not accepted, left in the queue: message {message.raw.id}: {message.refused}")
        if others := sum(each.failure is not None for each in report.messages) - len(report.chosen):
            lines.append(f"{count(others, 'message')} with other reasons")
        if report.in_flight:
            lines.append(
                f"about {count(report.in_flight, 'more message')} hidden by another consumer, such as another redrive"
            )
        return lines + [f"note: {report.note}"] * bool(report.note)

    def summary(self) -> str:
        report = self._redrive.report
        if not report.messages:
            return (
                "redrive: all messages of the failure queue are hidden"
                if report.in_flight
                else "redrive: the failure queue is empty"
            )
        read, left = count(len(report.messages), "message"), len(report.messages) - report.replayed
        more = f"; about {count(report.unread, 'more message')} not read" if report.unread else ""
        if self._replay:
            return f"redrive: {report.replayed:,} of {read} replayed and deleted, {left:,} left in the queue{more}"
        if self._export is not None:
            return f"redrive: {self._exported:,} of {read} written to {self._export}; all are still in the queue{more}"
        return f"redrive: {read} in the queue{more}; dry run: --replay sends their events to the indexer again"

    def document(self) -> dict[str, Any]:
        report = self._redrive.report
        return {
            "read": len(report.messages),
            "replayed": report.replayed,
            "exported": self._exported,
            "unread": report.unread,
            "hidden_by_others": report.in_flight,
            "messages": [
                {
                    "message_id": each.raw.id,
                    "sent_at": _format_time(each.raw.sent_ms),
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

    def resume_hint(self) -> str:
        replayed = count(self._redrive.report.replayed, "message")
        return f"{replayed} replayed and deleted, the others are in the queue; start redrive again"

    def _export_to(self, path: Path) -> None:
        unfinished = path.with_name(f"{path.name}.part")
        try:
            path.touch(exist_ok=False)
            with unfinished.open("w", encoding="utf-8") as file:
                self._exported = self._redrive.export(file)
            unfinished.replace(path)
        except FileExistsError as error:
            raise OperatorError(f"--export {path}: the file exists; give the name of a new file") from error
        except OSError as error:
            raise OperatorError(f"--export {path}: {error.strerror}") from error


def _groups(messages: Sequence[FailureMessage]) -> dict[str, list[FailureMessage]]:
    groups: dict[str, list[FailureMessage]] = {}
    for message in messages:
        if message.failure is not None:
            groups.setdefault(message.failure.group, []).append(message)
    return groups


def _details(messages: Sequence[FailureMessage]) -> list[str]:
    """Return lines for messages with the same reason: the first object keys, and the error of the first message."""
    failures = [message.failure for message in messages if message.failure]
    objects = list(dict.fromkeys(key for failure in failures for key in failure.objects))
    more = [f"… and {len(objects) - MAX_OBJECTS_SHOWN:,} more: use --json to print all"] * (
        len(objects) > MAX_OBJECTS_SHOWN
    )
    return [*objects[:MAX_OBJECTS_SHOWN], *more, f"example error: {failures[0].error[:MAX_ERROR_CHARACTERS]}"]


def _oldest(messages: Sequence[FailureMessage]) -> str:
    return _format_time(min(message.raw.sent_ms for message in messages))


def _format_time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
