"""Every event leaves JSON lines in CloudWatch Logs, and metrics in CloudWatch's embedded format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.e2e.log_group import Line, LogGroup
from tests.support import emf

if TYPE_CHECKING:
    from tests.e2e.batch_upload import Upload
    from tests.e2e.failure_queue import SentEvents
    from tests.support.index import Index


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


def test_user_metadata_is_never_logged(index: Index, logs: LogGroup) -> None:
    secret = "a-secret-of-the-uploader"
    row = index.put_indexed(index.key("logged/confidential.txt"), Metadata={"note": secret})
    logs.wait_for(key=row["key"], outcome="indexed")
    assert [line for line in logs.lines() if secret in json.dumps(line)] == []


@pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")
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
