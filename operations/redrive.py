"""Shows what is in the failure queue, and gives it to the function again.

While it works, the messages it has read are hidden from others; what it does not delete it lets go of at its end. If
it is killed they come back by themselves, after HIDDEN_SECONDS.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from operations.aws import MESSAGES_PER_BATCH
from operations.errors import OperatorError, RefusedEventError
from operations.failures import Failure, NotOursError, parse
from operations.pool import in_order
from operations.rate import Rate

if TYPE_CHECKING:
    from operations.aws import Aws, RawMessage
    from operations.output import Progress
    from operations.target import Target

HIDDEN_SECONDS = 1800
"""Long enough to read and replay tens of thousands of messages."""


@dataclass(kw_only=True)
class Message:
    """A message of the queue: a failure of ours, or why it is none.

    `replayed`: accepted again, and deleted; `refused`: why Lambda did not accept its event.
    """

    raw: RawMessage
    failure: Failure | None
    not_ours: str = ""
    chosen: bool = False
    replayed: bool = False
    refused: str = ""


@dataclass(kw_only=True)
class Report:
    """What was read. A message that SQS handed out twice is there once."""

    messages: list[Message] = field(default_factory=list)
    waiting: int = 0  # messages that could be received at the beginning, about
    elsewhere: int = 0  # messages that somebody else has received and not deleted, about
    note: str = ""  # what went wrong when it let go of messages

    @property
    def chosen(self) -> list[Message]:
        """Failures of ours with the reason that was asked for."""
        return [message for message in self.messages if message.chosen]

    @property
    def replayed(self) -> int:
        """Messages that were replayed and deleted."""
        return sum(message.replayed for message in self.messages)

    @property
    def unread(self) -> int:
        """About how many more messages are in the queue than were read: because enough were, or SQS gave no more."""
        return max(0, self.waiting - len(self.messages))

    @property
    def empty(self) -> bool:
        """Whether nothing is left in the queue, as far as can be known."""
        return self.replayed == len(self.messages) and not self.unread and not self.elsewhere


class Redrive:
    """One reading of a failure queue.

    Attributes:
        report: what is known so far.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        queue_url: str,
        *,
        per_second: float,
        reason: str | None = None,
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.report = Report()
        self._aws = aws
        self._target = target
        self._queue_url = queue_url
        self._rate = Rate(per_second, clock=clock, sleep=sleep)
        self._reason = reason
        self._most = most

    @contextmanager
    def reading(self, progress: Progress) -> Iterator[None]:
        """Read messages until the queue is empty, or enough are chosen; at the end, let go of what is still there.

        All are read before anything is done with them: what fails again comes back into the same queue.

        Raises:
            OperatorError: SQS refused to answer.
        """
        self.report.waiting, self.report.elsewhere = self._aws.waiting_messages(self._queue_url)
        messages: dict[str, Message] = {}
        try:
            with progress.step("messages read") as advance:
                while (room := self._room(messages)) and (batch := self._receive(room)):
                    for raw in batch:
                        if raw.id in messages:
                            messages[raw.id].raw = raw  # only the newest receipt deletes it for certain
                        else:
                            messages[raw.id] = self._message(raw)
                            advance(1)
            self.report.messages = list(messages.values())
            yield
        finally:
            self._let_go([each.raw.receipt for each in messages.values() if not each.replayed])

    def replay(self, progress: Progress) -> None:
        """Give the function each chosen event again, and delete the message once Lambda has accepted that.

        One whose event Lambda refuses stays in the queue, and says so.

        Raises:
            OperatorError: Lambda accepts nothing, or SQS kept a message.
        """
        chosen = [(each, each.failure.event) for each in self.report.chosen if each.failure]
        with progress.step("messages replayed", len(chosen)) as advance:
            for _ in in_order(self._replay, self._rate.paced(chosen)):
                advance(1)

    def export(self, file: IO[str]) -> int:
        """Write the chosen messages whole, one JSON object a line; without --reason those that are not ours too."""
        messages = [each for each in self.report.messages if each.chosen or (each.failure is None and not self._reason)]
        for message in messages:
            line = {
                "message_id": message.raw.id,
                "sent_ms": message.raw.sent_ms,
                "body": _json_or_text(message.raw.body),
            }
            file.write(json.dumps(line) + "\n")  # in ASCII: half of a surrogate pair is no UTF-8
        return len(messages)

    def _room(self, messages: dict[str, Message]) -> int:
        """How many more may be asked for; 0 once enough are chosen."""
        if self._most is None:
            return MESSAGES_PER_BATCH
        return min(MESSAGES_PER_BATCH, self._most - sum(message.chosen for message in messages.values()))

    def _receive(self, room: int) -> list[RawMessage]:
        return self._aws.receive(self._queue_url, most=room, hidden=HIDDEN_SECONDS)

    def _let_go(self, receipts: list[str]) -> None:
        """An error here must not hide why the block ended, nor what was read."""
        try:
            self._aws.release(self._queue_url, receipts)
        except OperatorError as error:
            minutes = HIDDEN_SECONDS // 60
            self.report.note = f"what was read and not deleted stays hidden for up to {minutes} minutes: {error}"

    def _message(self, raw: RawMessage) -> Message:
        try:
            failure = parse(raw.body, self._target)
        except NotOursError as why:
            return Message(raw=raw, failure=None, not_ours=str(why))
        return Message(raw=raw, failure=failure, chosen=self._reason is None or self._reason in failure.reasons)

    def _replay(self, chosen: tuple[Message, Any]) -> None:
        message, event = chosen
        try:
            self._aws.invoke(self._target.function, event)
        except RefusedEventError as error:
            message.refused = str(error)
            return
        self._aws.delete(self._queue_url, message.raw.receipt)
        message.replayed = True


def _json_or_text(body: str) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body
