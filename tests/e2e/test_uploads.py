"""Every upload creates one row, log lines and metrics; events that cannot be indexed go to the failure queue."""

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
from tests.support.nonempty import nonempty
from tests.support.rows import SCHEMA_VERSION, expected_row, format_time, object_attributes

if TYPE_CHECKING:
    from tests.e2e.failure_queue import FailureQueue, SentEvents
    from tests.support.index import Index

MAKES_INDEXER_FAIL = pytest.mark.not_in_a_live_account("makes the indexer fail, which triggers an alarm")
EVERY_CASE = pytest.mark.parametrize("name", [case.name for case in (*sample_cases(), *EDGE_CASES)])
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@EVERY_CASE
def test_upload_creates_exactly_one_row(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.error is None
    assert [row["version_id"] for row in index.rows(upload.case.key)] == [upload.version_id]


@EVERY_CASE
def test_row_of_an_upload_matches_the_head_response(uploads: Mapping[str, Upload], index: Index, name: str) -> None:
    upload = uploads[name]
    assert upload.row is not None, upload.error
    expected = expected_row(index.bucket, upload.case.key, upload.head, metadata=upload.case.decoded_metadata)
    assert object_attributes(upload.row) == expected


@EVERY_CASE
def test_row_of_an_upload_records_its_event_and_request(uploads: Mapping[str, Upload], name: str) -> None:
    row = uploads[name].row
    assert row is not None, uploads[name].error
    assert row["event_name"] == "ObjectCreated:Put"
    assert row["schema_version"] == SCHEMA_VERSION
    assert re.fullmatch("[0-9A-F]{10,}", row["sequencer"])
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["request_id"])
    assert re.fullmatch(TIME, row["event_time"])
    assert re.fullmatch(TIME, row["processed_at"])
    # The time of the HEAD response is truncated to seconds, and the event time has milliseconds.
    assert row["uploaded_at"] <= row["event_time"] <= row["processed_at"]


def test_twenty_overwrites_of_one_key_create_twenty_rows(index: Index) -> None:
    key = index.key("overwritten/again-and-again.txt")
    versions = [index.put_indexed(key, f"take {number}".encode())["version_id"] for number in range(20)]
    rows = {row["version_id"]: row for row in index.rows(key)}
    assert sorted(rows) == sorted(versions)
    assert [int(rows[version]["size_bytes"]) for version in versions] == [6] * 10 + [7] * 10
    assert len({row["etag"] for row in rows.values()}) == 20


def test_rapid_overwrites_of_one_key_create_a_row_each(index: Index) -> None:
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
def test_table_has_exactly_the_versions_and_delete_markers_of_the_bucket(
    index: Index,
) -> None:
    in_bucket = index.versions()

    def in_table() -> set[tuple[str, str]]:
        return index.row_ids(existing_only=True)

    index.wait_until(
        lambda: in_table() == in_bucket,
        lambda: f"missing rows {in_bucket - in_table()}; unexpected rows {in_table() - in_bucket}",
    )


@pytest.mark.not_in_a_live_account("reads every row of the day")
def test_query_of_a_day_returns_every_upload_of_the_day(
    table: queries.Table, index: Index, uploads: Mapping[str, Upload]
) -> None:
    times = {
        (upload.case.key, upload.version_id): format_time(upload.head["LastModified"]) for upload in uploads.values()
    }
    for _ in range(2):
        row = index.put_indexed(index.key("queries/two-versions.txt"))
        head = index.head(row["key"], row["version_id"])
        times[row["key"], row["version_id"]] = format_time(head["LastModified"])
    for day in nonempty({time[:10] for time in times.values()}):
        rows = list(queries.uploaded_on(SmallPages(table), day))
        assert all(row["upload_day"] == day for row in rows)
        assert [row["uploaded_at"] for row in rows] == sorted(row["uploaded_at"] for row in rows)
        found = {(row["key"], row["version_id"]): row["uploaded_at"] for row in rows}
        expected = {address: time for address, time in times.items() if time[:10] == day}
        assert {address: found.get(address) for address in expected} == expected
    assert list(queries.uploaded_on(table, "1999-12-31")) == []


@MAKES_INDEXER_FAIL
@pytest.mark.parametrize("name", ["a mixed event", "no event of S3"])
def test_poison_event_reaches_the_failure_queue_with_its_error(
    failures: FailureQueue, invalid_events: SentEvents, name: str
) -> None:
    sent = invalid_events.events[name]
    failure = failures.wait_for(sent.event)
    assert failure.event == sent.event  # the event is unchanged, so that it can be redriven
    assert (failure.condition, failure.attempts) == ("RetriesExhausted", 3)
    assert [part for part in sent.errors if part not in failure.error] == []


@MAKES_INDEXER_FAIL
def test_valid_records_of_a_poison_event_are_indexed(index: Index, invalid_events: SentEvents) -> None:
    for row in nonempty(invalid_events.valid):
        assert index.wait_for_row(row["key"], row["version_id"])["etag"] == row["etag"]
        assert len(index.rows(row["key"])) == 1


@MAKES_INDEXER_FAIL
def test_failure_queue_contains_only_poison_events(
    failures: FailureQueue, invalid_events: SentEvents, uploads: Mapping[str, Upload]
) -> None:
    assert uploads
    expected = [sent.event for sent in invalid_events.events.values()]
    assert [event for event in failures.events() if event not in expected] == []


@pytest.fixture(scope="module")
def logs(index: Index) -> LogGroup:
    configuration = index.clients.function.get_function_configuration(FunctionName=index.function)
    level = configuration["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"]
    if level not in {"DEBUG", "INFO"}:
        pytest.skip(f"the stack's logLevel is {level}, which disables the log lines of successful records")
    return LogGroup(index)


def test_every_upload_has_a_log_line_with_version_and_request(
    index: Index, logs: LogGroup, uploads: Mapping[str, Upload]
) -> None:
    expected = {
        (upload.case.key, upload.version_id, upload.row["request_id"] if upload.row else None)
        for upload in uploads.values()
    }

    def missing() -> set[tuple[str, str, str | None]]:
        lines = [line for line in logs.lines() if {"outcome", "key", "version_id"} <= line.keys()]
        logged = {(line["key"], line["version_id"], line["request_id"]) for line in lines}
        # On a busy machine, a write may time out although it took effect. Lambda's retry then reports a duplicate.
        done = {(line["key"], line["version_id"]) for line in lines if line["outcome"] in {"indexed", "duplicate"}}
        return {each for each in expected if each not in logged or each[:2] not in done}

    index.wait_until(lambda: not missing(), lambda: f"lines about {missing()}")


def test_log_line_of_an_upload_has_outcome_and_durations(index: Index, logs: LogGroup) -> None:
    row = index.put_indexed(index.key("logged/line.txt"))
    line = logs.wait_for(key=row["key"], outcome="indexed")
    expected = {
        "level": "INFO",
        "service": index.function.removesuffix("-indexer"),
        "bucket": index.bucket,
        "version_id": row["version_id"],
        "request_id": row["request_id"],
        "event_name": "ObjectCreated:Put",
        "attempts": 2,  # one HeadObject request and one UpdateItem request
        "retries": 0,
    }
    assert {name: line[name] for name in expected} == expected
    assert 0 < line["head_ms"] + line["write_ms"] <= line["duration_ms"]
    # The indexer measures no delay for the objects of the smoke test, which have a prefix.
    assert ("indexing_delay_ms" in line) == (not index.prefix)
    assert line.get("indexing_delay_ms", 1) > 0


@MAKES_INDEXER_FAIL
@pytest.mark.parametrize(
    ("reason", "field", "error"),
    [
        ("malformed", "Records[2].s3.object.key", "not UTF-8"),
        ("foreign", "Records[5].s3.bucket.name", "'elsewhere'"),
    ],
)
def test_log_line_of_a_failed_record_has_reason_and_invalid_field(
    logs: LogGroup, invalid_events: SentEvents, reason: str, field: str, error: str
) -> None:
    assert invalid_events.events
    line = logs.wait_for(outcome="failed", reason=reason, field=field)
    assert error in line["error"]
    assert line["level"] == "ERROR"
    assert line["request_id"]


@pytest.mark.not_in_a_live_account("counts the uploads of all users")
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
def test_metric_totals_match_the_number_of_log_lines(
    index: Index, logs: LogGroup, metric: str, dimensions: list[str], fields: Line
) -> None:
    reason = {name: value for name, value in fields.items() if name == "reason"}

    def difference() -> float:
        counted = _total(logs.matching(service="tapstack-local", **reason), metric, dimensions)
        return len(logs.matching(**fields)) - counted

    assert logs.matching(**fields)
    index.wait_until(lambda: difference() == 0, lambda: f"{difference()} of {metric} for the log lines with {fields}")


@pytest.mark.not_in_a_live_account("measures the uploads of all users")
def test_indexing_delay_of_every_upload_is_a_metric(logs: LogGroup, uploads: Mapping[str, Upload]) -> None:
    assert uploads
    delays = [delay for line in logs.matching(service="tapstack-local") for delay in line.get("IndexingDelay", ())]
    assert len(delays) >= len(uploads)
    assert all(0 < delay < 60_000 for delay in nonempty(delays))  # milliseconds


@pytest.mark.usefixtures("uploads")
def test_metric_lines_have_valid_embedded_metric_format(index: Index, logs: LogGroup) -> None:
    lines = index.wait_until(lambda: [each for each in logs.lines() if "_aws" in each], "a line of embedded metrics")
    for line in lines:
        emf.check(line)


def _total(lines: list[Line], metric: str, dimensions: list[str]) -> float:
    """Return the sum that CloudWatch would calculate from these lines in the embedded metric format."""
    total = 0.0
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            names = {each["Name"] for each in directive["Metrics"] if each["Unit"] == "Count"}
            if directive["Namespace"] == "TapStack" and metric in names and dimensions in directive["Dimensions"]:
                total += sum(line[metric])
    return total
