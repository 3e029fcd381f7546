"""S3 event → rows: decides which version each record is about, what to read of it and what to write.

The steps of one record are in `Indexer._index`; the row itself is built in `metadata`.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lambda_code import metadata
from lambda_code.errors import IndexingError, PermanentError, Reason, RecordError
from lambda_code.events import NULL_VERSION, Kind, Record, Rejected, is_test_event, parse_event
from lambda_code.metadata import DeleteMarker
from lambda_code.outcome import Outcome, Result
from lambda_code.retry import ATTEMPT_SECONDS, RESERVE_SECONDS
from lambda_code.storage import RecordCalls, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_code.metadata import Attributes, HeadResult, Update
    from lambda_code.telemetry import Invocation, Telemetry

CALLS_PER_RECORD = 2  # HeadObject and UpdateItem; a version `null` needs each once more


@dataclass(frozen=True, kw_only=True)
class Indexer:
    """Indexes the events of one bucket."""

    bucket_name: str
    deleted_retention_days: int  # how long the row of a deleted version is kept; 0: for ever
    storage: Storage
    telemetry: Telemetry
    clock: Callable[[], float] = time.monotonic  # seconds; the clock of the deadlines
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def handle(self, event: object, *, request_id: str, deadline: float) -> dict[str, int]:
        """Index every record of an event.

        The time budget of a record is an equal part of the time that is left when it starts, so that a record whose
        calls hang does not use up the time of the others. It is never less than two calls may take, because an event
        of many records would otherwise fail without a call. Rejected records need no time and are reported last.

        Args:
            event: the S3 event notification.
            request_id: the id of this invocation.
            deadline: the time at which Lambda stops the function, in seconds of `clock`.

        Returns:
            How many records had each result.

        Raises:
            IndexingError: at least one record failed. Lambda then retries the event, and finally sends it to the
                failure queue.
        """
        with self.telemetry.invocation(request_id) as invocation:
            invocation.received(event)
            if is_test_event(event):
                invocation.note("s3:TestEvent answered: the bucket's notifications reach this function")
                return {}
            parsed = parse_event(event, bucket=self.bucket_name)
            records = [each for each in parsed if isinstance(each, Record)]
            outcomes = []
            for number, record in enumerate(records):
                remaining = deadline - RESERVE_SECONDS - self.clock()
                equal_part = max(remaining / (len(records) - number), CALLS_PER_RECORD * ATTEMPT_SECONDS)
                calls = RecordCalls(invocation=invocation, deadline=self.clock() + min(remaining, equal_part))
                outcomes.append(self._index_record(record, calls, request_id))
            outcomes += [
                _report_rejected(each, invocation, request_id) for each in parsed if isinstance(each, Rejected)
            ]
            _raise_if_any_failed(outcomes)
            return dict(Counter(outcome.result for outcome in outcomes))

    def _index_record(self, record: Record, calls: RecordCalls, request_id: str) -> Outcome:
        """Index one record and report the outcome, which holds the error if there is one: other records go on."""
        started, version_id, delay, error = self.clock(), record.version_id, None, None
        with calls.invocation.record():
            try:
                result, version_id = self._index(record, calls, request_id)
            except RecordError as failure:
                result, error = Result.FAILED, failure
            except Exception as bug:  # noqa: BLE001 - a bug fails its record, and is raised with the others at the end
                result, error = Result.FAILED, PermanentError(f"{type(bug).__name__}: {bug}", reason=Reason.INTERNAL)
                error.__cause__ = bug
            if result is Result.INDEXED and record.event_time:
                # the clocks of S3 and of Lambda may differ by a little: a delay is never negative
                delay = max(0.0, (self.now() - record.event_time).total_seconds() * 1000)
            outcome = Outcome(
                result=result,
                request_id=request_id,
                index=record.index,
                bucket=record.bucket,
                key=record.key,
                version_id=version_id,
                event_name=record.event_name,
                attempts=calls.attempts,
                retries=calls.retries,
                duration_ms=(self.clock() - started) * 1000,
                head_ms=calls.milliseconds["HeadObject"],
                write_ms=calls.milliseconds["UpdateItem"],
                indexing_delay_ms=delay,
                error=error,
            )
            calls.invocation.report(outcome)
        return outcome

    def _index(self, record: Record, calls: RecordCalls, request_id: str) -> tuple[Result, str | None]:
        """Read the version that a record is about, if the record alone does not say what to write, and write its row.

        A delete marker is recognised by the event's name (`Kind.MARKER_CREATED`), or by HEAD's status 405.

        The version `null` is the one version whose object can be replaced, also between the read and the write, and by
        two functions at once. So the row of `null` is written from HEAD, whatever the event reports, until two
        consecutive reads agree.

        Returns:
            The result, and the id of the version; None if the record names no version and there is no current one.
        """
        if record.kind is Kind.OTHER:
            return Result.IGNORED, record.version_id
        provenance = metadata.provenance_of(record, request_id=request_id, processed_at=self.now())
        version_id, head = record.version_id, None
        if version_id in (None, NULL_VERSION) or record.kind is Kind.CREATED:
            head = self.storage.head(record.key, version_id, calls)
        elif record.kind is Kind.MARKER_CREATED:
            head = DeleteMarker()  # not read: the event has the time of the marker
        if version_id is None:  # an event written by hand is about the current version, whatever its event name is
            if not isinstance(head, dict):
                return Result.GONE, None  # without a version there is no row
            version_id = head.get("VersionId") or NULL_VERSION
        changed = False
        while True:
            result, update = self._decide(record, version_id, head, provenance)
            changed |= self._write(result, update, record, calls)
            last_head = head
            if version_id == NULL_VERSION:
                head = self.storage.head(record.key, NULL_VERSION, calls)
            if head == last_head:
                return result if changed else Result.DUPLICATE, version_id

    def _decide(
        self, record: Record, version_id: str, head: HeadResult, provenance: Attributes
    ) -> tuple[Result, Update]:
        """Return the result of a record and the update of its row, given the head result of its version.

        A head result of None means that HEAD found nothing, or that the event is a deletion, which needs no HEAD.
        """
        if isinstance(head, DeleteMarker):
            return Result.DELETED, metadata.from_marker(record, head, version_id=version_id, provenance=provenance)
        if head is not None:
            return Result.INDEXED, metadata.from_head(record, head, provenance=provenance)
        if record.kind is Kind.CREATED:
            return Result.GONE, metadata.from_event(record, version_id=version_id, provenance=provenance)
        deletion = metadata.deletion_of(record, now=self.now(), retention_days=self.deleted_retention_days)
        if version_id == NULL_VERSION:
            return Result.DELETED, metadata.from_deletion_of_null(record, deletion, provenance=provenance)
        return Result.DELETED, metadata.from_deletion(record, deletion, version_id=version_id, provenance=provenance)

    def _write(self, result: Result, update: Update, record: Record, calls: RecordCalls) -> bool:
        """Write the update of a row; return whether it changed the row. GONE is always a change, never a duplicate."""
        old = self.storage.update(update, calls)
        existed = not old.keys().isdisjoint({"content_type", "delete_marker"})  # set only from HEAD
        if result is Result.GONE and update.version_id == NULL_VERSION and existed and "deleted_at" not in old:
            # The version existed and is deleted. If the row recorded that, a late event has since replaced the row.
            deletion = metadata.deletion_at(self.now(), retention_days=self.deleted_retention_days)
            restored = metadata.from_deletion(
                record, deletion, version_id=update.version_id, provenance=update.provenance
            )
            self.storage.update(restored, calls)
        return result is Result.GONE or update.changed(old)


def _report_rejected(rejected: Rejected, invocation: Invocation, request_id: str) -> Outcome:
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
