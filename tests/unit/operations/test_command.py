from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operations.command import main
from operations.errors import OperatorError
from operations.rate import Capacity
from tests.unit.operations.fakes import ARN, FakeAws, failure, marker, row, version

ROOT = Path(__file__).parents[3]
LISTED = [version("a", "v1"), version("b", "v1"), marker("b", "m1")]


READER_GONE = """
import sys, time
from operations import command
def main(_):
    for number in range(100_000):
        print(number)
command.main = main
command.run()
"""


@pytest.fixture
def aws() -> FakeAws:
    aws = FakeAws(LISTED, [row(each) for each in LISTED])
    # time is real here: how long reads are waited for is test_audit.py's business
    aws.provisioned = replace(aws.provisioned, read=100_000.0)
    return aws


def run(aws: FakeAws, *arguments: str) -> int:
    return main([arguments[0], "--function", "indexer", *arguments[1:]], connect=lambda _: aws, grace=0)


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What was printed, which has to be one JSON document and nothing else."""
    said = capsys.readouterr().out
    told: dict[str, Any] = json.loads(said)
    return told


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def interrupt(_: Any) -> None:  # noqa: ANN401  JSON
    raise KeyboardInterrupt


# Exit codes and the last line.


def test_audit_of_a_true_table_ends_well(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(aws, "audit") == 0
    assert last_line(capsys) == "audit: the table is true: 2 versions and 1 delete marker of 2 keys, 3 rows"


def test_audit_that_finds_something_says_what_and_changes_nothing(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.rows = [row(LISTED[0], size_bytes=6), row(version("c"))]
    assert run(aws, "audit") == 1
    assert capsys.readouterr().out.splitlines() == [
        "wrong       a  v1",
        "            size_bytes is 6 in the row and 5 in S3",
        "missing     b  v1",
        "missing     b  m1  (delete marker)",
        "stale       c  v1",
        (
            "audit: 4 differences (2 missing, 1 stale, 1 wrong) in 2 versions and 1 delete marker of 2 keys, 2 rows; "
            "dry run: --repair gives the function the facts again"
        ),
    ]
    assert aws.log == []


def test_audit_with_repair_says_what_it_sent(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.rows = []
    assert run(aws, "audit", "--repair") == 1
    assert last_line(capsys).endswith("; 3 events sent: audit again in a minute")
    assert len(aws.sent) == 3


def test_audit_says_what_no_event_mends(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.rows[0] = row(LISTED[0], deleted_at="2026")
    assert run(aws, "audit", "--repair") == 1
    assert "            no event mends this: delete the row, then audit with --repair" in capsys.readouterr().out
    assert aws.sent == []


def test_audit_shows_people_a_hundred_findings_and_says_that_there_are_more(capsys: pytest.CaptureFixture[str]) -> None:
    aws = FakeAws([version(f"k{number:03}") for number in range(103)])
    aws.provisioned = Capacity(read=None, write=None)
    assert run(aws, "audit") == 1
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[-2]) == (102, "… and 3 more: --json has all")


@pytest.mark.parametrize("tool", ["audit", "backfill"])
def test_a_bucket_that_does_not_notify_the_function_is_told_of(
    aws: FakeAws, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    aws.rules = []
    run(aws, tool)
    assert "note: the bucket does not notify this function" in capsys.readouterr().out
    aws.rules = [{"LambdaFunctionArn": ARN}]
    run(aws, tool)
    assert "note" not in capsys.readouterr().out


def test_a_true_table_that_gets_no_new_rows_is_not_in_order(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(aws, "audit", "--json"), document(capsys)["triggered"]) == (0, True)
    aws.rules = []
    assert (run(aws, "audit", "--json"), document(capsys)["triggered"]) == (1, False)
    run(aws, "backfill", "--json")
    assert document(capsys)["triggered"] is False


def test_backfill_counts_until_it_is_told_to_invoke(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.provisioned = Capacity(read=None, write=2.0)
    assert run(aws, "backfill") == 0
    assert last_line(capsys) == (
        "backfill: 3 events to send, one for each version and delete marker: in 0:00:03 at 1 a second; "
        "dry run: --invoke sends them"
    )
    assert aws.log == []


def test_backfill_sends_when_it_is_told_to(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--invoke", "--prefix", "b", "--since", "2026-01-31", "--rate", "500", "--start-after", "aa"]
    assert run(aws, "backfill", *arguments) == 0
    assert last_line(capsys).startswith("backfill: 2 events sent at up to 500 a second; ")
    assert len(aws.sent) == 2


def test_backfill_says_what_it_left_out(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    rule = {"Name": "Prefix", "Value": "b"}
    aws.rules = [{"LambdaFunctionArn": ARN, "Filter": {"Key": {"FilterRules": [rule]}}}]
    assert run(aws, "backfill", "--since", "2026-02-01T00:00:00+01:00") == 0
    assert "(left out: older than --since: 2, not indexed: 1)" in last_line(capsys)


def test_redrive_of_an_empty_queue_ends_well(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(aws, "redrive") == 0
    assert last_line(capsys) == "redrive: the failure queue is empty"


def test_redrive_shows_messages_by_reason(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(7):
        aws.put(failure(f"in/{number}"), sent_ms=1_769_860_800_000 + number * 1000)
    aws.put(failure("t", responsePayload={"errorMessage": "Task timed out"}), sent_ms=1_769_860_700_000)
    aws.put("hello", "m-9")
    aws.hidden_elsewhere = 2
    assert run(aws, "redrive") == 1
    assert capsys.readouterr().out.splitlines() == [
        "denied: 7 messages, the oldest of 2026-01-31T12:00:00Z",
        *(f"    in/{number}" for number in range(5)),
        "    … and 2 more: --json has all",
        "    such as: 1 of 1 records failed: record 0 (key 'in/0'): denied: HeadObject: ClientError: 403",
        "timeout: 1 message, the oldest of 2026-01-31T11:58:20Z",
        "    t",
        "    such as: Task timed out",
        "not ours, left alone: message m-9: it is not JSON",
        "about 2 more messages hidden by another reader, perhaps a run of this tool",
        "redrive: 9 messages in the queue; dry run: --replay gives the function their events again",
    ]
    assert aws.log == []


def test_redrive_replays_when_it_is_told_to(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.put(failure("a"))
    assert run(aws, "redrive", "--replay") == 0
    assert last_line(capsys) == "redrive: 1 of 1 message replayed and deleted, 0 left in the queue"
    aws.put(failure("a"))
    aws.put("hello")
    assert run(aws, "redrive", "--replay", "--reason", "denied", "--max", "5") == 1
    assert last_line(capsys) == "redrive: 1 of 2 messages replayed and deleted, 1 left in the queue"


def test_redrive_of_a_part_of_the_queue_says_that_there_is_more(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(25):
        aws.put(failure(f"{number}"))
    assert run(aws, "redrive", "--replay", "--max", "1") == 1
    assert last_line(capsys) == (
        "redrive: 1 of 1 message replayed and deleted, 0 left in the queue, and about 24 more that were not read"
    )


def test_redrive_exports_into_a_new_file_only(aws: FakeAws, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    aws.put(failure("a"))
    file = tmp_path / "failures.jsonl"
    assert run(aws, "redrive", "--export", str(file)) == 1
    assert last_line(capsys) == f"redrive: 1 of 1 message written to {file}; all are still in the queue"
    assert json.loads(file.read_text(encoding="utf-8"))["body"] == failure("a")
    assert run(aws, "redrive", "--export", str(file)) == 2
    assert "there is such a file already" in capsys.readouterr().err
    assert run(aws, "redrive", "--export", str(tmp_path / "none" / "x")) == 2
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    assert len(aws.queue) == 1


def test_redrive_without_a_queue_says_so(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.destination = None
    assert run(aws, "redrive") == 2
    assert "sends failed events to no SQS queue" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("audit", "--repair"), ("backfill", "--invoke"), ("redrive", "--replay")])
def test_nothing_is_sent_whose_failure_nobody_would_hear_of(
    aws: FakeAws, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    aws.destination = None
    aws.rows = []
    assert run(aws, *command) == 2
    assert "sends failed events to no SQS queue, so they would be lost" in capsys.readouterr().err
    assert aws.sent == []
    assert run(aws, "audit") == 1  # looking needs no queue


# For machines.


def test_json_is_one_document(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.rows = [row(LISTED[0], size_bytes=6), *map(row, LISTED[1:])]
    assert run(aws, "audit", "--json") == 1
    told = document(capsys)
    assert told["findings"] == [
        {
            "difference": "wrong",
            "key": "a",
            "version_id": "v1",
            "delete_marker": False,
            "details": ["size_bytes is 6 in the row and 5 in S3"],
            "mendable": True,
        }
    ]
    assert (told["tool"], told["versions"], told["markers"], told["sent"]) == ("audit", 2, 1, 0)
    assert told["summary"].startswith("audit: 1 difference")
    assert run(aws, "backfill", "--json") == 0
    told = document(capsys)
    assert (told["chosen"], told["sent"], told["rate"], told["invoke"]) == (3, 0, 50.0, False)
    aws.put(failure("a"))
    assert run(aws, "redrive", "--json") == 1
    told = document(capsys)
    [message] = told["messages"]
    assert (message["reasons"], message["objects"], message["replayed"]) == (["denied"], ["a"], False)


def test_json_of_a_run_that_failed_says_why(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--json", "--function", "nobody"], connect=lambda _: aws) == 2
    assert document(capsys) == {"tool": "audit", "error": "no function nobody"}


# What cannot be, and what is interrupted.


def test_what_stops_a_tool_is_told_on_standard_error(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--function", "nobody"], connect=lambda _: aws) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "audit: no function nobody\n")


def test_an_interrupted_backfill_says_where_to_go_on(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(event: Any) -> None:  # noqa: ANN401  JSON
        if event["Records"][0]["s3"]["object"]["key"] == "c":
            raise KeyboardInterrupt

    aws.listed += [version("it's"), version("c")]
    aws.before_invoke = stop
    assert run(aws, "backfill", "--invoke") == 130
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "backfill: interrupted"
    assert said[1] == "backfill: 3 events sent; start it again with --start-after=a"


def test_where_to_go_on_can_be_pasted_whatever_is_in_the_key(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    key = "it's\ta\\b\u3000c"
    aws.listed = [version(key), version("z")]
    aws.before_invoke = lambda event: interrupt(event) if event["Records"][0]["s3"]["object"]["key"] == "z" else None
    aws.listed.insert(1, version(f"{key}2"))
    assert run(aws, "backfill", "--invoke") == 130
    hint = capsys.readouterr().err.splitlines()[1].rpartition(" ")[2]
    pasted = subprocess.run(["/bin/bash", "-c", f"printf %s {hint}"], capture_output=True, text=True, check=True)  # noqa: S603  our own words
    assert pasted.stdout == f"--start-after={key}"


def test_a_bug_has_an_exit_code_that_means_no_difference(
    aws: FakeAws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(aws, "query_rows", broken)
    assert run(aws, "audit", "--json") == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"] == "a bug of this tool: ZeroDivisionError: oops"
    assert "Traceback" in said.err


def test_what_was_found_is_shown_although_the_repair_fails(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.rows = []
    aws.before_invoke = interrupt
    assert run(aws, "audit", "--repair") == 130
    assert capsys.readouterr().out.splitlines()[0] == "missing     a  v1"


def test_an_interrupted_redrive_lets_go_of_its_messages(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.put(failure("a"))
    aws.before_invoke = interrupt
    assert run(aws, "redrive", "--replay", "--json") == 130
    assert (len(aws.queue), aws.hidden) == (1, {})
    said = capsys.readouterr()
    assert json.loads(said.out)["error"] == "interrupted"
    assert "0 messages replayed and deleted, the others are in the queue; start it again" in said.err


def test_an_interrupted_repair_says_how_many_events_it_sent(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.rows = []
    aws.before_invoke = interrupt
    assert run(aws, "audit", "--repair") == 130
    assert "audit: 0 events sent, nothing else was changed; start it again" in capsys.readouterr().err


def test_a_refusal_in_the_middle_is_exit_code_2(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: Any) -> None:  # noqa: ANN401  JSON
        raise OperatorError("cannot invoke")

    aws.before_invoke = refuse
    assert run(aws, "backfill", "--invoke") == 2
    assert capsys.readouterr().err.splitlines() == [
        "backfill: cannot invoke",
        "backfill: 0 events sent; start it again from the start",
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "required: TOOL"),
        (["audit"], "one of the arguments --function --stack-outputs is required"),
        (["audit", "--function", "f", "--stack-outputs", "o"], "not allowed with"),
        (["redrive", "--function", "f", "--replay", "--export", "x"], "not allowed with"),
        (["redrive", "--function", "f", "--reason", "bad luck"], "invalid choice: 'bad luck'"),
        (["redrive", "--function", "f", "--rep"], "unrecognized arguments: --rep"),
        (["redrive", "--function", "f", "--max", "0"], "'0' is not a number of messages: give 1 or more"),
        (["redrive", "--function", "f", "--max", "²"], "'²' is not a number of messages"),
        (["backfill", "--function", "f", "--rate", "0"], "'0' is no rate: give events a second, more than 0"),
        (["backfill", "--function", "f", "--rate", "nan"], "'nan' is no rate"),
        (["backfill", "--function", "f", "--rate", "fast"], "'fast' is no rate"),
        (["backfill", "--function", "f", "--rate", "inf"], "'inf' is no rate"),
        (["backfill", "--function", "f", "--since", "yesterday"], "'yesterday' is no ISO 8601 time"),
        (["backfill", "--function", "f", "--since", "2026-01-31T12:00:00"], "has no time zone: add Z for UTC"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert why in capsys.readouterr().err


def test_the_region_of_an_arn_wins_over_the_shells() -> None:
    asked: list[str | None] = []

    def connect(region: str | None) -> FakeAws:
        asked.append(region)
        return FakeAws()

    main(["audit", "--function", ARN], connect=connect)
    main(["audit", "--function", "indexer"], connect=connect)
    assert asked == ["eu-west-1", None]


def test_a_key_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(FakeAws([version("a\x1b[2Jb\nc")]), "audit") == 1
    assert capsys.readouterr().out.startswith("missing     a\\x1b[2Jb\\nc  v1\n")


def test_it_ends_quietly_when_its_reader_has_seen_enough() -> None:
    """`operations … | head` closes the pipe before all is written."""
    with subprocess.Popen(  # noqa: S603  our own program, no shell
        [sys.executable, "-c", READER_GONE], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        program.stdout.close()
        _, errors = program.communicate(timeout=120)
    assert (program.returncode, errors) == (2, "")


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    told = subprocess.run(  # noqa: S603  our own program, no shell
        [sys.executable, "-m", "operations", "audit", "--stack-outputs", str(tmp_path / "none.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("audit: --stack-outputs ")
    assert "Traceback" not in told.stderr
