"""What the function counts, in CloudWatch's embedded metric format."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from lambda_code.errors import PermanentError, Reason, TransientError
from lambda_code.outcome import Outcome, Result
from lambda_code.telemetry import Telemetry
from tests.support import emf
from tests.support.fakes import Fault, client_error
from tests.support.strategies import head, s3_event, s3_record

if TYPE_CHECKING:
    from lambda_code.settings import Settings
    from tests.support.telemetry_fakes import LoggedIndexer


def directive(line: dict[str, Any]) -> dict[str, Any]:
    [only] = line["_aws"]["CloudWatchMetrics"]
    found: dict[str, Any] = only
    return found


def test_an_events_metrics_are_one_line_in_the_embedded_format(logged: LoggedIndexer) -> None:
    logged.calls.faults.append(Fault(client_error(500), seconds=0))
    logged.deliver(s3_event(s3_record(), s3_record(), s3_record("gone")))
    [line] = logged.metrics
    assert directive(line) == {
        "Namespace": "TapStack",
        "Dimensions": [["service"]],
        "Metrics": [
            {"Name": "ObjectsIndexed", "Unit": "Count"},
            {"Name": "SdkRetries", "Unit": "Count"},
            {"Name": "ObjectsDuplicate", "Unit": "Count"},
            {"Name": "ObjectsGone", "Unit": "Count"},
            {"Name": "IndexingDelay", "Unit": "Milliseconds"},
        ],
    }
    assert line["service"] == "tapstack-test"
    assert {name: line[name] for name in ("ObjectsIndexed", "SdkRetries", "ObjectsDuplicate", "ObjectsGone")} == {
        "ObjectsIndexed": [1.0],
        "SdkRetries": [1.0],
        "ObjectsDuplicate": [1.0],
        "ObjectsGone": [1.0],
    }
    assert line["IndexingDelay"] == [pytest.approx(1870)]
    assert isinstance(line["_aws"]["Timestamp"], int)


def test_failures_are_counted_by_service_and_by_service_and_reason(logged: LoggedIndexer) -> None:
    logged.calls.faults.extend([Fault(client_error(403)), Fault(client_error(403))])
    logged.deliver(s3_event(s3_record(), s3_record(), {}))
    denied, malformed = logged.metrics
    for line, reason, count in ((denied, "denied", 2.0), (malformed, "malformed", 1.0)):
        assert directive(line) == {
            "Namespace": "TapStack",
            "Dimensions": [["service"], ["service", "reason"]],
            "Metrics": [{"Name": "ObjectsFailed", "Unit": "Count"}],
        }
        assert (line["service"], line["reason"], line["ObjectsFailed"]) == ("tapstack-test", reason, [count])


def test_nothing_happened_is_no_metric(logged: LoggedIndexer) -> None:
    logged.deliver({"Event": "s3:TestEvent"})
    logged.deliver(s3_event(s3_record(event_name="ObjectTagging:Put")))
    assert logged.metrics == []


def test_deletions_are_counted_apart_and_have_no_delay(logged: LoggedIndexer) -> None:
    logged.deliver(
        s3_event(
            s3_record(event_name="ObjectRemoved:Delete"),
            s3_record(event_name="ObjectRemoved:DeleteMarkerCreated", version_id="m1"),
            s3_record(event_name="ObjectRemoved:Delete"),
        )
    )
    [line] = logged.metrics
    assert (line["ObjectsDeleted"], line["ObjectsDuplicate"]) == ([2.0], [1.0])
    assert [metric["Name"] for metric in directive(line)["Metrics"]] == ["ObjectsDeleted", "ObjectsDuplicate"]


def test_metrics_of_one_event_do_not_leak_into_the_next(logged: LoggedIndexer) -> None:
    logged.deliver(s3_event(s3_record()))
    logged.deliver(s3_event(s3_record()), request_id="request-2")
    assert [line.get("ObjectsIndexed") for line in logged.metrics] == [[1.0], None]


@pytest.mark.parametrize("records", [99, 100, 101, 250])
def test_a_metric_has_at_most_a_hundred_values_in_a_line(
    logged: LoggedIndexer, records: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(records):
        logged.s3.put(f"key{number}", "v1", head())
    logged.deliver(s3_event(*[s3_record(f"key{number}") for number in range(records)]))
    by_powertools = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in by_powertools:
        emf.check(line)
    lines = logged.metrics + by_powertools
    assert sum(sum(line.get("ObjectsIndexed", [])) for line in lines) == records
    assert sum(len(line.get("IndexingDelay", [])) for line in lines) == records
    assert all(len(line.get("IndexingDelay", [])) <= 100 for line in lines)


@pytest.mark.parametrize("result", Result)
def test_every_result_can_be_reported(settings: Settings, result: Result) -> None:
    error = TransientError("no", reason=Reason.THROTTLED) if result is Result.FAILED else None
    stream = io.StringIO()
    with Telemetry(settings, stream=stream).invocation("request-1") as invocation:
        invocation.report(Outcome(result=result, request_id="request-1", error=error))
    assert json.loads(stream.getvalue().splitlines()[0])["outcome"] == result


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_dimension(settings: Settings, reason: Reason) -> None:
    stream = io.StringIO()
    with Telemetry(settings, stream=stream).invocation("request-1") as invocation:
        error = PermanentError("no", reason=reason)
        invocation.report(Outcome(result=Result.FAILED, request_id="request-1", error=error))
    assert json.loads(stream.getvalue().splitlines()[-1])["reason"] == reason
