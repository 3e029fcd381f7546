"""Logs, metrics and traces: the only module that knows Powertools and the X-Ray SDK.

* Logs: one JSON line per record on standard output, in Powertools' format. User metadata is never logged.
* Metrics: CloudWatch's embedded metric format, at most a line per event and one per reason of failure.
* Traces: below the segment that Lambda makes, a subsegment for the whole execution, in it one per record (with bucket,
  key and outcome as annotations), in that one per attempt of an AWS call. Nothing is traced that Lambda did not sample.

The X-Ray SDK is imported only where a daemon is there to send to. Whatever goes wrong in tracing is logged and costs
the trace, never the row.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections import Counter
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from lambda_code.errors import Reason
from lambda_code.retry import reason_for
from lambda_code.versions import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_xray_sdk.core.models.entity import Entity
    from aws_xray_sdk.core.recorder import AWSXRayRecorder

    from lambda_code.indexer import Outcome
    from lambda_code.settings import Settings

METRICS = {
    Result.INDEXED: "ObjectsIndexed",
    Result.DUPLICATE: "ObjectsDuplicate",
    Result.DELETED: "ObjectsDeleted",
    Result.GONE: "ObjectsGone",
}

# https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-annotations
MAX_ANNOTATION_CHARACTERS = 1000
MAX_ANNOTATED_RECORDS = 16  # X-Ray indexes 50 annotations of a trace, and a record has three
MAX_HELD = 10  # subsegments; with the longest keys, all of it escaped, they take 58 of a datagram's 65 KB

EXECUTION = "## lambda_handler"  # the name that Powertools gave it


class Telemetry:
    """What outlives an event: the logger and the trace recorder."""

    def __init__(self, settings: Settings, *, stream: IO[str] | None = None) -> None:
        self._settings = settings
        self._stream = stream or sys.stdout
        self._logger = _logger(settings, self._stream)
        self._recorder = self._make_recorder() if settings.tracing else None

    @contextmanager
    def invocation(self, request_id: str) -> Iterator[Invocation]:
        """Around the handling of one event: its trace, and its metrics at the end, however it ends."""
        tracer = _Tracer(self._recorder)
        invocation = Invocation(self._settings, self._logger, self._stream, tracer, request_id)
        try:
            with tracer.subsegment(EXECUTION):
                yield invocation
        finally:
            invocation.publish_metrics()

    def _make_recorder(self) -> AWSXRayRecorder | None:
        try:
            return _xray_recorder()
        except Exception:  # whatever is wrong with the SDK or with its daemon's address, rows get written
            self._logger.warning("no traces: the X-Ray SDK cannot be used", exc_info=True)
            return None


class Invocation:
    """What is told during the handling of one event; see `indexer.Invocation`."""

    def __init__(
        self, settings: Settings, logger: logging.Logger, stream: IO[str], tracer: _Tracer, request_id: str
    ) -> None:
        self._settings = settings
        self._logger = logger
        self._stream = stream
        self._tracer = tracer
        self._request_id = request_id
        self._annotated = 0
        self._counts: Counter[str] = Counter()
        self._failures: Counter[Reason] = Counter()
        self._delays: list[float] = []

    def received(self, event: object) -> None:
        """Log the event whole, at DEBUG: what S3 sends has no user metadata in it."""
        self._logger.debug("event", extra={"event": event, "request_id": self._request_id})

    def note(self, message: str) -> None:
        """Log a line about the event as a whole."""
        self._logger.info(message, extra={"request_id": self._request_id})

    @contextmanager
    def record(self) -> Iterator[None]:
        """A subsegment around the work on one record."""
        with self._tracer.subsegment("index record"):
            yield

    @contextmanager
    def aws_call(self, service: str, operation: str) -> Iterator[None]:
        """A subsegment around one attempt of one AWS call, which the trace map shows as that service."""
        with self._tracer.subsegment(service, namespace="aws", aws={"operation": operation}):
            yield

    def report(self, outcome: Outcome) -> None:
        """Log, count and annotate what became of a record."""
        self._log(outcome)
        self._count(outcome)
        if self._annotated < MAX_ANNOTATED_RECORDS:
            self._annotated += 1
            self._tracer.annotate(bucket=outcome.bucket, key=outcome.key, outcome=outcome.result.value)
        if outcome.error:
            self._tracer.fail(outcome.error)

    def publish_metrics(self) -> None:
        """Write the embedded metrics of this event."""
        if self._counts:
            metrics = self._provider()
            for name, count in self._counts.items():
                metrics.add_metric(name, "Count", count)
            for delay in self._delays:
                metrics.add_metric("IndexingDelay", "Milliseconds", delay)
            self._write(metrics)
        for reason, count in self._failures.items():
            # [service] for how many, [service, reason] for why
            metrics = self._provider()
            metrics.add_dimensions(service=self._settings.service, reason=reason.value)
            metrics.add_metric("ObjectsFailed", "Count", count)
            self._write(metrics)

    def _log(self, outcome: Outcome) -> None:
        fields: dict[str, Any] = {
            "outcome": outcome.result.value,
            "bucket": outcome.bucket,
            "key": outcome.key,
            "version_id": outcome.version_id,
            "event_name": outcome.event_name,
            "record": outcome.index,
            "attempts": outcome.attempts,
            "retries": outcome.retries,
            "duration_ms": round(outcome.duration_ms, 3),
            "head_ms": round(outcome.head_ms, 3),
            "write_ms": round(outcome.write_ms, 3),
            "indexing_delay_ms": outcome.indexing_delay_ms,
            "request_id": outcome.request_id,
        }
        if outcome.error is None:
            self._logger.info(outcome.result.value, extra=fields)
            return
        error = outcome.error
        fields |= {"reason": error.reason.value, "error": str(error), "field": error.field}
        # only a failure that nobody foresaw needs to be found in the code
        exc_info = error if error.reason is Reason.INTERNAL else None
        self._logger.error(outcome.result.value, extra=fields, exc_info=exc_info)

    def _count(self, outcome: Outcome) -> None:
        if outcome.result in METRICS:
            self._counts[METRICS[outcome.result]] += 1
        if outcome.retries:
            self._counts["SdkRetries"] += outcome.retries
        if outcome.indexing_delay_ms is not None:
            self._delays.append(outcome.indexing_delay_ms)
        if outcome.error:
            self._failures[outcome.error.reason] += 1

    def _provider(self) -> AmazonCloudWatchEMFProvider:
        """A fresh one for each line: it gathers one set of metrics, and the class above it shares that between all."""
        return AmazonCloudWatchEMFProvider(
            namespace=self._settings.metrics_namespace, default_dimensions={"service": self._settings.service}
        )

    def _write(self, metrics: AmazonCloudWatchEMFProvider) -> None:
        if metrics.metric_set:  # it writes a line by itself when a metric has 100 values, and may have nothing left
            print(json.dumps(metrics.serialize_metric_set(), separators=(",", ":")), file=self._stream, flush=True)


class _Tracer:
    """Subsegments below Lambda's own segment, for one event; none at all if Lambda did not sample it."""

    def __init__(self, recorder: AWSXRayRecorder | None) -> None:
        if recorder is not None:
            recorder.clear_trace_entities()  # those that an event left behind whose handling was cut off
        self._recorder = recorder if recorder is not None and recorder.is_sampled() else None

    @contextmanager
    def subsegment(self, name: str, *, namespace: str = "local", aws: dict[str, str] | None = None) -> Iterator[None]:
        if self._recorder is None:
            yield
            return
        subsegment = self._recorder.begin_subsegment(name, namespace)
        if aws:
            subsegment.set_aws(aws)
        try:
            yield
        except Exception as error:
            self.fail(error)
            raise
        finally:
            self._recorder.end_subsegment()

    def annotate(self, **annotations: str | None) -> None:
        if self._recorder is not None:
            for name, value in annotations.items():
                if value is not None:
                    self._recorder.put_annotation(name, value[:MAX_ANNOTATION_CHARACTERS])

    def fail(self, error: Exception) -> None:
        """Mark the current subsegment as failed, with the error."""
        if self._recorder is not None:
            stack = traceback.extract_tb(error.__traceback__, limit=self._recorder.max_trace_back)
            subsegment = self._recorder.current_subsegment()
            subsegment.add_exception(error, stack)
            if reason_for(error) is Reason.THROTTLED:
                subsegment.add_throttle_flag()


def _logger(settings: Settings, stream: IO[str]) -> logging.Logger:
    """A logger of our own: one in logging's registry would be shared with whoever asks for the same name."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        LambdaPowertoolsFormatter(
            log_record_order=["level", "message", "timestamp"],
            utc=True,
            use_rfc3339=True,
            location=None,  # always this module
            service=settings.service,
        )
    )
    logger = logging.Logger(settings.service, settings.log_level)  # noqa: LOG001 - see above
    logger.addHandler(handler)
    return logger


def _xray_recorder() -> AWSXRayRecorder:
    """A recorder that takes its segment from Lambda's trace header, anew for each event."""
    from aws_xray_sdk.core.lambda_launcher import LambdaContext  # noqa: PLC0415 - costly; only where it is used
    from aws_xray_sdk.core.recorder import AWSXRayRecorder  # noqa: PLC0415
    from aws_xray_sdk.core.streaming.default_streaming import DefaultStreaming  # noqa: PLC0415

    class OncePerEvent(LambdaContext):  # type: ignore[misc] # the SDK has no types
        """Reads the header when an event begins, which clears what is kept; not fourteen times until it ends."""

        def _refresh_context(self) -> None:
            if not hasattr(self._local, "segment"):
                super()._refresh_context()

    class TreeByTree(DefaultStreaming):  # type: ignore[misc] # as above
        """Sends an ordinary event whole when it is done, a datagram for four; trouble, and much, as it comes."""

        def is_eligible(self, segment: Entity) -> bool:
            done = not any(each.in_progress for each in segment.subsegments)
            return segment.sampled and (done or super().is_eligible(segment) or _has_failed(segment))

    recorder = AWSXRayRecorder()
    recorder.configure(context=OncePerEvent(), streaming=TreeByTree(MAX_HELD))
    return recorder


def _has_failed(entity: Entity) -> bool:
    return any(getattr(each, "fault", False) or _has_failed(each) for each in entity.subsegments)
