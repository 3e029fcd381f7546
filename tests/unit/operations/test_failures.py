from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_code.errors import IndexingError
from lambda_common.errors import PermanentError, Reason
from operations.failures import REASONS, STREAM_REASONS, ForeignMessageError, parse
from tests.support.operations_fakes import ARN, INSPECTOR_ARN, TARGET, bridged, dead_letter, failure, stream_failure


def response(message: str, kind: str = "IndexingError") -> dict[str, Any]:
    return {"responsePayload": {"errorMessage": message, "errorType": kind}}


def indexing_error(*failed: tuple[str, Reason, str]) -> str:
    """Return the indexer's error message for failed records. A record has a name, reason and error message."""
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
TOO_OLD: dict[str, Any] = {
    "responsePayload": None,
    "requestContext": {"functionArn": ARN, "condition": "EventAgeExceeded"},
}
ZERO_CONCURRENCY: dict[str, Any] = {
    "responsePayload": None,
    "requestContext": {"functionArn": ARN, "condition": "ZeroReservedConcurrency"},
}


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
        # The process of the indexer exited during the invocation.
        (response("Runtime exited", "Runtime.ExitError"), ["crash"]),
        (response("no module", "Runtime.ImportModuleError"), ["crash"]),  # The process of the indexer did not start.
        # The message of an unexpected exception can contain the beginning of the indexer's error message.
        (response("KeyError: 1 of 2 records failed: ", "KeyError"), ["crash"]),
        ({"responsePayload": None}, ["crash"]),
        (TOO_OLD, ["too-old"]),
        (ZERO_CONCURRENCY, ["zero-concurrency"]),
        # The first attempt failed, and the reserved concurrency was set to 0 before the second attempt.
        (response(ONE) | {"requestContext": ZERO_CONCURRENCY["requestContext"]}, ["zero-concurrency"]),
        # The last attempt failed before the event exceeded its maximum age.
        (response(ONE) | {"requestContext": TOO_OLD["requestContext"]}, ["denied"]),
        ({"responsePayload": "2026-01-31T12:00:00Z 1 Task timed out after 60.00 seconds"}, ["timeout"]),
        (response("stopped", "Sandbox.TimedOut"), ["timeout"]),
        # The ARN of the indexer may have an alias.
        *(({"requestContext": {"functionArn": arn}}, ["denied"]) for arn in (ARN, f"{ARN}:live")),
    ],
)
def test_failure_reasons_are_parsed_from_failure_queue_messages(changes: dict[str, Any], reasons: list[str]) -> None:
    parsed = parse(json.dumps(failure(**changes)), TARGET)
    assert list(parsed.reasons) == reasons
    assert set(parsed.reasons) <= set(REASONS)


def test_parsed_failure_contains_the_event_its_object_keys_and_the_error() -> None:
    message = failure("a+b/%C3%A9.txt")
    parsed = parse(json.dumps(message), TARGET)
    assert parsed.event == message["requestPayload"]
    assert parsed.objects == ("a b/é.txt",)
    assert "denied: HeadObject" in parsed.error


@pytest.mark.parametrize(
    ("payload", "error_type", "typed_error"),
    [
        ({"errorMessage": "'key'", "errorType": "KeyError"}, "KeyError", "KeyError: 'key'"),
        ({"errorMessage": "'key'"}, "", "'key'"),
        ({"errorMessage": "'key'", "errorType": 1}, "", "'key'"),
        ({"errorMessage": ONE, "errorType": "IndexingError"}, "IndexingError", ONE),
        ({"errorType": "KeyError"}, "KeyError", "KeyError: the function returned no response (RetriesExhausted)"),
        ("killed", "", "killed"),
    ],
)
def test_displayed_error_of_a_failure_begins_with_the_error_type_unless_the_indexer_reported_records(
    payload: object, error_type: str, typed_error: str
) -> None:
    parsed = parse(json.dumps(failure(responsePayload=payload)), TARGET)
    assert (parsed.error_type, parsed.typed_error) == (error_type, typed_error)


def test_failures_with_different_error_types_are_not_grouped_together() -> None:
    kinds = {
        parse(json.dumps(failure("a", **response("'key'", kind))), TARGET).error_kind
        for kind in ("KeyError", "IndexError")
    }
    assert len(kinds) == 2


@pytest.mark.parametrize(
    "event",
    [
        *(None, 1, [], {}, {"Records": 1}, {"Records": [1, {}, {"s3": 1}, {"s3": {"object": {"key": 1}}}]}),
        *({"detail": 1}, {"detail": {"object": 1}}, {"detail": {"object": {"key": None}}}),
    ],
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
        (json.dumps({**bridged(), "source": "acme.s3"}), "without the message attribute TARGET_ARN"),
    ],
)
def test_failure_queue_message_of_another_sender_is_rejected_with_the_cause(body: str, error: str) -> None:
    with pytest.raises(ForeignMessageError, match=error):
        parse(body, TARGET)


def test_failure_of_an_eventbridge_event_contains_its_bucket_and_its_unchanged_key() -> None:
    parsed = parse(json.dumps(failure() | {"requestPayload": bridged("a+b/%41.txt")}), TARGET)
    assert (parsed.reasons, parsed.objects, parsed.buckets) == (("denied",), ("a+b/%41.txt",), ("reports",))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "NO_PERMISSIONS: EventBridge may not invoke the function"),
        ({"TARGET_ARN": f"{ARN}:live"}, "NO_PERMISSIONS: EventBridge may not invoke the function"),
        (
            {
                "ERROR_CODE": "THROTTLING",
                "ERROR_MESSAGE": "slow down",
                "EXHAUSTED_RETRY_CONDITION": "MaximumEventAgeInSeconds",
                "RETRY_ATTEMPTS": "31",
            },
            "THROTTLING: slow down (MaximumEventAgeInSeconds, retries: 31)",
        ),
        ({"ERROR_CODE": None, "ERROR_MESSAGE": None}, "EventBridge did not deliver the event"),
    ],
    ids=["no permission", "target with an alias", "retries exhausted", "no error"],
)
def test_dead_letter_of_eventbridge_is_parsed_as_an_undelivered_event(
    changes: dict[str, str | None], error: str
) -> None:
    parsed = parse(json.dumps(bridged("a+b")), TARGET, attributes=dead_letter(**changes))
    assert (parsed.event, parsed.reasons) == (bridged("a+b"), ("undelivered",))
    assert (parsed.objects, parsed.buckets) == (("a+b",), ("reports",))
    assert parsed.typed_error == error


def test_dead_letter_without_message_attributes_is_parsed_as_an_undelivered_event() -> None:
    """A program that moves a message to another queue can lose its attributes. The event can still be replayed."""
    parsed = parse(json.dumps(bridged("a+b")), TARGET)
    assert (parsed.event, parsed.reasons, parsed.objects) == (bridged("a+b"), ("undelivered",), ("a+b",))
    assert parsed.typed_error == "EventBridge did not deliver the event"


def test_dead_letter_of_another_eventbridge_target_is_rejected() -> None:
    with pytest.raises(ForeignMessageError, match=f"another Lambda function: {ARN}-other"):
        parse(json.dumps(bridged()), TARGET, attributes=dead_letter(TARGET_ARN=f"{ARN}-other"))


def test_dead_letters_that_differ_only_in_key_and_retries_are_grouped_as_one_error() -> None:
    exhausted: dict[str, str | None] = {"EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"}
    kinds = {
        parse(json.dumps(bridged(key)), TARGET, attributes=dead_letter(RETRY_ATTEMPTS=retries, **exhausted)).error_kind
        for key, retries in (("a", "185"), ("b", "7"))
    }
    assert len(kinds) == 1


def error_kind(key: str, message: str) -> str:
    return parse(json.dumps(failure(key, **response(message))), TARGET).error_kind


DENIED = (
    "HeadObject: An error occurred (403) when calling the HeadObject operation: Forbidden",
    "HeadObject: User is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::uploads/{0}",
)


@pytest.mark.parametrize(
    "message",
    [
        *(f"1 of 1 records failed: record 0 (key {{0!r}}): denied: {text}" for text in DENIED),
        "2026-01-31T12:00:0{1}Z 1dbd9a2{1}-8f2b-4a7c-9e57-0c2f6ba3e6cb Task timed out after 60.00 seconds",
        "RequestId: 1dbd9a2{1}-8f2b-4a7c-9e57-0c2f6ba3e6cb Error: Task timed out after 60.00 seconds",
        "1 of 1 records failed: record 0 (key {0!r}): throttled: UpdateItem failed 1{1} times, last with X",
        "1 of {1} records failed: record {1} (key {0!r}): throttled: UpdateItem",
    ],
)
def test_failures_that_differ_only_in_key_time_and_numbers_are_grouped_as_one_error(message: str) -> None:
    kinds = {error_kind(key, message.format(key, number)) for number, key in enumerate(("a", "it's b/é.txt"), start=1)}
    assert len(kinds) == 1


def test_failures_with_truncated_object_keys_are_grouped_as_one_error() -> None:
    keys = ("k" * 900, "l" * 901)
    assert (
        len({error_kind(key, indexing_error((f"record 0 (key {key!r})", Reason.DENIED, "403"))) for key in keys}) == 1
    )


def test_event_whose_records_share_one_error_is_grouped_like_a_single_record() -> None:
    several = indexing_error(*((f"record {number} (key 'a{number}')", Reason.DENIED, "403") for number in range(3)))
    one = indexing_error(("record 0 (key 'b')", Reason.DENIED, "403"))
    assert error_kind("a", several) == error_kind("b", one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HeadObject: An error occurred (403)", "HeadObject: An error occurred (400)"),
        ("HeadObject: AccessDenied", "UpdateItem: AccessDenied"),
        ("bucket.name is 'a'", "bucket.name is 'b'"),
    ],
)
def test_failures_with_different_causes_are_not_grouped_together(one: str, other: str) -> None:
    assert error_kind("a", one) != error_kind("a", other)


@pytest.mark.parametrize(
    ("condition", "error", "reason"),
    [
        ("RetryAttemptsExhausted", None, "stream-failed"),
        ("RetryAttemptsExhausted", "Unhandled", "stream-crash"),
        ("RecordAgeExceeded", None, "stream-too-old"),
        ("RecordAgeExceeded", "Unhandled", "stream-too-old"),
        ("MaximumRecordAgeExceeded", None, "stream-too-old"),
        ("a new condition", None, "stream-failed"),
    ],
)
def test_reason_of_a_stream_failure_depends_on_its_condition_and_function_error(
    condition: str, error: str | None, reason: str
) -> None:
    parsed = parse(json.dumps(stream_failure(condition=condition, error=error, size=7)), TARGET)
    assert (parsed.reasons, parsed.stream_records, parsed.replayable) == ((reason,), 7, False)
    assert (parsed.error, parsed.error_type) == (f"{condition}, invocations: 3", error or "")
    assert (parsed.event, parsed.objects, parsed.function) == (None, (), INSPECTOR_ARN)
    assert {reason} <= set(STREAM_REASONS) <= set(REASONS)


@pytest.mark.parametrize("arn", [ARN, INSPECTOR_ARN.replace("inspector", "other")])
def test_stream_failure_of_another_function_has_the_reason_foreign(arn: str) -> None:
    with pytest.raises(ForeignMessageError, match="a message about another Lambda function"):
        parse(json.dumps(stream_failure(arn=arn)), TARGET)


@pytest.mark.parametrize("batch", [None, {}, {"batchSize": "7"}, {"batchSize": 0}])
def test_stream_failure_without_a_valid_batch_size_counts_as_one_record(batch: object) -> None:
    parsed = parse(json.dumps(stream_failure() | {"DDBStreamBatchInfo": batch}), TARGET)
    assert (parsed.stream_records, parsed.replayable) == (1, False)


def test_stream_failure_of_an_alias_of_the_inspector_is_recognized() -> None:
    assert parse(json.dumps(stream_failure(arn=f"{INSPECTOR_ARN}:live")), TARGET).function == f"{INSPECTOR_ARN}:live"
