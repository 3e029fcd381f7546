from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples.upload.command import main, port
from examples.upload.stack import Stack
from examples.upload.upload_requests import Rules
from localstack.emulators.embedded import free_port
from tests.unit.examples.fakes import FakeS3, fake_stack

if TYPE_CHECKING:
    from examples.upload.server import UploadServer

SUCCESS, COULD_NOT_RUN = 0, 2
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

    free = () if "--port" in options else ("--port", str(free_port()))
    return main(["--stack-outputs", outputs, *free, *options], serve=interrupt, **fakes)


def test_upload_command_serves_the_stack_of_the_outputs_until_ctrl_c(
    outputs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    connections: list[dict[str, Any]] = []

    def connect(**options: Any) -> Stack:
        connections.append(options)
        return fake_stack()

    number = str(free_port())
    options = ("--port", number, "--prefix", "a/", "--max-megabytes", "7")
    assert upload(outputs, *options, connect=connect) == SUCCESS
    [connection] = connections
    rules = connection.pop("rules")
    assert connection == {"region": "eu-west-1", "bucket": "uploads", "table": "objects"}
    assert (rules.prefix, rules.max_bytes) == ("a/", 7_000_000)
    assert f"Open http://localhost:{number}: uploads go to uploads/a/" in capsys.readouterr().out


def test_upload_command_reports_why_it_cannot_start_with_a_remedy(
    outputs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = fake_stack(FakeS3(["https://app.example.com"]))
    assert upload(outputs, connect=lambda **_: stack) == COULD_NOT_RUN
    assert "pulumi config set corsAllowedOrigins https://app.example.com,http://localhost" in capsys.readouterr().err
    assert upload(f"{outputs}.missing") == COULD_NOT_RUN
    assert "Create it with: pulumi stack output --json" in capsys.readouterr().err


def test_upload_command_help_contains_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == SUCCESS
    text = " ".join(capsys.readouterr().out.split())
    for default in ("port of the page (default: 3000)", "keys (default: uploads/)", "in megabytes (default: 50)"):
        assert default in text


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ((), Rules(prefix="uploads/", max_bytes=50_000_000, seconds=900)),
        (("--max-megabytes", "1"), Rules(max_bytes=1_000_000)),
        (("--max-megabytes", "5368"), Rules(max_bytes=5_368_000_000)),
    ],
)
def test_upload_command_has_default_rules_and_accepts_the_smallest_and_largest_limit(
    outputs: str, options: tuple[str, ...], rules: Rules
) -> None:
    used: list[Rules] = []

    def connect(*, rules: Rules, **_: str) -> Stack:
        used.append(rules)
        return fake_stack()

    assert upload(outputs, *options, connect=connect) == SUCCESS
    assert used == [rules]


@pytest.mark.parametrize("text", ["1", "65535"])
def test_upload_command_accepts_the_lowest_and_highest_port(text: str) -> None:
    assert port(text) == int(text)


def test_upload_command_requires_the_outputs_of_the_stack(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == COULD_NOT_RUN
    assert "required: --stack-outputs" in capsys.readouterr().err


def test_upload_command_reports_a_missing_aws_profile(
    outputs: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert upload(outputs) == COULD_NOT_RUN
    assert "boto3 cannot be set up: The config profile (missing) could not be found" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--port", "0"),
        ("--port", "65536"),
        ("--port", "\u0663"),  # a digit that is not ASCII
        ("--prefix", "a"),
        ("--max-megabytes", "0"),
        ("--max-megabytes", "5369"),
        ("--max-mega", "7"),  # options have no abbreviations
    ],
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
