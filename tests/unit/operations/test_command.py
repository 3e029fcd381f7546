from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.aws.errors import LOG_IN, REMEDIES, REMEDIES_OF_ERRORS
from operations.command import main
from operations.discovery import from_function, queue_before_sending
from operations.errors import OperatorError, RefusedEventError
from operations.options import TOOLS
from operations.rate import Capacity
from tests.support.operations_fakes import ARN, SETTINGS, FakeAws, failure, head_response, raising, row, version
from tests.unit.operations.conftest import LISTED

ROOT = Path(__file__).parents[3]
NO_QUEUE = "would be lost: `pulumi up --refresh` restores the on-failure destination (docs/runbook.md#events-dropped)"
NOT_REPLAYED = "0 messages replayed and deleted, the others are in the queue; start redrive again"
OLDEST = "denied: 1 message, the oldest from 1970-01-01T00:00:00Z"
INTERRUPT, DENIED = KeyboardInterrupt(), OperatorError("cannot invoke")

if TYPE_CHECKING:
    from operations.listing import Version
    from tests.unit.operations.conftest import Command

LIMITED = "backfill --invoke --prefix b --since 2026-01-31 --rate 500 --start-after aa"
ONE_REASON = "redrive --replay --reason denied --max 5"
EACH = "one for each version and delete marker"
AUDIT_AGAIN = "3 events sent: run audit again in a minute"
AUDIT_LATER = "run audit in a few minutes, and check the failure queue with redrive"
INVOKE = "dry run: --invoke sends them"
REPLAYED = "1 of 1 message replayed and deleted, 0 left in the queue"
OURS = failure("a")
LISTED_TEXT = "2 versions and 1 delete marker of 2 keys"


@pytest.mark.parametrize(
    ("command", "bodies", "code", "sent", "summary"),
    [
        ("audit --repair", [], 1, 3, f"3 differences (3 missing) in {LISTED_TEXT}, 0 rows; {AUDIT_AGAIN}"),
        ("backfill --rate 1", [], 1, 0, f"3 events to send, {EACH}; duration 0:00:03 at 1 per second; {INVOKE}"),
        (LIMITED, [], 0, 2, f"2 events sent at up to 500 per second; {AUDIT_LATER}"),
        ("redrive", [], 0, 0, "the failure queue is empty"),
        ("redrive --replay", [OURS], 0, 1, REPLAYED),
        (ONE_REASON, [OURS, "hello"], 1, 1, "1 of 2 messages replayed and deleted, 1 left in the queue"),
        ("redrive --replay --max 1", [OURS] * 25, 1, 1, f"{REPLAYED}; about 24 more messages not read"),
    ],
)
def test_tool_summary_contains_the_result_and_the_next_step(
    run: Command, command: str, bodies: list[Any], code: int, sent: int, summary: str
) -> None:
    run.aws.rows = []
    for body in bodies:
        run.aws.put(body)
    tool, *arguments = command.split()
    assert run(tool, *arguments) == code
    assert run.lines[-1] == f"{tool}: {summary}"
    assert len(run.aws.sent) == sent


def test_backfill_summary_counts_skipped_versions(run: Command) -> None:
    rule = {"Name": "Prefix", "Value": "b"}
    run.aws.rules = [{"LambdaFunctionArn": ARN, "Filter": {"Key": {"FilterRules": [rule]}}}]
    assert run("backfill", "--since", "2026-02-01T00:00:00+01:00") == 0
    assert (
        "(skipped: versions older than --since: 2, versions excluded by the notification's filter: 1)" in run.lines[-1]
    )


def test_audit_without_repair_prints_findings_and_changes_nothing(run: Command) -> None:
    wrong, deleted = row(LISTED[0], size_bytes=6), row(LISTED[1], deleted_at="2026")
    run.aws.rows = [wrong, deleted, row(version("c"))]
    assert run("audit") == 1
    assert run.lines == [
        "wrong       a  v1",
        "            size_bytes is 6 in the row and 5 in S3",
        "wrong       b  v1",
        "            deleted_at is 2026, but S3 has the version",
        (
            "            --repair cannot correct this row: delete it (docs/runbook.md#details), then run audit with "
            "--repair"
        ),
        "missing     b  m1  (delete marker)",
        "stale       c  v1",
        "            Runbook: docs/runbook.md#audit",
        (
            f"audit: 4 differences (1 missing, 1 stale, 2 wrong) in {LISTED_TEXT}, 3 rows; dry run: --repair sends "
            "3 events; delete the 1 row that --repair cannot correct, then run audit with --repair"
        ),
    ]
    assert run.aws.log == []


@pytest.mark.parametrize(
    ("options", "listed", "result"),
    [
        ([], LISTED[:1], "1 wrong) in 1 version and 0 delete markers of 1 key, 1 row; delete the 1 row"),
        (["--repair"], LISTED[:1], "delete markers of 1 key, 1 row; 0 events sent; delete the 1 row"),
        (
            ["--repair"],
            [*LISTED[:1], version("c")],
            "of 2 keys, 1 row; 1 event sent: run audit again in a minute; delete the 1 row",
        ),
    ],
)
def test_audit_summary_counts_no_event_for_a_row_that_no_event_can_correct(
    run: Command, options: list[str], listed: list[Version], result: str
) -> None:
    run.aws.rows, run.aws.listed = [row(LISTED[0], deleted_at="2026")], listed
    assert run("audit", *options) == 1
    assert run.lines[-1].endswith(f"{result} that --repair cannot correct, then run audit with --repair")
    assert len(run.aws.sent) == (len(listed) - 1 if options else 0)
    assert run("audit", "--json") == 1
    chapters = {each["repairable"]: each["runbook"] for each in run.document["findings"]}
    assert chapters[False] == "docs/runbook.md#details"
    assert chapters.get(True, "docs/runbook.md#audit") == "docs/runbook.md#audit"


def test_audit_of_a_consistent_table_exits_with_0(run: Command) -> None:
    assert run("audit") == 0
    assert run.lines[-1] == f"audit: the table is consistent with the bucket: {LISTED_TEXT}, 3 rows"


def test_audit_prints_100_findings_and_the_number_of_the_others(run: Command) -> None:
    run.aws = FakeAws([version(f"k{number:03}") for number in range(103)])
    run.aws.provisioned = Capacity(read=None, write=None)
    assert run("audit") == 1
    assert run.lines[0] == EMPTY
    assert (len(run.lines), run.lines[-3]) == (104, "… and 3 more: use --json to print all")


@pytest.mark.parametrize("command", ["audit", "backfill --invoke --rate 100"])
def test_tools_without_settings_document_warn_if_the_bucket_does_not_notify_the_indexer(
    run: Command, command: str
) -> None:
    tool, *options = command.split()
    assert run(tool, *options) == 0
    assert "note" not in run.output
    assert (run(tool, *options, "--json"), run.document["triggered"]) == (0, True)
    run.aws.settings = None
    run.aws.rules = []
    assert run(tool, *options) == 1
    assert "note: the bucket does not notify this function" in run.output
    assert (run(tool, *options, "--json"), run.document["triggered"]) == (1, False)


def test_backfill_without_events_to_send_exits_with_0(run: Command) -> None:
    run.aws.listed = []
    assert run("backfill") == 0
    assert run.lines[-1].startswith("backfill: 0 events to send")


@pytest.mark.parametrize("command", ["audit --repair", "backfill --invoke", "redrive --replay"])
def test_tools_send_no_event_without_an_on_failure_destination(run: Command, command: str) -> None:
    run.aws.destination = None
    run.aws.rows = []
    assert run(*command.split()) == 2
    assert NO_QUEUE in run.errors[0]
    assert run.aws.sent == []
    assert run("audit") == 1  # An audit without the option --repair works without a failure queue.


EMPTY = (
    "note: the table has no row of the bucket 'uploads': see docs/runbook.md#table-lost before --repair, which cannot "
    "create the rows of deleted versions"
)
FAILED_EVENTS = (
    "note: the failure queue contains about 2 messages: run redrive with --replay before --repair, so that deletions "
    "keep their times (docs/runbook.md#failure-queue)"
)


@pytest.mark.parametrize("settings", [True, False], ids=["with settings document", "without"])
@pytest.mark.parametrize(("rows", "failures", "notes"), [([], 0, [EMPTY]), (LISTED[:1], 2, [FAILED_EVENTS])])
def test_audit_prints_notes_about_steps_that_are_necessary_before_a_repair(
    run: Command, rows: list[Any], failures: int, notes: list[str], *, settings: bool
) -> None:
    run.aws.rows = [row(each) for each in rows]
    run.aws.settings = run.aws.settings if settings else None
    run.put_failures(failures)
    assert run("audit") == 1
    assert run.lines[: len(notes)] == notes
    assert run.errors == []
    sent_before: list[int] = []
    run.aws.before_invoke = lambda _: sent_before.append(1)
    assert run("audit", "--repair") == 1
    assert (run.errors, bool(sent_before)) == ([f"audit: {note}" for note in notes], True)
    run("audit", "--json")
    assert run.document["notes"] == notes


def test_audit_prints_its_notes_before_the_first_event(run: Command, capsys: pytest.CaptureFixture[str]) -> None:
    run.aws.rows = []
    printed: list[str] = []
    run.aws.before_invoke = lambda _: printed.append(capsys.readouterr().err)
    run("audit", "--repair")
    assert EMPTY in printed[0]


@pytest.mark.parametrize("destination", [None, "arn:aws:sns:eu-west-1:123456789012:topic", "deleted queue"])
def test_audit_without_a_failure_queue_prints_no_note_about_failed_events(
    run: Command, destination: str | None
) -> None:
    run.aws.rows = run.aws.rows[:1]
    run.aws.settings = None
    if destination == "deleted queue":
        run.aws.queues = []
    else:
        run.aws.destination = destination
    run.put_failures(2)
    assert (run("audit", "--json"), run.document["notes"]) == (1, [])


def test_audit_prints_no_note_without_differences_or_about_the_rows_of_one_prefix(run: Command) -> None:
    run.put_failures(2)
    assert (run("audit", "--json"), run.document["notes"]) == (0, [])
    run.aws.queue.clear()
    run.aws.rows = [row(LISTED[0])]
    assert (run("audit", "--json", "--prefix", "b"), run.document["notes"]) == (1, [])


WITHOUT_DOCUMENT = (
    ". To use the environment of the function instead, run `aws ssm delete-parameter --name indexer-settings`, and "
    "give --function; `pulumi up --refresh` creates the parameter again"
)
UNUSABLE: dict[str, tuple[dict[str, Any], str]] = {
    "reserved concurrency": (
        {"concurrency": 0},
        (
            "the reserved concurrency of the function 'indexer' is 0, so Lambda would send each event to the failure "
            "queue: enable the function first (docs/runbook.md#reserved-concurrency-0)"
        ),
    ),
    "bucket": (
        {"settings": {**SETTINGS, "bucket": "own"}},
        (
            "the environment variable TAP_BUCKET_NAME of the function 'indexer' is 'uploads', but the stack's value is "
            "'own', so each event would fail: run `pulumi up --refresh` first (docs/runbook.md#failed-foreign)"
            + WITHOUT_DOCUMENT
        ),
    ),
    "table": (
        {"settings": {**SETTINGS, "table": "own"}},
        (
            "the environment variable TAP_TABLE_NAME of the function 'indexer' is 'objects', but the stack's value is "
            "'own', so each event would fail: run `pulumi up --refresh` first (docs/runbook.md#table-lost)"
            + WITHOUT_DOCUMENT
        ),
    ),
}


@pytest.mark.parametrize("command", ["audit --repair", "backfill --invoke", "redrive --replay"])
@pytest.mark.parametrize("setting", UNUSABLE)
def test_tools_send_no_event_that_the_indexer_would_reject(run: Command, command: str, setting: str) -> None:
    changes, error = UNUSABLE[setting]
    for name, value in changes.items():
        setattr(run.aws, name, value)
    run.aws.rows = []
    run.aws.put(OURS)
    tool, option = command.split()
    assert run(tool, option) == 2
    assert run.errors[0] == f"{tool}: {error}"
    assert (run.aws.log, len(run.aws.queue)) == ([], 1)


@pytest.mark.parametrize("command", ["audit --repair", "backfill --invoke", "redrive --replay"])
def test_error_about_an_unreadable_settings_document_states_how_to_send_events_without_it(
    run: Command, command: str
) -> None:
    run.aws.settings = "{"
    run.aws.put(OURS)
    tool, option = command.split()
    assert run(tool, option) == 2
    assert run.errors[0].startswith(f"{tool}: the SSM parameter 'indexer-settings' is not a settings document: run:")
    assert run.errors[0].endswith(WITHOUT_DOCUMENT)
    run.aws.settings = None
    assert run(tool, option) in (0, 1)


def test_events_can_be_sent_to_a_function_with_another_table_after_the_settings_document_is_deleted() -> None:
    aws = FakeAws()
    aws.variables["TAP_TABLE_NAME"] = "restored"
    with pytest.raises(OperatorError, match=re.escape(WITHOUT_DOCUMENT)):
        queue_before_sending(aws, from_function("indexer", aws))
    aws.settings = None
    assert queue_before_sending(aws, from_function("indexer", aws)) == "https://queue"


def test_tools_without_settings_document_compare_the_environment_of_the_indexer_with_the_stack_outputs(
    run: Command, stack_outputs: Path
) -> None:
    run.aws.settings = None
    run.aws.put(OURS)
    run.stack = ("--stack-outputs", str(stack_outputs))
    run.aws.destination = "arn:aws:sqs:eu-west-1:123456789012:queue"
    run.aws.variables["TAP_BUCKET_NAME"] = "another"
    assert run("redrive", "--replay") == 2
    assert "is 'another', but the stack's value is 'uploads'" in run.errors[0]
    run.aws.variables["TAP_BUCKET_NAME"] = "uploads"
    assert run("redrive", "--replay") == 0


def test_json_output_of_each_tool_is_one_document(run: Command) -> None:
    run.aws.rows = [row(LISTED[0], size_bytes=6), *map(row, LISTED[1:])]
    assert run("audit", "--json") == 1
    assert run.document["findings"] == [
        {
            "difference": "wrong",
            "key": "a",
            "version_id": "v1",
            "delete_marker": False,
            "details": ["size_bytes is 6 in the row and 5 in S3"],
            "repairable": True,
            "runbook": "docs/runbook.md#audit",
        }
    ]
    numbers = {"tool": "audit", "versions": 2, "markers": 1, "sent": 0}
    assert numbers.items() <= run.document.items()
    assert run.document["summary"].startswith("audit: 1 difference")
    assert run("backfill", "--json") == 1
    assert {"selected": 3, "sent": 0, "rate": 50.0, "invoke": False}.items() <= run.document.items()
    run.aws.put(failure("a"))
    assert run("redrive", "--json") == 1
    [message] = run.document["messages"]
    assert (message["reasons"], message["objects"], message["replayed"]) == (["denied"], ["a"], False)
    run.aws.before_invoke = raising(RefusedEventError("too large"))
    assert run("redrive", "--replay", "--json") == 1
    [refused] = run.document["messages"]
    assert refused == {**message, "refused": "too large"}
    assert message["refused"] is None


def test_tool_error_is_printed_to_stderr_or_as_json(run: Command) -> None:
    run.stack = ("--function", "unknown")
    assert run("audit") == 2
    assert (run.output, run.errors) == ("", ["audit: no function unknown"])
    assert run("audit", "--json") == 2
    assert run.document == {"tool": "audit", "schema": 1, "error": "no function unknown"}


@pytest.mark.parametrize("key", ["a", "it's\ta\\b\u3000c"])
def test_interrupted_backfill_prints_a_shell_quoted_start_key(run: Command, key: str) -> None:
    run.aws.listed = [version(key), version(f"{key}2"), version("z")]
    run.aws.before_invoke = raising(KeyboardInterrupt(), key="z")
    assert run("backfill", "--invoke") == 130
    assert run.errors[0] == "backfill: interrupted"
    text, _, hint = run.errors[1].rpartition(" ")
    assert text == "backfill: 2 events sent; start the backfill again with"
    pasted = subprocess.run(["/bin/bash", "-c", f"printf %s {hint}"], capture_output=True, text=True, check=True)  # noqa: S603  The test controls the command.
    assert pasted.stdout == f"--start-after={key}"


def test_unexpected_exception_of_a_tool_exits_with_2_and_a_traceback(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(run.aws, "query_rows", broken)
    assert run("audit", "--json") == 2
    assert run.document["error"] == "a bug in this tool: ZeroDivisionError: oops"
    assert "Traceback" in run.errors[0]


@pytest.mark.parametrize(
    ("command", "error", "code", "reason", "hint"),
    [
        (
            "audit --repair",
            INTERRUPT,
            130,
            "interrupted",
            "0 events sent, nothing else was changed; start the audit again",
        ),
        ("redrive --replay", INTERRUPT, 130, "interrupted", NOT_REPLAYED),
        ("backfill --invoke", DENIED, 2, "cannot invoke", "0 events sent; start the backfill again from the start"),
    ],
)
def test_stopped_tool_prints_its_results_and_how_to_continue(
    run: Command, command: str, error: BaseException, code: int, reason: str, hint: str
) -> None:
    run.aws.rows = []
    run.aws.put(OURS)
    run.aws.before_invoke = raising(error)
    tool, option = command.split()
    assert run(tool, option) == code
    assert run.errors[-2:] == [f"{tool}: {reason}", f"{tool}: {hint}"]
    assert [line for line in run.lines if not line.startswith("note: ")][:1] == {
        "audit": ["missing     a  v1"],
        "redrive": [OLDEST],
        "backfill": [],
    }[tool]
    # The failed tool has made the received message visible in the failure queue again.
    assert (len(run.aws.queue), run.aws.hidden) == (1, {})
    assert (run(tool, option, "--json"), run.document["error"]) == (code, reason)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("", "required: TOOL"),
        ("audit", "one of the arguments --function --stack-outputs is required"),
        ("audit --function f --stack-outputs o", "not allowed with"),
        ("redrive --function f --replay --export x", "not allowed with"),
        ("redrive --function f --delete", "--delete requires --export FILE, so that a copy of the deleted messages"),
        ("redrive --function f --replay --delete", "--delete requires --export FILE"),
        ("audit --function f --prefix \udcff", "is not valid UTF-8, and names in AWS are UTF-8: use a UTF-8 terminal"),
        ("audit --function \udcff", "'\\udcff' is not valid UTF-8"),
        ("backfill --function f --prefix \udcff", "'\\udcff' is not valid UTF-8"),
        ("backfill --function f --start-after \udcff", "'\\udcff' is not valid UTF-8"),
        ("redrive --function f --reason luck", "invalid choice: 'luck'"),
        ("redrive --function f --rep", "unrecognized arguments: --rep"),
        ("redrive --function f --max 0", "'0' is not a number of messages: give 1 or more"),
        ("audit --function f --workers 0", "'0' is not a number of concurrent requests: give 1 to 64"),
        ("backfill --function f --workers 65", "'65' is not a number of concurrent requests: give 1 to 64"),
        ("redrive --function f --max ²", "'²' is not a number of messages"),
        ("backfill --function f --rate 0", "'0' is not a rate: give a number of events per second greater than 0"),
        ("backfill --function f --rate nan", "'nan' is not a rate"),
        ("backfill --function f --rate fast", "'fast' is not a rate"),
        ("backfill --function f --rate inf", "'inf' is not a rate"),
        ("restore-rows --function f", "the following arguments are required: --from"),
        ("restore-rows --function f --from t1", "'t1' is not the name of a DynamoDB table: give 3 to 255 letters"),
        ("restore-rows --function f --from arn:aws:dynamodb:eu-west-1:1:table/x", "not an ARN"),
        ("restore-rows --function f --from abc --rate 0", "give a number of write units per second greater than 0"),
        (
            "restore-rows --function f --from abc --start-after b/k",
            "not the name of a row, such as BUCKET/KEY?versionI",
        ),
        ("backfill --function f --since yesterday", "'yesterday' is not an ISO 8601 time"),
        ("report --function f --since 0001-01-01T00:00:00+05:00", "is not an ISO 8601 time such as"),
        ("backfill --function f --since 2026-01-31T12:00:00", "has no time zone: add Z for UTC"),
    ],
)
def test_invalid_arguments_of_the_operations_command_are_rejected(
    arguments: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("tool", sorted({each.name for each in TOOLS} - {"cache"}))
def test_help_text_of_a_tool_names_only_options_of_the_tool(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([tool, "--help"])
    text = capsys.readouterr().out
    options = set(re.findall(r"^ +(--[a-z-]+)", text, re.MULTILINE)) | {"--help"}
    assert len(options) > 3
    assert set(re.findall(r"--[a-z-]+", text)) <= options


def test_errors_of_aws_calls_name_no_option_of_a_tool() -> None:
    """Errors of AWS calls are printed by all tools, and each tool has other options."""
    remedies = [*REMEDIES.values(), LOG_IN, *(remedy for _, remedy in REMEDIES_OF_ERRORS)]
    assert [each for each in remedies if "--" in each] == []


def test_region_of_the_function_arn_overrides_the_environment() -> None:
    regions: list[str | None] = []

    def connect(region: str | None) -> FakeAws:
        regions.append(region)
        return FakeAws()

    main(["audit", "--function", ARN], connect=connect)
    main(["audit", "--function", "indexer"], connect=connect)
    assert regions == ["eu-west-1", None]


def test_control_characters_of_an_object_key_are_printed_escaped(run: Command) -> None:
    run.aws = FakeAws([version("a\x1b[2Jb\nc")])
    assert run("audit") == 1
    assert run.lines[1] == "missing     'a\\x1b[2Jb\\nc'  v1"


def test_module_operations_runs_as_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "operations", "audit", "--stack-outputs", str(tmp_path / "none.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603  The test controls the command.
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("audit: --stack-outputs ")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "compared", "code"),
    [("", None, 0), ("--heads", 2, 1), ("--heads-sample 1", 1, None), ("--heads-sample 9", 2, 1)],
)
def test_audit_reports_the_number_of_versions_compared_with_heads(
    run: Command, options: str, compared: int | None, code: int | None
) -> None:
    responses = {(each.key, each.version_id): head_response(each) for each in LISTED[:2]}
    responses["a", "v1"] = head_response(LISTED[0], ContentType="image/png")
    run.aws.head_responses = responses
    ended = run("audit", *options.split())
    assert code in (None, ended)
    assert ("HEAD of" in run.lines[-1]) == (compared is not None)
    if compared:
        assert f"3 rows, HEAD of {compared} version" in run.lines[-1]
    run("audit", *options.split(), "--json")
    assert (run.document["heads"], run.document["heads_unreadable"]) == (compared or 0, 0)


def test_audit_reports_versions_that_head_did_not_return(run: Command) -> None:
    assert run("audit", "--heads") == 0
    assert run.lines[-1].endswith(", HEAD of 0 versions (2 versions not readable)")


@pytest.mark.parametrize("options", ["--heads --heads-sample 1", "--heads-sample 0", "--heads-sample=-1"])
def test_audit_rejects_invalid_options_for_heads(run: Command, options: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("audit", *options.split())
    assert ended.value.code == 2


def test_audit_counts_rows_without_content_in_a_note_and_not_as_a_difference(run: Command) -> None:
    run.aws.rows = [row(each, content_of=None) for each in LISTED]
    run.aws.rows.append(row(version("c"), deleted_at="2026", content_of=None))
    note = (
        "note: the inspector has not described the objects of 2 rows: it has not processed the rows yet, or cannot "
        "read the objects. Run backfill with --inspect --invoke to inspect them"
    )
    assert (run("audit"), run.lines[:-1]) == (0, [note])
    assert (run("audit", "--json"), run.document["without_content"], run.document["notes"]) == (0, 2, [note])
    assert isinstance(run.aws.settings, dict)
    run.aws.settings["inspector"] = None
    assert (run("audit"), len(run.lines)) == (0, 1)


def test_audit_reports_a_row_with_outdated_content_and_prints_the_remedy(run: Command) -> None:
    run.aws.rows[0]["content_of"] = "earlier"
    assert run("audit", "--repair") == 1
    assert run.lines[:3] == [
        "outdated    a  v1",
        "            content_of is earlier in the row, but the object has the ETag e",
        "            run backfill with --inspect --invoke: the inspector then reads the object again",
    ]
    assert "1 difference (1 outdated)" in run.lines[-1]
    assert run.aws.sent == []


@pytest.mark.parametrize("tool", ["audit", "backfill"])
def test_option_workers_sets_the_number_of_concurrent_list_requests(run: Command, tool: str) -> None:
    run(tool)
    run(tool, "--workers", "3")
    assert run.aws.list_workers == [8, 3]


def test_backfill_with_invoke_lists_the_bucket_in_key_order(run: Command) -> None:
    assert run("backfill", "--invoke", "--workers", "3") == 0
    assert run.aws.list_workers == []
