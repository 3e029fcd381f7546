"""HTTP server of the upload page, on this machine only: it serves the page's files, upload forms and rows.

Python's `http.server` is not suitable for the internet. A real application keeps `stack.py` and `upload_requests.py`,
and adds its own web framework and its own login.
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
from urllib.parse import parse_qsl, urlsplit

from examples.upload.errors import AwsRequestError, CannotRunError, RefusedError

if TYPE_CHECKING:
    from examples.upload.stack import Stack

HOST, NAME = "127.0.0.1", "localhost"
HTTP_PORT = 80  # browsers omit port 80 from an HTTP origin
MAX_BODY_BYTES = 10_000
"""Maximum size of a request body. The largest valid body has a file name, a size and a type."""
SECONDS_PER_REQUEST = 10

PAGE = Path(__file__).with_name("page")
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/upload.js": ("upload.js", "text/javascript; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/messages.js": ("messages.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""File name and media type of each URL path. The server sends no other file and lists no folder."""


def check_port(port: int) -> None:
    """Check that the upload server can listen on a port, before it is started.

    Raises:
        CannotRunError: the port is in use.
    """
    _check_ipv6_port(port)
    try:
        ThreadingHTTPServer((HOST, port), _Handler).server_close()
    except OSError as error:
        raise CannotRunError(_port_in_use(port, str(error.strerror))) from error


class UploadServer(ThreadingHTTPServer):
    """HTTP server of the upload page, which a browser opens at `origin`.

    Raises:
        CannotRunError: the port is in use, or pages of this origin may not upload to the bucket.
    """

    daemon_threads = True  # after Ctrl-C, the server does not wait for open connections
    allow_reuse_address = os.name != "nt"  # on Windows, SO_REUSEADDR would allow a port that is in use

    def __init__(self, stack: Stack, *, port: int) -> None:
        self.stack = stack
        _check_ipv6_port(port)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise CannotRunError(_port_in_use(port, str(error.strerror))) from error
        self.port: int = self.server_address[1]
        self.authority = _authority(self.port)
        self.origin = f"http://{self.authority}"
        try:
            self._check_origin()
            self.policy = _policy(stack.origin())
        except (CannotRunError, AwsRequestError) as error:
            self.server_close()
            raise CannotRunError(str(error)) from error

    def handle_error(self, request: object, client_address: object) -> None:
        """Print the traceback of an unexpected error; a connection that the browser has closed is not an error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # socketserver only prints them.

    def _check_origin(self) -> None:
        if problem := self.stack.cors_problem(self.origin):
            raise CannotRunError(problem)


class _Handler(BaseHTTPRequestHandler):
    server: UploadServer
    timeout: ClassVar[int] = SECONDS_PER_REQUEST
    server_version, sys_version = "TapStack", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Respond with a file of the page, its settings, or the row of an object."""
        self._respond(self._get)

    do_HEAD = do_GET  # noqa: N815  http.server's name

    def do_POST(self) -> None:
        """Respond with a signed form for one upload."""
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
            query = dict(parse_qsl(path.query))
            key = self.server.stack.rules.validate_key(query.get("key", ""))
            row = self.server.stack.row(key, query.get("etag", ""))
            self._send_json(HTTPStatus.OK, {"row": row})
        else:
            raise RefusedError("not-found", "This URL does not exist.", HTTPStatus.NOT_FOUND)

    def _post(self) -> None:
        body = self._body()
        if self.path != "/api/uploads":
            raise RefusedError("not-found", "This URL does not exist.", HTTPStatus.NOT_FOUND)
        stack = self.server.stack
        self._send_json(HTTPStatus.CREATED, asdict(stack.form(stack.rules.validate(body))))

    def _check_sender(self) -> None:
        """Reject requests that pages of other sites send.

        `Host` reveals a host name of another site that resolves to this server (DNS rebinding). `Origin` and
        `Sec-Fetch-Site` reveal a page of another site. It could not read the response, but its requests cost time.
        """
        if self.headers.get("Host") != self.server.authority:
            raise RefusedError("bad-host", f"Open {self.server.origin} instead.", HTTPStatus.MISDIRECTED_REQUEST)
        origin = self.headers.get("Origin", self.server.origin if self.command != "POST" else None)
        site = self.headers.get("Sec-Fetch-Site", "same-origin")
        if origin != self.server.origin or (self.path.startswith("/api/") and site != "same-origin"):
            raise RefusedError("bad-origin", "Only this server's own page may send this request.", HTTPStatus.FORBIDDEN)

    def _body(self) -> object:
        if self.headers.get_content_type() != "application/json":
            raise RefusedError("bad-request", "Send application/json.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError("bad-request", "Send the header Content-Length.", HTTPStatus.LENGTH_REQUIRED)
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
            self.close_connection = True  # an unread request body would be parsed as the next request
            self._send_json(error.status, {"error": {"code": error.code, "message": str(error)}})
        except AwsRequestError as error:
            # The page does not receive the AWS error, because it may contain internal names.
            _log(str(error))
            message = "The server cannot reach AWS. Try again in a moment. The server's log contains the error."
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
        """Log no requests, because the page polls for each row."""


def _log(text: str) -> None:
    """Write a line to stderr, with spaces in place of control characters."""
    sys.stderr.write("".join(each if each.isprintable() else " " for each in text) + "\n")


def _policy(bucket_origin: str) -> str:
    """Return the page's content security policy, which allows only its own files, its own server and the bucket."""
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


def _check_ipv6_port(port: int) -> None:
    if port and _accepts_connections("::1", port):  # browsers try the IPv6 address of localhost first
        raise CannotRunError(_port_in_use(port, "another program listens on ::1"))


def _authority(port: int) -> str:
    return NAME if port == HTTP_PORT else f"{NAME}:{port}"


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
