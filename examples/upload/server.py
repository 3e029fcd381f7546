"""Server of the page's files, of upload forms and of rows, on this machine only.

Python's `http.server` is for trials, not for the internet. A real application keeps `stack.py` and
`upload_requests.py`, and puts them behind its own framework and, first of all, its own login.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, urlsplit

from examples.upload.errors import AwsRequestError, CannotRunError, RefusedError

if TYPE_CHECKING:
    from examples.upload.stack import Stack

HOST, NAME = "127.0.0.1", "localhost"
HTTP_PORT = 80  # which a browser leaves out
MAX_BODY_BYTES = 10_000
"""Of a request; the largest has a name, a size and a type."""
SECONDS_PER_REQUEST = 10

PAGE = Path(__file__).with_name("page")
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/upload.js": ("upload.js", "text/javascript; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/words.js": ("words.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""All that is served, so nothing of the folder can be listed, and no path leads out of it."""


class UploadServer(ThreadingHTTPServer):
    """Serves the page at `origin`.

    Raises:
        CannotRunError: the port is taken, or pages of this origin may not upload to the bucket.
    """

    daemon_threads = True  # Ctrl-C does not wait for open connections
    allow_reuse_address = os.name != "nt"  # on Windows it would take a port that is in use

    def __init__(self, stack: Stack, *, port: int) -> None:
        self.stack = stack
        if port and _accepts_connections("::1", port):  # a browser tries that address first
            raise CannotRunError(_port_in_use(port, "somebody answers on ::1"))
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise CannotRunError(_port_in_use(port, str(error.strerror))) from error
        self.port: int = self.server_address[1]
        self.authority = NAME if self.port == HTTP_PORT else f"{NAME}:{self.port}"
        self.origin = f"http://{self.authority}"
        try:
            self._check_origin()
            self.policy = _policy(stack.origin())
        except (CannotRunError, AwsRequestError) as error:
            self.server_close()
            raise CannotRunError(str(error)) from error

    def _check_origin(self) -> None:
        if problem := self.stack.cors_problem(self.origin):
            raise CannotRunError(problem)


class _Handler(BaseHTTPRequestHandler):
    server: UploadServer
    timeout: ClassVar[int] = SECONDS_PER_REQUEST
    server_version, sys_version = "TapStack", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The page's files, its settings, and rows."""
        self._respond(self._get)

    do_HEAD = do_GET  # noqa: N815  http.server's name

    def do_POST(self) -> None:
        """A form for an upload."""
        self._respond(self._post)

    def _get(self) -> None:
        path = urlsplit(self.path)
        if path.path in FILES:
            name, kind = FILES[path.path]
            self._send(HTTPStatus.OK, (PAGE / name).read_bytes(), kind)
        elif path.path == "/api/settings":
            rules = self.server.stack.rules
            self._send_json(HTTPStatus.OK, {"max_bytes": rules.max_bytes, "bucket": self.server.stack.bucket})
        elif path.path == "/api/row":
            query = parse_qs(path.query)
            key, etag = (query.get(name, [""])[0] for name in ("key", "etag"))
            row = self.server.stack.row(self.server.stack.rules.validate_key(key), etag)
            self._send_json(HTTPStatus.OK, {"row": row})  # null: not yet, which is no error
        else:
            raise RefusedError("not-found", "There is nothing here.", HTTPStatus.NOT_FOUND)

    def _post(self) -> None:
        body = self._body()
        if self.path != "/api/uploads":
            raise RefusedError("not-found", "There is nothing here.", HTTPStatus.NOT_FOUND)
        stack = self.server.stack
        self._send_json(HTTPStatus.CREATED, asdict(stack.form(stack.rules.validate(body))))

    def _check_sender(self) -> None:
        """Refuse requests of other pages.

        A name that another site points here (DNS rebinding) shows in Host; a page of another site, in Origin and
        Sec-Fetch-Site. Such a page could not read the response, but should not cause work either.
        """
        if self.headers.get("Host") != self.server.authority:
            raise RefusedError("bad-host", f"Open {self.server.origin} instead.", HTTPStatus.MISDIRECTED_REQUEST)
        origin = self.headers.get("Origin", self.server.origin if self.command != "POST" else None)
        site = self.headers.get("Sec-Fetch-Site", "same-origin")
        if origin != self.server.origin or (self.path.startswith("/api/") and site != "same-origin"):
            raise RefusedError("bad-origin", "Only the page itself may ask for this.", HTTPStatus.FORBIDDEN)

    def _body(self) -> object:
        if self.headers.get_content_type() != "application/json":
            raise RefusedError("bad-request", "Send application/json.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError("bad-request", "Send the length of the body.", HTTPStatus.LENGTH_REQUIRED)
        if int(length) > MAX_BODY_BYTES:
            message = f"The request has {length} bytes; at most {MAX_BODY_BYTES:,} are allowed."
            raise RefusedError("bad-request", message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RefusedError("bad-request", "The body is not JSON.") from error

    def _respond(self, handle: Callable[[], None]) -> None:
        try:
            self._check_sender()
            handle()
        except RefusedError as error:
            self.close_connection = True  # the body may not have been read
            self._send_json(error.status, {"error": {"code": error.code, "message": str(error)}})
        except AwsRequestError as error:
            _log(str(error))  # not for the page: the text may name internals
            message = "The server cannot reach AWS. Try again in a moment; what went wrong is in the server's log."
            self._send_json(HTTPStatus.BAD_GATEWAY, {"error": {"code": "no-answer", "message": message}})

    def _send_json(self, status: HTTPStatus, content: object) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": self.server.policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Say nothing of requests and idle connections: every row that is waited for would be a line."""


def _log(text: str) -> None:
    """Write a line to standard error, without anything that would steer a terminal."""
    sys.stderr.write("".join(each if each.isprintable() else " " for each in text) + "\n")


def _policy(bucket_origin: str) -> str:
    """The page's content security policy: its own files, its own server, the bucket, and nothing else."""
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"'self' {bucket_origin}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _port_in_use(port: int, why: str) -> str:
    return (
        f"the page cannot be served on port {port} of {HOST}: {why}. Choose another with --port; "
        "its origin must be one of the stack's corsAllowedOrigins"
    )


def _accepts_connections(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
