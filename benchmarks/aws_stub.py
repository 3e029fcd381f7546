"""An S3 and a DynamoDB that answer every HEAD and every write at once: `python -m benchmarks.aws_stub`.

What is measured against it is the caller alone. It prints the port on which it answers; that port of UDP takes traces.
To each line on its standard input it says how many of those have come; it ends when its standard input does.
"""

from __future__ import annotations

import socket
import sys
import threading
from binascii import crc32
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EMPTY = b"{}"
MARKER = b"so far"
MAX_DATAGRAM = 65_507  # bytes that UDP over IPv4 can carry


class Stub(BaseHTTPRequestHandler):
    """Answers as S3 answers a HEAD of a small object, and as DynamoDB answers a first write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet

    def do_HEAD(self) -> None:
        """Of an object."""
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

    def do_POST(self) -> None:
        """A write to a table."""
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
        """Nothing."""

    def _respond(self, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(200)
        self.send_header("x-amz-request-id", "79104EXAMPLEB723")
        self.send_header("x-amzn-RequestId", "SVSBPUO3JV7ARQTN3C0NJ7S6T7VV4KQNSO5AEMVJF66Q9ASUAAJG")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def main() -> None:
    """Answer until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    port = server.server_address[1]
    traces = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    traces.bind(("127.0.0.1", port))

    came: list[int] = []
    counted = threading.Event()

    def drain() -> None:
        while True:
            if (datagram := traces.recv(MAX_DATAGRAM)) == MARKER:
                counted.set()
            else:
                came.append(len(datagram))

    for work in (server.serve_forever, drain):
        threading.Thread(target=work, daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        counted.clear()
        traces.sendto(MARKER, traces.getsockname())  # behind all that has come, but is perhaps not counted yet
        counted.wait()
        sys.stdout.write(f"{len(came)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
