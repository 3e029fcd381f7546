"""HTTP server that sends the given bytes as the response to each request, however invalid they are."""

from __future__ import annotations

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.serving import serving


@dataclass
class RawServer:
    """Responses of a running server, and the requests that it received.

    Attributes:
        responses: bytes that the server sends, by HTTP method.
        requests: HTTP methods of the requests, in order.
    """

    endpoint: str = ""
    responses: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@contextmanager
def raw_server(**responses: bytes) -> Iterator[RawServer]:
    """Context manager: run a server on 127.0.0.1 that closes each connection after its response.

    Args:
        **responses: bytes that the server sends, by HTTP method.
    """
    raw = RawServer(responses=responses)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, length = self.rfile.readline().split(b" ")[0].decode(), 0
            while (line := self.rfile.readline()).strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            raw.requests.append(method)
            self.wfile.write(raw.responses[method])

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as server:
        raw.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield raw


def response(status: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a complete HTTP response.

    Args:
        status: status code and reason phrase, such as "200 OK".
        *headers: header lines.
        body: content after the headers.
    """
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1") + body
