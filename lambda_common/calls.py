"""AWS calls of one record: the attempts of each call, its retries, its duration, and its traces."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_common.clients import create_clients
from lambda_common.retry import ATTEMPT_SECONDS, DEFAULT_POLICY, RetryPolicy, call_with_retry

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from lambda_common.settings import FunctionSettings
    from lambda_common.telemetry import InvocationTelemetry

T = TypeVar("T")

# Most records require one request to S3 and one UpdateItem request. A version ID `null` may require two more requests.
CALLS_PER_RECORD = 2


def record_deadline(end: float, *, now: float, records: int) -> float:
    """Return the time at which the last AWS call of the next record must have ended.

    The time budget of a record is an equal part of the remaining time, so that a record whose calls hang does not use
    the time of the other records. The budget always allows two calls, because an event with many records would
    otherwise fail without any call.

    Args:
        end: time at which the last AWS call of all records must have ended, in seconds.
        now: current time, in seconds.
        records: number of the remaining records, including the next record.
    """
    remaining = end - now
    return now + min(remaining, max(remaining / records, CALLS_PER_RECORD * ATTEMPT_SECONDS))


@dataclass(kw_only=True)
class Calls:
    """Time budget and measurements of the AWS calls of one record."""

    invocation: InvocationTelemetry  # X-Ray tracing and reports of the current invocation
    deadline: float  # time at which the last AWS call must have ended, as a reading of `Caller.clock` in seconds
    attempts: int = 0
    retries: int = 0  # number of attempts after the first attempt of each AWS call
    milliseconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))  # by operation


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Base class of the storage of a function: makes AWS calls with deadline, retries and measurements."""

    s3: Any  # Botocore creates client methods at run time, so they have no static types.
    dynamodb: Any
    bucket_name: str  # bucket of the stack; the function has the permission to decrypt all its objects
    table_name: str
    clock: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep
    rng: Callable[[], float] = random.random
    policy: RetryPolicy = DEFAULT_POLICY

    @classmethod
    def connect(cls, settings: FunctionSettings) -> Self:
        """Create the S3 and DynamoDB clients, without a connection. This takes 0.25 s of CPU time."""
        s3, dynamodb = create_clients()
        return cls(s3=s3, dynamodb=dynamodb, bucket_name=settings.bucket_name, table_name=settings.table_name)

    def call(
        self, service: str, operation: str, attempt: Callable[[], T], calls: Calls, *, measured_as: str | None = None
    ) -> T:
        """Make one AWS call, with one or more attempts.

        Args:
            service: name of the AWS service in the trace map, such as "S3".
            operation: name of the API operation, such as "HeadObject".
            attempt: makes one attempt.
            calls: time budget and measurements of the record; this method adds to the measurements.
            measured_as: operation whose duration includes the duration of this call; by default, its own operation.

        Returns:
            The result of `attempt`.

        Raises:
            PermanentError, TransientError: see `retry.call_with_retry`.
        """

        def counted() -> T:
            calls.attempts += 1
            with calls.invocation.aws_call(service, operation):
                return attempt()

        started, attempts = self.clock(), calls.attempts
        try:
            return call_with_retry(
                counted,
                name=operation,
                deadline=calls.deadline,
                clock=self.clock,
                sleep=self.sleep,
                rng=self.rng,
                policy=self.policy,
            )
        finally:
            calls.retries += max(0, calls.attempts - attempts - 1)
            calls.milliseconds[measured_as or operation] += (self.clock() - started) * 1000
