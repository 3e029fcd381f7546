"""Fake X-Ray daemon, and formatting of the traces that it receives."""

from __future__ import annotations

import json
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from tests.support import waiting

Subsegment: TypeAlias = dict[str, Any]

EXECUTION = "## lambda_handler"
"""Name of the subsegment that contains all other subsegments of a trace. It ends last and is therefore sent last."""


class Daemon:
    """Fake X-Ray daemon that receives the subsegments of indexers.

    Attributes:
        address: value for the environment variable AWS_XRAY_DAEMON_ADDRESS.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening
        self._received: defaultdict[str, list[Subsegment]] = defaultdict(list)
        self.address = f"127.0.0.1:{listening.getsockname()[1]}"

    def trace(self, trace_id: str) -> list[Subsegment]:
        """Wait until a trace is complete, and return its subsegments in the order of their end times."""
        deadline = time.monotonic() + waiting.TIMEOUT
        while not any(each["name"] == EXECUTION for each in self._received[trace_id]):
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                tree = self._receive()
            except TimeoutError:
                received = {name: [each["name"] for each in trace] for name, trace in self._received.items()}
                raise waiting.WaitTimeoutError(f"no whole trace {trace_id}; received: {received}") from None
            self._received[tree["trace_id"]] += flatten(tree)
        return self._received[trace_id]

    def trees(self) -> list[Subsegment]:
        """Return the unread X-Ray documents. Each document is a subsegment with its descendants."""
        self._socket.settimeout(0)  # Datagrams on the loopback interface arrive immediately.
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self._receive())
        return found

    def subsegments(self, number: int) -> list[Subsegment]:
        """Return the unread subsegments in the order of their end times.

        Raises:
            AssertionError: the number of subsegments is not `number`.
        """
        found = [subsegment for tree in self.trees() for subsegment in flatten(tree)]
        assert len(found) == number, [each["name"] for each in found]
        return found

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> Subsegment:
        header, _, document = self._socket.recv(65536).decode().partition("\n")
        assert json.loads(header) == {"format": "json", "version": 1}
        tree: Subsegment = json.loads(document)
        return tree


def flatten(tree: Subsegment) -> Iterator[Subsegment]:
    """Yield a subsegment and its descendants, in the order of their end times."""
    for each in tree.pop("subsegments", ()):
        yield from flatten(each)
    yield tree


@contextmanager
def daemon() -> Iterator[Daemon]:
    """Run a fake X-Ray daemon on a free port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        yield Daemon(listening)


def format_trace(subsegments: list[Subsegment]) -> list[str]:
    """Format a trace as a tree: one line for each subsegment, indented below its parent, by start time."""
    children: defaultdict[str, list[Subsegment]] = defaultdict(list)
    for each in sorted(subsegments, key=lambda one: one["start_time"]):
        children[each["parent_id"]].append(each)
    ids = {each["id"] for each in subsegments}

    def lines(parent: str, depth: int) -> Iterator[str]:
        for each in children[parent]:
            yield "  " * depth + " ".join(_words(each))
            yield from lines(each["id"], depth + 1)

    return [line for root in sorted(children.keys() - ids) for line in lines(root, 0)]


def _words(subsegment: Subsegment) -> Iterator[str]:
    yield subsegment["name"]
    if "aws" in subsegment:
        yield subsegment["aws"]["operation"]
    yield from (mark for mark in ("fault", "throttle") if subsegment.get(mark))
    yield from (f"{name}={value}" for name, value in sorted(subsegment.get("annotations", {}).items()))
