"""Retries: which errors are retried, how long to wait, and a small loop that keeps to a deadline.

This is the only layer that retries: two layers would multiply, so botocore makes a single attempt (see `storage`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import (
    ChecksumError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, of which Python's is no relative
    HTTPClientError,
)

from lambda_code.errors import PermanentError, Reason, RecordError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Seconds. A HEAD or a single-row write takes tens of milliseconds; a longer wait than this does not help.
CONNECT_SECONDS = 1.0
READ_SECONDS = 3.0
ATTEMPT_SECONDS = CONNECT_SECONDS + READ_SECONDS  # the worst case of one attempt
RESERVE_SECONDS = 1.0  # kept at the end of an invocation, to log, count and raise what failed

BASE_DELAY_SECONDS = (
    0.1  # longer than a usual call, so that a short overload may have ended, and short enough for users
)
# Both from docs/capacity.md. Events whose calls give up early go to the failure queue, although a table that is only
# busy would have accepted every write. Longer waits cause fewer requests that a busy table refuses.
MAX_DELAY_SECONDS = 20.0
MAX_ATTEMPTS = 100  # a safety limit: at ten seconds a wait on average, the function times out before

# Codes of errors that ask the client to slow down (botocore/retries/standard.py has the same list).
THROTTLED_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
UNAVAILABLE_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# For responses without an error code: a HEAD has no body. S3 sends 503 for "Slow Down".
REASON_BY_STATUS = {
    401: Reason.DENIED,
    403: Reason.DENIED,
    408: Reason.UNAVAILABLE,
    429: Reason.THROTTLED,
    500: Reason.UNAVAILABLE,
    502: Reason.UNAVAILABLE,
    503: Reason.THROTTLED,
    504: Reason.UNAVAILABLE,
}
TRANSIENT_REASONS = frozenset({Reason.THROTTLED, Reason.UNAVAILABLE})


def reason_for(error: BaseException) -> Reason:
    """Classify an error of an AWS call: by its error code, else by its HTTP status, else by its type."""
    if isinstance(error, RecordError):
        return error.reason
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        for codes, reason in (
            (THROTTLED_CODES, Reason.THROTTLED),
            (UNAVAILABLE_CODES, Reason.UNAVAILABLE),
            (DENIED_CODES, Reason.DENIED),
        ):
            if code in codes:
                return reason
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return REASON_BY_STATUS.get(status, Reason.INTERNAL)
    if isinstance(error, ConnectionError | HTTPClientError | ChecksumError):
        return Reason.UNAVAILABLE  # time-outs, resets, names that do not resolve, broken responses
    return Reason.INTERNAL


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed on another attempt."""
    return reason_for(error) in TRANSIENT_REASONS


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Limits of the attempts and the waits (seconds) of one call. The defaults are the indexer's."""

    wait_base: float = BASE_DELAY_SECONDS
    wait_max: float = MAX_DELAY_SECONDS
    attempts: int = MAX_ATTEMPTS


DEFAULT_POLICY = RetryPolicy()


def backoff_delay(attempt: int, *, rng: Callable[[], float], policy: RetryPolicy = DEFAULT_POLICY) -> float:
    """Seconds to wait after the failed attempt number `attempt` (1 is the first); `rng` draws from [0, 1).

    "Full jitter": random_between(0, min(cap, base * 2 ** attempt)) with attempts from 0, from Marc Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    # The exponent is bounded because 2.0 ** 1024 is an OverflowError; the cap is reached long before.
    ceiling = min(policy.wait_max, policy.wait_base * 2.0 ** min(attempt - 1, 32))
    return ceiling * rng()


def next_wait(
    attempts: int, *, remaining: float, rng: Callable[[], float], policy: RetryPolicy = DEFAULT_POLICY
) -> float | None:
    """Seconds to wait before the next attempt after so many that failed; None if there must not be another.

    `remaining` is the time, in seconds, until the last moment at which an attempt may start. The wait never exceeds it.
    """
    if attempts >= policy.attempts or remaining < 0:
        return None
    return min(backoff_delay(attempts, rng=rng, policy=policy), remaining) if attempts else 0.0


def call_with_retry(
    operation: Callable[[], T],
    *,
    name: str,
    deadline: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    rng: Callable[[], float],
) -> T:
    """Call `operation` until it succeeds, fails permanently, or has no time left for another attempt.

    An attempt starts only if its worst case ends before `deadline` (seconds of `clock`), and a wait never uses up the
    time of the attempt after it. An attempt that took longer than ATTEMPT_SECONDS (a name can resolve to several dead
    addresses, each with its own connect time-out) is the worst case from then on.

    Returns:
        The result of `operation`.

    Raises:
        PermanentError: the operation failed with an error that is not transient.
        TransientError: every attempt failed, or there was no time for the first one.
        Both have the number of attempts; the last error of the operation is their cause.
    """
    worst_case = ATTEMPT_SECONDS
    last_error: Exception | None = None
    attempts = 0
    while (wait := next_wait(attempts, remaining=deadline - clock() - worst_case, rng=rng)) is not None:
        if attempts:
            sleep(wait)
        attempts += 1
        started = clock()
        try:
            return operation()
        except Exception as error:
            if not is_transient(error):
                message = f"{name}: {_described(error)}"
                raise PermanentError(message, reason=reason_for(error), attempts=attempts) from error
            last_error = error
        worst_case = max(worst_case, clock() - started)
    if last_error is None:
        left = max(0.0, deadline - clock())
        message = (
            f"{name} was not tried: an attempt may take {worst_case:.1f} s, and {left:.1f} s are left for this record"
        )
        raise TransientError(message, reason=Reason.UNAVAILABLE)
    message = f"{name} failed {attempts} times, last with {_described(last_error)}"
    raise TransientError(message, reason=reason_for(last_error), attempts=attempts) from last_error


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
