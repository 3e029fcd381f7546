"""Tests of the CloudWatch dashboard."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest
from botocore.session import Session

from tap_stack import CONSOLE_DOMAINS
from tests.support.default_stack import (
    CHINA,
    CUSTOM,
    EXISTING,
    EXISTING_BUCKETS,
    FUNCTION,
    INSPECTOR,
    LIMITED,
    ON_DEMAND,
    PROD,
    QUEUE,
    REGION,
    TABLE,
)
from tests.support.metrics import METRICS, REASONS
from tests.support.nonempty import nonempty
from tests.support.synth import synth

COVERS = {"tap-dashboard"}

DIMENSION_VALUES = {
    "service": {"tapstack-dev"},
    "reason": REASONS,
    "FunctionName": {FUNCTION, INSPECTOR},
    "TableName": {TABLE},
    "GlobalSecondaryIndexName": {"uploads_by_day"},
    "QueueName": {QUEUE},
}


def widgets(**config: str) -> dict[str, dict[str, Any]]:
    """Return the widgets of the dashboard by title."""
    body = json.loads(synth(**config).one("Dashboard").inputs["dashboardBody"])
    assert body.keys() == {"widgets"}
    return {each["properties"]["title"]: each for each in body["widgets"]}


def lines(widget: dict[str, Any]) -> list[tuple[str, str, dict[str, str], str]]:
    """Return the metrics of a dashboard widget as tuples (namespace, metric, dimensions, statistic)."""
    found = []
    for namespace, metric, *rest in widget["properties"]["metrics"]:
        options = rest.pop()
        found.append((namespace, metric, dict(zip(rest[::2], rest[1::2], strict=True)), options["stat"]))
    return found


def test_dashboard_name_consists_of_project_and_environment() -> None:
    inputs = synth().one("Dashboard").inputs
    assert inputs.keys() == {"dashboardName", "dashboardBody"}
    assert inputs["dashboardName"] == "tapstack-dev"


SERVICE, BY_FUNCTION, BY_TABLE = {"service"}, {"FunctionName"}, {"TableName"}
BY_INDEX = {"TableName", "GlobalSecondaryIndexName"}

# Maps the title of a dashboard widget to (metric, dimensions, statistic) of each line.
LINES: dict[str, list[tuple[str, set[str], str]]] = {
    "Records by result, and SDK retries": [
        (metric, SERVICE, "Sum")
        for metric in (
            *("ObjectsIndexed", "ObjectsDuplicate", "ObjectsDeleted", "ObjectsGone", "ObjectsIgnored"),
            *("ObjectsUnreadable", "SdkRetries"),
        )
    ],
    "Failures": [
        *(("ObjectsFailed", {"service", "reason"}, "Sum") for _ in REASONS),
        ("Errors", BY_FUNCTION, "Sum"),
        ("Throttles", BY_FUNCTION, "Sum"),
        ("AsyncEventsDropped", BY_FUNCTION, "Sum"),
        ("DestinationDeliveryFailures", BY_FUNCTION, "Sum"),
        ("ApproximateNumberOfMessagesVisible", {"QueueName"}, "Maximum"),
    ],
    "Indexing delay and duration (ms)": [
        ("IndexingDelay", SERVICE, "p50"),
        ("IndexingDelay", SERVICE, "p99"),
        ("Duration", BY_FUNCTION, "p50"),
        ("Duration", BY_FUNCTION, "p90"),
    ],
    **{
        f"Consumed {units.lower()} units per minute": [
            (f"Consumed{units}CapacityUnits", BY_TABLE, "Sum"),
            (f"Consumed{units}CapacityUnits", BY_INDEX, "Sum"),
            (f"{units}ThrottleEvents", BY_TABLE, "Sum"),
            (f"{units}ThrottleEvents", BY_INDEX, "Sum"),
        ]
        for units in ("Write", "Read")
    },
    "Concurrent executions": [("ConcurrentExecutions", BY_FUNCTION, "Maximum")],
    "Age of asynchronous events (ms)": [("AsyncEventAge", BY_FUNCTION, "Maximum")],
    "Inspected objects": [
        ("ObjectsInspected", SERVICE, "Sum"),
        ("TypeMismatch", SERVICE, "Sum"),
        *(("InspectFailed", {"service", "reason"}, "Sum") for _ in REASONS - {"foreign"}),
        ("Errors", BY_FUNCTION, "Sum"),
        ("Throttles", BY_FUNCTION, "Sum"),
        ("DestinationDeliveryFailures", BY_FUNCTION, "Sum"),
    ],
    "Inspection delay and duration (ms)": [
        ("InspectDelay", SERVICE, "p50"),
        ("InspectDelay", SERVICE, "p99"),
        ("Duration", BY_FUNCTION, "p50"),
        ("Duration", BY_FUNCTION, "p90"),
    ],
    "Age of rows in the stream (ms)": [("IteratorAge", BY_FUNCTION, "Maximum")],
    "Bytes read from each object": [("BytesRead", SERVICE, "p50"), ("BytesRead", SERVICE, "p95")],
}


def test_dashboard_widgets_show_the_expected_metrics() -> None:
    found = {
        title: [(metric, set(dimensions), statistic) for _, metric, dimensions, statistic in lines(widget)]
        for title, widget in widgets().items()
    }
    assert found == LINES


def test_dashboard_metrics_exist_for_resources_of_the_stack() -> None:
    for title, widget in nonempty(widgets().items()):
        for namespace, metric, dimensions, _ in lines(widget):
            assert frozenset(dimensions) in METRICS[namespace, metric].dimensions, f"{title}: {metric} by {dimensions}"
            for name, value in dimensions.items():
                assert value in DIMENSION_VALUES[name], f"{title}: {metric} of {name} {value}"


def test_dashboard_shows_failures_by_each_reason() -> None:
    shown = [dimensions for _, metric, dimensions, _ in lines(widgets()["Failures"]) if metric == "ObjectsFailed"]
    assert {each["reason"] for each in shown} == REASONS


def test_dashboard_shows_undelivered_events_of_each_existing_bucket() -> None:
    failures = lines(widgets(**EXISTING)["Failures"])
    assert [each for each in failures if each not in lines(widgets()["Failures"])] == [
        ("AWS/Events", "FailedInvocations", {"RuleName": f"tapstack-dev_{bucket}"}, "Sum")
        for bucket in EXISTING_BUCKETS
    ]


UNLIMITED = {"Indexing delay and duration (ms)": ("timeout", 600_000)}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            CUSTOM,
            {
                "Indexing delay and duration (ms)": ("timeout", 100_000),
                "Consumed write units per minute": ("provisioned", 7 * 60),
                "Consumed read units per minute": ("provisioned", 5 * 60),
            },
        ),
        (ON_DEMAND, UNLIMITED),
        (
            LIMITED,
            {
                **UNLIMITED,
                "Consumed write units per minute": ("maximum", 200 * 60),
                "Consumed read units per minute": ("maximum", 300 * 60),
            },
        ),
        ({**ON_DEMAND, "maxOnDemandReads": "9"}, {**UNLIMITED, "Consumed read units per minute": ("maximum", 9 * 60)}),
    ],
    ids=["custom", "on-demand", "with both maximums", "with one maximum"],
)
def test_dashboard_annotations_show_the_configured_limits(
    config: dict[str, str], expected: dict[str, tuple[str, int]]
) -> None:
    marks = [
        (title, mark["label"], mark["value"])
        for title, widget in widgets(**config).items()
        for mark in widget["properties"].get("annotations", {"horizontal": []})["horizontal"]
    ]
    delay = 1000 * int(config.get("maxDelaySeconds", "60"))
    assert sorted(marks) == sorted(
        [
            *((title, label, value) for title, (label, value) in expected.items()),
            ("Indexing delay and duration (ms)", "alarm on the delay", delay),
            ("Age of asynchronous events (ms)", "alarm", 5 * 60 * 1000),
            ("Age of asynchronous events (ms)", "maximum event age", 6 * 3600 * 1000),
            ("Inspection delay and duration (ms)", "timeout", 300_000),
            ("Age of rows in the stream (ms)", "alarm", 3600 * 1000),
            ("Age of rows in the stream (ms)", "maximum age", 6 * 3600 * 1000),
        ]
    )


def test_dashboard_widgets_use_the_region_of_the_stack() -> None:
    assert {each["properties"]["region"] for each in widgets().values()} == {REGION}
    body = json.loads(synth(**CHINA).one("Dashboard").inputs["dashboardBody"])
    assert {each["properties"]["region"] for each in body["widgets"]} == {"cn-northwest-1"}


def test_dashboard_widgets_fit_the_grid_and_do_not_overlap() -> None:
    found = list(widgets().values())
    for each in nonempty(found):
        assert each["x"] + each["width"] <= 24
    for one, other in nonempty(combinations(found, 2)):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        above = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert beside or above


@pytest.mark.parametrize(
    ("config", "host"),
    [
        (PROD, "us-east-1.console.aws.amazon.com"),
        (CHINA, "cn-northwest-1.console.amazonaws.cn"),
        (
            {**PROD, "region": "us-gov-west-1", "partition": "aws-us-gov"},
            "us-gov-west-1.console.amazonaws-us-gov.com",
        ),
        (
            {**PROD, "region": "eusc-de-east-1", "partition": "aws-eusc"},
            "eusc-de-east-1.console.amazonaws-eusc.eu",
        ),
    ],
    ids=["AWS", "China", "GovCloud", "European Sovereign Cloud"],
)
def test_dashboard_url_uses_the_console_of_the_aws_partition(config: dict[str, str], host: str) -> None:
    region = host.partition(".")[0]
    assert synth(**config).outputs["dashboard_url"] == (
        f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/tapstack-{config.get('env', 'dev')}"
    )


def test_each_partition_has_a_dashboard_url_or_is_isolated() -> None:
    partitions = Session().get_available_partitions()
    isolated = {partition for partition in partitions if partition.startswith("aws-iso")}
    assert isolated
    assert set(partitions) - isolated == CONSOLE_DOMAINS.keys()


def test_stack_in_an_isolated_partition_has_no_output_dashboard_url() -> None:
    outputs = synth(**PROD, region="us-iso-east-1", partition="aws-iso").outputs
    assert "dashboard_url" not in outputs
    assert outputs["lambda_function_name"] == "tapstack-prod-indexer"
