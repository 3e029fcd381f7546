"""Which errors are worth another try, and what each of them is called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ChecksumError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from lambda_code.errors import PermanentError, Reason, TransientError
from lambda_code.retry import Answer, call_with_retry, is_transient, reason_for
from tests.support.fakes import Clock, client_error
from tests.support.strategies import URL

if TYPE_CHECKING:
    from collections.abc import Iterable

TRANSIENT = [
    (client_error(400, "ProvisionedThroughputExceededException"), Reason.THROTTLED),
    (client_error(400, "ThrottlingException"), Reason.THROTTLED),
    (client_error(400, "Throttling"), Reason.THROTTLED),
    (client_error(400, "RequestLimitExceeded"), Reason.THROTTLED),
    (client_error(400, "LimitExceededException"), Reason.THROTTLED),
    (client_error(400, "TransactionInProgressException"), Reason.THROTTLED),
    (client_error(503, "SlowDown"), Reason.THROTTLED),
    (client_error(429), Reason.THROTTLED),
    (client_error(503), Reason.THROTTLED),  # how S3 says Slow Down to a HEAD
    (client_error(400, "RequestTimeout"), Reason.UNAVAILABLE),
    (client_error(500, "InternalServerError"), Reason.UNAVAILABLE),
    (client_error(503, "ServiceUnavailable"), Reason.UNAVAILABLE),
    (client_error(500), Reason.UNAVAILABLE),
    (client_error(502), Reason.UNAVAILABLE),
    (client_error(504), Reason.UNAVAILABLE),
    (client_error(500, "SomethingNew"), Reason.UNAVAILABLE),
    (ConnectTimeoutError(endpoint_url=URL), Reason.UNAVAILABLE),
    (ReadTimeoutError(endpoint_url=URL), Reason.UNAVAILABLE),
    (ConnectionClosedError(endpoint_url=URL), Reason.UNAVAILABLE),
    (EndpointConnectionError(endpoint_url=URL), Reason.UNAVAILABLE),
    (ProxyConnectionError(proxy_url=URL), Reason.UNAVAILABLE),
    (SSLError(endpoint_url=URL, error=EOFError()), Reason.UNAVAILABLE),
    (HTTPClientError(error=OSError()), Reason.UNAVAILABLE),
    (ChecksumError(checksum_type="crc32", expected_checksum="1", actual_checksum="2"), Reason.UNAVAILABLE),
]
PERMANENT = [
    (client_error(403), Reason.DENIED),
    (client_error(401), Reason.DENIED),
    (client_error(403, "AccessDenied"), Reason.DENIED),
    (client_error(400, "AccessDeniedException"), Reason.DENIED),
    (client_error(400, "UnrecognizedClientException"), Reason.DENIED),
    (client_error(400, "ExpiredTokenException"), Reason.DENIED),
    (client_error(400), Reason.INTERNAL),
    (client_error(404), Reason.INTERNAL),
    (client_error(301), Reason.INTERNAL),
    (client_error(501, "NotImplemented"), Reason.INTERNAL),
    (client_error(400, "ConditionalCheckFailedException"), Reason.INTERNAL),
    (client_error(400, "ResourceNotFoundException"), Reason.INTERNAL),
    (client_error(400, "ValidationException"), Reason.INTERNAL),
    (client_error(400, "ItemCollectionSizeLimitExceededException"), Reason.INTERNAL),
    (ClientError({}, "HeadObject"), Reason.INTERNAL),
    (ParamValidationError(report="x"), Reason.INTERNAL),
    (NoCredentialsError(), Reason.INTERNAL),
    (TimeoutError("Python's own: nothing here raises it"), Reason.INTERNAL),
    (KeyError("a bug"), Reason.INTERNAL),
]


def named(errors: Iterable[tuple[Exception, Reason]]) -> list[object]:
    def name(error: Exception) -> str:
        response = error.response if isinstance(error, ClientError) else {}
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        return " ".join(filter(None, [type(error).__name__, str(status), response.get("Error", {}).get("Code", "")]))

    return [pytest.param(error, reason, id=name(error)) for error, reason in errors]


@pytest.mark.parametrize(("error", "reason"), named(TRANSIENT))
def test_it_may_succeed_when_tried_again_after(error: Exception, reason: Reason) -> None:
    assert is_transient(error)
    assert reason_for(error) is reason


@pytest.mark.parametrize(("error", "reason"), named(PERMANENT))
def test_it_cannot_succeed_when_tried_again_after(error: Exception, reason: Reason) -> None:
    assert not is_transient(error)
    assert reason_for(error) is reason


def test_an_attempt_that_took_longer_than_an_attempt_may_is_the_worst_case_from_then_on() -> None:
    """A name that resolves to eight dead addresses costs a connect time-out for each."""
    clock, calls = Clock(), []

    def black_hole() -> None:
        calls.append(clock())
        clock.seconds += 8
        raise ConnectTimeoutError(endpoint_url=URL)

    deadline = clock() + 20
    with pytest.raises(TransientError, match="failed 2 times"):
        call_with_retry(black_hole, name="Call", deadline=deadline, clock=clock, sleep=clock.sleep, rng=lambda: 0.0)
    assert len(calls) == 2
    assert clock() <= deadline


def test_a_message_says_what_was_tried_how_often_and_what_came_back() -> None:
    def throttled() -> None:
        raise client_error(400, "ThrottlingException")

    def denied() -> None:
        raise client_error(403, "AccessDenied")

    clock = Clock()
    with pytest.raises(
        TransientError, match=re.escape("Call failed 100 times, last with ClientError: An error occurred (Thr")
    ):
        call_with_retry(
            throttled, name="Call", deadline=clock() + 10_000, clock=clock, sleep=clock.sleep, rng=lambda: 1.0
        )
    with pytest.raises(
        PermanentError, match=re.escape("Call: ClientError: An error occurred (AccessDenied) when calling")
    ):
        call_with_retry(denied, name="Call", deadline=clock() + 10_000, clock=clock, sleep=clock.sleep, rng=lambda: 1.0)
    with pytest.raises(
        TransientError, match=re.escape("an attempt may take 4.0 s, and 2.0 s are left for this record")
    ):
        call_with_retry(denied, name="Call", deadline=clock() + 2, clock=clock, sleep=clock.sleep, rng=lambda: 1.0)


def test_waiting_doubles_from_a_tenth_of_a_second_to_twenty_seconds() -> None:
    """What Lambda is billed for at worst; a change of the numbers is a decision."""

    def throttled() -> None:
        raise client_error(400, "ThrottlingException")

    clock = Clock()
    with pytest.raises(TransientError):
        call_with_retry(
            throttled, name="Call", deadline=clock() + 10_000, clock=clock, sleep=clock.sleep, rng=lambda: 1.0
        )
    assert clock.sleeps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, *[20.0] * 91])


def test_the_last_chance_is_taken_rather_than_slept_away() -> None:
    """With time for one more attempt the wait before it is cut to fit."""
    clock, answers = Clock(), iter([client_error(500), None])

    def second_time_lucky() -> str:
        if error := next(answers):
            raise error
        return "done"

    answer = call_with_retry(
        second_time_lucky, name="Call", deadline=clock() + 4.01, clock=clock, sleep=clock.sleep, rng=lambda: 1.0
    )
    assert answer == Answer("done", 2)
    assert clock.sleeps == pytest.approx([0.01])
