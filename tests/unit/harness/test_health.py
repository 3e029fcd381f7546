"""Requests to an emulator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from localstack.emulators.health import get_json


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        self.wfile.write(b'{"version": "1"}' if self.path != "/text" else b"starting")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("path", "content"), [("health", {"version": "1"}), ("missing", None), ("text", None)])
def test_only_a_successful_json_response_counts_and_no_proxy_is_used(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, path: str, content: dict[str, str] | None
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get_json(f"{endpoint}/{path}") == content


def test_an_endpoint_without_a_listener_has_no_response() -> None:
    assert get_json("http://127.0.0.1:9/health") is None
