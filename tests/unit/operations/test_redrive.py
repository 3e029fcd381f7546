from __future__ import annotations

import io
import json
from typing import Any

import pytest

from operations.errors import OperatorError, RefusedEventError
from operations.output import Progress
from operations.redrive import Redrive
from tests.support.clock import FakeClock
from tests.support.operations_fakes import ARN, TARGET, FakeAws, failure, refusing

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
    file.getvalue().encode("ascii")  # JSON can spell half of a surrogate pair, UTF-8 cannot
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert len(lines) == exported
    return lines


def keys(aws: FakeAws) -> list[str]:
    return sorted(event["Records"][0]["s3"]["object"]["key"] for event in aws.sent)


def test_looking_changes_nothing_and_leaves_every_message_visible() -> None:
    aws, redrive = create(*MANY)
    with redrive.reading(SILENT):
        assert len(aws.hidden) == 25
        assert len(redrive.report.messages) == 25
    assert (aws.log, len(aws.queue), aws.hidden) == ([], 25, {})


def test_a_message_is_deleted_only_after_its_replay_was_accepted() -> None:
    aws, redrive = create(failure("a"))
    replay(redrive)
    assert aws.log == [("invoke", failure("a")["requestPayload"]), ("delete", "id-0")]
    assert (aws.queue, aws.hidden, redrive.report.replayed) == ([], {}, 1)


def test_what_is_not_accepted_stays_and_is_visible_again() -> None:
    aws, redrive = create(failure("a"), failure("b"), failure("c"))
    aws.before_invoke = refusing(OperatorError("denied"), key="b")
    with pytest.raises(OperatorError, match="denied"):
        replay(redrive)
    assert aws.hidden == {}
    left = [json.loads(each.body)["requestPayload"]["Records"][0]["s3"]["object"]["key"] for each in aws.queue]
    assert "b" in left
    assert sorted(keys(aws) + left) == ["a", "b", "c"]  # each is in the queue or was accepted, and never both
    assert redrive.report.replayed == len(keys(aws))


def test_an_event_that_lambda_refuses_stays_and_the_others_are_replayed() -> None:
    aws, redrive = create(failure("a"), failure("b"), failure("c"))
    aws.before_invoke = refusing(RefusedEventError("too large"), key="b")
    replay(redrive)
    assert keys(aws) == ["a", "c"]
    assert [each.refused for each in redrive.report.messages] == ["", "too large", ""]
    assert (len(aws.queue), redrive.report.empty) == (1, False)


def test_a_message_that_is_not_ours_is_shown_and_left_alone() -> None:
    nested = "[" * 200_000  # deeper than the parser goes
    aws, redrive = create("hello", failure("a"), failure("b", arn=f"{ARN}-other"), nested)
    replay(redrive)
    assert keys(aws) == ["a"]
    assert sorted(each.body for each in aws.queue) == sorted(
        ["hello", json.dumps(failure("b", arn=f"{ARN}-other")), nested]
    )
    reasons = [each.not_ours for each in redrive.report.messages]
    assert reasons == ["it is not JSON", "", f"it is about another function: {ARN}-other:$LATEST", "it is not JSON"]
    assert [each["body"] for each in export(redrive)][-1] == nested


@pytest.mark.parametrize(
    ("bodies", "options", "replayed"),
    [
        ([failure("a"), failure("b", **TIMEOUT), failure("c")], {"reason": "timeout"}, 1),
        (MANY, {"max_messages": 1}, 1),
        (MANY, {"max_messages": 10}, 10),
        (MANY, {"max_messages": 13}, 13),
        # the maximum counts messages with the reason, although others are read before them
        ([*MANY[:12], failure("b", **TIMEOUT), failure("c", **TIMEOUT)], {"reason": "timeout", "max_messages": 1}, 1),
    ],
)
def test_reason_and_maximum_limit_the_replayed_messages(
    bodies: list[Any], options: dict[str, Any], replayed: int
) -> None:
    aws, redrive = create(*bodies, **options)
    replay(redrive)
    assert (len(aws.sent), len(aws.queue)) == (replayed, len(bodies) - replayed)
    if "reason" in options:
        assert keys(aws) == ["b"]


def test_a_message_that_comes_twice_is_counted_and_replayed_once_and_deleted_by_its_newest_receipt() -> None:
    aws, redrive = create(failure("a"))
    again = failure("a") | {"version": "handed out again"}  # only to give it another receipt
    aws.put(again, "id-0")
    with redrive.reading(SILENT):
        first, second = list(aws.hidden)
        assert [each.raw.receipt for each in redrive.report.messages] == [second]
        redrive.replay(SILENT)
    assert (len(aws.sent), redrive.report.replayed) == (1, 1)
    assert list(aws.hidden) == [first]


def test_what_fails_again_while_it_works_is_left_for_the_next_time() -> None:
    aws, redrive = create(failure("a"), failure("b"))
    aws.before_invoke = lambda _: aws.put(failure("again"), f"new {len(aws.queue)}")
    replay(redrive)
    assert keys(aws) == ["a", "b"]
    assert len(aws.queue) == 2


def test_an_export_has_the_messages_whole_and_deletes_none() -> None:
    aws, redrive = create(failure("é"), "hello", failure("\ud83d"))
    assert export(redrive) == [
        {"message_id": "id-0", "sent_ms": 0, "body": failure("é")},
        {"message_id": "id-1", "sent_ms": 1, "body": "hello"},
        {"message_id": "id-2", "sent_ms": 2, "body": failure("\ud83d")},
    ]
    assert (len(aws.queue), aws.log) == (3, [])


def test_an_export_of_one_reason_has_no_other() -> None:
    _, redrive = create(failure("a"), failure("b", **TIMEOUT), "hello", reason="timeout")
    assert [each["body"] for each in export(redrive)] == [failure("b", **TIMEOUT)]


def test_replays_keep_to_the_rate(clock: FakeClock) -> None:
    _, redrive = create(*(failure(f"{number}") for number in range(50)), clock=clock, per_second=5)
    replay(redrive)
    assert clock.now == pytest.approx(50 / 5, abs=0.3)


def test_a_queue_that_gives_no_more_although_there_is_more_is_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQS hands out some 120,000 messages at once and no more."""
    aws, redrive = create(*MANY[:10])
    monkeypatch.setattr(aws, "message_counts", lambda _: (12, 0))
    replay(redrive)
    assert (redrive.report.unread, redrive.report.empty) == (2, False)


def test_what_cannot_be_let_go_hides_neither_what_was_read_nor_why_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, redrive = create(failure("a"))

    def refuse(*_: object) -> None:
        raise OperatorError("no permission")

    monkeypatch.setattr(aws, "release", refuse)
    with redrive.reading(SILENT):
        pass
    assert [each.chosen for each in redrive.report.messages] == [True]
    assert redrive.report.note == "what was read and not deleted stays hidden for up to 30 minutes: no permission"
    with pytest.raises(KeyboardInterrupt), redrive.reading(SILENT):
        raise KeyboardInterrupt
