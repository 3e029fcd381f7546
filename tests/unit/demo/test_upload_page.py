"""Tests of the command that serves the upload page with an emulator; tests/browser uses the page itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from botocore.exceptions import EndpointConnectionError

from localstack.emulators.embedded import free_port
from localstack.emulators.emulator import Emulator
from localstack.showcase import upload_page
from localstack.showcase.upload_page import FAILED, SUCCESS, main, s3_at

if TYPE_CHECKING:
    from examples.upload.server import UploadServer


def emulator(exit_code: int | None = None) -> Emulator:
    return Emulator(
        kind="embedded",
        name="FakeStack 1.0",
        endpoint="https://127.0.0.1:4566",
        region="us-east-1",
        reason="",
        logs=lambda _lines: "the last words",
        exit_code=lambda _timeout: exit_code,
        ca_bundle=Path("certificate"),
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Emulator]:
    """Emulators that the command starts. Each is a fake; a test may append one in advance."""
    emulators: list[Emulator] = []

    @contextmanager
    def start(*_: object, **__: object) -> Iterator[Emulator]:
        if not emulators:
            emulators.append(emulator())
        yield emulators[0]

    @contextmanager
    def proxy(*_: object) -> Iterator[str]:
        yield "http://127.0.0.1:1"

    deployment = SimpleNamespace(resources=(), seconds=0.1, outputs={})
    monkeypatch.setattr(upload_page, "start", start)
    monkeypatch.setattr(upload_page, "deploy", lambda *_, **__: deployment)
    monkeypatch.setattr(upload_page, "plain_http_proxy", proxy)
    stack = SimpleNamespace(cors_problem=lambda _: None, origin=lambda: "http://127.0.0.1:1")
    monkeypatch.setattr(upload_page, "stack_at", lambda *_, **__: stack)
    return emulators


def interrupt(_: UploadServer) -> NoReturn:
    raise KeyboardInterrupt


def test_upload_page_command_serves_the_page_until_ctrl_c(
    started: list[Emulator], capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    assert main(["--port", str(port)], serve=interrupt) == SUCCESS
    assert f"Open http://localhost:{port}" in capsys.readouterr().out
    assert len(started) == 1


def test_upload_page_command_checks_the_port_before_it_starts_the_emulator(
    started: list[Emulator], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)], serve=interrupt) == FAILED
    assert f"the page cannot be served on port {port} of 127.0.0.1" in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize("arguments", [["--por", "8080"], ["--port", "0"]])
def test_upload_page_command_rejects_an_abbreviated_option_and_an_invalid_port(
    started: list[Emulator], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments, serve=interrupt)
    assert (exit_.value.code, started) == (2, [])


def test_upload_page_command_ends_with_an_error_if_the_emulator_exits(
    started: list[Emulator], capsys: pytest.CaptureFixture[str]
) -> None:
    started.append(emulator(exit_code=-9))
    assert main(["--port", str(free_port())]) == FAILED
    printed = capsys.readouterr().err
    assert printed.startswith("upload-page: the emulator FakeStack 1.0 exited with exit code -9")
    assert "the last words" in printed


@pytest.mark.usefixtures("started")
def test_upload_page_command_reports_a_failed_request_to_the_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: UploadServer) -> NoReturn:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    assert main(["--port", str(free_port())], serve=fail) == FAILED
    assert capsys.readouterr().err == ('upload-page: Could not connect to the endpoint URL: "http://127.0.0.1:1"\n')


def test_upload_page_client_uses_no_proxy_for_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://proxy.example")
    client: Any = s3_at("http://127.0.0.1:4566", emulator())
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:4566") is None
    assert client.meta.config.signature_version == "s3v4"
