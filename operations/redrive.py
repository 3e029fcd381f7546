"""Reads the failure queue, and replays its events to the function.

Messages that were read are hidden from other readers until the end of the run, which releases those that it has not
deleted. If the process is killed, they reappear after VISIBILITY_TIMEOUT_SECONDS.
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
from operations.failures import Failure, ForeignMessageError, QueueMessage, parse
from operations.pool import map_in_order
from operations.rate import RateLimiter

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.output import Progress
    from operations.target import Target

VISIBILITY_TIMEOUT_SECONDS = 1800
"""Long enough to read and replay tens of thousands of messages."""


@dataclass(kw_only=True)
class FailureMessage:
    """A message of the queue, and what was done with it.

    Attributes:
        failure: the failed event; None if the message is not about this function.
        not_ours: why `failure` is None.
        chosen: whether it has the requested reason.
        replayed: whether Lambda accepted its event again, and the message was deleted.
        refused: why Lambda did not accept its event.
    """

    raw: QueueMessage
    failure: Failure | None
    not_ours: str = ""
    chosen: bool = False
    replayed: bool = False
    refused: str = ""


@dataclass(kw_only=True)
class RedriveReport:
    """The messages that were read; a message that SQS delivered twice is in it once."""

    messages: list[FailureMessage] = field(default_factory=list)
    visible: int = 0  # messages that could be received at the beginning, approximately
    in_flight: int = 0  # messages that another reader has received and not deleted, approximately
    note: str = ""  # the error of releasing messages

    @property
    def chosen(self) -> list[FailureMessage]:
        """Failures with the requested reason."""
        return [message for message in self.messages if message.chosen]

    @property
    def replayed(self) -> int:
        """Number of messages that were replayed and deleted."""
        return sum(message.replayed for message in self.messages)

    @property
    def unread(self) -> int:
        """Approximate number of messages that were not read: enough were chosen, or SQS returned no more."""
        return max(0, self.visible - len(self.messages))

    @property
    def empty(self) -> bool:
        """Whether nothing is left in the queue, as far as can be known."""
        return self.replayed == len(self.messages) and not self.unread and not self.in_flight


class Redrive:
    """One reading of a failure queue.

    Attributes:
        report: the results so far.
    """

    def __init__(
        self,
        aws: Aws,
        target: Target,
        queue_url: str,
        *,
        per_second: float,
        reason: str | None = None,
        max_messages: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.report = RedriveReport()
        self._aws = aws
        self._target = target
        self._queue_url = queue_url
        self._limiter = RateLimiter(per_second, clock=clock, sleep=sleep)
        self._reason = reason
        self._max_messages = max_messages

    @contextmanager
    def reading(self, progress: Progress) -> Iterator[None]:
        """Read messages until the queue is empty, or enough are chosen; on exit, release those that were not deleted.

        All are read before the first is replayed, because an event that fails again returns to the same queue.

        Raises:
            OperatorError: an SQS call failed.
        """
        self.report.visible, self.report.in_flight = self._aws.message_counts(self._queue_url)
        messages: dict[str, FailureMessage] = {}
        try:
            with progress.step("messages read") as advance:
                while (size := self._batch_size(messages)) and (batch := self._receive(size)):
                    for raw in batch:
                        if raw.id in messages:
                            messages[raw.id].raw = raw  # only the newest receipt deletes it for certain
                        else:
                            messages[raw.id] = self._message(raw)
                            advance(1)
            self.report.messages = list(messages.values())
            yield
        finally:
            self._release([each.raw.receipt for each in messages.values() if not each.replayed])

    def replay(self, progress: Progress) -> None:
        """Send each chosen event to the function, and delete its message once Lambda has accepted the event.

        A message whose event Lambda refuses stays in the queue.

        Raises:
            OperatorError: Lambda accepts no event, or SQS did not delete a message.
        """
        chosen = [(each, each.failure.event) for each in self.report.chosen if each.failure]
        with progress.step("messages replayed", len(chosen)) as advance:
            for _ in map_in_order(self._replay, self._limiter.paced(chosen)):
                advance(1)

    def export(self, file: IO[str]) -> int:
        """Write the chosen messages, one JSON object a line; without --reason also those of other senders."""
        messages = [each for each in self.report.messages if each.chosen or (each.failure is None and not self._reason)]
        for message in messages:
            line = {
                "message_id": message.raw.id,
                "sent_ms": message.raw.sent_ms,
                "body": _json_or_text(message.raw.body),
            }
            file.write(json.dumps(line) + "\n")  # in ASCII: half of a surrogate pair is no UTF-8
        return len(messages)

    def _batch_size(self, messages: dict[str, FailureMessage]) -> int:
        """Return how many messages to request next; 0 once enough are chosen."""
        if self._max_messages is None:
            return MESSAGES_PER_BATCH
        return min(MESSAGES_PER_BATCH, self._max_messages - sum(message.chosen for message in messages.values()))

    def _receive(self, size: int) -> list[QueueMessage]:
        return self._aws.receive(self._queue_url, limit=size, visibility_timeout=VISIBILITY_TIMEOUT_SECONDS)

    def _release(self, receipts: list[str]) -> None:
        """Make messages visible again; an error here must not hide the error that ended the run."""
        try:
            self._aws.release(self._queue_url, receipts)
        except OperatorError as error:
            minutes = VISIBILITY_TIMEOUT_SECONDS // 60
            self.report.note = f"what was read and not deleted stays hidden for up to {minutes} minutes: {error}"

    def _message(self, raw: QueueMessage) -> FailureMessage:
        try:
            failure = parse(raw.body, self._target)
        except ForeignMessageError as why:
            return FailureMessage(raw=raw, failure=None, not_ours=str(why))
        return FailureMessage(raw=raw, failure=failure, chosen=self._reason is None or self._reason in failure.reasons)

    def _replay(self, chosen: tuple[FailureMessage, Any]) -> None:
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
