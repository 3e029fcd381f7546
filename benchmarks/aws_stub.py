"""Fake of S3 and DynamoDB that responds immediately, so that a benchmark measures only the caller.

`python -m benchmarks.aws_stub` prints its TCP port, and receives X-Ray traces on the UDP port of the same number. For
each line on stdin it prints the number of datagrams received so far. It exits at the end of stdin.
"""

from __future__ import annotations

import socket
import sys
import threading
from binascii import crc32
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

EMPTY = b"{}"
SAMPLES = Path(__file__).parents[1] / "samples"
MARKER = b"so far"
MAX_DATAGRAM = 65_507  # maximum size of a UDP datagram over IPv4, in bytes


class Stub(BaseHTTPRequestHandler):
    """Responds to HEAD and GET like S3, and to POST like DynamoDB for the first write of a row."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered output, so that HTTP headers and body are sent in one packet

    def do_HEAD(self) -> None:
        """Respond to a HEAD request of an object."""
        self._respond(
            {
                "Content-Length": "1024",
                "Content-Type": "application/pdf",
                "ETag": '"9a0364b9e99bb480dd25e1f0284c8555"',
                "Last-Modified": formatdate(1_769_860_800, usegmt=True),
                "x-amz-version-id": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH",
                "x-amz-server-side-encryption": "AES256",
                "x-amz-checksum-crc64nvme": "jC+ERKKRLWg=",
                "x-amz-checksum-type": "FULL_OBJECT",
                "x-amz-meta-owner": "archive",
                "Accept-Ranges": "bytes",
            }
        )

    def do_GET(self) -> None:
        """Respond with a byte range of the file in the folder `samples` whose name is the object key."""
        content = (SAMPLES / Path(unquote(urlsplit(self.path).path)).name).read_bytes()
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        data = content[first : last + 1]
        content_range = f"bytes {first}-{first + len(data) - 1}/{len(content)}"
        self._respond({"Content-Length": str(len(data)), "Content-Range": content_range}, data, status=206)

    def do_POST(self) -> None:
        """Respond to a write to a DynamoDB table."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._respond(
            {
                "Content-Length": str(len(EMPTY)),
                "Content-Type": "application/x-amz-json-1.0",
                "x-amz-crc32": str(crc32(EMPTY)),
            },
            EMPTY,
        )

    def log_message(self, *_: object) -> None:
        """Suppress the log line that `http.server` writes for each request."""

    def _respond(self, headers: dict[str, str], body: bytes = b"", *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("x-amz-request-id", "79104EXAMPLEB723")
        self.send_header("x-amzn-RequestId", "SVSBPUO3JV7ARQTN3C0NJ7S6T7VV4KQNSO5AEMVJF66Q9ASUAAJG")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def main() -> None:
    """Run the server until the end of stdin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    port = server.server_address[1]
    traces = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    traces.bind(("127.0.0.1", port))

    received: list[int] = []
    counted = threading.Event()

    def drain() -> None:
        while True:
            if (datagram := traces.recv(MAX_DATAGRAM)) == MARKER:
                counted.set()
            else:
                received.append(len(datagram))

    for work in (server.serve_forever, drain):
        threading.Thread(target=work, daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        counted.clear()
        # UDP datagrams on loopback arrive in order, so the thread counts all traces before it receives this marker.
        traces.sendto(MARKER, traces.getsockname())
        counted.wait()
        sys.stdout.write(f"{len(received)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
