from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples.upload.command import COULD_NOT_RUN, SUCCESS, main
from examples.upload.stack import Stack
from localstack.emulators.embedded import free_port
from tests.unit.examples.fakes import FakeS3, fake_stack

if TYPE_CHECKING:
    from examples.upload.server import UploadServer

OUTPUTS = {
    "bucket_name": "uploads",
    "table_name": "objects",
    "lambda_function_name": "indexer",
    "lambda_function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:indexer",
    "failure_queue_url": "https://queue",
}


@pytest.fixture
def outputs(tmp_path: Path) -> str:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(OUTPUTS))
    return str(file)


def upload(outputs: str, *options: str, **fakes: Any) -> int:
    def interrupt(_: UploadServer) -> None:
        raise KeyboardInterrupt

    port = () if "--port" in options else ("--port", str(free_port()))
    return main(["--stack-outputs", outputs, *port, *options], serve=interrupt, **fakes)


def test_upload_command_serves_the_stack_of_the_outputs_until_ctrl_c(
    outputs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    connections: list[dict[str, Any]] = []

    def connect(**options: Any) -> Stack:
        connections.append(options)
        return fake_stack()

    port = str(free_port())
    options = ("--port", port, "--prefix", "a/", "--max-megabytes", "7")
    assert upload(outputs, *options, connect=connect) == SUCCESS
    [connection] = connections
    rules = connection.pop("rules")
    assert connection == {"region": "eu-west-1", "bucket": "uploads", "table": "objects"}
    assert (rules.prefix, rules.max_bytes) == ("a/", 7_000_000)
    assert f"Open http://localhost:{port}: uploads go to uploads/a/" in capsys.readouterr().out


def test_upload_command_reports_why_it_cannot_start_with_a_remedy(
    outputs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = fake_stack(FakeS3(["https://app.example.com"]))
    assert upload(outputs, connect=lambda **_: stack) == COULD_NOT_RUN
    assert "pulumi config set corsAllowedOrigins https://app.example.com,http://localhost" in capsys.readouterr().err
    assert upload(f"{outputs}.missing") == COULD_NOT_RUN
    assert "Create it with: pulumi stack output --json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [("--port", "0"), ("--port", "65536"), ("--prefix", "a"), ("--max-megabytes", "0"), ("--max-megabytes", "5369")],
)
def test_upload_command_rejects_an_invalid_option(
    outputs: str, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        upload(outputs, *wrong)
    assert exit_.value.code == COULD_NOT_RUN
    assert wrong[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [(None, "https://uploads.s3.eu-west-1.amazonaws.com/"), ("http://127.0.0.1:4566", "http://127.0.0.1:4566/uploads")],
)
def test_upload_form_has_the_regional_or_emulator_url_of_the_bucket(
    endpoint: str | None, url: str, outputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The global URL of S3 redirects to the region of the bucket, and a browser does not follow this redirect."""
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    connected: list[Stack] = []

    def connect(**options: Any) -> Stack:
        connected.append(Stack.connect(**options))
        return fake_stack()

    assert upload(outputs, connect=connect) == SUCCESS
    [stack] = connected
    assert stack.form(stack.rules.validate({"name": "a", "size": 1})).url == url
