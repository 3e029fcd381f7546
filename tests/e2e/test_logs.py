"""Every event leaves a line in CloudWatch Logs that a machine can read, and metrics that CloudWatch can."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.e2e.logs import Line, Logs
from tests.support import emf

if TYPE_CHECKING:
    from tests.e2e.failures import Poisoned
    from tests.e2e.uploading import Upload
    from tests.support.index import Index


@pytest.fixture(scope="module")
def logs(index: Index, outputs: Mapping[str, str]) -> Logs:
    configuration = index.clients.function.get_function_configuration(FunctionName=index.function)
    level = configuration["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"]
    if level not in {"DEBUG", "INFO"}:  # as Pulumi.localstack.yaml has it, it is
        pytest.skip(f"the stack's logLevel is {level}: it writes no line about what went well")
    return Logs(index, outputs["log_group_name"], index.since)


def test_every_upload_has_a_line_with_its_key_version_outcome_and_request(
    index: Index, logs: Logs, uploads: Mapping[str, Upload]
) -> None:
    expected = {
        (upload.case.key, upload.version_id, upload.row["request_id"] if upload.row else None)
        for upload in uploads.values()
    }

    def unlogged() -> set[tuple[str, str, str | None]]:
        lines = [line for line in logs.lines() if {"outcome", "key", "version_id"} <= line.keys()]
        logged = {(line["key"], line["version_id"], line["request_id"]) for line in lines}
        # on a busy machine a call may time out after it took effect; Lambda's retry then finds the row there
        done = {(line["key"], line["version_id"]) for line in lines if line["outcome"] in {"indexed", "duplicate"}}
        return {each for each in expected if each not in logged or each[:2] not in done}

    index.until(lambda: not unlogged(), lambda: f"lines about {unlogged()}")


def test_a_line_tells_what_was_done_and_how_long_it_took(index: Index, logs: Logs, prefix: str) -> None:
    key = index.key("logged/told.txt")
    version_id = index.put(key)
    row = index.wait_for_row(key, version_id)
    line = logs.wait_for(key=key, outcome="indexed")
    assert line["level"] == "INFO"
    assert line["service"] == prefix
    assert (line["bucket"], line["version_id"]) == (index.bucket, version_id)
    assert (line["request_id"], line["event_name"]) == (row["request_id"], "ObjectCreated:Put")
    assert (line["attempts"], line["retries"]) == (2, 0)  # HEAD and UpdateItem
    assert 0 < line["head_ms"] + line["write_ms"] <= line["duration_ms"]
    assert line["indexing_delay_ms"] > 0


def test_user_metadata_is_never_logged(index: Index, logs: Logs) -> None:
    secret = "a-secret-of-the-uploader"
    key = index.key("logged/confidential.txt")
    index.wait_for_row(key, index.put(key, Metadata={"note": secret}))
    logs.wait_for(key=key, outcome="indexed")
    assert [line for line in logs.lines() if secret in json.dumps(line)] == []


@pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")
def test_a_failure_is_logged_with_its_reason_and_the_field_that_is_wrong(logs: Logs, poisoned: Poisoned) -> None:
    assert poisoned.events
    malformed = logs.wait_for(outcome="failed", reason="malformed", field="Records[2].s3.object.key")
    foreign = logs.wait_for(outcome="failed", reason="foreign", field="Records[5].s3.bucket.name")
    assert "not UTF-8" in malformed["error"]
    assert "'elsewhere'" in foreign["error"]
    for line in (malformed, foreign):
        assert line["level"] == "ERROR"
        assert line["request_id"]


@pytest.mark.not_in_a_live_account("counts what everybody uploads")
@pytest.mark.parametrize(
    ("metric", "dimensions", "told"),
    [
        ("ObjectsIndexed", ["service"], {"outcome": "indexed"}),
        ("ObjectsFailed", ["service", "reason"], {"outcome": "failed", "reason": "malformed"}),
        ("ObjectsFailed", ["service", "reason"], {"outcome": "failed", "reason": "foreign"}),
    ],
    ids=str,
)
def test_the_metrics_add_up_to_what_the_log_tells(
    index: Index,
    logs: Logs,
    poisoned: Poisoned,
    uploads: Mapping[str, Upload],
    metric: str,
    dimensions: list[str],
    told: Line,
) -> None:
    assert poisoned.events
    assert uploads
    reason = {name: value for name, value in told.items() if name == "reason"}

    def difference() -> float:
        return len(logs.about(**told)) - _total(logs.about(service="tapstack-local", **reason), metric, dimensions)

    assert logs.about(**told)
    index.until(lambda: difference() == 0, lambda: f"{difference()} of {metric} for the log lines with {told}")


@pytest.mark.not_in_a_live_account("measures what everybody uploads")
def test_the_time_from_upload_to_row_is_a_metric(logs: Logs, uploads: Mapping[str, Upload]) -> None:
    assert uploads
    delays = [delay for line in logs.about(service="tapstack-local") for delay in line.get("IndexingDelay", ())]
    assert len(delays) >= len(uploads)
    assert all(0 < delay < 60_000 for delay in delays)  # milliseconds


def test_every_line_of_metrics_is_one_that_cloudwatch_takes(
    index: Index, logs: Logs, uploads: Mapping[str, Upload]
) -> None:
    assert uploads

    def embedded() -> list[Line]:
        return [line for line in logs.lines() if "_aws" in line]

    for line in index.until(embedded, "a line of embedded metrics"):
        emf.check(line)


def _total(lines: list[Line], metric: str, dimensions: list[str]) -> float:
    """What CloudWatch would count: the sum over the lines of its embedded format."""
    total = 0.0
    for line in lines:
        for told in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            names = {each["Name"] for each in told["Metrics"] if each["Unit"] == "Count"}
            if told["Namespace"] == "TapStack" and metric in names and dimensions in told["Dimensions"]:
                total += sum(line[metric])
    return total
