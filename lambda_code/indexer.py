"""Records → outcomes: the function's logic, with everything from outside handed in.

What becomes of an event is in `Indexer.handle`, what becomes of a record in `versions.Writer`.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lambda_code import metadata
from lambda_code.errors import IndexingError, PermanentError, Reason, RecordError
from lambda_code.events import Record, Rejected, is_test_event, parse_event
from lambda_code.retry import ATTEMPT_SECONDS, RESERVE_SECONDS, call_with_retry
from lambda_code.versions import Result, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

T = TypeVar("T")

CALLS_OF_A_RECORD = 2  # HeadObject and UpdateItem; about a version `null` one of each more


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one record, for the log, the metrics and the trace. Times in milliseconds."""

    result: Result
    request_id: str
    index: int | None = None  # None: the event as a whole
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    event_name: str | None = None
    attempts: int = 0  # of all AWS calls together
    retries: int = 0  # those of them that were not the first of their call
    duration_ms: float = 0.0
    head_ms: float = 0.0
    write_ms: float = 0.0
    indexing_delay_ms: float | None = None  # from the event's time to the row's write, of an indexed record
    error: RecordError | None = None

    @property
    def name(self) -> str:
        """How a failure is named in the error that the handler raises."""
        where = "the event" if self.index is None else f"record {self.index}"
        return where if self.key is None else f"{where} (key {self.key!r})"


class Storage(Protocol):
    """One attempt each; see `storage.AwsStorage`."""

    def head(self, key: str, version_id: str | None) -> metadata.Look:
        """What S3 says about a version."""

    def update(self, update: metadata.Update) -> Mapping[str, Any]:
        """Write to a row; return it as it was before."""


class Telemetry(Protocol):
    """What is told about the work; see `telemetry.Telemetry`."""

    def invocation(self, request_id: str) -> AbstractContextManager[Invocation]:
        """Around the handling of one event."""


class Invocation(Protocol):
    """What is told during the handling of one event."""

    def received(self, event: object) -> None:
        """Show the event as it came, to whoever looks for a fault."""

    def note(self, message: str) -> None:
        """Say something about the event as a whole."""

    def record(self) -> AbstractContextManager[None]:
        """Around the work on one record, its report included."""

    def aws_call(self, service: str, operation: str) -> AbstractContextManager[None]:
        """Around one attempt of one AWS call."""

    def report(self, outcome: Outcome) -> None:
        """Tell what became of a record."""


@dataclass(frozen=True, kw_only=True)
class Indexer:
    """Works on events about one bucket."""

    bucket_name: str
    deleted_retention_days: int  # how long the row of a deleted version is kept; 0: for ever
    storage: Storage
    telemetry: Telemetry
    clock: Callable[[], float] = time.monotonic  # seconds; deadlines are measured with it
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], None] = time.sleep
    rng: Callable[[], float] = random.random

    def handle(self, event: object, *, request_id: str, deadline: float) -> dict[str, int]:
        """Work on every record of an event before `deadline` (seconds of `clock`); return how many ended how.

        Each record has an equal share of the time that is left when its turn comes, so that one that hangs does not
        take the others with it; but never less than its two calls may take, or an event of many records would fail
        without a single call. What cannot be understood takes no time and is told last.

        Raises:
            IndexingError: some record failed. Lambda then tries the event again, and at last puts it in the queue.
        """
        with self.telemetry.invocation(request_id) as invocation:
            invocation.received(event)
            if is_test_event(event):
                invocation.note("s3:TestEvent answered: the bucket's notifications reach this function")
                return {}
            parsed = parse_event(event, bucket=self.bucket_name)
            records = [each for each in parsed if isinstance(each, Record)]
            outcomes = []
            for done, record in enumerate(records):
                left = deadline - RESERVE_SECONDS - self.clock()
                share = min(left, max(left / (len(records) - done), CALLS_OF_A_RECORD * ATTEMPT_SECONDS))
                work = _Work(self, invocation, record, request_id, deadline=self.clock() + share)
                outcomes.append(work.outcome())
            outcomes += [_rejected(each, invocation, request_id) for each in parsed if isinstance(each, Rejected)]
            _raise_if_any_failed(outcomes)
            return dict(Counter(outcome.result for outcome in outcomes))


class _Work:
    """The work on one record, with its AWS calls counted and timed."""

    def __init__(
        self, indexer: Indexer, invocation: Invocation, record: Record, request_id: str, *, deadline: float
    ) -> None:
        self._indexer = indexer
        self._invocation = invocation
        self._record = record
        self._request_id = request_id
        self._deadline = deadline
        self._attempts = 0
        self._retries = 0
        self._milliseconds = {"HeadObject": 0.0, "UpdateItem": 0.0}

    def outcome(self) -> Outcome:
        """Do the work and report it; an error becomes part of the outcome, so that the other records get their turn."""
        record, started = self._record, self._indexer.clock()
        with self._invocation.record():
            result, version_id, error = self._index_or_fail()
            delay = None
            if result is Result.INDEXED and record.event_time:
                # two clocks that differ by a little must not make a delay of less than nothing
                delay = max(0.0, (self._indexer.now() - record.event_time).total_seconds() * 1000)
            outcome = Outcome(
                result=result,
                request_id=self._request_id,
                index=record.index,
                bucket=record.bucket,
                key=record.key,
                version_id=version_id,
                event_name=record.event_name,
                attempts=self._attempts,
                retries=self._retries,
                duration_ms=(self._indexer.clock() - started) * 1000,
                head_ms=self._milliseconds["HeadObject"],
                write_ms=self._milliseconds["UpdateItem"],
                indexing_delay_ms=delay,
                error=error,
            )
            self._invocation.report(outcome)
        return outcome

    def _index_or_fail(self) -> tuple[Result, str | None, RecordError | None]:
        try:
            return *self._index(), None
        except RecordError as error:
            return Result.FAILED, self._record.version_id, error
        except Exception as bug:  # noqa: BLE001 - a bug fails its record, and is raised with the others at the end
            unforeseen = PermanentError(f"{type(bug).__name__}: {bug}", reason=Reason.INTERNAL)
            unforeseen.__cause__ = bug
            return Result.FAILED, self._record.version_id, unforeseen

    def _index(self) -> tuple[Result, str | None]:
        """What became of the record, and of which version."""
        indexer, record = self._indexer, self._record
        provenance = metadata.provenance_of(record, request_id=self._request_id, processed_at=indexer.now())
        return Writer(
            record=record,
            provenance=provenance,
            head=self._head,
            update=self._update,
            now=indexer.now,
            retention_days=indexer.deleted_retention_days,
        ).write()

    def _head(self, version_id: str | None) -> metadata.Look:
        storage, key = self._indexer.storage, self._record.key
        return self._call("S3", "HeadObject", lambda: storage.head(key, version_id))

    def _update(self, update: metadata.Update) -> Mapping[str, Any]:
        return self._call("DynamoDB", "UpdateItem", lambda: self._indexer.storage.update(update))

    def _call(self, service: str, operation: str, call: Callable[[], T]) -> T:
        """One AWS call, with its retries."""

        def attempt() -> T:
            with self._invocation.aws_call(service, operation):
                return call()

        indexer, started, attempts = self._indexer, self._indexer.clock(), 0
        try:
            answer = call_with_retry(
                attempt,
                name=operation,
                deadline=self._deadline,
                clock=indexer.clock,
                sleep=indexer.sleep,
                rng=indexer.rng,
            )
        except RecordError as error:
            attempts = error.attempts
            raise
        else:
            attempts = answer.attempts
            return answer.value
        finally:
            self._attempts += attempts
            self._retries += max(0, attempts - 1)
            self._milliseconds[operation] += (indexer.clock() - started) * 1000


def _rejected(rejected: Rejected, invocation: Invocation, request_id: str) -> Outcome:
    outcome = Outcome(result=Result.FAILED, request_id=request_id, index=rejected.index, error=rejected.error)
    with invocation.record():
        invocation.report(outcome)
    return outcome


def _raise_if_any_failed(outcomes: list[Outcome]) -> None:
    failures = [(outcome.name, outcome.error) for outcome in outcomes if outcome.error]
    if failures:
        errors = [error for _, error in failures]
        cause = errors[0] if len(errors) == 1 else ExceptionGroup("the records' own errors", errors)
        raise IndexingError(failures, records=len(outcomes)) from cause
