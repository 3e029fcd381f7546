"""The way of an event from S3 to the function: Lambda's asynchronous queue, and the failure queue behind it.

At least once, in any order, at any time. A function that raises is tried again twice with the same request id; then
the event lies in the failure queue, in the message that Lambda's on-failure destination sends:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.support.strategies import Json, failure_message, s3_event

TRIES = 3  # the first, and two retries


@dataclass(frozen=True, kw_only=True)
class Message:
    """An event on its way."""

    event: Json
    request_id: str
    tries: int = 0  # those that failed


@dataclass(frozen=True, kw_only=True)
class Failed:
    """How an invocation ended that did not end well."""

    error_type: str
    message: str


@dataclass
class Delivery:
    """What is on its way, what arrived, what was given up; what S3 sent, and what it did not as the trigger was off."""

    connected: bool = True
    waiting: list[Message] = field(default_factory=list)
    done: list[Message] = field(default_factory=list)
    failure_queue: list[dict[str, Any]] = field(default_factory=list)
    sent: list[Json] = field(default_factory=list)
    dropped: list[Json] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def notify(self, record: Json) -> None:
        """S3 has something to tell. Without a trigger there is nobody to tell it to."""
        if self.connected:
            self.sent.append(record)
            self.invoke(s3_event(record))
        else:
            self.dropped.append(record)

    def invoke(self, event: Json) -> None:
        """An asynchronous invocation: accepted, and handled some time later."""
        self.waiting.append(Message(event=event, request_id=f"request-{next(self._numbers)}"))

    def duplicate(self, message: Message, *, same_request: bool) -> None:
        """Once more, as Lambda does (the same request) or as S3 does (another one)."""
        if same_request:
            self.waiting.append(message)
        else:
            self.invoke(message.event)

    def merge(self, one: Message, other: Message) -> None:
        """Two events become one of several records: S3 sends a list, and may one day use it."""
        self.waiting = [each for each in self.waiting if each is not one and each is not other]
        self.invoke(s3_event(*one.event["Records"], *other.event["Records"]))

    def attempt(self, message: Message, handle: Callable[[Message], Failed | None]) -> None:
        """Give a message to the function."""
        self.waiting = [each for each in self.waiting if each is not message]
        failed = handle(message)
        if failed is None:
            self.done.append(message)
            return
        tried = Message(event=message.event, request_id=message.request_id, tries=message.tries + 1)
        if tried.tries < TRIES:
            self.waiting.append(tried)
        else:
            self.failure_queue.append(
                failure_message(
                    tried.event,
                    request_id=tried.request_id,
                    attempts=tried.tries,
                    error_type=failed.error_type,
                    message=failed.message,
                )
            )

    def redrive(self, number: int) -> None:
        """An operator has a message of the failure queue tried again."""
        message = self.failure_queue.pop(number)
        self.invoke(message["requestPayload"])

    def unfinished(self) -> list[Json]:
        """The records of which nobody has said yet that they are done; those given up included."""
        events = [message.event for message in self.waiting]
        return [record for event in events for record in event["Records"]] + self.given_up()

    def given_up(self) -> list[Json]:
        """The records in the failure queue."""
        return [record for message in self.failure_queue for record in message["requestPayload"]["Records"]]
