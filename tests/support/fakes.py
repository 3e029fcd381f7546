"""What the function's code meets in a test instead of AWS and time: a bucket, a table, faults, a clock.

The bucket and the table stand behind the same two methods as botocore's clients, so everything of the function but its
sockets runs for real.
"""

from __future__ import annotations

import re
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError, ReadTimeoutError

from lambda_code.errors import IndexingError
from lambda_code.indexer import Indexer
from lambda_code.retry import ATTEMPT_SECONDS
from lambda_code.storage import AwsStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambda_code.indexer import Outcome

Client = Any  # botocore makes its clients' methods while it runs: they have no types

BUCKET = "uploads"
TABLE = "objects"
RETENTION_DAYS = 90
START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def client_error(
    status: int, code: str | None = None, operation: str = "UpdateItem", headers: Mapping[str, str] | None = None
) -> ClientError:
    """What botocore raises for an answer with this status; a HEAD's answer has no body, hence no code of its own."""
    error = {"Code": code or str(status), "Message": "as the test wishes"}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": dict(headers or {})}
    response: Any = {"Error": error, "ResponseMetadata": metadata}  # the rest is never looked at
    return ClientError(response, operation)


@dataclass
class Clock:
    """Time that passes only when somebody says so."""

    seconds: float = 1000.0  # monotonic clocks start anywhere
    sleeps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, "time.sleep raises on a negative number"
        assert len(self.sleeps) < 10_000, "this goes on for ever"
        self.sleeps.append(seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)


@dataclass(frozen=True)
class Fault:
    """What happens to one call: it takes `seconds`, then fails, before its effect or after it (its answer was lost)."""

    error: Exception | None = None
    when: Literal["before", "after"] = "before"
    seconds: float = 0.01


@dataclass
class Calls:
    """The calls that were made, and what happens to the next ones."""

    clock: Clock
    made: list[tuple[str, str, float]] = field(default_factory=list)  # operation, key, seconds at its start
    faults: deque[Fault] = field(default_factory=deque)
    hanging: set[str] = field(default_factory=set)  # keys about which no answer ever comes

    @contextmanager
    def one(self, operation: str, key: str) -> Iterator[None]:
        self.made.append((operation, key, self.clock.seconds))
        fault = self.faults.popleft() if self.faults else Fault()
        if key in self.hanging:
            fault = Fault(ReadTimeoutError(endpoint_url="https://example.com/"), seconds=ATTEMPT_SECONDS)
        self.clock.seconds += fault.seconds
        if fault.error and fault.when == "before":
            raise fault.error
        yield
        if fault.error:
            raise fault.error


@dataclass
class FakeS3:
    """A bucket's answers to HeadObject, by key and version; None is the version that is current."""

    calls: Calls
    heads: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict)
    markers: dict[tuple[str, str], datetime | None] = field(default_factory=dict)  # with what Last-Modified says

    def put(self, key: str, version_id: str | None, head: dict[str, Any]) -> None:
        self.heads[key, version_id] = self.heads[key, None] = head
        self.markers.pop((key, version_id or "null"), None)

    def put_marker(self, key: str, version_id: str, last_modified: datetime | None = None) -> None:
        """Delete the object: a marker hides it. A marker `null` takes the place of the object `null`."""
        self.markers[key, version_id] = last_modified
        self.heads.pop((key, version_id), None)
        self.heads.pop((key, None), None)

    def delete(self, key: str, version_id: str) -> None:
        """Delete one version, or marker, for good; what is current then, no test asks."""
        self.markers.pop((key, version_id), None)
        self.heads.pop((key, version_id), None)
        self.heads.pop((key, None), None)

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        key, version_id = arguments["Key"], arguments.get("VersionId")
        with self.calls.one("HeadObject", key):
            found = self.heads.get((key, version_id))
        if (key, version_id) in self.markers:
            time = self.markers[key, version_id or ""]
            headers = {} if time is None else {"last-modified": format_datetime(time, usegmt=True)}
            raise client_error(405, operation="HeadObject", headers=headers)
        if found is None:
            raise client_error(404, operation="HeadObject")
        return {**found, "ResponseMetadata": {"RequestId": str(len(self.calls.made))}}


_ACTION = re.compile(r"(#\d+) = (?:(:\d+)|if_not_exists\((#\d+), (:\d+)\))")


@dataclass
class FakeDynamoDB:
    """A table that understands SET name = value, SET name = if_not_exists(name, value) and REMOVE."""

    calls: Calls
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        key = (arguments["Key"]["object_id"]["S"], arguments["Key"]["version_id"]["S"])
        with self.calls.one("UpdateItem", key[0].split("/", 1)[1]):
            old = self.rows.get(key)
            self.rows[key] = self._updated({**(old or arguments["Key"])}, arguments)
        return {"Attributes": old} if old else {}

    def row(self, key: str, version_id: str) -> dict[str, Any]:
        """A row as plain values."""
        return {name: plain(value) for name, value in self.rows[f"{BUCKET}/{key}", version_id].items()}

    @staticmethod
    def _updated(row: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
        names, values = arguments["ExpressionAttributeNames"], arguments["ExpressionAttributeValues"]
        sets, _, removes = arguments["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
        for name, value, guarded, default in _ACTION.findall(sets):
            if value:
                row[names[name]] = values[value]
            else:
                assert name == guarded
                row.setdefault(names[name], values[default])
        for name in filter(None, removes.split(", ")):
            row.pop(names[name], None)
        return row


def plain(value: dict[str, Any]) -> Any:  # noqa: ANN401 - the value of any attribute
    """A plain value from DynamoDB's typed form."""
    [(kind, inner)] = value.items()
    match kind:
        case "N":
            return int(inner)
        case "M":
            return {name: plain(each) for name, each in inner.items()}
        case "S" | "BOOL":
            return inner
        case _:
            message = f"the function writes no attribute of type {kind}"
            raise AssertionError(message)


@dataclass
class Heard:
    """Telemetry that only remembers."""

    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def invocation(self, request_id: str) -> Iterator[Heard]:
        assert request_id
        yield self

    def received(self, event: object) -> None:
        """Nothing that a test of the logic asks about."""

    def note(self, message: str) -> None:
        self.notes.append(message)

    @contextmanager
    def record(self) -> Iterator[None]:
        yield

    @contextmanager
    def aws_call(self, service: str, operation: str) -> Iterator[None]:
        assert (service, operation) in {("S3", "HeadObject"), ("DynamoDB", "UpdateItem")}
        yield

    def report(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class World:
    """An indexer with everything around it."""

    def __init__(self, *, rng: float = 1.0) -> None:
        self.clock = Clock()
        self.calls = Calls(self.clock)
        self.s3 = FakeS3(self.calls)
        self.dynamodb = FakeDynamoDB(self.calls)
        self.heard = Heard()
        self.indexer = Indexer(
            bucket_name=BUCKET,
            deleted_retention_days=RETENTION_DAYS,
            storage=AwsStorage(s3=self.s3, dynamodb=self.dynamodb, bucket_name=BUCKET, table_name=TABLE),
            telemetry=self.heard,
            clock=self.clock,
            now=self.clock.now,
            sleep=self.clock.sleep,
            rng=lambda: rng,
        )

    def handle(self, event: object, *, seconds: float = 60.0, request_id: str = "request-1") -> dict[str, int]:
        """What the handler does with an event when it has this much time."""
        return self.indexer.handle(event, request_id=request_id, deadline=self.clock() + seconds)

    def deliver(self, event: object, *, seconds: float = 60.0) -> IndexingError | dict[str, int]:
        """The same, with the handler's error as an answer, which Lambda takes for its order to try again."""
        try:
            return self.handle(event, seconds=seconds)
        except IndexingError as error:
            return error
