from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest

from localstack.showcase.demo.diagnostics import LINES, collect
from tests.support.demo_fakes import OUTPUTS, FakeEmulator, fake_logs, fake_queue
from tests.support.fakes import client_error

FAILURE = {
    "requestContext": {"condition": "RetriesExhausted"},
    "requestPayload": {"Records": [{"s3": {"object": {"key": "lake.jpg"}}}]},
}


def diagnostics(queue: object, *lines: str) -> dict[str, list[str]]:
    return collect(FakeEmulator({"sqs": queue, "logs": fake_logs(*lines)}), OUTPUTS)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"errorMessage": "denied: HeadObject"}, "denied: HeadObject"),
        (None, "no error message"),
        ({}, "no error message"),
    ],
)
def test_demo_diagnostics_show_key_and_reason_of_failed_events(payload: dict[str, Any] | None, reason: str) -> None:
    found = diagnostics(fake_queue(json.dumps({**FAILURE, "responsePayload": payload})))
    assert found["Failure queue"] == [f"lake.jpg: RetriesExhausted: {reason}"]


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"requestPayload": {"Records": [1]}}'])
def test_demo_diagnostics_show_an_unknown_queue_message_unchanged(body: str) -> None:
    assert diagnostics(fake_queue(body))["Failure queue"] == [body]


def test_demo_diagnostics_show_the_end_of_indexer_and_emulator_logs() -> None:
    found = diagnostics(fake_queue(), *(f"line {number}" for number in range(LINES + 5)))
    assert found["Failure queue"] == []
    assert found["Last lines of the indexer's log"] == [f"line {number}" for number in range(5, LINES + 5)]
    assert found["Last lines of the emulator's log"] == ["the emulator's last words"]


def test_demo_diagnostics_continue_after_an_unavailable_source() -> None:
    unavailable = mock.Mock(
        **{"receive_message.side_effect": client_error(503, "ServiceUnavailable", "ReceiveMessage")}
    )
    found = diagnostics(unavailable, "a line")
    (line,) = found["Failure queue"]
    assert "ServiceUnavailable" in line
    assert found["Last lines of the indexer's log"] == ["a line"]
