"""Fake LocalStack that sends events to the init process of a Lambda container, and receives its reports."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

TIMEOUT = 60.0
"""Timeout in seconds of a request to the init process and of the wait for its report. Both usually take under 1 s."""


class FakeLocalStack(ThreadingHTTPServer):
    """HTTP server that records the reports of the init process in the order of arrival."""

    def __init__(self) -> None:
        self.reports: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        reports = self.reports

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                reports.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(202)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Suppress the log lines of HTTP requests."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"

    def next_report(self) -> tuple[str, bytes]:
        """Wait for the next report of the init process, and return its URL path and body."""
        return self.reports.get(timeout=TIMEOUT)


def send(port: int, request_id: str, **event: Any) -> int:
    """Send an event to the init process as LocalStack does, and return the HTTP status of the response."""
    request = {
        "invoke-id": request_id,
        "invoked-function-arn": "arn:aws:lambda:us-east-1:000000000000:function:indexer",
        "trace-id": "Root=1-2-3;Parent=4;Sampled=1",
        "payload": json.dumps(event),
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("POST", "/invoke", json.dumps(request))
    status = connection.getresponse().status
    connection.close()
    return status
