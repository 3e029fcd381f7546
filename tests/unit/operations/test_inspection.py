"""Tests of `backfill --inspect` with a fake stack: invocations of the inspector, failed rows, and interruptions."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from operations.aws.inspection import InvocationResult
from operations.errors import OperatorError
from operations.inspection import Inspection
from operations.output import Progress
from tests.support.clock import FakeClock
from tests.support.operations_fakes import BUCKET, START, TARGET, FakeAws, inspected, marker, row, version

if TYPE_CHECKING:
    from operations.aws import Row
    from operations.aws.inspection import InvocationResult as Result
    from tests.unit.operations.conftest import Command

SILENT = Progress(io.StringIO())
LISTED = [version(f"k{number:02}", seconds=number) for number in range(23)]
ROWS = [row(each, content_of=None) for each in LISTED]


def create(*, clock: FakeClock | None = None, **options: Any) -> tuple[FakeAws, Inspection]:
    aws, clock = FakeAws(rows=[*ROWS, row(marker("m"))]), clock or FakeClock()
    options = {"function": "inspector", "capacity": aws.provisioned, "per_second": 1000, **options}
    return aws, Inspection(aws, TARGET, clock=clock, sleep=clock.sleep, **options)


def events(aws: FakeAws) -> list[Any]:
    return [event for call, event in aws.log if call == "invoke_synchronously"]


def keys(event: Any) -> list[str]:  # noqa: ANN401  JSON
    return [record["dynamodb"]["NewImage"]["key"]["S"] for record in event["Records"]]


def without_content(attributes: Row) -> Row:
    return {name: value for name, value in attributes.items() if name != "content_of"}


def error_line(number: int, reason: str) -> str:
    return json.dumps({"level": "ERROR", "outcome": "failed", "sequence_number": str(number), "reason": reason})


def test_backfill_inspect_sends_the_rows_of_all_pages_in_events_of_at_most_ten_records() -> None:
    aws, inspection = create()
    inspection.invoke(SILENT)
    sent = sorted(events(aws), key=keys)
    assert [len(event["Records"]) for event in sent] == [10, 10, 3]
    assert [key for event in sent for key in keys(event)] == [each.key for each in LISTED]
    assert (inspection.report.selected, inspection.report.inspected, inspection.report.resume_after) == (23, 23, None)


def test_backfill_inspect_sends_events_in_the_format_of_a_dynamodb_stream() -> None:
    aws, inspection = create(prefix="k05")
    inspection.invoke(SILENT)
    [event] = events(aws)
    [record] = event["Records"]
    assert {"eventID": "1", "eventSource": "tapstack:inspect"}.items() <= record.items()
    assert record["dynamodb"]["SequenceNumber"] == "1"
    assert record["dynamodb"]["Keys"] == {"object_id": {"S": f"{BUCKET}/k05"}, "version_id": {"S": "v1"}}
    image = record["dynamodb"]["NewImage"]
    assert image["size_bytes"] == {"N": "5"}
    assert image.keys() == ROWS[5].keys()


def test_backfill_inspect_counts_rows_before_an_invocation() -> None:
    aws, inspection = create(since=START + timedelta(seconds=20))
    inspection.count(SILENT)
    assert (inspection.report.selected, events(aws)) == (3, [])


def test_backfill_inspect_limits_the_rows_per_second() -> None:
    clock = FakeClock()
    _, inspection = create(clock=clock, per_second=4)
    inspection.invoke(SILENT)
    assert 20 / 4 - 1 <= clock.now <= 23 / 4 + 1


def test_reasons_of_failed_inspections_are_read_from_the_end_of_the_log() -> None:
    aws, inspection = create()
    log = "\n".join(('truncated"}', error_line(3, "denied"), '{"level":"INFO"}', "REPORT", error_line(2, "throttled")))
    aws.inspect = lambda event: inspected(1, 2, 3, log=log) if "k20" in keys(event) else inspected()
    inspection.invoke(SILENT)
    assert inspection.report.failures == {"unknown": 1, "throttled": 1, "denied": 1}
    assert [(each.address[0], each.reason) for each in inspection.report.failed_rows] == [
        (f"{BUCKET}/k20", "unknown"),
        (f"{BUCKET}/k21", "throttled"),
        (f"{BUCKET}/k22", "denied"),
    ]
    assert inspection.report.inspected == 20


def test_backfill_inspect_attributes_a_crash_of_the_inspector_to_the_row_that_causes_it() -> None:
    aws, inspection = create()
    aws.inspect = lambda event: inspected(error="Runtime.ExitError: killed") if "k03" in keys(event) else inspected()
    inspection.invoke(SILENT)
    [failed] = inspection.report.failed_rows
    assert (failed.address[0], failed.reason, failed.error) == (f"{BUCKET}/k03", "crash", "Runtime.ExitError: killed")
    assert inspection.report.inspected == 22


def test_backfill_inspect_stops_if_the_inspector_crashes_for_each_row_of_an_event() -> None:
    aws, inspection = create()
    aws.inspect = lambda _: inspected(error="Runtime.ImportModuleError: no module")
    with pytest.raises(OperatorError, match=r"ended with an error for each of 10 rows.*no module.*log group"):
        inspection.invoke(SILENT)
    assert inspection.report.resume_after is None


@pytest.mark.parametrize("response", [None, {}, {"batchItemFailures": [{"itemIdentifier": "11"}]}, {"statusCode": 200}])
def test_backfill_inspect_stops_at_a_response_that_is_not_a_list_of_failed_records(response: object) -> None:
    aws, inspection = create()
    aws.inspect = lambda _: InvocationResult(error=None, response=response, log="")
    with pytest.raises(OperatorError, match="not a list of failed records"):
        inspection.invoke(SILENT)


@pytest.mark.parametrize("stops_at", [0, 1, 2])
def test_interrupted_backfill_inspect_can_continue_after_the_last_completed_event(stops_at: int) -> None:
    aws, inspection = create()

    def inspect(event: Any) -> Result:  # noqa: ANN401  JSON
        if f"k{stops_at}0" in keys(event):
            raise OperatorError("denied")
        return inspected()

    aws.inspect = inspect
    with pytest.raises(OperatorError):
        inspection.invoke(SILENT)
    after = inspection.report.resume_after
    assert after == (None if stops_at == 0 else (f"{BUCKET}/k{stops_at - 1}9", "v1"))
    again, rest = create(start_after=after)
    rest.invoke(SILENT)
    assert sorted(key for event in events(again) for key in keys(event)) == [
        each.key for each in LISTED[stops_at * 10 :]
    ]


def test_backfill_inspect_without_invoke_counts_rows_and_exits_with_1(run: Command) -> None:
    run.aws.rows = [without_content(each) for each in run.aws.rows]
    assert run("backfill", "--inspect", "--rate", "1") == 1
    assert run.lines[-1] == (
        "backfill: 2 rows without content; duration at least 0:00:02 at 1 per second; "
        "dry run: --invoke sends them to the inspector"
    )
    assert run.aws.log == []
    run.aws.rows = [each | {"content_of": each.get("etag")} for each in run.aws.rows]
    assert run("backfill", "--inspect") == 0


def test_backfill_inspect_prints_failed_rows_by_reason_and_exits_with_1(run: Command) -> None:
    run.aws.rows = ROWS
    run.aws.inspect = lambda event: (
        inspected(error="Sandbox.Timedout: slow")
        if "k03" in keys(event)
        else inspected(*range(1, len(event["Records"])), log=error_line(1, "denied"))
    )
    assert run("backfill", "--inspect", "--invoke") == 1
    assert run.lines[0] == "crash: 1 row failed"
    assert run.lines[1:3] == [f"    {BUCKET}/k03?versionId=v1", "    example error: Sandbox.Timedout: slow"]
    assert {"denied: 2 rows failed", "unknown: 9 rows failed"} <= set(run.lines)
    assert run.lines[-1] == (
        "backfill: 11 rows inspected at up to 50 per second, 12 failed; the log group of the inspector has each failure"
    )
    assert run("backfill", "--inspect", "--invoke", "--json") == 1
    assert run.document["failures"] == {"crash": 1, "denied": 2, "unknown": 9}
    assert run.document["failed_rows"][0] == {
        "row": f"{BUCKET}/k03?versionId=v1",
        "reason": "crash",
        "error": "Sandbox.Timedout: slow",
    }


def test_backfill_inspect_without_failed_rows_exits_with_0(run: Command) -> None:
    run.aws.rows = [without_content(each) for each in run.aws.rows]
    assert run("backfill", "--inspect", "--prefix", "b", "--invoke") == 0
    assert run.lines == ["backfill: 1 row inspected at up to 50 per second, 0 failed"]
    assert [keys(event) for event in events(run.aws)] == [["b"]]


def test_interrupted_backfill_inspect_prints_the_row_after_which_to_continue(run: Command) -> None:
    run.aws.rows = ROWS
    command = ("backfill", "--inspect", "--invoke", "--rate", "1000")

    def interrupt(event: Any) -> Result:  # noqa: ANN401  JSON
        if "k10" in keys(event):
            raise KeyboardInterrupt
        return inspected()

    run.aws.inspect = interrupt
    assert run(*command) == 130
    row_name = f"{BUCKET}/k09?versionId=v1"
    assert run.errors[-1] == (
        f"backfill: 10 rows inspected; start the backfill with --inspect again with --start-after='{row_name}'"
    )
    run.aws.inspect = lambda _: inspected()
    assert run(*command, f"--start-after={row_name}") == 0
    assert run.lines[-1].startswith("backfill: 13 rows inspected")


def test_option_start_after_of_backfill_inspect_must_be_the_key_of_a_row(run: Command) -> None:
    with pytest.raises(SystemExit):
        run("backfill", "--inspect", "--start-after", "a.txt")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"settings": None, "inspector_variables": None}, "the inspector 'inspector' does not exist"),
        ({"inspector_variables": None}, "the inspector 'inspector' does not exist: `pulumi up --refresh`"),
        ({"inspector_variables": {"TAP_TABLE_NAME": "x"}}, "TAP_TABLE_NAME of the inspector 'inspector' is 'x', but"),
        ({"inspector_concurrency": 0}, "the reserved concurrency of the inspector 'inspector' is 0"),
    ],
)
def test_backfill_inspect_of_a_stack_with_deleted_resources_is_an_error_with_a_remedy(
    run: Command, changes: dict[str, Any], error: str
) -> None:
    vars(run.aws).update(changes)
    assert run("backfill", "--inspect", "--invoke") == 2
    assert error in run.errors[0]
    assert run.aws.log == []


@pytest.mark.parametrize("changes", [{"inspector_variables": {"TAP_TABLE_NAME": "x"}}, {"inspector_concurrency": 0}])
def test_backfill_inspect_without_invoke_counts_rows_even_if_the_inspector_cannot_be_invoked(
    run: Command, changes: dict[str, Any]
) -> None:
    run.aws.rows = [without_content(each) for each in run.aws.rows]
    vars(run.aws).update(changes)
    assert run("backfill", "--inspect") == 1
    assert "2 rows without content" in run.lines[-1]


@pytest.mark.parametrize("document", [{"inspector": None}, {}])
def test_backfill_inspect_of_a_stack_without_inspector_is_an_error_that_names_the_key(
    run: Command, document: dict[str, Any]
) -> None:
    assert isinstance(run.aws.settings, dict)
    del run.aws.settings["inspector"]
    run.aws.settings |= document
    assert run("backfill", "--inspect") == 2
    assert "pulumi config set inspectContent true" in run.errors[0]


def test_backfill_inspect_without_settings_document_derives_the_name_of_the_inspector(run: Command) -> None:
    run.aws.settings = None
    assert run("backfill", "--inspect", "--invoke") == 0
