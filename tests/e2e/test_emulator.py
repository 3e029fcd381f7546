"""The emulator is reachable from this machine only, and its functions behave as on Lambda.

`localstack/emulators/embedded_child.py` implements this behavior of functions.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from localstack.emulators.embedded_child import CONCURRENT_EVENTS
from tests.e2e.functions import create_function
from tests.support import waiting
from tests.support.nonempty import nonempty
from tests.support.sockets import sockets_of_session, tcp_listeners

if TYPE_CHECKING:
    from pathlib import Path

    from localstack.emulators.emulator import Emulator
    from tests.support.index import Client, Index

pytestmark = pytest.mark.not_in_a_live_account("tests the emulator")

EMBEDDED = pytest.mark.only_emulator("embedded")

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
    if crowd := event.get("crowd"):
        time.sleep(0.05)
        open(os.path.join(crowd, f"{event['number']}-{os.getpid()}"), "w").close()
    if "raises" in event:
        raise ValueError(event["raises"])
    return {"process": os.getpid(), "file": os.path.realpath(__file__)}
"""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """Response and log lines (the last 4 kB) of one invocation."""

    response: Any
    failed: bool
    log: list[str]


class Function:
    """Lambda function on the emulator whose behavior depends on the event."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def invoke(self, **event: object) -> Invocation:
        response = self._client.invoke(FunctionName=NAME, LogType="Tail", Payload=json.dumps(event))
        log = base64.b64decode(response.get("LogResult", "")).decode()
        lines = [line for line in log.splitlines() if not re.match("(START|END|REPORT) ", line)]
        return Invocation(response=json.load(response["Payload"]), failed="FunctionError" in response, log=lines)


@pytest.fixture(scope="module")
def function(emulator: Emulator) -> Iterator[Function]:
    client = emulator.client("lambda")
    create_function(client, NAME, CODE, role="arn:aws:iam::000000000000:role/emulated")
    yield Function(client)
    client.delete_function(FunctionName=NAME)


def test_emulator_accepts_connections_only_on_loopback(emulator: Emulator) -> None:
    assert re.match(r"(LocalStack|MiniStack) \d+\.\d+\.\d+", emulator.name)
    parts = urlsplit(emulator.endpoint)
    assert (parts.hostname, parts.port is not None) == ("127.0.0.1", True)
    with socket.create_connection(("127.0.0.1", parts.port or 0), timeout=2):
        pass
    others = _other_addresses()
    assert others
    for address in nonempty(others):
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, parts.port or 0), timeout=1).close()


@EMBEDDED
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists listening sockets in /proc")
def test_emulator_processes_listen_only_on_loopback_addresses(emulator: Emulator, index: Index) -> None:
    """The test checks all processes of the emulator, including those that run Lambda functions."""
    index.invoke({"Event": "s3:TestEvent"})  # this invocation starts a process that runs the indexer
    port = urlsplit(emulator.endpoint).port
    listeners = list(tcp_listeners())
    [inode] = [listener.inode for listener in listeners if listener.port == port]
    sockets = sockets_of_session(inode)
    assert inode in sockets
    exposed = [each for each in listeners if each.inode in sockets and not each.address.is_loopback]
    assert exposed == []


@EMBEDDED
def test_emulated_function_reports_an_exception_and_keeps_its_process(function: Function) -> None:
    before = function.invoke()
    raised = function.invoke(raises="what went wrong")
    assert (raised.failed, raised.response["errorMessage"]) == (True, "what went wrong")
    assert any("Traceback" in line for line in raised.log)
    after = function.invoke()
    assert (before.failed, after.failed) == (False, False)
    assert after.response == before.response


@EMBEDDED
def test_emulated_function_returns_only_log_lines_of_the_same_invocation(function: Function) -> None:
    for word in ("one", "two", "three"):
        expected = [f"{word} {number}" for number in range(19_900, 20_000)]
        assert function.invoke(word=word, lines=20_000).log[-100:] == expected
        assert function.invoke().log == []


@EMBEDDED
def test_function_output_without_a_line_break_is_logged_when_the_line_ends(function: Function) -> None:
    assert function.invoke(unfinished="begun and ").log == []
    assert function.invoke(unfinished="ended\n").log == ["begun and ended"]


@EMBEDDED
def test_concurrent_processes_of_an_emulated_function_share_their_code(function: Function, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:  # each invocation waits until the other has started
        responses = [done.response for done in pool.map(lambda _: function.invoke(meeting=str(tmp_path)), range(2))]
    assert len({response["process"] for response in responses}) == 2
    assert len({response["file"] for response in responses}) == 1


@EMBEDDED
def test_emulated_function_queues_events_beyond_the_limit_of_processes(
    emulator: Emulator, function: Function, tmp_path: Path
) -> None:
    """Without the queue, the emulator would start a process for each event."""
    function.invoke()
    events = [{"crowd": str(tmp_path), "number": number} for number in range(4 * CONCURRENT_EVENTS)]
    with ThreadPoolExecutor(len(events)) as pool:
        client = emulator.client("lambda")
        payloads = map(json.dumps, events)
        list(pool.map(lambda each: client.invoke(FunctionName=NAME, InvocationType="Event", Payload=each), payloads))
    waiting.wait_until(lambda: len(list(tmp_path.iterdir())) >= len(events), "a file of each event", timeout=60)
    numbers, processes = zip(*(file.name.split("-") for file in tmp_path.iterdir()), strict=True)
    assert sorted(map(int, numbers)) == list(range(len(events)))
    assert len(set(processes)) <= CONCURRENT_EVENTS


def _other_addresses() -> set[str]:
    """Return non-loopback addresses of this machine, and 127.0.0.2, to detect a listener on all interfaces."""
    found = {"127.0.0.2"} if sys.platform == "linux" else set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # selects a local address without sending a packet
            found.add(probe.getsockname()[0])
        except OSError:
            pass  # this machine has no network
    return found - {"127.0.0.1"}
