"""What the function logs: one line of JSON per record."""

from __future__ import annotations

import pytest

from lambda_code.settings import Settings
from operations.planning.bill import LOG_BYTES
from tests.support.fakes import Fault, client_error
from tests.support.strategies import s3_event, s3_record
from tests.support.telemetry_fakes import SECRET, TRACE_ID, LoggedIndexer
from tests.unit.lambda_code.conftest import ENVIRONMENT

# Bytes of Lambda's own two lines for each execution, platform.start and platform.report, as its documentation shows
# them ("Working with Lambda function logs", "Lambda Telemetry API Event schema reference").
LAMBDAS_OWN_LINES = 700


def test_an_indexed_record_is_one_line(logged: LoggedIndexer) -> None:
    logged.calls.faults.extend([Fault(seconds=0.25), Fault(client_error(500), seconds=0.5)])
    logged.deliver(s3_event(s3_record()))
    [line] = logged.logs
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "message": "indexed",
        "service": "tapstack-test",
        "outcome": "indexed",
        "bucket": "uploads",
        "key": "photos/cat.jpg",
        "version_id": "v1",
        "event_name": "ObjectCreated:Put",
        "record": 0,
        "attempts": 3,
        "retries": 1,
        "duration_ms": pytest.approx(860),
        "head_ms": pytest.approx(250),
        "write_ms": pytest.approx(610),
        "indexing_delay_ms": pytest.approx(2610),
        "request_id": "request-1",
    }


def test_a_failed_record_is_a_line_with_its_reason(logged: LoggedIndexer) -> None:
    logged.calls.faults.append(Fault(client_error(403)))
    logged.deliver(s3_event(s3_record()))
    [line] = logged.logs
    assert (line["level"], line["message"], line["outcome"], line["reason"]) == ("ERROR", "failed", "failed", "denied")
    assert line["error"].startswith("HeadObject: ClientError: An error occurred (403)")
    assert (line["key"], line["attempts"]) == ("photos/cat.jpg", 1)
    assert "exception" not in line


def test_a_record_that_nobody_understands_is_a_line_with_the_field(logged: LoggedIndexer) -> None:
    logged.deliver(s3_event({"eventName": "ObjectCreated:Put"}))
    [line] = logged.logs
    assert (line["reason"], line["field"], line["record"]) == ("malformed", "Records[0].s3", 0)
    assert "key" not in line


def test_a_bug_is_a_line_that_says_where_in_the_code(logged: LoggedIndexer) -> None:
    logged.calls.faults.append(Fault(ZeroDivisionError("a bug")))
    logged.deliver(s3_event(s3_record()))
    [line] = logged.logs
    assert line["reason"] == "internal"
    assert "ZeroDivisionError: a bug" in line["exception"]
    assert "call_with_retry" in line["exception"]


def test_ignored_and_gone_records_and_test_events_are_lines_too(logged: LoggedIndexer) -> None:
    logged.deliver(s3_event(s3_record("gone"), s3_record(event_name="ObjectTagging:Put")))
    logged.deliver({"Event": "s3:TestEvent"}, request_id="request-2")
    assert [line["message"].split()[0] for line in logged.logs] == ["gone", "ignored", "s3:TestEvent"]
    assert logged.logs[2]["request_id"] == "request-2"


def test_a_deletion_is_a_line_with_the_version_that_it_is_about(logged: LoggedIndexer) -> None:
    logged.deliver(s3_event(s3_record(event_name="ObjectRemoved:Delete", size=None, etag=None)))
    [line] = logged.logs
    assert (line["message"], line["outcome"], line["version_id"]) == ("deleted", "deleted", "v1")
    assert line["event_name"] == "ObjectRemoved:Delete"


def test_user_metadata_is_never_told(logged: LoggedIndexer) -> None:
    logged.deliver(s3_event(s3_record()))
    logged.deliver(s3_event(s3_record()), request_id="request-2")
    assert logged.dynamodb.row("photos/cat.jpg", "v1")["user_metadata"] == {"note": SECRET}
    assert SECRET not in logged.stream.getvalue()
    assert "note" not in logged.stream.getvalue()


def test_any_key_is_one_line_of_json(logged: LoggedIndexer) -> None:
    logged.deliver(s3_event(s3_record("line\nbreak\x00\u2028日本\U0001f98a")))
    [line] = logged.logs
    assert line["key"] == "line\nbreak\x00\u2028日本\U0001f98a"
    assert len(logged.stream.getvalue().split("\n")) == 1 + len(logged.metrics) + 1


def test_lines_below_the_configured_level_are_not_written() -> None:
    logged = LoggedIndexer(Settings.from_env({**ENVIRONMENT, "POWERTOOLS_LOG_LEVEL": "ERROR"}))
    logged.calls.faults.extend([Fault(), Fault(), Fault(client_error(403))])
    logged.deliver(s3_event(s3_record(), s3_record("other")))
    assert [line["message"] for line in logged.logs] == ["failed"]


@pytest.mark.usefixtures("daemon")
def test_at_debug_the_event_is_told_as_it_came() -> None:
    logged = LoggedIndexer(Settings.from_env({**ENVIRONMENT, "POWERTOOLS_LOG_LEVEL": "DEBUG"}))
    event = s3_event(s3_record())
    logged.deliver(event)
    shown, indexed = logged.logs
    assert (shown["level"], shown["event"], shown["request_id"]) == ("DEBUG", event, "request-1")
    assert indexed["outcome"] == "indexed"


def test_a_line_carries_the_trace_id(traced: LoggedIndexer) -> None:
    traced.deliver(s3_event(s3_record()))
    assert traced.logs[0]["xray_trace_id"] == TRACE_ID


def test_what_a_file_writes_into_the_log_is_about_what_the_tool_cost_counts(logged: LoggedIndexer) -> None:
    logged.deliver(s3_event(s3_record()))
    written = len(logged.stream.getvalue().encode()) + LAMBDAS_OWN_LINES
    assert written <= LOG_BYTES <= 1.5 * written
