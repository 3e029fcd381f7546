from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_code.errors import IndexingError, PermanentError, Reason
from operations.failures import REASONS, ForeignMessageError, parse
from tests.unit.operations.fakes import ARN, TARGET, failure


def response(message: str, kind: str = "IndexingError") -> dict[str, Any]:
    return {"responsePayload": {"errorMessage": message, "errorType": kind}}


def in_the_functions_words(*failed: tuple[str, Reason, str]) -> str:
    errors = [(name, PermanentError(text, reason=reason)) for name, reason, text in failed]
    return str(IndexingError(errors, records=len(errors)))


ONE = in_the_functions_words(("record 0 (key 'a.txt')", Reason.DENIED, "HeadObject: 403"))
SEVERAL = in_the_functions_words(
    ("record 0 (key 'a.txt')", Reason.THROTTLED, "slow"),
    ("record 1", Reason.MALFORMED, "key is missing"),
    ("record 2 (key 'b')", Reason.THROTTLED, "slow"),
)
SLY = in_the_functions_words(
    (f"record 0 (key {'x; record 1: denied: '!r})", Reason.MALFORMED, "too long"),
)
QUOTES = in_the_functions_words((f"record 0 (key {chr(39) + chr(34)!r})", Reason.FOREIGN, "no"))
LONG = in_the_functions_words((f"record 0 (key {'k' * 900!r})", Reason.DENIED, "HeadObject"))


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        pytest.param(response(ONE), ["denied"], id="one record"),
        pytest.param(response(ONE, "Runtime.HandlerError"), ["denied"], id="the type that an emulator gives"),
        pytest.param(response(SEVERAL), ["malformed", "throttled"], id="several, each once"),
        pytest.param(response(SLY), ["malformed"], id="a key that looks like a line"),
        pytest.param(response(QUOTES), ["foreign"], id="a key with both quotes"),
        pytest.param(response(LONG), ["unknown"], id="cut off before the reason"),
        pytest.param(
            response(in_the_functions_words(("the event", Reason.MALFORMED, "no Records"))),
            ["malformed"],
            id="no records",
        ),
        pytest.param(
            response("2026-01-31T12:00:00Z 1 Task timed out after 60.00 seconds", ""), ["timeout"], id="old words"
        ),
        pytest.param(response("RequestId: 1 Error: Task timed out", "Sandbox.Timedout"), ["timeout"], id="time-out"),
        pytest.param(response("Runtime exited", "Runtime.ExitError"), ["crash"], id="the process died"),
        pytest.param(response("no module", "Runtime.ImportModuleError"), ["crash"], id="it could not start"),
        pytest.param(response("KeyError: 1 of 2 records failed: ", "KeyError"), ["crash"], id="another error"),
        pytest.param({"responsePayload": None}, ["crash"], id="no answer"),
        pytest.param(
            {"responsePayload": None, "requestContext": {"functionArn": ARN, "condition": "EventAgeExceeded"}},
            ["too-old"],
            id="it waited too long",
        ),
    ],
)
def test_why_an_event_failed(changes: dict[str, Any], reasons: list[str]) -> None:
    parsed = parse(json.dumps(failure(**changes)), TARGET)
    assert list(parsed.reasons) == reasons
    assert set(parsed.reasons) <= set(REASONS)


def test_every_reason_of_the_function_is_recognised() -> None:
    for reason in Reason:
        words = in_the_functions_words(("record 0 (key 'a')", reason, "because"))
        assert parse(json.dumps(failure(**response(words))), TARGET).reasons == (reason.value,)


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
    message = failure()
    message["requestPayload"] = event
    parsed = parse(json.dumps(message), TARGET)
    assert (parsed.event, parsed.objects) == (event, ())


@pytest.mark.parametrize("arn", [ARN, f"{ARN}:live"])
def test_the_function_may_have_a_qualifier_or_none(arn: str) -> None:
    assert parse(json.dumps(failure(requestContext={"functionArn": arn})), TARGET).reasons == ("denied",)


@pytest.mark.parametrize(
    ("body", "why"),
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
def test_a_message_that_is_not_ours_says_why(body: str, why: str) -> None:
    with pytest.raises(ForeignMessageError, match=why):
        parse(body, TARGET)
