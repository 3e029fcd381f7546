"""What MiniStack looks like from outside, in a few lines, so that starting and stopping can be tested quickly.

With `STANDIN=crash` in its environment it ends at once.
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
        """Say nothing of requests."""


def over_tls(server: HTTPServer) -> None:
    """Let a server answer over TLS, by the certificate that MiniStack would be given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["MINISTACK_SSL_CERT"], os.environ["MINISTACK_SSL_KEY"])
    server.socket = context.wrap_socket(server.socket, server_side=True)


if __name__ == "__main__":
    print("standing in with", json.dumps(dict(os.environ)), flush=True)  # noqa: T201 - this is its log
    if os.environ.get("STANDIN") == "crash":
        sys.exit("no luck today")
    health = HTTPServer((os.environ["BIND_HOST"], int(os.environ["GATEWAY_PORT"])), Health)
    if os.environ.get("USE_SSL") == "1":
        over_tls(health)
    health.serve_forever()
