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
    """Return the error message of the indexer for failed records: (name, reason, error message)."""
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
        # Emulators report the error type Runtime.HandlerError for all exceptions.
        (response(ONE, "Runtime.HandlerError"), ["denied"]),
        (response(SEVERAL), ["malformed", "throttled"]),  # A reason that two records have in common is listed once.
        # An object key can contain text that resembles an error message of the indexer.
        (of_key("x; record 1: denied: ", Reason.MALFORMED), ["malformed"]),
        (of_key("'\"", Reason.FOREIGN), ["foreign"]),  # An object key can contain both kinds of quotation marks.
        # The object key is so long that the truncated error message does not contain the reason.
        (of_key("k" * 900, Reason.DENIED), ["unknown"]),
        (response(indexing_error(("the event", Reason.MALFORMED, "no Records"))), ["malformed"]),
        # Earlier versions of Lambda reported a timeout only in the error message, not in the error type.
        (response("2026-01-31T12:00:00Z 1 Task timed out after 60.00 seconds", ""), ["timeout"]),
        (response("RequestId: 1 Error: Task timed out", "Sandbox.Timedout"), ["timeout"]),
        (response("Runtime exited", "Runtime.ExitError"), ["crash"]),  # The process of the indexer exited.
        (response("no module", "Runtime.ImportModuleError"), ["crash"]),  # The process of the indexer did not start.
        # The message of an unexpected exception can contain the beginning of the indexer's error message.
        (response("KeyError: 1 of 2 records failed: ", "KeyError"), ["crash"]),
        ({"responsePayload": None}, ["crash"]),
        (TOO_OLD, ["too-old"]),
        # The ARN of the indexer may have an alias.
        *(({"requestContext": {"functionArn": arn}}, ["denied"]) for arn in (ARN, f"{ARN}:live")),
    ],
)
def test_failure_reasons_are_parsed_from_failure_queue_messages(changes: dict[str, Any], reasons: list[str]) -> None:
    parsed = parse(json.dumps(failure(**changes)), TARGET)
    assert list(parsed.reasons) == reasons
    assert set(parsed.reasons) <= set(REASONS)


def test_parsed_failure_contains_the_event_its_keys_and_the_error() -> None:
    message = failure("a+b/%C3%A9.txt")
    parsed = parse(json.dumps(message), TARGET)
    assert parsed.event == message["requestPayload"]
    assert parsed.objects == ("a b/é.txt",)
    assert "denied: HeadObject" in parsed.error


@pytest.mark.parametrize(
    "event", [None, 1, [], {}, {"Records": 1}, {"Records": [1, {}, {"s3": 1}, {"s3": {"object": {"key": 1}}}]}]
)
def test_failed_event_in_an_unknown_format_is_parsed_without_objects(event: object) -> None:
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
        (json.dumps(failure(arn=f"{ARN}-other")), f"another Lambda function: {ARN}-other"),
        (json.dumps(failure(requestPayload=None)), "requestPayload is missing"),
    ],
)
def test_message_of_another_sender_is_rejected_with_the_cause(body: str, error: str) -> None:
    with pytest.raises(ForeignMessageError, match=error):
        parse(body, TARGET)
