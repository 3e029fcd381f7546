"""What the embedded emulator is made to do as AWS does: see `localstack/emulators/embedded_child.py`."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.waiting import WAITER_CONFIG

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Client

pytestmark = [
    pytest.mark.not_in_a_live_account("is about the emulator"),
    pytest.mark.only_emulator("embedded"),
]

NAME = "emulated"
CODE = """
import os, sys, time

def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(event["word"], number)
    sys.stderr.write(event.get("unfinished", ""))
    sys.stderr.flush()
    if meeting := event.get("meeting"):
        open(os.path.join(meeting, str(os.getpid())), "w").close()
        while len(os.listdir(meeting)) < 2:
            time.sleep(0.01)
    if "raises" in event:
        raise ValueError(event["raises"])
    return {"process": os.getpid(), "file": os.path.realpath(__file__)}
"""


@dataclass(frozen=True, kw_only=True)
class Called:
    """What a call came to: its answer, and the lines that it logged (the last 4 kB)."""

    answer: Any
    failed: bool
    log: list[str]


class Function:
    """A function that does what its event says."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(self, **event: object) -> Called:
        """Call it, and wait."""
        answer = self._client.invoke(FunctionName=NAME, LogType="Tail", Payload=json.dumps(event))
        log = base64.b64decode(answer.get("LogResult", "")).decode()
        own = [line for line in log.splitlines() if not line.startswith(("START ", "END ", "REPORT "))]
        return Called(answer=json.load(answer["Payload"]), failed="FunctionError" in answer, log=own)


@pytest.fixture(scope="module")
def function(emulator: Emulator) -> Iterator[Function]:
    client = emulator.client("lambda")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("emulated.py", CODE)
    client.create_function(
        FunctionName=NAME,
        Runtime="python3.13",
        Handler="emulated.handler",
        Role="arn:aws:iam::000000000000:role/emulated",
        Code={"ZipFile": archive.getvalue()},
        Timeout=30,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig=WAITER_CONFIG)
    yield Function(client)
    client.delete_function(FunctionName=NAME)


def test_an_exception_is_told_and_does_not_end_the_process(function: Function) -> None:
    before = function.call()
    raised = function.call(raises="what went wrong")
    assert (raised.failed, raised.answer["errorMessage"]) == (True, "what went wrong")
    assert any("Traceback" in line for line in raised.log)
    after = function.call()
    assert (before.failed, after.failed) == (False, False)
    assert after.answer == before.answer


def test_every_line_is_logged_with_its_own_call(function: Function) -> None:
    for word in ("one", "two", "three"):
        assert function.call(word=word, lines=20_000).log[-100:] == [f"{word} {each}" for each in range(19_900, 20_000)]
        assert function.call().log == []


def test_a_line_without_an_end_is_logged_with_the_next(function: Function) -> None:
    assert function.call(unfinished="begun and ").log == []
    assert function.call(unfinished="ended\n").log == ["begun and ended"]


def test_processes_side_by_side_have_the_same_code(function: Function, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:  # each ends only when the other has begun
        answers = [called.answer for called in pool.map(lambda _: function.call(meeting=str(tmp_path)), range(2))]
    assert len({answer["process"] for answer in answers}) == 2
    assert len({answer["file"] for answer in answers}) == 1
