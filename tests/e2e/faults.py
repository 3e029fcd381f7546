"""A proxy between botocore and an emulator that does to a connection what networks and busy services do.

It takes one request at a time from each connection, and knows the function's two calls apart by their form. What
happens to a call is decided by the key that it is about, so that tests do not meet each other.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

HEAD, UPDATE = "HeadObject", "UpdateItem"

SLOW_SECONDS = 1.0  # of a slow answer, from its first byte to its last; botocore waits 3 s for the next byte
UPSTREAM_SECONDS = 20.0
NO_LINGER = struct.pack("ii", 1, 0)  # l_onoff, l_linger: closing resets the connection instead of ending it


class Fault(Enum):
    """What happens to one call."""

    THROTTLED = "an answer that asks to slow down"
    SERVER_ERROR = "500"
    RESET = "the connection is reset before the call reaches the service"
    RESET_IN_THE_ANSWER = "the call takes effect, and the connection is reset in the middle of the answer"
    TRUNCATED = "the call takes effect, and the answer ends in its middle"
    SLOW = "the answer comes in pieces"
    BLACK_HOLE = "the call never reaches the service, and nothing ever comes back"
    BLACK_HOLE_AFTER = "the call takes effect, and nothing ever comes back"


NOT_FORWARDED = {Fault.RESET, Fault.BLACK_HOLE}
UNANSWERED = {Fault.BLACK_HOLE, Fault.BLACK_HOLE_AFTER}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that came by."""

    operation: str
    key: str
    fault: Fault | None


@dataclass
class Proxy:
    """What is planned, and what came by.

    Attributes:
        endpoint: the URL at which to reach the service through this proxy.
        upstream: host and port of the service.
        ahead: what happens to the next calls, by operation and key.
        always: what happens to every call about a key for which nothing is planned.
        calls: what came by, in order.
        closing: set when no answer is held back any longer.
    """

    upstream: tuple[str, int]
    endpoint: str = ""
    ahead: defaultdict[tuple[str, str], deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Fault] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def plan(self, operation: str, key: str, *faults: Fault) -> None:
        """Let these faults happen to the next calls of an operation about a key."""
        self.ahead[operation, key].extend(faults)

    def about(self, key: str) -> list[tuple[str, Fault | None]]:
        """The calls about a key, with what happened to them."""
        return [(call.operation, call.fault) for call in self.calls if call.key == key]

    def fault_for(self, operation: str, key: str) -> Fault | None:
        """What happens to a call that has just come."""
        planned = self.ahead[operation, key]
        fault = planned.popleft() if planned else self.always.get(key)
        self.calls.append(Call(operation=operation, key=key, fault=fault))
        return fault


@dataclass
class Throttle(Proxy):
    """Lets so many writes a second pass, of which it saves a second's, and refuses the others as DynamoDB does."""

    writes_per_second: float = 1.0
    _tokens: float = field(init=False)
    _at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tokens = self.writes_per_second

    def fault_for(self, operation: str, key: str) -> Fault | None:
        fault = None
        if operation == UPDATE:
            with self._lock:
                now = time.monotonic()
                refill = (now - self._at) * self.writes_per_second
                self._tokens, self._at = min(self.writes_per_second, self._tokens + refill), now
                if self._tokens >= 1:
                    self._tokens -= 1
                else:
                    fault = Fault.THROTTLED
        self.calls.append(Call(operation=operation, key=key, fault=fault))
        return fault


@contextmanager
def faulty(upstream: str, *, writes_per_second: float | None = None) -> Iterator[Proxy]:
    """Run a proxy in front of the service at this URL, on 127.0.0.1 only; with a rate, it is a `Throttle`."""
    address = urlsplit(upstream)
    assert address.hostname, f"{upstream} names no host"
    host = (address.hostname, address.port or 80)
    proxy = Proxy(host) if writes_per_second is None else Throttle(host, writes_per_second=writes_per_second)

    class Handler(_Handler):
        plan = proxy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True  # who waits for a request on an idle connection does not keep the tests from ending
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    plan: Proxy
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Tests look at `Proxy.calls` instead."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation, key = self._told(body)
        fault = self.plan.fault_for(operation, key)
        if fault is Fault.THROTTLED:
            self._send(_throttled(operation))
        elif fault is Fault.SERVER_ERROR:
            self._send(_error(operation, 500, "InternalServerError"))
        else:
            answer = b"" if fault in NOT_FORWARDED else self._forwarded(body)
            if fault in UNANSWERED:
                self.plan.closing.wait()
                self.close_connection = True
            else:
                self._spoil(answer, fault)

    def _told(self, body: bytes) -> tuple[str, str]:
        """Operation and key of a request."""
        if self.command == "HEAD":
            _, _bucket, key = urlsplit(self.path).path.split("/", 2)
            return HEAD, unquote(key)
        operation = self.headers["X-Amz-Target"].split(".")[1]
        object_id: str = json.loads(body)["Key"]["object_id"]["S"]
        return operation, object_id.split("/", 1)[1]

    def _forwarded(self, body: bytes) -> bytes:
        """The service's answer, as it goes over the wire."""
        connection = http.client.HTTPConnection(*self.plan.upstream, timeout=UPSTREAM_SECONDS)
        try:
            connection.request(self.command, self.path, body=body or None, headers=dict(self.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_ONE_HOP]
        finally:
            connection.close()
        if self.command != "HEAD":
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(content))))
        return _on_the_wire(answer.status, answer.reason, headers, content)

    def _spoil(self, answer: bytes, fault: Fault | None) -> None:
        middle = _middle(answer)
        match fault:
            case Fault.RESET:
                self._reset()
            case Fault.RESET_IN_THE_ANSWER:
                self._send(answer[:middle])
                time.sleep(0.05)  # or the reset would overtake what was sent
                self._reset()
            case Fault.TRUNCATED:
                self._send(answer[:middle])
                self.close_connection = True
            case Fault.SLOW:
                pieces = 10
                size = -(-len(answer) // pieces)
                for start in range(0, len(answer), size):
                    self._send(answer[start : start + size])
                    time.sleep(SLOW_SECONDS / pieces)
            case _:
                self._send(answer)

    def _send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.wfile.flush()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.connection.close()
        self.close_connection = True


_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding"}


def _middle(answer: bytes) -> int:
    """Where an answer breaks off: in the middle of its body, or after its first header if it has none."""
    headers, _, body = answer.partition(b"\r\n\r\n")
    if body:
        return len(answer) - len(body) // 2 - 1
    return headers.index(b"\r\n", headers.index(b"\r\n") + 2) + 2


def _throttled(operation: str) -> bytes:
    if operation == HEAD:
        return _error(operation, 503, "SlowDown")
    return _error(operation, 400, "ProvisionedThroughputExceededException")


def _error(operation: str, status: int, code: str) -> bytes:
    """An error as the service words it; S3 has no body for it in the answer to a HEAD."""
    fault: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "as the test wishes"}
    content = b"" if operation == HEAD else json.dumps(fault).encode()
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(content)))]
    return _on_the_wire(status, code, headers, content)


def _on_the_wire(status: int, reason: str, headers: list[tuple[str, str]], content: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + content
