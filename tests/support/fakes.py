"""Fakes of AWS and time for the indexer: a bucket, a table, faults of their calls, and telemetry that records.

The bucket and the table have the methods of botocore's clients, so all of the indexer but its sockets runs for real.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError, ReadTimeoutError

from lambda_code.errors import IndexingError
from lambda_code.indexer import Indexer
from lambda_code.retry import ATTEMPT_SECONDS, call_with_retry
from lambda_code.storage import RecordCalls, Storage
from lambda_code.telemetry import Invocation, Telemetry
from tests.support.clock import FakeClock
from tests.support.update_expressions import Item, plain, updated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambda_code.outcome import Outcome

Client = Any  # botocore creates the methods of its clients at run time: they have no types

BUCKET = "uploads"
TABLE = "objects"
RETENTION_DAYS = 90
ENVIRONMENT = {
    "TAP_BUCKET_NAME": BUCKET,
    "TAP_TABLE_NAME": TABLE,
    "POWERTOOLS_SERVICE_NAME": "tapstack-test",
    "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "TAP_DELETED_RETENTION_DAYS": "90",
}
START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
START_SECONDS = 1000.0  # of the fake clock at START: monotonic clocks start anywhere


def client_error(
    status: int, code: str | None = None, operation: str = "UpdateItem", headers: Mapping[str, str] | None = None
) -> ClientError:
    """Build the error that botocore raises for a response with this status; a HEAD's has no error code of its own."""
    error = {"Code": code or str(status), "Message": "as the test wishes"}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": dict(headers or {})}
    response: Any = {"Error": error, "ResponseMetadata": metadata}  # the other members are never read
    return ClientError(response, operation)


def create_table(client: Client, name: str) -> None:
    """Create a table with the key of the index's table."""
    keys = {"object_id": "HASH", "version_id": "RANGE"}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
    )


def datetime_of(clock: FakeClock) -> datetime:
    """The date and time of a fake clock that started at START_SECONDS."""
    return START + timedelta(seconds=clock.now - START_SECONDS)


@dataclass(frozen=True)
class Fault:
    """The fate of one call: it takes `seconds`, then fails, before its effect or after it (the response was lost)."""

    error: Exception | None = None
    when: Literal["before", "after"] = "before"
    seconds: float = 0.01


class ScriptedCall:
    """A call that has these faults in turn, and then succeeds; records the start of each attempt in `started`."""

    def __init__(self, *faults: Fault) -> None:
        self.clock = FakeClock()
        self.started: list[float] = []
        self._faults = faults

    def __call__(self) -> str:
        fault = self._faults[len(self.started)] if len(self.started) < len(self._faults) else Fault()
        self.started.append(self.clock())
        self.clock.advance(fault.seconds)
        if fault.error:
            raise fault.error
        return "done"

    def with_retry(self, *, seconds: float, rng: float = 1.0) -> str:
        """Make the call within a time budget."""
        sleep, deadline = self.clock.sleep, self.clock() + seconds
        return call_with_retry(self, name="Call", deadline=deadline, clock=self.clock, sleep=sleep, rng=lambda: rng)


@dataclass
class CallLog:
    """The calls that were made, and the faults of the next ones."""

    clock: FakeClock
    made: list[tuple[str, str, float]] = field(default_factory=list)  # operation, key, seconds at its start
    faults: deque[Fault] = field(default_factory=deque)
    hanging: set[str] = field(default_factory=set)  # keys whose calls always time out

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _, _ in self.made]

    @contextmanager
    def call(self, operation: str, key: str) -> Iterator[object]:
        """Context manager for the effect of one call."""
        self.made.append((operation, key, self.clock.now))
        fault = self.faults.popleft() if self.faults else Fault()
        if key in self.hanging:
            fault = Fault(ReadTimeoutError(endpoint_url="https://example.com/"), seconds=ATTEMPT_SECONDS)
        self.clock.advance(fault.seconds)
        if fault.error and fault.when == "before":
            raise fault.error
        yield None
        if fault.error:
            raise fault.error


@dataclass
class FakeS3:
    """A bucket's responses to HeadObject, by key and version; the version None is the current one."""

    calls: CallLog
    heads: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict)
    markers: dict[tuple[str, str], datetime | None] = field(default_factory=dict)  # with their Last-Modified

    def put(self, key: str, version_id: str | None, head: dict[str, Any]) -> None:
        self.heads[key, version_id] = self.heads[key, None] = head
        self.markers.pop((key, version_id or "null"), None)

    def put_marker(self, key: str, version_id: str, last_modified: datetime | None = None) -> None:
        """Delete the object: a marker hides it. A marker `null` replaces the object `null`."""
        self.delete(key, version_id)
        self.markers[key, version_id] = last_modified

    def delete(self, key: str, version_id: str) -> None:
        """Delete one version or marker permanently; afterwards the key has no current version."""
        self.markers.pop((key, version_id), None)
        self.heads.pop((key, version_id), None)
        self.heads.pop((key, None), None)

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        key, version_id = arguments["Key"], arguments.get("VersionId")
        with self.calls.call("HeadObject", key):
            found = self.heads.get((key, version_id))
        if (key, version_id) in self.markers:
            time = self.markers[key, version_id or ""]
            headers = {} if time is None else {"last-modified": format_datetime(time, usegmt=True)}
            raise client_error(405, operation="HeadObject", headers=headers)
        if found is None:
            raise client_error(404, operation="HeadObject")
        return {**found, "ResponseMetadata": {"RequestId": str(len(self.calls.made))}}


@dataclass
class FakeDynamoDB:
    """A table that evaluates update expressions."""

    calls: CallLog
    rows: dict[tuple[str, str], Item] = field(default_factory=dict)  # by object_id and version_id
    watch: Callable[[Item, Item], None] = lambda _old, _new: None  # called with every write

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        assert arguments["ReturnValues"] == "ALL_OLD"
        object_id, version_id = (arguments["Key"][name]["S"] for name in ("object_id", "version_id"))
        with self.calls.call("UpdateItem", object_id.split("/", 1)[1]):
            old = self.rows.get((object_id, version_id), {})
            new = self.rows[object_id, version_id] = updated({**arguments["Key"], **old}, arguments)
            self.watch(old, new)
        return {"Attributes": old} if old else {}

    def row(self, key: str, version_id: str) -> dict[str, Any]:
        """Return a row as plain values."""
        return {name: plain(value) for name, value in self.rows[f"{BUCKET}/{key}", version_id].items()}


class RecordingTelemetry(Telemetry):
    """Telemetry that only records."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []

    @contextmanager
    def invocation(self, request_id: str) -> Iterator[Invocation]:
        assert request_id
        yield RecordingInvocation(self)


class RecordingInvocation(Invocation):
    """The invocation of a RecordingTelemetry."""

    def __init__(self, telemetry: RecordingTelemetry | None = None) -> None:
        self._telemetry = telemetry or RecordingTelemetry()

    def received(self, event: object) -> None:
        """Record nothing."""

    def note(self, message: str) -> None:
        self._telemetry.notes.append(message)

    def record(self) -> AbstractContextManager[None]:
        return nullcontext()

    def aws_call(self, service: str, operation: str) -> AbstractContextManager[None]:
        assert (service, operation) in {("S3", "HeadObject"), ("DynamoDB", "UpdateItem")}
        return nullcontext()

    def report(self, outcome: Outcome) -> None:
        self._telemetry.outcomes.append(outcome)


def unlimited_calls() -> RecordCalls:
    """The calls of a record whose time budget never ends."""
    return RecordCalls(invocation=RecordingInvocation(), deadline=float("inf"))


class IndexerHarness:
    """An indexer with a fake bucket, table, clock and telemetry."""

    def __init__(self, *, rng: float = 1.0, telemetry: Telemetry | None = None) -> None:
        self.clock = FakeClock(START_SECONDS)
        self.calls = CallLog(self.clock)
        self.s3 = FakeS3(self.calls)
        self.dynamodb = FakeDynamoDB(self.calls)
        self.telemetry = RecordingTelemetry()
        self.indexer = Indexer(
            bucket_name=BUCKET,
            deleted_retention_days=RETENTION_DAYS,
            storage=Storage(
                s3=self.s3,
                dynamodb=self.dynamodb,
                bucket_name=BUCKET,
                table_name=TABLE,
                clock=self.clock,
                sleep=self.clock.sleep,
                rng=lambda: rng,
            ),
            telemetry=telemetry or self.telemetry,
            clock=self.clock,
            now=lambda: datetime_of(self.clock),
        )

    def handle(self, event: object, *, seconds: float = 60.0, request_id: str = "request-1") -> dict[str, int]:
        """Handle an event within a time budget; return the handler's result."""
        return self.indexer.handle(event, request_id=request_id, deadline=self.clock() + seconds)

    def deliver(
        self, event: object, *, seconds: float = 60.0, request_id: str = "request-1"
    ) -> IndexingError | dict[str, int]:
        """Handle an event; return the handler's result or its error, after which Lambda retries the event."""
        try:
            return self.handle(event, seconds=seconds, request_id=request_id)
        except IndexingError as error:
            return error
