"""Indexes S3 events: identifies the object version of each record, reads it from S3, and writes its row.

The methods `Indexer._read` and `Indexer._write` are the steps for one record. The module `metadata` builds the row.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambda_code import metadata
from lambda_code.errors import IndexingError
from lambda_code.events import NULL_VERSION, Kind, Record, Rejected, is_test_event, parse_event
from lambda_code.head_result import DeleteMarker, Unreadable
from lambda_code.outcome import Outcome, Result
from lambda_code.storage import RecordCalls, Storage
from lambda_code.update import CUSTOMER_KEY, DELETION_ATTRIBUTES
from lambda_common.calls import record_deadline
from lambda_common.errors import RecordError, internal_error
from lambda_common.retry import RESERVE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambda_code.head_result import HeadResult
    from lambda_code.settings import Bucket
    from lambda_code.telemetry import Invocation, Telemetry
    from lambda_code.update import Update
    from lambda_common.attributes import Attributes


@dataclass(frozen=True, kw_only=True)
class Indexer:
    """Writes the rows for the S3 events of the indexed buckets."""

    buckets: Mapping[str, Bucket]  # indexed buckets by name
    deleted_retention_days: int  # days until the row of a deleted version expires; 0 disables expiry
    storage: Storage
    telemetry: Telemetry
    clock: Callable[[], float] = time.monotonic  # clock of all deadlines, in seconds
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def handle(self, event: object, *, request_id: str, deadline: float) -> dict[str, int]:
        """Index every record of an event. Rejected records are reported last.

        Args:
            event: the S3 event notification, or the S3 event from EventBridge, as JSON values.
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
            parsed = parse_event(event, buckets=self.buckets)
            records = [each for each in parsed if isinstance(each, Record)]
            outcomes, end = [], deadline - RESERVE_SECONDS
            for number, record in enumerate(records):
                record_end = record_deadline(end, now=self.clock(), records=len(records) - number)
                calls = RecordCalls(invocation=invocation, deadline=record_end)
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
                if record.kind is Kind.OTHER:
                    result = Result.IGNORED
                else:
                    provenance = metadata.provenance_of(record, request_id=request_id, processed_at=self.now())
                    version_id, head = self._read(record, provenance, calls)
                    result = self._write(record, version_id, head, provenance, calls)
            except RecordError as failure:
                result, error = Result.FAILED, failure
            except Exception as bug:  # noqa: BLE001 - a bug fails one record, and is raised after the last record
                result, error = Result.FAILED, internal_error(bug)
            # The time of an event without a version ID may be unrelated to the current version, which is then indexed.
            same_version = version_id in (record.version_id, NULL_VERSION)
            if result is Result.INDEXED and record.event_time and same_version and record.measured:
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
                unreadable=calls.unreadable,
                error=error,
            )
            calls.invocation.report(outcome)
        return outcome

    def _read(self, record: Record, provenance: Attributes, calls: RecordCalls) -> tuple[str | None, HeadResult]:
        """Identify the object version of a record, and read it if the record does not have all attributes.

        S3 omits the version ID `null`. A record without version ID is therefore about this version, if HEAD finds it or
        if versioning was never enabled. Otherwise the version may never have existed: a creation is then about the
        current version, and a deletion only changes an existing row. A handwritten record without version ID is about
        the current version, regardless of its event name.

        Returns:
            The version ID, which is None if the record has none and HEAD returns no current version; and the head
            result, which is also None if the event is a deletion, which requires no HEAD.
        """
        version_id, head = NULL_VERSION if record.may_be_null_version else record.version_id, None
        if version_id in (None, NULL_VERSION) or record.kind is Kind.CREATED:
            head = self.storage.head(record.bucket, record.key, version_id, calls)
        elif record.kind is Kind.MARKER_CREATED:
            head = DeleteMarker()  # A HEAD is not necessary, because the event contains the time of the delete marker.
        if head is None and record.kind is Kind.CREATED and record.may_be_null_version and self._versioned(record):
            # An earlier attempt may have written the row of a version `null` that was then deleted, and may have failed
            # before it read the version again.
            _, update = self._decide(record, NULL_VERSION, None, provenance)
            if self.storage.update(update, calls) is not None:
                head = self.storage.head(record.bucket, record.key, NULL_VERSION, calls)
            if head is None:
                version_id, head = None, self.storage.head(record.bucket, record.key, None, calls)
        if version_id is None and isinstance(head, dict):
            version_id = head.get("VersionId") or NULL_VERSION
        return version_id, head

    def _write(
        self, record: Record, version_id: str | None, head: HeadResult, provenance: Attributes, calls: RecordCalls
    ) -> Result:
        """Write the row of an object version.

        Only an object with the version ID `null` can be replaced, even between the read and the write, or by two
        concurrent invocations. Its row is therefore written from HEAD for every kind of event, and again until two
        consecutive reads return the same result.
        """
        if version_id is None:
            return Result.GONE  # A row requires a version ID.
        changed = False
        while True:
            result, update = self._decide(record, version_id, head, provenance)
            old = self.storage.update(update, calls)
            if old is None:
                return Result.GONE
            changed |= self._has_changed(result, update, old, record, calls, missing=head is None)
            last_head = head
            if version_id == NULL_VERSION:
                head = self.storage.head(record.bucket, record.key, NULL_VERSION, calls)
            if head == last_head:
                return result if changed else Result.DUPLICATE

    def _decide(
        self, record: Record, version_id: str, head: HeadResult, provenance: Attributes
    ) -> tuple[Result, Update]:
        """Return the result of a record and the update of its row.

        A delete marker is identified by the event name (`Kind.MARKER_CREATED`) or by HEAD (status 405 and a header).
        The head result is None if HEAD returned 404, or if the event is a deletion, which requires no HEAD.
        """
        if isinstance(head, DeleteMarker):
            return Result.DELETED, metadata.from_marker(record, head, version_id=version_id, provenance=provenance)
        if isinstance(head, Unreadable):
            return self._decide_unreadable(record, version_id, head, provenance)
        if head is not None:
            return Result.INDEXED, metadata.from_head(record, head, provenance=provenance)
        only_existing = record.may_be_null_version and self._versioned(
            record
        )  # The version `null` may never have existed.
        if record.kind is Kind.CREATED and only_existing:
            return Result.GONE, replace(self._deletion_of_null(record, provenance), only_existing=True)
        if record.kind is Kind.CREATED:
            return Result.GONE, metadata.from_event(record, version_id=version_id, provenance=provenance)
        deletion = metadata.deletion_of(record, now=self.now(), retention_days=self.deleted_retention_days)
        if version_id == NULL_VERSION:
            update = metadata.from_deletion_of_null(record, deletion, provenance=provenance)
        else:
            update = metadata.from_deletion(record, deletion, version_id=version_id, provenance=provenance)
        return Result.DELETED, replace(update, only_existing=only_existing)

    def _decide_unreadable(
        self, record: Record, version_id: str, head: Unreadable, provenance: Attributes
    ) -> tuple[Result, Update]:
        """Return the result of a record and the update of its row, for an object whose attributes S3 does not return.

        An event about a deletion reports an earlier object of the version `null`, and an event without a version ID can
        report another version, so the attributes of such events are not written. Any event about the version `null` can
        report an earlier object, so its sequencer is not written. A deletion in the row is removed, because the version
        exists.
        """
        if record.kind is not Kind.CREATED or (record.may_be_null_version and self._versioned(record)):
            record = replace(record, size=None, etag=None, event_time=None)
        if version_id == NULL_VERSION:
            provenance = {name: value for name, value in provenance.items() if name != "sequencer"}
        update = metadata.from_event(record, version_id=version_id, provenance=provenance, encryption=head.encryption)
        if version_id == NULL_VERSION and not update.replace:
            update = replace(update, absent=DELETION_ATTRIBUTES)
        # A later read can complete the row of an object with a KMS key, so only this read counts as indexed.
        return Result.INDEXED if head.encryption == CUSTOMER_KEY else Result.GONE, update

    def _versioned(self, record: Record) -> bool:
        """Return whether versioning was ever enabled for the bucket of a record."""
        return self.buckets[record.bucket].versioned

    def _has_changed(
        self,
        result: Result,
        update: Update,
        old: Mapping[str, Any],
        record: Record,
        calls: RecordCalls,
        *,
        missing: bool,
    ) -> bool:
        """Return True if an update changed its row, and always for the result `Result.GONE`.

        `missing` is whether HEAD found no version. An unreadable version is not missing.
        """
        # A row has these attributes only after a HEAD request that found the version.
        existed = not old.keys().isdisjoint({"content_type", "delete_marker", "encryption"})
        unrecorded = missing and existed and "deleted_at" not in old and not update.only_existing
        if result is Result.GONE and update.version_id == NULL_VERSION and unrecorded:
            # The version existed and was deleted. A late event may have replaced the row that recorded the deletion.
            self.storage.update(self._deletion_of_null(record, update.provenance), calls)
        return result is Result.GONE or update.changed(old)

    def _deletion_of_null(self, record: Record, provenance: Attributes) -> Update:
        """Return the update for a version `null` that HEAD did not find, and whose deletion event is unknown."""
        deletion = metadata.deletion_at(self.now(), retention_days=self.deleted_retention_days)
        return metadata.from_deletion(record, deletion, version_id=NULL_VERSION, provenance=provenance)


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
