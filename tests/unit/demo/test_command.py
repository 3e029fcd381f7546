from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from localstack.deployers.deployment import Deployment, Progress
from localstack.errors import DeploymentError, EmulatorError
from localstack.showcase.demo import command
from localstack.showcase.demo.command import FAILED, INTERRUPTED, SAMPLES, SUCCESS, UNREADABLE, main
from tests.unit.demo.fakes import FakeAws, FakeEmulator, FakeLogs, FakeQueue, deploy

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator


@pytest.fixture(autouse=True)
def _three_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a b+c.txt", "lake.jpg", "観測.txt"):
        (tmp_path / "photos" / name).write_text(name)


def emulator(aws: FakeAws | None = None) -> FakeEmulator:
    aws = aws or FakeAws()
    return FakeEmulator({"s3": aws, "dynamodb": aws, "sqs": FakeQueue("a failure"), "logs": FakeLogs("a log line")})


def demo(*arguments: str, aws: FakeAws | None = None, **options: Any) -> int:
    return main(arguments, **{"start": emulator(aws).start, "deploy": deploy, "patience": 0.01, **options})


def test_every_file_becomes_a_row_and_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo("photos") == SUCCESS
    said = capsys.readouterr()
    for expected in ("photos/a b+c.txt", "photos/lake.jpg", "photos/観測.txt", "rows right  3 of 3", "Stack outputs"):
        assert expected in said.out
    assert "Try next" in said.out
    assert said.err == ""


def test_without_a_path_the_samples_are_uploaded(capsys: pytest.CaptureFixture[str]) -> None:
    aws = FakeAws()
    assert demo(aws=aws) == SUCCESS
    files = sorted(path.name for path in SAMPLES.iterdir())
    assert sorted(key.removeprefix("uploads/samples/") for key, _ in aws.objects) == files
    assert f"rows right  {len(files)} of {len(files)}" in capsys.readouterr().out


def test_with_json_standard_output_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo("photos", "--json") == SUCCESS
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert said.out.isascii()
    summary = document["summary"]
    assert (summary["files"], summary["rows"], summary["rows_right"], summary["resources"]) == (3, 3, 3, 1)
    assert summary["seconds_from_upload_to_row"].keys() == {"p50", "p95"}
    assert [row["item"]["key"] for row in document["rows"]] == [
        "photos/a b+c.txt",
        "photos/lake.jpg",
        "photos/観測.txt",
    ]
    assert document["rows"][1]["file"] == "photos/lake.jpg"
    assert document["rows"][1]["differences_from_head"] == []
    assert document["outputs"]["bucket_name"] == "uploads"
    assert document["environment"]["AWS_ENDPOINT_URL"] == document["endpoint"]
    assert document["problems"] == document["refused"] == document["missing_rows"] == []
    assert "rows: 3 of 3" in said.err


def test_a_missing_path_and_an_empty_folder_are_named_and_the_rest_is_uploaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("empty").mkdir()
    assert demo("nope", "photos", "empty") == UNREADABLE
    said = capsys.readouterr()
    assert "nope does not exist" in said.err
    assert "empty is a folder without any file in it" in said.err
    assert "rows right  3 of 3" in said.out


def test_a_file_that_cannot_be_opened_is_named_and_the_rest_is_uploaded(capsys: pytest.CaptureFixture[str]) -> None:
    aws = FakeAws(unreadable=frozenset({"photos/lake.jpg"}))
    assert demo("photos", "--json", aws=aws) == UNREADABLE
    said = capsys.readouterr()
    assert "photos/lake.jpg cannot be read: Permission denied" in said.err
    document = json.loads(said.out)
    assert document["problems"] == [{"file": "photos/lake.jpg", "reason": "cannot be read: Permission denied"}]
    assert (document["summary"]["files"], document["summary"]["rows_right"]) == (2, 2)


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_with_nothing_to_upload_nothing_is_started(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    never = emulator()
    assert main(["nope", *option], start=never.start, deploy=deploy) == UNREADABLE
    assert not never.started
    said = capsys.readouterr()
    assert "nope does not exist" in said.err
    assert (json.loads(said.out)["rows"] == []) if option else said.out == ""


def test_a_row_that_never_comes_is_a_failure_that_shows_what_may_explain_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo("photos", aws=FakeAws(lost=frozenset({"photos/lake.jpg"}))) == FAILED
    said = capsys.readouterr()
    assert "rows right  1 of 3" in said.out
    for expected in (
        "photos/lake.jpg (version v1) was uploaded, and its row never came",
        "1 more file not uploaded",
        "a failure",
        "a log line",
        "the emulator's last words",
    ):
        assert expected in said.err


def test_a_wrong_row_is_a_failure_even_if_a_path_was_missing_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo("photos", "nope", aws=FakeAws(wrong=frozenset({"photos/lake.jpg"}))) == FAILED
    said = capsys.readouterr()
    assert "rows right  2 of 3" in said.out
    assert "photos/lake.jpg: size_bytes is 9 in the row and 8 in S3" in said.err
    assert "nope does not exist" in said.err


def test_a_file_that_s3_refuses_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo("photos", aws=FakeAws(refused=frozenset({"photos/lake.jpg"}))) == FAILED
    assert "photos/lake.jpg was not taken by S3" in capsys.readouterr().err


def test_keep_says_where_the_emulator_is_and_waits_with_it_running(capsys: pytest.CaptureFixture[str]) -> None:
    running = emulator()
    held: list[bool] = []
    code = demo("photos", "--keep", "--port", "4567", start=running.start, hold=lambda: held.append(running.running))
    said = capsys.readouterr().out
    assert (code, held, running.running) == (SUCCESS, [True], False)
    assert "\nendpoint: http://127.0.0.1:4567\n" in said
    assert "  export AWS_ENDPOINT_URL=http://127.0.0.1:4567\n" in said
    assert "Try next" not in said


def test_keep_with_json_leaves_standard_output_to_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo("photos", "--keep", "--json", hold=lambda: None) == SUCCESS
    said = capsys.readouterr()
    assert json.loads(said.out)["endpoint"] == "http://127.0.0.1:4566"
    assert "endpoint: http://127.0.0.1:4566" in said.err


def test_an_emulator_that_does_not_start_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    @contextmanager
    def start(_kind: str, *, port: int | None, report: Callable[[str], None]) -> Iterator[Emulator]:
        report("starting")
        if port:
            raise EmulatorError(f"port {port} is taken")
        yield emulator()

    assert demo("photos", "--port", "4567", start=start) == FAILED
    assert capsys.readouterr().err == "demo: port 4567 is taken\n"


def test_a_stack_that_cannot_be_deployed_is_told_and_the_emulator_ends(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_where: Emulator, *, on_resource: Callable[[Progress], None]) -> Deployment:
        on_resource(Progress(type="aws:s3/bucket:Bucket", name="uploads", seconds=0.1))
        raise DeploymentError("the role is missing\nand two more lines")

    running = emulator()
    assert demo("photos", start=running.start, deploy=broken) == FAILED
    assert "demo: the role is missing\nand two more lines\n" in capsys.readouterr().err
    assert not running.running


def test_only_the_first_deployment_says_why_it_takes_longer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder, said in ((tmp_path, False), (tmp_path / "missing", True)):
        monkeypatch.setattr(command, "PACKAGES", folder)
        assert demo("photos") == SUCCESS
        assert (f"preparing the function's packages in {folder}" in capsys.readouterr().out) == said


def test_an_emulator_that_dies_under_way_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Dying(FakeAws):
        def batch_get_item(self, **_: Any) -> dict[str, Any]:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")

    assert demo("photos", aws=Dying()) == FAILED
    assert 'demo: Could not connect to the endpoint URL: "http://127.0.0.1:4566"' in capsys.readouterr().err


def test_an_interruption_ends_the_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> Deployment:
        raise KeyboardInterrupt

    running = emulator()
    assert demo("photos", start=running.start, deploy=interrupted) == INTERRUPTED
    assert not running.running
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "an empty path names nothing"),
        (["--port", "0"], "'0' is not a port"),
        (["--port", "65536"], "'65536' is not a port"),
        (["--port", "x"], "'x' is not a port"),
        (["--unknown"], "unrecognized arguments: --unknown"),
    ],
)
def test_a_wrong_option_is_told_with_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        demo(*arguments)
    assert ended.value.code == UNREADABLE
    assert said in capsys.readouterr().err


def test_the_next_steps_call_nox_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    assert demo("photos") == SUCCESS
    assert "  nox -s demo -- --keep" in capsys.readouterr().out
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "nox").touch()
    assert demo("photos") == SUCCESS
    assert "  .venv/bin/nox -s demo -- --keep" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Return what the demo writes to a terminal."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "", "COLUMNS": "80", **environment}.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as only_now:
        stream = Terminal()
        only_now.setattr("sys.stdout", stream)
        assert demo("photos") == SUCCESS
    return stream.getvalue()


def test_a_terminal_gets_bars_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    written = on_terminal(monkeypatch)
    assert "\x1b[32m3 of 3" in written
    assert "━" in written


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    written = on_terminal(monkeypatch, NO_COLOR="1")
    assert "3 of 3" in written
    assert "\x1b[32m" not in written


def test_a_file_stays_plain_whatever_force_color_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert demo("photos") == SUCCESS
    assert "\x1b" not in capsys.readouterr().out
