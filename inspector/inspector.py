"""Inspects the objects of changed rows: reads each object from S3, and writes its content into its row."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inspector.mismatch import is_mismatch
from inspector.outcome import InspectionOutcome, InspectionResult
from inspector.reader import BLOCK
from inspector.sandbox import FILE_SECONDS
from inspector.storage import EmptyObjectError, UnavailableObjectError
from inspector.stream import StreamRecord, parse_stream_record, records_of
from lambda_common.attributes import attribute_value
from lambda_common.calls import Calls, record_deadline
from lambda_common.errors import MalformedError, RecordError, TapStackError, internal_error
from lambda_common.retry import RESERVE_SECONDS

if TYPE_CHECKING:
    from inspector.facts import Content
    from inspector.sandbox import Sandbox
    from inspector.storage import ContentStorage
    from inspector.stream import StreamRow
    from inspector.telemetry import BatchTelemetry, InspectorTelemetry
    from lambda_common.attributes import Attributes

Response = dict[str, list[dict[str, str]]]


class InspectionError(TapStackError):
    """Error for an event in which a record has no sequence number, so that only the whole batch can fail."""


@dataclass(kw_only=True)
class InspectionCalls(Calls):
    """Time budget and measurements of one record, and the content of its object."""

    bytes_read: int = 0
    requests: int = 0
    content_encoding: str | None = None  # header Content-Encoding of the object
    content: Content | None = None
    mismatch: bool = False


@dataclass(frozen=True, kw_only=True)
class Inspector:
    """Writes the content of the objects of the stack's table."""

    storage: ContentStorage
    sandbox: Sandbox
    telemetry: InspectorTelemetry
    clock: Callable[[], float] = time.monotonic  # clock of all deadlines, in seconds
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def handle(self, event: object, *, request_id: str, deadline: float) -> Response:
        """Inspect the object of every record of a batch.

        The parsers of the last file may use FILE_SECONDS after the last call, so no time budget includes this time.

        Args:
            event: batch of records of a DynamoDB stream, as JSON values.
            request_id: Lambda's ID of this invocation.
            deadline: time at which Lambda stops the invocation, in seconds of `clock`.

        Returns:
            Lambda's partial batch response with the sequence numbers of all failed records.

        Raises:
            InspectionError: the event is not a batch of stream records, or a failed record has no sequence number.
                Lambda then retries the whole batch.
        """
        with self.telemetry.batch(request_id) as batch:
            try:
                records = records_of(event)
            except MalformedError as error:
                outcome = InspectionOutcome(result=InspectionResult.FAILED, request_id=request_id, error=error)
                batch.report(outcome)
                raise InspectionError(str(error)) from error
            if not records:
                batch.note("an event without records received: there is nothing to inspect")
            outcomes, end = [], deadline - RESERVE_SECONDS - FILE_SECONDS
            for index, raw in enumerate(records):
                record_end = record_deadline(end, now=self.clock(), records=len(records) - index)
                calls = InspectionCalls(invocation=batch, deadline=record_end)
                record = parse_stream_record(raw, index=index)
                outcomes.append(self._inspect_record(record, calls, batch, request_id))
            return _response(outcomes)

    def _inspect_record(
        self, record: StreamRecord, calls: InspectionCalls, batch: BatchTelemetry, request_id: str
    ) -> InspectionOutcome:
        """Inspect the object of one record and report the outcome. A failure does not affect the other records."""
        started, row, delay = self.clock(), record.row, None
        error: RecordError | None = record.error
        with batch.record():
            result = InspectionResult.FAILED if error else InspectionResult.SKIPPED
            try:
                if row and _needs_content(row):
                    result = self._inspect(row, calls)
            except RecordError as failure:
                result, error = InspectionResult.FAILED, failure
            except Exception as bug:  # noqa: BLE001 - a bug fails one record, and the other records are processed
                result, error = InspectionResult.FAILED, internal_error(bug)
            if result is InspectionResult.INSPECTED and row and row.upload_time and not record.direct:
                # The clocks of S3 and Lambda may differ slightly, so a negative delay is reported as zero.
                delay = max(0.0, (self.now() - row.upload_time).total_seconds() * 1000)
            outcome = InspectionOutcome(
                result=result,
                request_id=request_id,
                index=record.index,
                sequence_number=record.sequence_number,
                bucket=row.bucket if row else None,
                key=row.key if row else None,
                version_id=row.version_id if row else None,
                content=calls.content,
                mismatch=calls.mismatch,
                bytes_read=calls.bytes_read,
                requests=calls.requests,
                attempts=calls.attempts,
                retries=calls.retries,
                duration_ms=(self.clock() - started) * 1000,
                read_ms=calls.milliseconds["GetObject"],
                write_ms=calls.milliseconds["UpdateItem"],
                delay_ms=delay,
                error=error,
            )
            batch.report(outcome)
        return outcome

    def _inspect(self, row: StreamRow, calls: InspectionCalls) -> InspectionResult:
        """Describe the object of a row, and write its content."""
        try:
            content = calls.content = self._describe(row, calls)
        except UnavailableObjectError as error:
            return error.result
        calls.mismatch = "type" in content and is_mismatch(
            str(content["type"]),
            declared=row.content_type,
            extension=row.extension,
            content_encoding=calls.content_encoding,
        )
        attributes: Attributes = {"content": dict(content), "content_of": row.etag or ""}
        if calls.mismatch:
            attributes["mismatch"] = True
        previous = self.storage.write(row, attributes, calls)
        if previous is None:
            return InspectionResult.REPLACED
        known = previous.get("content_of") == attribute_value(row.etag or "")
        return InspectionResult.DUPLICATE if known else InspectionResult.INSPECTED

    def _describe(self, row: StreamRow, calls: InspectionCalls) -> Content:
        """Return the content of the object of a row.

        This method reads the first block before the sandbox receives the file, because an exception while the sandbox
        processes a file requires a new child process.

        Raises:
            UnavailableObjectError: S3 does not return the object, for a reason that is no failure.
        """

        def read(offset: int, length: int) -> bytes:
            data, calls.content_encoding = self.storage.read(row, offset, length, calls)
            calls.requests += 1
            calls.bytes_read += length
            return data

        def fetch(offset: int, length: int) -> bytes:
            return first if (offset, length) == (0, len(first)) else read(offset, length)

        size, first = row.size or 0, b""
        if size:
            try:
                first = read(0, min(BLOCK, size))
            except EmptyObjectError:
                size = 0
        return self.sandbox.describe(fetch, size=size)


def _needs_content(row: StreamRow) -> bool:
    """Return whether the inspector must describe the object of a row.

    A row without content type is about an object whose attributes S3 did not return to the indexer.
    """
    complete = None not in (row.etag, row.content_type, row.uploaded_at, row.size)
    return row.live and complete and row.content_of != row.etag


def _response(outcomes: list[InspectionOutcome]) -> Response:
    """Return Lambda's partial batch response.

    Raises:
        InspectionError: a failed record has no sequence number.
    """
    failures = [outcome for outcome in outcomes if outcome.error]
    unnamed = [outcome for outcome in failures if outcome.sequence_number is None]
    if unnamed:
        text = "; ".join(f"record {outcome.index}: {outcome.error}" for outcome in unnamed)
        message = f"{len(unnamed)} of {len(outcomes)} records have no sequence number: {text}"
        raise InspectionError(message) from unnamed[0].error
    return {"batchItemFailures": [{"itemIdentifier": outcome.sequence_number or ""} for outcome in failures]}
