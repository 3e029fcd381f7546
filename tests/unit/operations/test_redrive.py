from __future__ import annotations

import io
import json
from typing import Any

import pytest

from operations.errors import OperatorError, RefusedEventError
from operations.output import Progress
from operations.redrive import Redrive
from tests.unit.operations.fakes import ARN, TARGET, Clock, FakeAws, failure

SILENT = Progress(io.StringIO())
TIMEOUT: dict[str, Any] = {"responsePayload": {"errorMessage": "Task timed out after 60.00 seconds", "errorType": ""}}


def make(*bodies: object, **options: Any) -> tuple[FakeAws, Redrive]:
    aws, clock = FakeAws(), Clock()
    for number, body in enumerate(bodies):
        aws.put(body, sent_ms=number)
    rate = options.pop("rate", 1000)
    redrive = Redrive(aws, TARGET, "https://queue", per_second=rate, clock=clock, sleep=clock.sleep, **options)
    return aws, redrive


def keys(aws: FakeAws) -> list[str]:
    return sorted(event["Records"][0]["s3"]["object"]["key"] for event in aws.sent)


def test_looking_changes_nothing_and_leaves_every_message_visible() -> None:
    aws, redrive = make(*(failure(f"{number}") for number in range(25)))
    with redrive.reading(SILENT):
        assert len(aws.hidden) == 25
        assert len(redrive.report.messages) == 25
    assert (aws.log, len(aws.queue), aws.hidden) == ([], 25, {})


def test_a_message_is_deleted_only_after_its_replay_was_accepted() -> None:
    aws, redrive = make(failure("a"))
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert aws.log == [("invoke", failure("a")["requestPayload"]), ("delete", "id-0")]
    assert (aws.queue, aws.hidden, redrive.report.replayed) == ([], {}, 1)


def test_what_is_not_accepted_stays_and_is_visible_again() -> None:
    aws, redrive = make(failure("a"), failure("b"), failure("c"))

    def refuse(event: Any) -> None:  # noqa: ANN401  JSON
        if event["Records"][0]["s3"]["object"]["key"] == "b":
            raise OperatorError("denied")

    aws.before_invoke = refuse
    with pytest.raises(OperatorError, match="denied"), redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert aws.hidden == {}
    left = [json.loads(each.body)["requestPayload"]["Records"][0]["s3"]["object"]["key"] for each in aws.queue]
    assert "b" in left
    assert sorted(keys(aws) + left) == ["a", "b", "c"]  # each is in the queue or was accepted, and never both
    assert redrive.report.replayed == len(keys(aws))


def test_a_message_that_is_not_ours_is_shown_and_left_alone() -> None:
    aws, redrive = make("hello", failure("a"), failure("b", arn=f"{ARN}-other"))
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert keys(aws) == ["a"]
    assert aws.queue[0].body == "hello"
    assert len(aws.queue) == 2
    assert [bool(each.not_ours) for each in redrive.report.messages] == [True, False, True]


def test_only_the_reason_that_was_asked_for_is_replayed() -> None:
    aws, redrive = make(failure("a"), failure("b", **TIMEOUT), failure("c"), reason="timeout")
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert keys(aws) == ["b"]
    assert len(aws.queue) == 2


@pytest.mark.parametrize("most", [1, 10, 13])
def test_so_many_failures_are_taken_and_no_more(most: int) -> None:
    aws, redrive = make(*(failure(f"{number}") for number in range(25)), max_messages=most)
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert (len(aws.sent), len(aws.queue)) == (most, 25 - most)


def test_the_most_counts_failures_of_the_reason_that_was_asked_for() -> None:
    bodies = [failure(f"{number}") for number in range(12)] + [failure("late", **TIMEOUT), failure("later", **TIMEOUT)]
    aws, redrive = make(*bodies, reason="timeout", max_messages=1)
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert keys(aws) == ["late"]
    assert len(aws.queue) == 13


def test_a_message_that_comes_twice_is_counted_and_replayed_once_and_deleted_by_its_newest_receipt() -> None:
    aws, redrive = make(failure("a"))
    again = failure("a") | {"version": "handed out again"}  # only to give it another receipt
    aws.put(again, "id-0")
    with redrive.reading(SILENT):
        first, second = list(aws.hidden)
        assert [each.raw.receipt for each in redrive.report.messages] == [second]
        redrive.replay(SILENT)
    assert (len(aws.sent), redrive.report.replayed) == (1, 1)
    assert list(aws.hidden) == [first]


def test_what_fails_again_while_it_works_is_left_for_the_next_time() -> None:
    aws, redrive = make(failure("a"), failure("b"))
    aws.before_invoke = lambda _: aws.put(failure("again"), f"new {len(aws.queue)}")
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert keys(aws) == ["a", "b"]
    assert len(aws.queue) == 2


def test_messages_that_somebody_else_holds_are_told_of() -> None:
    aws, redrive = make()
    aws.hidden_elsewhere = 4
    with redrive.reading(SILENT):
        assert redrive.report.in_flight == 4


def test_an_export_has_the_messages_whole_and_deletes_none() -> None:
    aws, redrive = make(failure("é"), "hello")
    file = io.StringIO()
    with redrive.reading(SILENT):
        assert redrive.export(file) == 2
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert lines == [
        {"message_id": "id-0", "sent_ms": 0, "body": failure("é")},
        {"message_id": "id-1", "sent_ms": 1, "body": "hello"},
    ]
    assert (len(aws.queue), aws.log) == (2, [])


def test_an_export_of_one_reason_has_no_other() -> None:
    _, redrive = make(failure("a"), failure("b", **TIMEOUT), "hello", reason="timeout")
    file = io.StringIO()
    with redrive.reading(SILENT):
        assert redrive.export(file) == 1
    assert "timed out" in file.getvalue()


def test_replays_keep_to_the_rate() -> None:
    aws, clock = FakeAws(), Clock()
    for number in range(50):
        aws.put(failure(f"{number}"))
    redrive = Redrive(aws, TARGET, "https://queue", per_second=5, clock=clock, sleep=clock.sleep)
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert clock.seconds - 100 == pytest.approx(50 / 5, abs=0.3)


def test_an_event_that_lambda_refuses_stays_and_the_others_are_replayed() -> None:
    aws, redrive = make(failure("a"), failure("b"), failure("c"))

    def refuse(event: Any) -> None:  # noqa: ANN401  JSON
        if event["Records"][0]["s3"]["object"]["key"] == "b":
            raise RefusedEventError("too large")

    aws.before_invoke = refuse
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert keys(aws) == ["a", "c"]
    assert [each.refused for each in redrive.report.messages] == ["", "too large", ""]
    assert (len(aws.queue), redrive.report.empty) == (1, False)


def test_a_queue_of_which_not_all_was_read_is_not_empty() -> None:
    _, redrive = make(*(failure(f"{number}") for number in range(25)), max_messages=1)
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert (redrive.report.replayed, redrive.report.unread, redrive.report.empty) == (1, 24, False)


def test_a_queue_that_gives_no_more_although_there_is_more_is_not_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQS hands out some 120,000 messages at once and no more."""
    aws, redrive = make(*(failure(f"{number}") for number in range(12)))
    rest = aws.queue[10:]
    del aws.queue[10:]
    monkeypatch.setattr(aws, "message_counts", lambda _: (12, 0))
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
    assert len(rest) == redrive.report.unread == 2
    assert not redrive.report.empty


def test_what_cannot_be_let_go_hides_neither_what_was_read_nor_why_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, redrive = make(failure("a"))

    def refuse(*_: object) -> None:
        raise OperatorError("no permission")

    monkeypatch.setattr(aws, "release", refuse)
    with redrive.reading(SILENT):
        pass
    assert [each.chosen for each in redrive.report.messages] == [True]
    assert redrive.report.note == "what was read and not deleted stays hidden for up to 30 minutes: no permission"
    with pytest.raises(KeyboardInterrupt), redrive.reading(SILENT):
        raise KeyboardInterrupt


def test_a_body_that_is_nested_too_deep_is_one_that_is_not_ours() -> None:
    aws, redrive = make("[" * 200_000, failure("a"))
    file = io.StringIO()
    with redrive.reading(SILENT):
        redrive.replay(SILENT)
        assert redrive.export(file) == 2
    assert keys(aws) == ["a"]
    assert [each.not_ours for each in redrive.report.messages] == ["it is not JSON", ""]


def test_half_of_a_surrogate_pair_is_exported_as_it_is() -> None:
    _, redrive = make(failure("\ud83d"))
    file = io.StringIO()
    with redrive.reading(SILENT):
        redrive.export(file)
    file.getvalue().encode("ascii")
    assert json.loads(file.getvalue())["body"] == failure("\ud83d")
