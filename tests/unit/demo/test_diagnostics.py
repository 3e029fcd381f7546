from __future__ import annotations

import json
from typing import Any

import pytest

from localstack.showcase.demo.diagnostics import LINES, collect
from tests.unit.demo.fakes import OUTPUTS, FakeEmulator, FakeLogs, FakeQueue, refusal


def failure(**changes: Any) -> str:
    return json.dumps(
        {
            "requestContext": {"condition": "RetriesExhausted"},
            "requestPayload": {"Records": [{"s3": {"object": {"key": "lake.jpg"}}}]},
            "responsePayload": {"errorMessage": "denied: HeadObject"},
            **changes,
        }
    )


def evidence(queue: object, logs: object) -> dict[str, list[str]]:
    return collect(FakeEmulator({"sqs": queue, "logs": logs}), OUTPUTS)


def test_failed_events_are_told_with_their_keys_and_the_reason() -> None:
    found = evidence(FakeQueue(failure()), FakeLogs())
    assert found["Failure queue"] == ["lake.jpg: RetriesExhausted: denied: HeadObject"]


@pytest.mark.parametrize("changes", [{"responsePayload": None}, {"responsePayload": {}}])
def test_a_failure_without_a_message_is_told_all_the_same(changes: dict[str, Any]) -> None:
    found = evidence(FakeQueue(failure(**changes)), FakeLogs())
    assert found["Failure queue"] == ["lake.jpg: RetriesExhausted: no error message"]


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"requestPayload": {"Records": [1]}}'])
def test_any_other_message_is_shown_as_it_is(body: str) -> None:
    assert evidence(FakeQueue(body), FakeLogs())["Failure queue"] == [body]


def test_the_ends_of_both_logs_are_shown() -> None:
    found = evidence(FakeQueue(), FakeLogs(*(f"line {number}" for number in range(LINES + 5))))
    assert found["Failure queue"] == []
    assert found["End of the function's log"] == [f"line {number}" for number in range(5, LINES + 5)]
    assert found["End of the emulator's log"] == ["the emulator's last words"]


def test_what_cannot_be_asked_is_said_and_the_rest_is_shown() -> None:
    class Silent:
        def receive_message(self, **_: object) -> None:
            raise refusal("ServiceUnavailable", "ReceiveMessage")

    found = evidence(Silent(), FakeLogs("a line"))
    assert len(found["Failure queue"]) == 1
    assert "ServiceUnavailable" in found["Failure queue"][0]
    assert found["End of the function's log"] == ["a line"]
