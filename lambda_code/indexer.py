"""Indexes S3 events: identifies the object version of each record, reads it from S3, and writes its row.

The method `Indexer._index` contains the steps for one record. The module `metadata` builds the row.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lambda_code import metadata
from lambda_code.errors import IndexingError, PermanentError, Reason, RecordError
from lambda_code.events import NULL_VERSION, Kind, Record, Rejected, is_test_event, parse_event
from lambda_code.head_result import DeleteMarker, Unreadable
from lambda_code.outcome import Outcome, Result
from lambda_code.retry import ATTEMPT_SECONDS, RESERVE_SECONDS
from lambda_code.storage import RecordCalls, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_code.head_result import HeadResult
    from lambda_code.metadata import Attributes, Update
    from lambda_code.telemetry import Invocation, Telemetry

# A record requires one HeadObject and one UpdateItem request. The version ID `null` may require two more requests.
CALLS_PER_RECORD = 2


@dataclass(frozen=True, kw_only=True)
class Indexer:
    """Writes the rows for the S3 events of one bucket."""

    bucket_name: str
    deleted_retention_days: int  # days until the row of a deleted version expires; 0 disables expiry
    storage: Storage
    telemetry: Telemetry
    clock: Callable[[], float] = time.monotonic  # clock of all deadlines, in seconds
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def handle(self, event: object, *, request_id: str, deadline: float) -> dict[str, int]:
        """Index every record of an event.

        The time budget of a record is an equal part of the remaining time, so that a record whose calls hang does not
        use the time of the other records. The budget always allows two calls, because an event with many records would
        otherwise fail without any call. Rejected records are reported last.

        Args:
            event: the S3 event notification, as JSON values.
            request_id: Lambda's ID of this invocation.
            deadline: time at which Lambda stops the invocation, in seconds of `clock`.

        Returns:
            The number of records by result.

        Raises:
            IndexingError: at least one record failed. Lambda then retries the event, and finally sends it to the
                failure queue.
        """
        with self.telemetry.invocation(request_id) as invocation:
            invocation.received(event)
            if is_test_event(event):
                invocation.note("s3:TestEvent received: the bucket's notifications reach this function")
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
        """Index one record and report its outcome. A failure does not affect the other records."""
        started, version_id, delay, error = self.clock(), record.version_id, None, None
        with calls.invocation.record():
            try:
                result, version_id = self._index(record, calls, request_id)
            except RecordError as failure:
                result, error = Result.FAILED, failure
            except Exception as bug:  # noqa: BLE001 - a bug fails one record, and is raised after the last record
                result, error = Result.FAILED, PermanentError(f"{type(bug).__name__}: {bug}", reason=Reason.INTERNAL)
                error.__cause__ = bug
            if result is Result.INDEXED and record.event_time:
                # The clocks of S3 and Lambda may differ slightly, so a negative delay is reported as zero.
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
        """Write the row of a record, and read its object version first if the record does not have all attributes.

        A delete marker is identified by the event name (`Kind.MARKER_CREATED`) or by HEAD (status 405 and a header).

        Only an object with the version ID `null` can be replaced, even between the read and the write, or by two
        concurrent invocations. Its row is therefore written from HEAD for every kind of event, and again until two
        consecutive reads return the same result.

        Returns:
            The result and the version ID, which is None if the record has none and the object has no current version.
        """
        if record.kind is Kind.OTHER:
            return Result.IGNORED, record.version_id
        provenance = metadata.provenance_of(record, request_id=request_id, processed_at=self.now())
        version_id, head = record.version_id, None
        if version_id in (None, NULL_VERSION) or record.kind is Kind.CREATED:
            head = self.storage.head(record.key, version_id, calls)
        elif record.kind is Kind.MARKER_CREATED:
            head = DeleteMarker()  # A HEAD is not necessary, because the event contains the time of the delete marker.
        if version_id is None:  # A handwritten event is about the current version, regardless of its event name.
            if not isinstance(head, dict):
                return Result.GONE, None  # A row requires a version ID.
            version_id = head.get("VersionId") or NULL_VERSION
        changed = False
        while True:
            result, update = self._decide(record, version_id, head, provenance)
            changed |= self._write(result, update, record, calls, missing=head is None)
            last_head = head
            if version_id == NULL_VERSION:
                head = self.storage.head(record.key, NULL_VERSION, calls)
            if head == last_head:
                return result if changed else Result.DUPLICATE, version_id

    def _decide(
        self, record: Record, version_id: str, head: HeadResult, provenance: Attributes
    ) -> tuple[Result, Update]:
        """Return the result of a record and the update of its row.

        The head result is None if HEAD returned 404, or if the event is a deletion, which requires no HEAD.
        """
        if isinstance(head, DeleteMarker):
            return Result.DELETED, metadata.from_marker(record, head, version_id=version_id, provenance=provenance)
        if isinstance(head, Unreadable):
            return self._decide_unreadable(record, version_id, head, provenance)
        if head is not None:
            return Result.INDEXED, metadata.from_head(record, head, provenance=provenance)
        if record.kind is Kind.CREATED:
            return Result.GONE, metadata.from_event(record, version_id=version_id, provenance=provenance)
        deletion = metadata.deletion_of(record, now=self.now(), retention_days=self.deleted_retention_days)
        if version_id == NULL_VERSION:
            return Result.DELETED, metadata.from_deletion_of_null(record, deletion, provenance=provenance)
        return Result.DELETED, metadata.from_deletion(record, deletion, version_id=version_id, provenance=provenance)

    @staticmethod
    def _decide_unreadable(
        record: Record, version_id: str, head: Unreadable, provenance: Attributes
    ) -> tuple[Result, Update]:
        """Return the result of a record and the update of its row, for an object whose attributes S3 does not return.

        An event about a deletion reports an earlier object of the version `null`, so its attributes are not written.
        Any event about this version can report an earlier object, so its sequencer is not written.
        """
        if version_id == NULL_VERSION:
            provenance = {name: value for name, value in provenance.items() if name != "sequencer"}
        if record.kind is not Kind.CREATED:
            record = replace(record, size=None, etag=None, event_time=None)
        update = metadata.from_event(
            record, version_id=version_id, provenance=provenance, customer_key=head.customer_key
        )
        return Result.INDEXED if head.customer_key else Result.GONE, update

    def _write(self, result: Result, update: Update, record: Record, calls: RecordCalls, *, missing: bool) -> bool:
        """Write one row to DynamoDB. Return True if this changed the row, and always for the result `Result.GONE`.

        `missing` is whether HEAD found no version. An unreadable version is not missing.
        """
        old = self.storage.update(update, calls)
        existed = not old.keys().isdisjoint({"content_type", "delete_marker"})  # attributes that only HEAD returns
        if (
            missing
            and result is Result.GONE
            and update.version_id == NULL_VERSION
            and existed
            and "deleted_at" not in old
        ):
            # The version existed and was deleted. A late event may have replaced the row that recorded the deletion.
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
        cause = errors[0] if len(errors) == 1 else ExceptionGroup("several records of the event failed", errors)
        raise IndexingError(failures, records=len(outcomes)) from cause
