"""A proxy between botocore and an emulator that injects the faults of networks and busy services.

It takes one request at a time from each connection, and distinguishes the indexer's two calls by their form. The key
that a call is about decides which fault is injected, so that tests do not affect each other.
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
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

import botocore.session
from botocore.config import Config

from lambda_code.indexer import Indexer
from lambda_code.storage import CLIENT_CONFIG, Storage
from tests.support.fakes import RecordingTelemetry
from tests.support.serving import serving

if TYPE_CHECKING:
    from tests.support.index import Index

HEAD, UPDATE = "HeadObject", "UpdateItem"

SLOW_SECONDS = 1.0  # of a slow response, from its first byte to its last; botocore waits 3 s for the next byte
UPSTREAM_SECONDS = 20.0
NO_LINGER = struct.pack("ii", 1, 0)  # l_onoff, l_linger: closing resets the connection instead of ending it
THROTTLING_ERRORS = {HEAD: (503, "SlowDown"), UPDATE: (400, "ProvisionedThroughputExceededException")}
HOP_BY_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding"}


class Fault(Enum):
    """A fault of one call."""

    THROTTLED = "the response asks to slow down"
    SERVER_ERROR = "500"
    RESET = "the connection is reset before the call reaches the service"
    RESET_IN_THE_ANSWER = "the call takes effect, and the connection is reset in the middle of the response"
    TRUNCATED = "the call takes effect, and the response ends in its middle"
    SLOW = "the response arrives in pieces"
    BLACK_HOLE = "the call never reaches the service, and there is no response"
    BLACK_HOLE_AFTER = "the call takes effect, and there is no response"


NOT_FORWARDED = {Fault.RESET, Fault.BLACK_HOLE}
WITHOUT_RESPONSE = (Fault.BLACK_HOLE, Fault.BLACK_HOLE_AFTER)


class ProxiedCall(NamedTuple):
    """One call through the proxy."""

    operation: str
    key: str
    fault: Fault | None


@dataclass
class FaultProxy:
    """The faults to inject, and the calls so far.

    Attributes:
        endpoint: the URL of this proxy.
        upstream: host and port of the service.
        planned: faults of the next calls, by operation and key.
        permanent: the fault of every call about a key for which nothing is planned.
        calls: the calls so far, in order.
        closing: set when the proxy stops; calls without a response end then.
    """

    upstream: tuple[str, int]
    endpoint: str = ""
    planned: defaultdict[tuple[str, str], deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    permanent: dict[str, Fault] = field(default_factory=dict)
    calls: list[ProxiedCall] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def plan(self, operation: str, key: str, *faults: Fault) -> None:
        """Inject these faults into the next calls of an operation about a key."""
        self.planned[operation, key].extend(faults)

    def calls_for(self, key: str) -> list[tuple[str, Fault | None]]:
        """The calls about a key, with their faults."""
        return [(call.operation, call.fault) for call in self.calls if call.key == key]

    def record(self, operation: str, key: str) -> Fault | None:
        """Record a call; return the fault to inject."""
        fault = self.next_fault(operation, key)
        self.calls.append(ProxiedCall(operation=operation, key=key, fault=fault))
        return fault

    def next_fault(self, operation: str, key: str) -> Fault | None:
        planned = self.planned[operation, key]
        return planned.popleft() if planned else self.permanent.get(key)

    def indexer(self, index: Index, **config: Any) -> Indexer:
        """The indexer's own code, clock and timeouts, in this process, with this proxy in place of AWS."""
        session, region = botocore.session.get_session(), index.clients.s3.meta.region_name
        merged = CLIENT_CONFIG.merge(Config(**config))

        def client(service: str) -> Any:  # noqa: ANN401 - botocore creates its classes at run time
            return session.create_client(service, region_name=region, endpoint_url=self.endpoint, config=merged)

        storage = Storage(
            s3=client("s3"),
            dynamodb=client("dynamodb"),
            bucket_name=index.bucket,
            table_name=index.table,
        )
        return Indexer(
            bucket_name=index.bucket, deleted_retention_days=90, storage=storage, telemetry=RecordingTelemetry()
        )


@dataclass
class ThrottlingProxy(FaultProxy):
    """Forwards a number of writes per second, with a burst of one second, and throttles the others as DynamoDB does."""

    writes_per_second: float = 1.0
    _tokens: float = field(init=False)
    _updated: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tokens = self.writes_per_second

    def next_fault(self, operation: str, key: str) -> Fault | None:  # noqa: ARG002  overrides
        if operation != UPDATE:
            return None
        with self._lock:
            now = time.monotonic()
            refill = (now - self._updated) * self.writes_per_second
            self._tokens, self._updated = min(self.writes_per_second, self._tokens + refill), now
            if self._tokens < 1:
                return Fault.THROTTLED
            self._tokens -= 1
            return None


@contextmanager
def fault_proxy(upstream: str, *, writes_per_second: float | None = None) -> Iterator[FaultProxy]:
    """Run a proxy in front of the service at this URL, on 127.0.0.1 only; with a rate, it is a `ThrottlingProxy`."""
    address = urlsplit(upstream)
    assert address.hostname, f"{upstream} names no host"
    host = (address.hostname, address.port or 80)
    proxy = (
        FaultProxy(host) if writes_per_second is None else ThrottlingProxy(host, writes_per_second=writes_per_second)
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True  # threads that wait on an idle connection do not keep the tests from ending
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    with serving(server):
        try:
            yield proxy
        finally:
            proxy.closing.set()


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Log nothing: tests read `FaultProxy.calls`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation, key = self._operation_and_key(body)
        fault = self.proxy.record(operation, key)
        if fault is Fault.THROTTLED:
            status, code = THROTTLING_ERRORS[operation]
            self._send(_error(operation, status, code))
        elif fault is Fault.SERVER_ERROR:
            self._send(_error(operation, 500, "InternalServerError"))
        else:
            response = b"" if fault in NOT_FORWARDED else self._forwarded(body)
            if fault in WITHOUT_RESPONSE:
                self.proxy.closing.wait()
                self.close_connection = True
            else:
                self._send_with_fault(response, fault)

    do_HEAD = do_POST  # noqa: N815  named by the base class

    def _operation_and_key(self, body: bytes) -> tuple[str, str]:
        if self.command == "HEAD":
            _, _bucket, key = urlsplit(self.path).path.split("/", 2)
            return HEAD, unquote(key)
        operation = self.headers["X-Amz-Target"].split(".")[1]
        object_id: str = json.loads(body)["Key"]["object_id"]["S"]
        return operation, object_id.split("/", 1)[1]

    def _forwarded(self, body: bytes) -> bytes:
        """The service's response, as bytes on the wire."""
        connection = http.client.HTTPConnection(*self.proxy.upstream, timeout=UPSTREAM_SECONDS)
        try:
            connection.request(self.command, self.path, body=body or None, headers=dict(self.headers.items()))
            response = connection.getresponse()
            content = response.read()
            headers = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP_HEADERS]
        finally:
            connection.close()
        if self.command != "HEAD":
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(content))))
        return _on_the_wire(response.status, response.reason, headers, content)

    def _send_with_fault(self, response: bytes, fault: Fault | None) -> None:
        match fault:
            case Fault.RESET:
                self._reset()
            case Fault.RESET_IN_THE_ANSWER:
                self._send(response[: _middle(response)])
                time.sleep(0.05)  # or the reset would overtake the bytes before it
                self._reset()
            case Fault.TRUNCATED:
                self._send(response[: _middle(response)])
                self.close_connection = True
            case Fault.SLOW:
                pieces = 10
                size = -(-len(response) // pieces)
                for start in range(0, len(response), size):
                    self._send(response[start : start + size])
                    time.sleep(SLOW_SECONDS / pieces)
            case _:
                self._send(response)

    def _send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.wfile.flush()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.connection.close()
        self.close_connection = True


def _middle(response: bytes) -> int:
    """The middle of a response's body, or the end of its first header if it has no body."""
    headers, _, body = response.partition(b"\r\n\r\n")
    if body:
        return len(response) - len(body) // 2 - 1
    return headers.index(b"\r\n", headers.index(b"\r\n") + 2) + 2


def _error(operation: str, status: int, code: str) -> bytes:
    """An error response of the service; S3's response to a HEAD has no body."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}).encode()
    content = b"" if operation == HEAD else body
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(content)))]
    return _on_the_wire(status, code, headers, content)


def _on_the_wire(status: int, reason: str, headers: list[tuple[str, str]], content: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + content
