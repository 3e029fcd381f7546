"""The classification of errors, and the retry loop."""

from __future__ import annotations

import re

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
from lambda_code.retry import is_transient, reason_for
from tests.support.fakes import Fault, ScriptedCall, client_error
from tests.support.strategies import URL

THROTTLED = client_error(400, "ThrottlingException")
DENIED = client_error(403, "AccessDenied")

TRANSIENT = [
    *(
        (client_error(400, code), Reason.THROTTLED)
        for code in (
            "ProvisionedThroughputExceededException",
            "ThrottlingException",
            "Throttling",
            "RequestLimitExceeded",
            "LimitExceededException",
            "TransactionInProgressException",
        )
    ),
    (client_error(503, "SlowDown"), Reason.THROTTLED),
    *((client_error(status), Reason.THROTTLED) for status in (429, 503)),  # S3 responds to a HEAD with 503 to slow down
    (client_error(400, "RequestTimeout"), Reason.UNAVAILABLE),
    (client_error(500, "InternalServerError"), Reason.UNAVAILABLE),
    (client_error(503, "ServiceUnavailable"), Reason.UNAVAILABLE),
    (client_error(500, "SomethingNew"), Reason.UNAVAILABLE),
    *((client_error(status), Reason.UNAVAILABLE) for status in (500, 502, 504)),
    *(
        (error(endpoint_url=URL), Reason.UNAVAILABLE)
        for error in (ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError, EndpointConnectionError)
    ),
    (ProxyConnectionError(proxy_url=URL), Reason.UNAVAILABLE),
    (SSLError(endpoint_url=URL, error=EOFError()), Reason.UNAVAILABLE),
    (HTTPClientError(error=OSError()), Reason.UNAVAILABLE),
    (ChecksumError(checksum_type="crc32", expected_checksum="1", actual_checksum="2"), Reason.UNAVAILABLE),
]
PERMANENT = [
    *((client_error(status), Reason.DENIED) for status in (401, 403)),
    (DENIED, Reason.DENIED),
    *(
        (client_error(400, code), Reason.DENIED)
        for code in ("AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException")
    ),
    *((client_error(status), Reason.INTERNAL) for status in (301, 400, 404)),
    (client_error(501, "NotImplemented"), Reason.INTERNAL),
    *(
        (client_error(400, code), Reason.INTERNAL)
        for code in (
            "ConditionalCheckFailedException",
            "ResourceNotFoundException",
            "ValidationException",
            "ItemCollectionSizeLimitExceededException",
        )
    ),
    (ClientError({}, "HeadObject"), Reason.INTERNAL),
    (ParamValidationError(report="x"), Reason.INTERNAL),
    (NoCredentialsError(), Reason.INTERNAL),
    (TimeoutError("Python's own, which botocore does not raise"), Reason.INTERNAL),
    (KeyError("a bug"), Reason.INTERNAL),
]


def named(error: Exception, reason: Reason) -> object:
    response = error.response if isinstance(error, ClientError) else {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
    parts = [type(error).__name__, str(status), response.get("Error", {}).get("Code", "")]
    return pytest.param(error, reason, id=" ".join(filter(None, parts)))


@pytest.mark.parametrize(("error", "reason"), [named(*each) for each in TRANSIENT])
def test_it_may_succeed_when_tried_again_after(error: Exception, reason: Reason) -> None:
    assert is_transient(error)
    assert reason_for(error) is reason


@pytest.mark.parametrize(("error", "reason"), [named(*each) for each in PERMANENT])
def test_it_cannot_succeed_when_tried_again_after(error: Exception, reason: Reason) -> None:
    assert not is_transient(error)
    assert reason_for(error) is reason


def failing(error: Exception) -> ScriptedCall:
    return ScriptedCall(*[Fault(error, seconds=0)] * 200)


def test_an_attempt_that_took_longer_than_an_attempt_may_is_the_worst_case_from_then_on() -> None:
    """A name that resolves to eight dead addresses costs a connect time-out for each."""
    black_hole = ScriptedCall(*[Fault(ConnectTimeoutError(endpoint_url=URL), seconds=8)] * 3)
    with pytest.raises(TransientError, match="failed 2 times"):
        black_hole.with_retry(seconds=20, rng=0.0)
    assert len(black_hole.started) == 2
    assert black_hole.clock() <= 20


@pytest.mark.parametrize(
    ("error", "seconds", "kind", "message"),
    [
        (
            THROTTLED,
            10_000,
            TransientError,
            "Call failed 100 times, last with ClientError: An error occurred (Th",
        ),
        (DENIED, 10_000, PermanentError, "Call: ClientError: An error occurred (AccessDenied) when calling"),
        (DENIED, 2, TransientError, "an attempt may take 4.0 s, and 2.0 s are left for this record"),
    ],
    ids=["transient", "permanent", "no time"],
)
def test_a_message_says_what_was_tried_how_often_and_what_came_back(
    error: Exception, seconds: float, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        failing(error).with_retry(seconds=seconds)


def test_waiting_doubles_from_a_tenth_of_a_second_to_twenty_seconds() -> None:
    """Lambda bills these waits, at worst; a change of the numbers is a decision."""
    call = failing(THROTTLED)
    with pytest.raises(TransientError):
        call.with_retry(seconds=10_000)
    assert call.clock.sleeps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, *[20.0] * 91])


def test_the_last_chance_is_taken_rather_than_slept_away() -> None:
    """With time for one more attempt the wait before it is cut to fit."""
    call = ScriptedCall(Fault(client_error(500), seconds=0))
    assert call.with_retry(seconds=4.01) == "done"
    assert len(call.started) == 2
    assert call.clock.sleeps == pytest.approx([0.01])
