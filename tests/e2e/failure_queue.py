"""Events that cannot succeed, and the failure queue that receives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e.events import creation_record
from tests.support.strategies import minimal_record, s3_event

if TYPE_CHECKING:
    from tests.support.index import Index, Response
    from tests.support.rows import Row


@dataclass(frozen=True, kw_only=True)
class InvalidEvent:
    """An event that cannot succeed, and the expected parts of its error message."""

    event: Any
    errors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SentEvents:
    """Invalid events by name, and the rows that the valid records in these events must create."""

    events: Mapping[str, InvalidEvent]
    valid: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class FailureMessage:
    """Message in the failure queue about one event, from Lambda's on-failure destination."""

    event: Any
    error: str
    condition: str
    attempts: int


class FailureQueue:
    """Client of the failure queue. It removes only messages about the events that a test specifies."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._sqs = index.clients.sqs
        self._url = index.outputs["failure_queue_url"]

    def wait_for(self, event: object) -> FailureMessage:
        """Wait for the message about exactly this event, and remove it from the queue."""
        others: dict[str, object] = {}

        def find() -> FailureMessage | None:
            for message in self._receive():
                body = json.loads(message["Body"])
                if body["requestPayload"] == event:
                    self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                    return FailureMessage(
                        event=body["requestPayload"],
                        error=body["responsePayload"]["errorMessage"],
                        condition=body["requestContext"]["condition"],
                        attempts=body["requestContext"]["approximateInvokeCount"],
                    )
                others[message["MessageId"]] = body["requestPayload"]
            return None

        return self._index.wait_until(
            find, lambda: f"a message in the failure queue about {event}; there were others about {others}"
        )

    def events(self) -> list[object]:
        """Return the events of all messages, without removing the messages from the queue."""
        found: dict[str, object] = {}
        while new := {
            message["MessageId"]: json.loads(message["Body"])["requestPayload"]
            for message in self._receive()
            if message["MessageId"] not in found
        }:
            found |= new
        return list(found.values())

    def _receive(self) -> list[Response]:
        """Receive up to ten messages, which remain visible in the queue."""
        response = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        messages: list[Response] = response.get("Messages", [])
        return messages


def send_invalid_events(index: Index) -> SentEvents:
    """Send events that cannot succeed as asynchronous invocations, which Lambda attempts three times each."""
    valid = tuple(index.put_unindexed(f"invalid/good-{number}.txt") for number in (1, 2))
    first, second = (creation_record(row) for row in valid)
    without_key = minimal_record("invalid/keyless.txt", bucket=index.bucket)
    del without_key["s3"]["object"]["key"]
    not_utf8 = minimal_record("invalid/", bucket=index.bucket)
    not_utf8["s3"]["object"]["key"] = "invalid/%ff%fe.txt"
    unknown_version = {**minimal_record("invalid/future.txt", bucket=index.bucket), "eventVersion": "3.0"}
    foreign = minimal_record("invalid/elsewhere.txt", bucket="elsewhere")
    events = {
        "a mixed event": InvalidEvent(
            event=s3_event(without_key, first, not_utf8, unknown_version, second, foreign),
            errors=(
                "4 of 6 records failed",
                "Records[0].s3.object.key is missing",
                "Records[2].s3.object.key is 'invalid/%ff%fe.txt', which is not UTF-8",
                "Records[3].eventVersion is '3.0'",
                "Records[5].s3.bucket.name is 'elsewhere'",
                f"'{index.bucket}'",
            ),
        ),
        "no event of S3": InvalidEvent(event={"invalid": "no records"}, errors=("Records",)),
    }
    for each in events.values():
        index.invoke_async(each.event)
    return SentEvents(events=events, valid=valid)
