from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_code.errors import IndexingError, PermanentError, Reason
from operations.failures import REASONS, ForeignMessageError, parse
from tests.support.operations_fakes import ARN, TARGET, failure


def response(message: str, kind: str = "IndexingError") -> dict[str, Any]:
    return {"responsePayload": {"errorMessage": message, "errorType": kind}}


def indexing_error(*failed: tuple[str, Reason, str]) -> str:
    """The text of the function's error."""
    errors = [(name, PermanentError(text, reason=reason)) for name, reason, text in failed]
    return str(IndexingError(errors, records=len(errors)))


def of_key(key: str, reason: Reason) -> dict[str, Any]:
    return response(indexing_error((f"record 0 (key {key!r})", reason, "HeadObject: 403")))


SEVERAL = indexing_error(
    ("record 0 (key 'a.txt')", Reason.THROTTLED, "slow"),
    ("record 1", Reason.MALFORMED, "key is missing"),
    ("record 2 (key 'b')", Reason.THROTTLED, "slow"),
)
ONE = indexing_error(("record 0 (key 'a.txt')", Reason.DENIED, "HeadObject: 403"))
TOO_OLD = {"responsePayload": None, "requestContext": {"functionArn": ARN, "condition": "EventAgeExceeded"}}


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        *((of_key("a.txt", reason), [reason.value]) for reason in Reason),
        (response(ONE, "Runtime.HandlerError"), ["denied"]),  # the type that an emulator reports
        (response(SEVERAL), ["malformed", "throttled"]),  # each reason once
        (of_key("x; record 1: denied: ", Reason.MALFORMED), ["malformed"]),  # a key that looks like a line
        (of_key("'\"", Reason.FOREIGN), ["foreign"]),  # a key with both quotes
        (of_key("k" * 900, Reason.DENIED), ["unknown"]),  # the text is cut off before the reason
        (response(indexing_error(("the event", Reason.MALFORMED, "no Records"))), ["malformed"]),
        (response("2026-01-31T12:00:00Z 1 Task timed out after 60.00 seconds", ""), ["timeout"]),  # the older text
        (response("RequestId: 1 Error: Task timed out", "Sandbox.Timedout"), ["timeout"]),
        (response("Runtime exited", "Runtime.ExitError"), ["crash"]),  # the process died
        (response("no module", "Runtime.ImportModuleError"), ["crash"]),  # the process could not start
        (response("KeyError: 1 of 2 records failed: ", "KeyError"), ["crash"]),  # another error
        ({"responsePayload": None}, ["crash"]),
        (TOO_OLD, ["too-old"]),
        *(({"requestContext": {"functionArn": arn}}, ["denied"]) for arn in (ARN, f"{ARN}:live")),  # any qualifier
    ],
)
def test_why_an_event_failed(changes: dict[str, Any], reasons: list[str]) -> None:
    parsed = parse(json.dumps(failure(**changes)), TARGET)
    assert list(parsed.reasons) == reasons
    assert set(parsed.reasons) <= set(REASONS)


def test_the_event_and_its_objects() -> None:
    message = failure("a+b/%C3%A9.txt")
    parsed = parse(json.dumps(message), TARGET)
    assert parsed.event == message["requestPayload"]
    assert parsed.objects == ("a b/é.txt",)
    assert "denied: HeadObject" in parsed.error


@pytest.mark.parametrize(
    "event", [None, 1, [], {}, {"Records": 1}, {"Records": [1, {}, {"s3": 1}, {"s3": {"object": {"key": 1}}}]}]
)
def test_an_event_that_is_none_of_s3s_is_still_one_of_ours(event: object) -> None:
    parsed = parse(json.dumps(failure() | {"requestPayload": event}), TARGET)
    assert (parsed.event, parsed.objects) == (event, ())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("hello", "not JSON"),
        ("[]", "functionArn"),
        ("null", "functionArn"),
        ("{}", "functionArn"),
        (json.dumps(failure(requestContext={"functionArn": 1})), "functionArn"),
        (json.dumps(failure(arn=f"{ARN}-other")), f"another function: {ARN}-other"),
        (json.dumps(failure(requestPayload=None)), "no requestPayload"),
    ],
)
def test_a_message_that_is_not_ours_says_why(body: str, error: str) -> None:
    with pytest.raises(ForeignMessageError, match=error):
        parse(body, TARGET)
