"""Events that cannot succeed, and the failure queue where they end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e.events import as_s3_sent_it, event, minimal
from tests.support import waiting

if TYPE_CHECKING:
    from tests.support.index import Answer, Client, Index, Row


@dataclass(frozen=True, kw_only=True)
class Poison:
    """An event that cannot succeed, and what its error must say."""

    event: Any
    says: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Poisoned:
    """What was sent: the events by name, and the rows that good records among the bad ones must bring back."""

    events: Mapping[str, Poison]
    good: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An event that Lambda gave up on: the message of its on-failure destination."""

    event: Any
    error: str
    condition: str
    tries: int


class FailureQueue:
    """Finds the message about one event, takes it off the queue, and leaves all others there."""

    def __init__(self, sqs: Client, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def wait_for(self, event: object) -> Failure:
        """The message about this very event, as soon as there is one."""
        others: dict[str, object] = {}

        def look() -> Failure | None:
            for message in self._receive():
                body = json.loads(message["Body"])
                if body["requestPayload"] == event:
                    self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                    return _failure(body)
                others[message["MessageId"]] = body["requestPayload"]
            return None

        return waiting.until(
            look, lambda: f"a message in the failure queue about {event}; there were others about {others}"
        )

    def events(self) -> list[object]:
        """The events of all messages that lie in the queue; they stay there."""
        found: dict[str, object] = {}
        while new := {
            message["MessageId"]: json.loads(message["Body"])["requestPayload"]
            for message in self._receive()
            if message["MessageId"] not in found
        }:
            found |= new
        return list(found.values())

    def _receive(self) -> list[Answer]:
        """Up to ten messages, which stay visible to whoever looks next."""
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        messages: list[Answer] = answer.get("Messages", [])
        return messages


def poison(index: Index) -> Poisoned:
    """Send events that cannot succeed, the way S3 sends: Lambda tries each three times, meanwhile."""
    good = tuple(_indexed_and_forgotten(index, f"poison/good-{number}.txt") for number in (1, 2))
    first, second = (as_s3_sent_it(row) for row in good)
    keyless = minimal(index.bucket, "poison/keyless.txt")
    del keyless["s3"]["object"]["key"]
    not_text = minimal(index.bucket, "poison/")
    not_text["s3"]["object"]["key"] = "poison/%ff%fe.txt"
    from_the_future = {**minimal(index.bucket, "poison/future.txt"), "eventVersion": "3.0"}
    elsewhere = minimal("elsewhere", "poison/elsewhere.txt")
    events = {
        "a mixed event": Poison(
            event=event(keyless, first, not_text, from_the_future, second, elsewhere),
            says=(
                "4 of 6 records failed",
                "Records[0].s3.object.key is missing",
                "Records[2].s3.object.key is 'poison/%ff%fe.txt', which is not UTF-8",
                "Records[3].eventVersion is '3.0'",
                "Records[5].s3.bucket.name is 'elsewhere'",
                f"'{index.bucket}'",
            ),
        ),
        "no event of S3": Poison(event={"poison": "no records"}, says=("Records",)),
    }
    for each in events.values():
        index.send(each.event)
    return Poisoned(events=events, good=good)


def _indexed_and_forgotten(index: Index, key: str) -> Row:
    """The row that an object had, and that only a record of its own can bring back."""
    row = index.wait_for_row(key, index.put(key))
    index.forget(key, row["version_id"])
    return row


def _failure(body: Answer) -> Failure:
    return Failure(
        event=body["requestPayload"],
        error=body["responsePayload"]["errorMessage"],
        condition=body["requestContext"]["condition"],
        tries=body["requestContext"]["approximateInvokeCount"],
    )
