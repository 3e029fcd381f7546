"""Every upload becomes one row, with log lines and metrics; events that cannot be indexed go to the failure queue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from operations import queries
from tests.e2e.batch_upload import Upload, sample_cases
from tests.e2e.log_group import Line, LogGroup
from tests.e2e.query_results import SmallPages
from tests.support import emf
from tests.support.edge_cases import EDGE_CASES
from tests.support.rows import SCHEMA_VERSION, expected_row, format_time, object_attributes

if TYPE_CHECKING:
    from tests.e2e.failure_queue import FailureQueue, SentEvents
    from tests.support.index import Index

MAKES_IT_FAIL = pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")
EVERY_CASE = pytest.mark.parametrize("name", [case.name for case in (*sample_cases(), *EDGE_CASES)])
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@EVERY_CASE
def test_an_upload_becomes_exactly_one_row(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.error is None
    assert [row["version_id"] for row in index.rows(upload.case.key)] == [upload.version_id]


@EVERY_CASE
def test_the_row_says_what_s3_says(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.row is not None, upload.error
    expected = expected_row(index.bucket, upload.case.key, upload.head, metadata=upload.case.decoded_metadata)
    assert object_attributes(upload.row) == expected


@EVERY_CASE
def test_the_row_says_where_it_comes_from(uploads: Mapping[str, Upload], name: str) -> None:
    row = uploads[name].row
    assert row is not None, uploads[name].error
    assert row["event_name"] == "ObjectCreated:Put"
    assert row["schema_version"] == SCHEMA_VERSION
    assert re.fullmatch("[0-9A-F]{10,}", row["sequencer"])
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["request_id"])
    assert re.fullmatch(TIME, row["event_time"])
    assert re.fullmatch(TIME, row["processed_at"])
    # HEAD truncates the time to the second, the event's has milliseconds
    assert row["uploaded_at"] <= row["event_time"] <= row["processed_at"]


def test_twenty_overwrites_of_one_key_become_twenty_rows(index: Index) -> None:
    key = index.key("overwritten/again-and-again.txt")
    versions = [index.put_indexed(key, f"take {number}".encode())["version_id"] for number in range(20)]
    rows = {row["version_id"]: row for row in index.rows(key)}
    assert sorted(rows) == sorted(versions)
    assert [int(rows[version]["size_bytes"]) for version in versions] == [6] * 10 + [7] * 10
    assert len({row["etag"] for row in rows.values()}) == 20


def test_overwrites_that_come_all_at_once_lose_nothing(index: Index) -> None:
    key = index.key("overwritten/in-a-hurry.txt")
    versions = [index.put(key, str(number).encode()) for number in range(6)]
    for version in versions:
        index.wait_for_row(key, version)
    heads = [index.head(key, version) for version in versions]
    assert {row["version_id"]: row["uploaded_at"] for row in index.rows(key)} == {
        head["VersionId"]: format_time(head["LastModified"]) for head in heads
    }


@pytest.mark.not_in_a_live_account("reads the whole bucket and the whole table")
@pytest.mark.usefixtures("uploads")
def test_the_table_holds_every_version_and_delete_marker_in_the_bucket_and_nothing_else_that_is_there(
    index: Index,
) -> None:
    in_bucket = index.versions()

    def in_table() -> set[tuple[str, str]]:
        return index.row_ids(existing_only=True)

    index.wait_until(
        lambda: in_table() == in_bucket,
        lambda: f"rows {in_bucket - in_table()}; too many are {in_table() - in_bucket}",
    )


@pytest.mark.not_in_a_live_account("reads every row of the day")
def test_what_arrived_on_a_day_is_everything_that_did(
    table: queries.Table, index: Index, uploads: Mapping[str, Upload]
) -> None:
    times = {
        (upload.case.key, upload.version_id): format_time(upload.head["LastModified"]) for upload in uploads.values()
    }
    for _ in range(2):
        row = index.put_indexed(index.key("queries/two-versions.txt"))
        head = index.head(row["key"], row["version_id"])
        times[row["key"], row["version_id"]] = format_time(head["LastModified"])
    for day in {time[:10] for time in times.values()}:
        rows = list(queries.uploaded_on(SmallPages(table), day))
        assert all(row["upload_day"] == day for row in rows)
        assert [row["uploaded_at"] for row in rows] == sorted(row["uploaded_at"] for row in rows)
        found = {(row["key"], row["version_id"]): row["uploaded_at"] for row in rows}
        expected = {address: time for address, time in times.items() if time[:10] == day}
        assert {address: found.get(address) for address in expected} == expected
    assert list(queries.uploaded_on(table, "1999-12-31")) == []


@MAKES_IT_FAIL
@pytest.mark.parametrize("name", ["a mixed event", "no event of S3"])
def test_an_event_that_cannot_succeed_ends_in_the_failure_queue_with_its_reason(
    failures: FailureQueue, invalid_events: SentEvents, name: str
) -> None:
    sent = invalid_events.events[name]
    failure = failures.wait_for(sent.event)
    assert failure.event == sent.event  # complete, so that it can be replayed
    assert (failure.condition, failure.attempts) == ("RetriesExhausted", 3)
    assert [part for part in sent.errors if part not in failure.error] == []


@MAKES_IT_FAIL
def test_the_good_records_of_a_poisoned_event_still_get_their_rows(index: Index, invalid_events: SentEvents) -> None:
    for row in invalid_events.valid:
        assert index.wait_for_row(row["key"], row["version_id"])["etag"] == row["etag"]
        assert len(index.rows(row["key"])) == 1


@MAKES_IT_FAIL
def test_nothing_else_ended_in_the_failure_queue(
    failures: FailureQueue, invalid_events: SentEvents, uploads: Mapping[str, Upload]
) -> None:
    assert uploads
    expected = [sent.event for sent in invalid_events.events.values()]
    assert [event for event in failures.events() if event not in expected] == []


@pytest.fixture(scope="module")
def logs(index: Index) -> LogGroup:
    configuration = index.clients.function.get_function_configuration(FunctionName=index.function)
    level = configuration["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"]
    if level not in {"DEBUG", "INFO"}:  # Pulumi.localstack.yaml has INFO
        pytest.skip(f"the stack's logLevel is {level}: it writes no line about what went well")
    return LogGroup(index)


def test_every_upload_has_a_line_with_its_key_version_outcome_and_request(
    index: Index, logs: LogGroup, uploads: Mapping[str, Upload]
) -> None:
    expected = {
        (upload.case.key, upload.version_id, upload.row["request_id"] if upload.row else None)
        for upload in uploads.values()
    }

    def missing() -> set[tuple[str, str, str | None]]:
        lines = [line for line in logs.lines() if {"outcome", "key", "version_id"} <= line.keys()]
        logged = {(line["key"], line["version_id"], line["request_id"]) for line in lines}
        # on a busy machine a call may time out after it took effect; Lambda's retry then finds the row
        done = {(line["key"], line["version_id"]) for line in lines if line["outcome"] in {"indexed", "duplicate"}}
        return {each for each in expected if each not in logged or each[:2] not in done}

    index.wait_until(lambda: not missing(), lambda: f"lines about {missing()}")


def test_a_line_tells_what_was_done_and_how_long_it_took(index: Index, logs: LogGroup) -> None:
    row = index.put_indexed(index.key("logged/told.txt"))
    line = logs.wait_for(key=row["key"], outcome="indexed")
    expected = {
        "level": "INFO",
        "service": index.function.removesuffix("-indexer"),
        "bucket": index.bucket,
        "version_id": row["version_id"],
        "request_id": row["request_id"],
        "event_name": "ObjectCreated:Put",
        "attempts": 2,  # HEAD and UpdateItem
        "retries": 0,
    }
    assert {name: line[name] for name in expected} == expected
    assert 0 < line["head_ms"] + line["write_ms"] <= line["duration_ms"]
    assert line["indexing_delay_ms"] > 0


@MAKES_IT_FAIL
@pytest.mark.parametrize(
    ("reason", "field", "error"),
    [
        ("malformed", "Records[2].s3.object.key", "not UTF-8"),
        ("foreign", "Records[5].s3.bucket.name", "'elsewhere'"),
    ],
)
def test_a_failure_is_logged_with_its_reason_and_the_field_that_is_wrong(
    logs: LogGroup, invalid_events: SentEvents, reason: str, field: str, error: str
) -> None:
    assert invalid_events.events
    line = logs.wait_for(outcome="failed", reason=reason, field=field)
    assert error in line["error"]
    assert line["level"] == "ERROR"
    assert line["request_id"]


@pytest.mark.not_in_a_live_account("counts what everybody uploads")
@pytest.mark.parametrize(
    ("metric", "dimensions", "fields"),
    [
        ("ObjectsIndexed", ["service"], {"outcome": "indexed"}),
        ("ObjectsFailed", ["service", "reason"], {"outcome": "failed", "reason": "malformed"}),
        ("ObjectsFailed", ["service", "reason"], {"outcome": "failed", "reason": "foreign"}),
    ],
    ids=str,
)
@pytest.mark.usefixtures("invalid_events", "uploads")
def test_the_metrics_add_up_to_what_the_log_tells(
    index: Index, logs: LogGroup, metric: str, dimensions: list[str], fields: Line
) -> None:
    reason = {name: value for name, value in fields.items() if name == "reason"}

    def difference() -> float:
        counted = _total(logs.matching(service="tapstack-local", **reason), metric, dimensions)
        return len(logs.matching(**fields)) - counted

    assert logs.matching(**fields)
    index.wait_until(lambda: difference() == 0, lambda: f"{difference()} of {metric} for the log lines with {fields}")


@pytest.mark.not_in_a_live_account("measures what everybody uploads")
def test_the_time_from_upload_to_row_is_a_metric(logs: LogGroup, uploads: Mapping[str, Upload]) -> None:
    assert uploads
    delays = [delay for line in logs.matching(service="tapstack-local") for delay in line.get("IndexingDelay", ())]
    assert len(delays) >= len(uploads)
    assert all(0 < delay < 60_000 for delay in delays)  # milliseconds


@pytest.mark.usefixtures("uploads")
def test_every_line_of_metrics_is_one_that_cloudwatch_takes(index: Index, logs: LogGroup) -> None:
    lines = index.wait_until(lambda: [each for each in logs.lines() if "_aws" in each], "a line of embedded metrics")
    for line in lines:
        emf.check(line)


def _total(lines: list[Line], metric: str, dimensions: list[str]) -> float:
    """The sum that CloudWatch would compute from these lines of its embedded format."""
    total = 0.0
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            names = {each["Name"] for each in directive["Metrics"] if each["Unit"] == "Count"}
            if directive["Namespace"] == "TapStack" and metric in names and dimensions in directive["Dimensions"]:
                total += sum(line[metric])
    return total
