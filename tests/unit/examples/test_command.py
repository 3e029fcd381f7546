from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples.upload.command import COULD_NOT_RUN, SUCCESS, main
from examples.upload.stack import Stack
from localstack.emulators.embedded import free_port
from tests.unit.examples.fakes import FakeS3, stack

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


def interrupted(_: UploadServer) -> None:
    raise KeyboardInterrupt


def test_it_serves_the_stack_of_the_outputs_until_ctrl_c(outputs: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[dict[str, Any]] = []

    def connect(**options: Any) -> Stack:
        asked.append(options)
        return stack()

    port = str(free_port())
    options = ("--port", port, "--prefix", "a/", "--max-megabytes", "7")
    assert main(["--stack-outputs", outputs, *options], connect=connect, serve=interrupted) == SUCCESS
    [where] = asked
    rules = where.pop("rules")
    assert where == {"region": "eu-west-1", "bucket": "uploads", "table": "objects"}
    assert (rules.prefix, rules.max_bytes) == ("a/", 7_000_000)
    assert f"Open http://localhost:{port}: uploads go to uploads/a/" in capsys.readouterr().out


def test_what_keeps_it_from_starting_is_said_with_the_remedy(outputs: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused = stack(FakeS3(["https://app.example.com"]))
    arguments = ["--stack-outputs", outputs, "--port", str(free_port())]
    assert main(arguments, connect=lambda **_: refused, serve=interrupted) == COULD_NOT_RUN
    assert "pulumi config set corsAllowedOrigins https://app.example.com,http://localhost" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stack-outputs", str(tmp_path / "none.json")], serve=interrupted) == COULD_NOT_RUN
    assert "It is made by: pulumi stack output --json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [("--port", "0"), ("--port", "65536"), ("--prefix", "a"), ("--max-megabytes", "0"), ("--max-megabytes", "5369")],
)
def test_a_wrong_option_is_refused(outputs: str, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--stack-outputs", outputs, *wrong], serve=interrupted)
    assert ended.value.code == COULD_NOT_RUN
    assert wrong[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [(None, "https://uploads.s3.eu-west-1.amazonaws.com/"), ("http://127.0.0.1:4566", "http://127.0.0.1:4566/uploads")],
)
def test_a_form_is_for_the_buckets_own_region_or_the_emulator(
    endpoint: str | None, url: str, outputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The global name redirects, which a browser does not follow here."""
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    made: list[Stack] = []

    def connect(**options: Any) -> Stack:
        made.append(Stack.connect(**options))
        return stack()

    arguments = ["--stack-outputs", outputs, "--port", str(free_port())]
    assert main(arguments, connect=connect, serve=interrupted) == SUCCESS
    upload = made[0].rules.validate({"name": "a", "size": 1})
    assert made[0].form(upload).url == url
