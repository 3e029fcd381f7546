"""A deployed stack in memory, behind the methods of `operations.aws.Aws`: a bucket, a table, a function and a queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_code.metadata import format_time
from operations.aws import Aws, Page, Row
from operations.errors import OperatorError
from operations.failures import QueueMessage
from operations.listing import Version
from operations.rate import Capacity
from operations.target import Target

BUCKET = "uploads"
LONG = 5.0  # seconds; nobody waits so long only to keep to a rate
START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:indexer"
TARGET = Target(
    function="indexer",
    function_arn=ARN,
    region="eu-west-1",
    bucket=BUCKET,
    table="objects",
)


def version(key: str, version_id: str = "v1", *, seconds: int = 0, **attributes: Any) -> Version:
    """A version, made so many seconds after START; 5 bytes long if nothing else is said."""
    told: dict[str, Any] = {"size": 5, "etag": "e"} | attributes
    return Version(key=key, version_id=version_id, last_modified=START + timedelta(seconds=seconds), **told)


def marker(key: str, version_id: str = "m1", *, seconds: int = 0) -> Version:
    return Version(key=key, version_id=version_id, last_modified=START + timedelta(seconds=seconds), marker=True)


def row(listed: Version, **changes: Any) -> Row:
    """The row that the function writes of a version; a change to None takes the attribute away."""
    time = format_time(listed.last_modified)
    told: Row = {
        "object_id": f"{BUCKET}/{listed.key}",
        "version_id": listed.version_id,
        "bucket": BUCKET,
        "key": listed.key,
        "uploaded_at": time,
    }
    if listed.marker:
        told["delete_marker"] = True
    else:
        told |= {
            "size_bytes": listed.size,
            "etag": listed.etag,
            "content_type": "text/plain",
            "upload_day": time[:10],
        }
    return {name: value for name, value in (told | changes).items() if value is not None}


@dataclass
class Clock:
    """Time that passes only in sleep; `meanwhile` happens during a long one."""

    seconds: float = 100.0
    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.seconds += seconds
        if seconds >= LONG:
            self.meanwhile()


class FakeAws(Aws):
    """What Aws does, without botocore. `log` has the calls that change something, in their order."""

    def __init__(self, versions: Sequence[Version] = (), rows: Sequence[Row] = ()) -> None:
        super().__init__(lambda _: None)
        self.listed = list(versions)
        self.rows = list(rows)
        self.rules: list[Mapping[str, Any]] = [{"LambdaFunctionArn": ARN}]
        self.provisioned = Capacity(read=100.0, write=100.0)
        self.variables = {"TAP_BUCKET_NAME": BUCKET, "TAP_TABLE_NAME": "objects"}
        self.destination: str | None = "arn:aws:sqs:eu-west-1:123456789012:failures"
        self.queue: list[QueueMessage] = []
        self.hidden: dict[str, QueueMessage] = {}
        self.hidden_elsewhere = 0
        self.log: list[tuple[str, Any]] = []
        self.consistent_reads = 0
        self.before_invoke: Callable[[Any], None] = lambda _: None

    @property
    def sent(self) -> list[Any]:
        """The events that the function was given."""
        return [what for call, what in self.log if call == "invoke"]

    def function_configuration(self, function: str) -> Mapping[str, Any]:
        if function != "indexer":
            raise OperatorError(f"no function {function}")
        return {
            "FunctionName": function,
            "FunctionArn": f"{ARN}:live",
            "Environment": {"Variables": self.variables},
        }

    def failure_destination(self, function: str) -> str | None:
        assert function == "indexer"
        return self.destination

    def queue_url(self, arn: str) -> str:
        assert arn == self.destination
        return "https://queue"

    def notifications(self, bucket: str) -> Sequence[Mapping[str, Any]]:
        assert bucket == BUCKET
        return self.rules

    def capacity(self, table: str) -> Capacity:
        assert table == "objects"
        return self.provisioned

    def versions(self, bucket: str, *, prefix: str = "", after: str = "", page: int = 1000) -> Iterator[Version]:
        assert (bucket, page > 0) == (BUCKET, True)
        for each in sorted(self.listed, key=lambda listed: listed.key):
            if each.key.startswith(prefix) and each.key > after:
                yield each

    def query_rows(self, table: str, object_id: str, *, consistent: bool = False) -> Iterator[Page]:
        assert table == "objects"
        self.consistent_reads += consistent
        yield Page(rows=tuple(each for each in self.rows if each["object_id"] == object_id), units=0.5)

    def scan_rows(self, table: str, *, prefix: str) -> Iterator[Page]:
        assert table == "objects"
        rows = [each for each in self.rows if each["object_id"].startswith(prefix)]
        for start in range(0, len(rows), 2):
            yield Page(rows=tuple(rows[start : start + 2]), units=10.0)

    def invoke(self, function: str, event: object) -> None:
        assert function == "indexer"
        self.before_invoke(event)
        self.log.append(("invoke", event))

    def put(self, body: object, message_id: str = "", *, sent_ms: int = 0) -> None:
        """Put a message into the failure queue."""
        text = body if isinstance(body, str) else json.dumps(body)
        number = f"id-{len(self.queue) + len(self.hidden)}"
        self.queue.append(
            QueueMessage(id=message_id or number, receipt=f"receipt of {text}", body=text, sent_ms=sent_ms)
        )

    def receive(self, queue_url: str, *, limit: int, visibility_timeout: int) -> list[QueueMessage]:
        assert queue_url == "https://queue"
        assert 1 <= limit <= 10
        assert visibility_timeout > 600
        batch, self.queue = self.queue[:limit], self.queue[limit:]
        self.hidden |= {each.receipt: each for each in batch}
        return batch

    def message_counts(self, queue_url: str) -> tuple[int, int]:
        assert queue_url == "https://queue"
        return len(self.queue), self.hidden_elsewhere

    def delete(self, queue_url: str, receipt: str) -> None:
        assert queue_url == "https://queue"
        self.log.append(("delete", self.hidden.pop(receipt).id))

    def release(self, queue_url: str, receipts: Sequence[str]) -> None:
        assert queue_url == "https://queue"
        self.queue += [self.hidden.pop(receipt) for receipt in receipts]


def failure(key: str = "a.txt", *, arn: str = ARN, **changes: Any) -> dict[str, Any]:
    """What Lambda writes about an event that it gave up on; a change to None takes the field away."""
    message = {
        "version": "1.0",
        "timestamp": "2026-01-31T12:00:00.000Z",
        "requestContext": {
            "requestId": "1",
            "functionArn": f"{arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"Records": [{"s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}]},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {
            "errorMessage": f"1 of 1 records failed: record 0 (key {key!r}): denied: HeadObject: ClientError: 403",
            "errorType": "IndexingError",
        },
    } | changes
    return {name: value for name, value in message.items() if value is not None}
