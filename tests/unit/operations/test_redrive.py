from __future__ import annotations

import io
import json
from typing import Any

import pytest

from operations.errors import OperatorError, RefusedEventError
from operations.output import Progress
from operations.redrive import Redrive
from tests.support.clock import FakeClock
from tests.support.operations_fakes import ARN, TARGET, FakeAws, bridged, dead_letter, failure, raising

SILENT = Progress(io.StringIO())
TIMEOUT: dict[str, Any] = {"responsePayload": {"errorMessage": "Task timed out after 60.00 seconds", "errorType": ""}}
MANY = [failure(f"{number}") for number in range(25)]


def create(*bodies: object, clock: FakeClock | None = None, **options: Any) -> tuple[FakeAws, Redrive]:
    aws, clock = FakeAws(), clock or FakeClock()
    for number, body in enumerate(bodies):
        aws.put(body, sent_ms=number)
    options.setdefault("per_second", 1000)
    return aws, Redrive(aws, TARGET, "https://queue", clock=clock, sleep=clock.sleep, **options)


def replay(redrive: Redrive) -> None:
    with redrive.reading(SILENT):
        redrive.replay(SILENT)


def export(redrive: Redrive) -> list[Any]:
    file = io.StringIO()
    with redrive.reading(SILENT):
        exported = redrive.export(file)
    file.getvalue().encode("ascii")  # The export escapes lone surrogates, which UTF-8 cannot encode.
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert len(lines) == exported
    return lines


def keys(aws: FakeAws) -> list[str]:
    return sorted(event["Records"][0]["s3"]["object"]["key"] for event in aws.sent)


def test_redrive_without_replay_leaves_all_messages_visible() -> None:
    aws, redrive = create(*MANY)
    with redrive.reading(SILENT):
        assert len(aws.hidden) == 25
        assert len(redrive.report.messages) == 25
    assert (aws.log, len(aws.queue), aws.hidden) == ([], 25, {})


def test_redrive_deletes_a_message_only_after_lambda_accepts_its_event() -> None:
    aws, redrive = create(failure("a"))
    replay(redrive)
    event = failure("a")["requestPayload"]
    assert aws.log == [("invoke", event | {"replayedBy": "tapstack:redrive"}), ("delete", "id-0")]
    assert (aws.queue, aws.hidden, redrive.report.replayed) == ([], {}, 1)


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        (["no", "fields"], ["no", "fields"]),
        ({"Records": [{}]}, {"Records": [{}], "replayedBy": "tapstack:redrive"}),
        ({"replayedBy": "tapstack:redrive"}, {"replayedBy": "tapstack:redrive"}),
    ],
    ids=["no object", "first replay", "second replay"],
)
def test_redrive_marks_an_event_as_replayed_and_changes_nothing_else(event: object, sent: object) -> None:
    aws, redrive = create(failure("a") | {"requestPayload": event})
    replay(redrive)
    assert aws.log[0] == ("invoke", sent)
    assert redrive.report.messages[0].failure
    assert redrive.report.messages[0].failure.event == event


def test_redrive_replays_dead_letters_of_eventbridge_and_lambda_failures_of_the_same_event() -> None:
    aws, redrive = create()
    aws.put(bridged("a+b"), "from EventBridge", attributes=dead_letter())
    aws.put(failure() | {"requestPayload": bridged("a+b")}, "from Lambda")
    replay(redrive)
    assert aws.sent == [bridged("a+b") | {"replayedBy": "tapstack:redrive"}] * 2
    assert (aws.queue, aws.hidden, redrive.report.empty) == ([], {}, True)


def test_redrive_exports_the_attributes_of_a_dead_letter() -> None:
    aws, redrive = create()
    aws.put(bridged("a"), attributes=dead_letter())
    assert [(each["attributes"], each["body"]) for each in export(redrive)] == [(dead_letter(), bridged("a"))]


def test_failed_redrive_makes_the_remaining_messages_visible_again() -> None:
    aws, redrive = create(failure("a"), failure("b"), failure("c"))
    aws.before_invoke = raising(OperatorError("denied"), key="b")
    with pytest.raises(OperatorError, match="denied"):
        replay(redrive)
    assert aws.hidden == {}
    left = [json.loads(each.body)["requestPayload"]["Records"][0]["s3"]["object"]["key"] for each in aws.queue]
    assert "b" in left
    assert sorted(keys(aws) + left) == [
        "a",
        "b",
        "c",
    ]  # Each event was accepted by Lambda, or its message is in the queue.
    assert redrive.report.replayed == len(keys(aws))


def test_redrive_keeps_a_rejected_event_and_replays_the_others() -> None:
    aws, redrive = create(failure("a"), failure("b"), failure("c"))
    aws.before_invoke = raising(RefusedEventError("too large"), key="b")
    replay(redrive)
    assert keys(aws) == ["a", "c"]
    assert [each.refused for each in redrive.report.messages] == ["", "too large", ""]
    assert (len(aws.queue), redrive.report.empty) == (1, False)


def test_redrive_reports_and_keeps_messages_of_other_senders() -> None:
    nested = "[" * 200_000  # The JSON parser raises RecursionError for deeply nested text.
    aws, redrive = create("hello", failure("a"), failure("b", arn=f"{ARN}-other"), nested)
    replay(redrive)
    assert keys(aws) == ["a"]
    assert sorted(each.body for each in aws.queue) == sorted(
        ["hello", json.dumps(failure("b", arn=f"{ARN}-other")), nested]
    )
    reasons = [each.unrecognized for each in redrive.report.messages]
    assert reasons == [
        "it is not JSON",
        "",
        f"a message about another Lambda function: {ARN}-other:$LATEST",
        "it is not JSON",
    ]
    assert [each["body"] for each in export(redrive)][-1] == nested


@pytest.mark.parametrize(
    ("bodies", "options", "replayed"),
    [
        ([failure("a"), failure("b", **TIMEOUT), failure("c")], {"reason": "timeout"}, 1),
        (MANY, {"max_messages": 1}, 1),
        (MANY, {"max_messages": 10}, 10),
        (MANY, {"max_messages": 13}, 13),
        # The option --max counts only messages with the requested reason.
        ([*MANY[:12], failure("b", **TIMEOUT), failure("c", **TIMEOUT)], {"reason": "timeout", "max_messages": 1}, 1),
    ],
)
def test_reason_and_maximum_limit_the_messages_that_redrive_replays(
    bodies: list[Any], options: dict[str, Any], replayed: int
) -> None:
    aws, redrive = create(*bodies, **options)
    replay(redrive)
    assert (len(aws.sent), len(aws.queue)) == (replayed, len(bodies) - replayed)
    if "reason" in options:
        assert keys(aws) == ["b"]


def test_redrive_replays_a_message_once_if_sqs_delivers_it_twice() -> None:
    aws, redrive = create(failure("a"))
    # The fake queue derives the receipt handle from the body, so the second delivery needs a different body.
    again = failure("a") | {"version": "second delivery"}
    aws.put(again, "id-0")
    with redrive.reading(SILENT):
        first, second = list(aws.hidden)
        assert [each.raw.receipt for each in redrive.report.messages] == [second]
        redrive.replay(SILENT)
    assert (len(aws.sent), redrive.report.replayed) == (1, 1)
    assert list(aws.hidden) == [first]


def test_redrive_does_not_replay_events_that_fail_again_during_its_run() -> None:
    aws, redrive = create(failure("a"), failure("b"))
    aws.before_invoke = lambda _: aws.put(failure("again"), f"new {len(aws.queue)}")
    replay(redrive)
    assert keys(aws) == ["a", "b"]
    assert len(aws.queue) == 2


def test_redrive_export_writes_complete_messages_and_deletes_none() -> None:
    aws, redrive = create(failure("é"), "hello", failure("\ud83d"))
    assert export(redrive) == [
        {"message_id": "id-0", "sent_ms": 0, "attributes": {}, "body": failure("é")},
        {"message_id": "id-1", "sent_ms": 1, "attributes": {}, "body": "hello"},
        {"message_id": "id-2", "sent_ms": 2, "attributes": {}, "body": failure("\ud83d")},
    ]
    assert (len(aws.queue), aws.log) == (3, [])


def test_redrive_export_with_a_reason_excludes_other_messages() -> None:
    _, redrive = create(failure("a"), failure("b", **TIMEOUT), "hello", reason="timeout")
    assert [each["body"] for each in export(redrive)] == [failure("b", **TIMEOUT)]


def test_redrive_replays_events_at_the_configured_rate(clock: FakeClock) -> None:
    _, redrive = create(*(failure(f"{number}") for number in range(50)), clock=clock, per_second=5)
    replay(redrive)
    assert clock.now == pytest.approx(50 / 5, abs=0.3)


@pytest.mark.parametrize("hidden_elsewhere", [0, 2])
def test_redrive_reports_messages_of_other_consumers_as_in_flight_but_not_its_own(hidden_elsewhere: int) -> None:
    aws, redrive = create(*MANY[:3])
    aws.hidden_elsewhere = hidden_elsewhere
    with redrive.reading(SILENT):
        assert aws.message_counts("https://queue") == (0, 3 + hidden_elsewhere)
        redrive.replay(SILENT)
    assert (redrive.report.in_flight, redrive.report.unread) == (hidden_elsewhere, 0)
    assert redrive.report.empty == (hidden_elsewhere == 0)


def test_redrive_deletes_only_exported_messages() -> None:
    aws, redrive = create(failure("a"), failure("b", **TIMEOUT), "hello", reason="timeout")
    with redrive.reading(SILENT):
        assert redrive.export(io.StringIO()) == 1
        redrive.delete_exported(SILENT)
    assert aws.log == [("delete", "id-1")]
    assert (redrive.report.deleted, redrive.report.replayed, redrive.report.empty) == (1, 0, False)
    assert (len(aws.queue), aws.hidden) == (2, {})


def test_redrive_that_deletes_all_messages_leaves_an_empty_queue() -> None:
    aws, redrive = create(failure("a"), "hello")
    with redrive.reading(SILENT):
        redrive.delete_exported(SILENT)
    assert (redrive.report.empty, aws.queue, aws.hidden) == (True, [], {})


def test_redrive_reports_messages_that_sqs_did_not_deliver_as_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQS stops the delivery of messages while about 120,000 messages of a queue are in flight."""
    aws, redrive = create(*MANY[:10])
    monkeypatch.setattr(aws, "message_counts", lambda _: (12, 0))
    replay(redrive)
    assert (redrive.report.unread, redrive.report.empty) == (2, False)


def test_redrive_that_cannot_release_messages_still_reports_results_and_the_first_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws, redrive = create(failure("a"))

    def refuse(*_: object) -> None:
        raise OperatorError("no permission")

    monkeypatch.setattr(aws, "release", refuse)
    with redrive.reading(SILENT):
        pass
    assert [each.chosen for each in redrive.report.messages] == [True]
    assert redrive.report.note == "messages that were not deleted stay hidden for up to 30 minutes: no permission"
    with pytest.raises(KeyboardInterrupt), redrive.reading(SILENT):
        raise KeyboardInterrupt
