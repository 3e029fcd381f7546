"""Fake MiniStack: an HTTP server with MiniStack's health response and settings, but a short start time.

With the environment variable `FAKE=crash`, the program fails immediately.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"edition": os.environ["MINISTACK_EDITION"]}).encode())

    def log_message(self, *_: object) -> None:
        """Suppress the log lines of HTTP requests."""


if __name__ == "__main__":
    print(json.dumps(dict(os.environ)), flush=True)  # noqa: T201  its log
    if os.environ.get("FAKE") == "crash":
        sys.exit("it crashed")
    server = HTTPServer((os.environ["BIND_HOST"], int(os.environ["GATEWAY_PORT"])), Health)
    if os.environ.get("USE_SSL") == "1":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["MINISTACK_SSL_CERT"], os.environ["MINISTACK_SSL_KEY"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
