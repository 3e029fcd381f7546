"""Tests of health requests to an emulator."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from localstack.emulators.health import get_json
from tests.support.serving import serving


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        self.wfile.write(b'{"version": "1"}' if self.path != "/text" else b"starting")

    def log_message(self, *_: object) -> None:
        """Suppress the log lines of HTTP requests."""


@pytest.mark.parametrize(("path", "content"), [("health", {"version": "1"}), ("missing", None), ("text", None)])
def test_emulator_health_request_accepts_only_json_and_ignores_proxies(
    monkeypatch: pytest.MonkeyPatch, path: str, content: dict[str, str] | None
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        assert get_json(f"http://127.0.0.1:{server.server_port}/{path}") == content
