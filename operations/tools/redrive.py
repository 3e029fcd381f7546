"""The tool `redrive`: shows, exports, deletes or replays messages of the failure queue, and formats the results."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.discovery import queue_before_sending
from operations.errors import OperatorError
from operations.local_files import unfinished_file
from operations.output import count, quoted, time_text, visible
from operations.rate import default_event_rate
from operations.redrive import FailureMessage, Redrive
from operations.tool import FINDINGS, OK

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.failures import Failure
    from operations.output import Progress
    from operations.target import Target

MAX_OBJECTS_SHOWN = 5
MAX_ERROR_CHARACTERS = 300
MAX_ERRORS_SHOWN = 10


class RedriveTool:
    """Tool for `redrive [--reason R] [--max N] [--replay | --export FILE [--delete]]`.

    Without --replay, the tool needs only the queue: the table, the bucket and the function may have been deleted.
    """

    def __init__(self, options: argparse.Namespace, aws: Aws, target: Target, queue_url: str) -> None:
        self._replay: bool = options.replay
        self._export: Path | None = options.export
        self._delete: bool = options.delete
        self._exported = 0
        self._bucket = target.bucket
        stack = f"--stack-outputs {quoted(str(options.stack_outputs))}"
        if options.function:
            stack = f"--function {quoted(options.function)}"
        self._commands = (
            f"tapstack backfill {stack} --inspect --invoke",
            f"tapstack redrive {stack} --reason REASON --export FILE --delete",
        )
        self._redrive = Redrive(
            aws,
            target,
            queue_before_sending(aws, target) if self._replay else queue_url,
            per_second=default_event_rate(aws.capacity(target.table)) if self._replay else None,
            reason=options.reason,
            max_messages=options.max,
            only_events=self._replay,
        )

    def run(self, progress: Progress) -> int:
        with self._redrive.reading(progress):
            if self._replay:
                self._redrive.replay(progress)
            if self._export is not None:
                self._export_to(self._export)
                if self._delete:
                    self._redrive.delete_exported(progress)
        return OK if self._redrive.report.empty else FINDINGS

    def lines(self) -> list[str]:
        report = self._redrive.report
        lines = []
        for group, messages in sorted(_groups(report.chosen).items()):
            records = _stream_records(messages)
            about = f" about {count(records, 'record')} of the table's stream" if records else ""
            lines.append(f"{group}: {count(len(messages), 'message')}{about}, the oldest from {_oldest(messages)}")
            lines += [f"    {line}" for line in _details(messages, self._bucket)]
        lines += self._stream_lines()
        for message in report.messages:
            if message.failure is None:
                place = "deleted" if message.deleted else "left in the queue"
                lines.append(f"not from this indexer, {place}: message {message.raw.id}: {message.unrecognized}")
            if message.refused:
                lines.append(f"not accepted, left in the queue: message {message.raw.id}: {message.refused}")
        streamed = sum(each.chosen is False for each in self._stream_messages) if self._replay else 0
        if others := sum(each.failure is not None for each in report.messages) - len(report.chosen) - streamed:
            lines.append(f"{count(others, 'message')} with other reasons")
        if report.in_flight:
            lines.append(
                f"about {count(report.in_flight, 'more message')} hidden by another consumer, such as another redrive"
            )
        return lines + [f"note: {report.note}"] * bool(report.note)

    @property
    def _stream_messages(self) -> list[FailureMessage]:
        return [each for each in self._redrive.report.messages if each.failure and each.failure.stream_records]

    def _stream_lines(self) -> list[str]:
        """Return the commands that repair the rows of failed stream records; no lines if there are none."""
        messages = [each for each in self._stream_messages if each.chosen or self._replay]
        if not messages:
            return []
        repair, delete = self._commands
        number = count(len(messages), "message")
        return [
            f"{number} without an event to send again, because the messages of a stream do not contain the records:",
            f"    repair the rows of {count(_stream_records(messages), 'record')}: {repair}",
            f"    then delete the messages of each reason: {delete}",
        ]

    def summary(self) -> str:
        report = self._redrive.report
        if not report.messages:
            return (
                "redrive: all messages of the failure queue are hidden"
                if report.in_flight
                else "redrive: the failure queue is empty"
            )
        read, left = count(len(report.messages), "message"), len(report.messages) - report.deleted
        more = f"; about {count(report.unread, 'more message')} not read" if report.unread else ""
        if self._replay:
            return f"redrive: {report.replayed:,} of {read} replayed and deleted, {left:,} left in the queue{more}"
        if self._export is not None:
            written = f"redrive: {self._exported:,} of {read} written to {self._export}"
            end = f" and deleted, {left:,} left in the queue" if self._delete else "; all are still in the queue"
            return f"{written}{end}{more}"
        end = "--replay sends their events to the indexer again"
        if all(each in self._stream_messages for each in report.messages):
            end = f"{self._commands[0]} repairs their rows"
        return f"redrive: {read} in the queue{more}; dry run: {end}"

    def document(self) -> dict[str, Any]:
        report = self._redrive.report
        return {
            "read": len(report.messages),
            "replayed": report.replayed,
            "exported": self._exported,
            "deleted": report.deleted,
            "unread": report.unread,
            "hidden_by_others": report.in_flight,
            "stream_records": _stream_records(self._stream_messages),
            "stream_repair": self._commands[0] if self._stream_messages else None,
            "messages": [
                {
                    "message_id": each.raw.id,
                    "sent_at": _format_time(each.raw.sent_ms),
                    "reasons": list(each.failure.reasons) if each.failure else [],
                    "error": each.failure.error if each.failure else None,
                    "error_type": (each.failure.error_type or None) if each.failure else None,
                    "objects": list(each.failure.objects) if each.failure else [],
                    "buckets": list(each.failure.buckets) if each.failure else [],
                    "function": each.failure.function if each.failure else None,
                    "stream_records": each.failure.stream_records if each.failure else 0,
                    "unrecognized": each.unrecognized or None,
                    "selected": each.chosen,
                    "replayed": each.replayed,
                    "deleted": each.deleted,
                    "refused": each.refused or None,
                }
                for each in report.messages
            ],
        }

    def resume_hint(self) -> str:
        if self._exported:
            written = f"{count(self._exported, 'message')} written to {self._export}"
            deleted = f"{self._redrive.report.deleted:,} deleted, the others are in the queue"
            return f"{written}, {deleted}; start redrive again with a new file for --export"
        replayed = count(self._redrive.report.replayed, "message")
        return f"{replayed} replayed and deleted, the others are in the queue; start redrive again"

    def _export_to(self, path: Path) -> None:
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError as error:
            raise OperatorError(f"--export {path}: the file exists; give the name of a new file") from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            with unfinished_file(path) as unfinished:
                with unfinished.open("w", encoding="utf-8") as file:
                    exported = self._redrive.export(file)
                    file.flush()
                    os.fsync(file.fileno())  # With --delete, the file has the only copy of the messages.
                unfinished.replace(path)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _unwritable(path, error) from error
            raise
        self._exported = exported


def _unwritable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(f"--export {path}: {error.strerror}; give the name of a new file in a writable folder")


def _groups(messages: Sequence[FailureMessage]) -> dict[str, list[FailureMessage]]:
    groups: dict[str, list[FailureMessage]] = {}
    for message in messages:
        if message.failure is not None:
            groups.setdefault(message.failure.group, []).append(message)
    return groups


def _stream_records(messages: Sequence[FailureMessage]) -> int:
    """Return the number of records in messages about the table's stream."""
    return sum(message.failure.stream_records for message in messages if message.failure)


def _details(messages: Sequence[FailureMessage], own_bucket: str) -> list[str]:
    """Return lines for messages with the same reason: the first object keys, and an example of each distinct error.

    Args:
        messages: messages of the failure queue.
        own_bucket: name of the stack's bucket; the keys of other buckets are displayed with the name of their bucket.
    """
    failures = [message.failure for message in messages if message.failure]
    names = (each for failure in failures for each in zip(failure.objects, failure.buckets, strict=True))
    objects = [
        visible(key) + (f"  (bucket {bucket})" if bucket not in ("", own_bucket) else "")
        for key, bucket in dict.fromkeys(names)
    ]
    more = [f"… and {len(objects) - MAX_OBJECTS_SHOWN:,} more: use --json to print all"] * (
        len(objects) > MAX_OBJECTS_SHOWN
    )
    return [*objects[:MAX_OBJECTS_SHOWN], *more, *_examples(failures)]


def _examples(failures: Sequence[Failure]) -> list[str]:
    """Return lines with one example of each distinct error. With several errors, each has its number of messages."""
    errors: dict[str, list[str]] = {}
    for failure in failures:
        errors.setdefault(failure.error_kind, []).append(failure.typed_error[:MAX_ERROR_CHARACTERS])
    if len(errors) == 1:
        return [f"example error: {each[0]}" for each in errors.values()]
    shown = sorted(errors.values(), key=len, reverse=True)[:MAX_ERRORS_SHOWN]
    more = [f"… and {len(errors) - MAX_ERRORS_SHOWN:,} more errors: use --json to print all"] * (
        len(errors) > MAX_ERRORS_SHOWN
    )
    return [f"example error of {count(len(each), 'message')}: {each[0]}" for each in shown] + more


def _oldest(messages: Sequence[FailureMessage]) -> str:
    return _format_time(min(message.raw.sent_ms for message in messages))


def _format_time(milliseconds: int) -> str:
    return time_text(datetime.fromtimestamp(milliseconds / 1000, UTC))
