"""Tests of the command `tapstack redrive` with a fake stack: output, exported files, and incomplete stacks."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.operations_fakes import INSPECTOR_ARN, FakeAws, bridged, dead_letter, failure, stream_failure

if TYPE_CHECKING:
    from operations.failures import QueueMessage
    from tests.unit.operations.conftest import Command


def test_redrive_of_an_empty_queue_with_messages_in_flight_exits_with_1(run: Command) -> None:
    run.aws.hidden_elsewhere = 2
    assert run("redrive") == 1
    assert run.lines == [
        "about 2 more messages hidden by another consumer, such as another redrive",
        "redrive: all messages of the failure queue are hidden",
    ]


def test_redrive_prints_messages_grouped_by_reason(run: Command) -> None:
    run.put_failures(7)
    run.aws.put(failure("t", responsePayload={"errorMessage": "Task timed out"}), sent_ms=1_769_860_700_000)
    run.aws.put("hello", "m-9")
    run.aws.hidden_elsewhere = 2
    assert run("redrive") == 1
    assert run.lines == [
        "denied: 7 messages, the oldest from 2026-01-31T12:00:00Z",
        *(f"    in/{number}" for number in range(5)),
        "    … and 2 more: use --json to print all",
        "    example error: 1 of 1 records failed: record 0 (key 'in/0'): denied: HeadObject: ClientError: 403",
        "timeout: 1 message, the oldest from 2026-01-31T11:58:20Z",
        "    t",
        "    example error: Task timed out",
        "not from this indexer, left in the queue: message m-9: it is not JSON",
        "about 2 more messages hidden by another consumer, such as another redrive",
        "redrive: 9 messages in the queue; dry run: --replay sends their events to the indexer again",
    ]
    assert run.aws.log == []


def test_redrive_prints_undelivered_events_with_the_bucket_of_each_key(run: Command) -> None:
    run.aws.put(bridged("in/a+b"), sent_ms=1_769_860_800_000, attributes=dead_letter())
    run.aws.put(failure("in/c") | {"requestPayload": bridged("in/c")}, sent_ms=1_769_860_800_000)
    assert run("redrive", "--reason", "undelivered") == 1
    assert run.lines == [
        "undelivered: 1 message, the oldest from 2026-01-31T12:00:00Z",
        "    in/a+b  (bucket reports)",
        "    example error: NO_PERMISSIONS: EventBridge may not invoke the function",
        "1 message with other reasons",
        "redrive: 2 messages in the queue; dry run: --replay sends their events to the indexer again",
    ]
    run("redrive", "--json")
    assert [(each["objects"], each["buckets"]) for each in run.document["messages"]] == [
        (["in/a+b"], ["reports"]),
        (["in/c"], ["reports"]),
    ]


def test_redrive_export_does_not_overwrite_a_file(run: Command, tmp_path: Path) -> None:
    run.aws.put(failure("a"))
    file = tmp_path / "failures.jsonl"
    assert run("redrive", "--export", str(file)) == 1
    assert run.lines[-1] == f"redrive: 1 of 1 message written to {file}; all are still in the queue"
    assert json.loads(file.read_text(encoding="utf-8"))["body"] == failure("a")
    assert run("redrive", "--export", str(file)) == 2
    assert "the file exists" in run.errors[0]
    assert run("redrive", "--export", str(tmp_path / "none" / "x")) == 2
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    assert len(run.aws.queue) == 1


def test_redrive_prints_trailing_spaces_and_control_characters_of_a_key(run: Command) -> None:
    for key in ("a+", "b%09"):
        run.aws.put(failure(key))
    assert run("redrive") == 1
    assert run.lines[1:3] == ["    'a '", "    'b\\t'"]
    run("redrive", "--json")
    assert [each["objects"] for each in run.document["messages"]] == [["a "], ["b\t"]]


def test_redrive_prints_one_example_of_each_distinct_error(run: Command) -> None:
    for key, error in (("a", "HeadObject: 403"), ("b", "HeadObject: 403"), ("c", "UpdateItem: no table")):
        text = f"1 of 1 records failed: record 0 (key {key!r}): denied: {error}"
        run.aws.put(failure(key, responsePayload={"errorMessage": text}))
    assert run("redrive") == 1
    assert [line.strip() for line in run.lines if "example" in line] == [
        "example error of 2 messages: 1 of 1 records failed: record 0 (key 'a'): denied: HeadObject: 403",
        "example error of 1 message: 1 of 1 records failed: record 0 (key 'c'): denied: UpdateItem: no table",
    ]
    assert "more" not in run.output


def test_redrive_prints_the_type_of_an_error_that_the_indexer_did_not_report(run: Command) -> None:
    run.aws.put(failure(responsePayload={"errorMessage": "'key'", "errorType": "KeyError"}))
    assert run("redrive") == 1
    assert run.lines[2].strip() == "example error: KeyError: 'key'"
    run("redrive", "--json")
    [message] = run.document["messages"]
    assert (message["error"], message["error_type"], message["reasons"]) == ("'key'", "KeyError", ["crash"])


def test_redrive_prints_ten_distinct_errors_and_the_number_of_the_others(run: Command) -> None:
    for letter in "abcdefghijkl":
        run.aws.put(failure(responsePayload={"errorMessage": f"error {letter}"}))
    assert run("redrive") == 1
    assert sum("example error of 1 message: " in line for line in run.lines) == 10
    assert run.lines[-2].strip() == "… and 2 more errors: use --json to print all"


def delete_resources(aws: FakeAws, resource: str) -> None:
    """Delete a resource of the fake stack, or change a setting, so that the tools can read only the failure queue."""
    if resource == "table":
        aws.status = None
    elif resource == "bucket":
        aws.versioning_status, aws.rules, aws.listed = None, [], []
    elif resource == "function":
        aws.function_exists = False
    elif resource == "on-failure destination":
        aws.destination = None
    else:
        aws.variables = {}


GONE = ("table", "bucket", "function", "on-failure destination", "environment variables")


@pytest.mark.parametrize("resource", GONE)
def test_redrive_shows_exports_and_deletes_messages_of_a_stack_with_deleted_resources(
    run: Command, tmp_path: Path, resource: str
) -> None:
    run.put_failures(2)
    delete_resources(run.aws, resource)
    assert run("redrive") == 1
    assert run.lines[-1].startswith("redrive: 2 messages in the queue")
    file = tmp_path / "failures.jsonl"
    assert run("redrive", "--export", str(file), "--delete") == 0
    assert run.lines[-1] == f"redrive: 2 of 2 messages written to {file} and deleted, 0 left in the queue"
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2
    assert (run.aws.queue, run.aws.hidden) == ([], {})


@pytest.mark.parametrize("outputs", [True, False])
def test_redrive_of_a_deleted_function_shows_the_queue_but_replays_no_event(
    run: Command, stack_outputs: Path, *, outputs: bool
) -> None:
    run.put_failures(1)
    run.aws.function_exists = False
    run.stack = ("--stack-outputs", str(stack_outputs)) if outputs else run.stack
    assert run("redrive") == 1
    assert run("redrive", "--replay") == 2
    assert run.errors == ["redrive: no function indexer"]
    run.aws.settings = None
    assert run("redrive") == (1 if outputs else 2)


def test_redrive_without_replay_does_not_read_the_table(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run.put_failures(1)
    monkeypatch.setattr(run.aws, "capacity", lambda _: pytest.fail("the redrive read the capacity of the table"))
    assert run("redrive") == 1


def test_redrive_delete_keeps_messages_that_were_not_exported(run: Command, tmp_path: Path) -> None:
    run.put_failures(1)
    run.aws.put(failure("t", responsePayload={"errorMessage": "Task timed out"}), "timeout")
    run.aws.put("hello", "foreign")
    command = ("redrive", "--reason", "timeout", "--export", str(tmp_path / "a"), "--delete", "--json")
    assert run(*command) == 1
    assert {"exported": 1, "deleted": 1, "read": 3}.items() <= run.document.items()
    assert [each["deleted"] for each in run.document["messages"]] == [False, True, False]
    assert [each.id for each in run.aws.queue] == ["id-0", "foreign"]
    assert run("redrive", "--export", str(tmp_path / "b"), "--delete") == 0
    assert "not from this indexer, deleted: message foreign: it is not JSON" in run.lines
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "b")} == {0o600}


def test_interrupted_redrive_delete_prints_how_many_messages_it_deleted(run: Command, tmp_path: Path) -> None:
    run.put_failures(3)
    file = tmp_path / "failures.jsonl"
    run.aws.before_delete = raising_for("id-1", KeyboardInterrupt())
    assert run("redrive", "--export", str(file), "--delete") == 130
    deleted = 3 - len(run.aws.queue)
    done = f"3 messages written to {file}, {deleted} deleted, the others are in the queue"
    hint = f"redrive: {done}; start redrive again with a new file for --export"
    assert run.errors == ["redrive: interrupted", hint]
    assert len(file.read_text(encoding="utf-8").splitlines()) == 3
    assert run.aws.hidden == {}


def raising_for(message_id: str, error: BaseException) -> Callable[[QueueMessage], None]:
    """Return a function that the fake queue calls before it deletes a message. It raises an error for one message."""

    def before_delete(message: QueueMessage) -> None:
        if message.id == message_id:
            raise error

    return before_delete


def test_failed_redrive_export_deletes_no_message_and_leaves_no_file(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary file is a link to /dev/full, so writing to it fails as on a full disk."""
    run.put_failures(1)
    file, unfinished = tmp_path / "failures.jsonl", tmp_path / "unfinished"
    unfinished.symlink_to("/dev/full")
    monkeypatch.setattr(tempfile, "mkstemp", lambda **_: (os.open(unfinished, os.O_WRONLY), str(unfinished)))
    assert run("redrive", "--export", str(file), "--delete") == 2
    assert run.errors[0].startswith(f"redrive: --export {file}: No space left on device; give the name of a new file")
    assert list(tmp_path.iterdir()) == []
    assert len(run.aws.queue) == 1


@pytest.mark.parametrize(("path", "error"), [("", "the file exists"), ("/", "the file exists"), ("/none/x", "No such")])
def test_redrive_export_to_an_invalid_path_is_an_error(run: Command, path: str, error: str) -> None:
    run.put_failures(1)
    assert run("redrive", "--export", path) == 2
    assert error in run.errors[0]
    assert "bug" not in run.errors[0]


REPAIR = "tapstack backfill --function indexer --inspect --invoke"
DELETE = "tapstack redrive --function indexer --reason REASON --export FILE --delete"


def test_redrive_groups_stream_failures_by_reason_and_prints_the_commands_for_them(run: Command) -> None:
    for size, error in ((3, None), (9, None), (1, "Unhandled")):
        run.aws.put(stream_failure(size=size, error=error), sent_ms=1_769_860_800_000)
    assert run("redrive") == 1
    assert run.lines == [
        "stream-crash: 1 message about 1 record of the table's stream, the oldest from 2026-01-31T12:00:00Z",
        "    example error: Unhandled: RetryAttemptsExhausted, invocations: 3",
        "stream-failed: 2 messages about 12 records of the table's stream, the oldest from 2026-01-31T12:00:00Z",
        "    example error: RetryAttemptsExhausted, invocations: 3",
        "3 messages without an event to send again, because the messages of a stream do not contain the records:",
        f"    repair the rows of 13 records: {REPAIR}",
        f"    then delete the messages of each reason: {DELETE}",
        f"redrive: 3 messages in the queue; dry run: {REPAIR} repairs their rows",
    ]
    assert run("redrive", "--json") == 1
    assert (run.document["stream_records"], run.document["stream_repair"]) == (13, REPAIR)
    crash = run.document["messages"][2]
    assert {"reasons": ["stream-crash"], "function": INSPECTOR_ARN, "stream_records": 1}.items() <= crash.items()


def test_redrive_replays_events_but_leaves_stream_failures_in_the_queue(run: Command) -> None:
    for body in (stream_failure(), stream_failure(size=2), failure("a")):
        run.aws.put(body)
    assert (run("redrive", "--replay", "--max", "1"), run.errors) == (1, [])
    assert run.lines == [
        "denied: 1 message, the oldest from 1970-01-01T00:00:00Z",
        "    a",
        "    example error: 1 of 1 records failed: record 0 (key 'a'): denied: HeadObject: ClientError: 403",
        "2 messages without an event to send again, because the messages of a stream do not contain the records:",
        f"    repair the rows of 3 records: {REPAIR}",
        f"    then delete the messages of each reason: {DELETE}",
        "redrive: 1 of 3 messages replayed and deleted, 2 left in the queue",
    ]
    assert len(run.aws.sent) == 1


def test_redrive_exports_and_deletes_stream_failures_of_a_reason(run: Command, tmp_path: Path) -> None:
    run.put_failures(1)
    run.aws.put(stream_failure())
    file = tmp_path / "stream.jsonl"
    assert run("redrive", "--reason", "stream-failed", "--export", str(file), "--delete") == 1
    assert json.loads(file.read_text(encoding="utf-8"))["body"] == stream_failure()
    assert [each.id for each in run.aws.queue] == ["id-0"]
    run.aws.queue = []
    assert (run("redrive", "--json"), run.document["stream_repair"]) == (0, None)


def test_redrive_with_option_stack_outputs_prints_a_repair_command_with_this_option(
    run: Command, stack_outputs: Path
) -> None:
    run.aws.put(stream_failure())
    run.stack = ("--stack-outputs", str(stack_outputs))
    assert run("redrive") == 1
    assert f"tapstack backfill --stack-outputs {stack_outputs} --inspect --invoke" in run.lines[-1]
