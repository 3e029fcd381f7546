"""The picture of the pipeline's health."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from tests.support.default_stack import CHINA, CUSTOM, FUNCTION, PROD, QUEUE, REGION, TABLE
from tests.support.metrics import METRICS, REASONS
from tests.support.synth import synth

COVERS = {"tap-dashboard"}

DIMENSION_VALUES = {
    "service": {"tapstack-dev"},
    "reason": REASONS,
    "FunctionName": {FUNCTION},
    "TableName": {TABLE},
    "GlobalSecondaryIndexName": {"uploads_by_day"},
    "QueueName": {QUEUE},
}


def widgets(**config: str) -> dict[str, dict[str, Any]]:
    """The dashboard's widgets by title."""
    body = json.loads(synth(**config).one("Dashboard").inputs["dashboardBody"])
    assert body.keys() == {"widgets"}
    return {each["properties"]["title"]: each for each in body["widgets"]}


def lines(widget: dict[str, Any]) -> list[tuple[str, str, dict[str, str], str]]:
    """A widget's lines as (namespace, metric, dimensions, statistic)."""
    found = []
    for namespace, metric, *rest in widget["properties"]["metrics"]:
        options = rest.pop()
        found.append((namespace, metric, dict(zip(rest[::2], rest[1::2], strict=True)), options["stat"]))
    return found


def test_the_dashboard_has_the_stacks_name() -> None:
    inputs = synth().one("Dashboard").inputs
    assert inputs.keys() == {"dashboardName", "dashboardBody"}
    assert inputs["dashboardName"] == "tapstack-dev"


SERVICE, BY_FUNCTION, BY_TABLE = {"service"}, {"FunctionName"}, {"TableName"}
BY_INDEX = {"TableName", "GlobalSecondaryIndexName"}

# title -> (metric, dimensions, statistic); counts are summed, durations are percentiles
LINES: dict[str, list[tuple[str, set[str], str]]] = {
    "What arrived, and what was deleted": [
        (metric, SERVICE, "Sum")
        for metric in ("ObjectsIndexed", "ObjectsDuplicate", "ObjectsDeleted", "ObjectsGone", "SdkRetries")
    ],
    "What failed": [
        *(("ObjectsFailed", {"service", "reason"}, "Sum") for _ in REASONS),
        ("Errors", BY_FUNCTION, "Sum"),
        ("Throttles", BY_FUNCTION, "Sum"),
        ("AsyncEventsDropped", BY_FUNCTION, "Sum"),
        ("DestinationDeliveryFailures", BY_FUNCTION, "Sum"),
        ("ApproximateNumberOfMessagesVisible", {"QueueName"}, "Maximum"),
    ],
    "How long it took (ms)": [
        ("IndexingDelay", SERVICE, "p50"),
        ("IndexingDelay", SERVICE, "p99"),
        ("Duration", BY_FUNCTION, "p50"),
        ("Duration", BY_FUNCTION, "p90"),
    ],
    **{
        f"{units} units used in a minute": [
            (f"Consumed{units}CapacityUnits", BY_TABLE, "Sum"),
            (f"Consumed{units}CapacityUnits", BY_INDEX, "Sum"),
            (f"{units}ThrottleEvents", BY_TABLE, "Sum"),
            (f"{units}ThrottleEvents", BY_INDEX, "Sum"),
        ]
        for units in ("Write", "Read")
    },
    "How much runs at once": [("ConcurrentExecutions", BY_FUNCTION, "Maximum")],
    "How old events were when they ran (ms)": [("AsyncEventAge", BY_FUNCTION, "Maximum")],
}


def test_the_dashboard_has_these_widgets_with_these_lines() -> None:
    found = {
        title: [(metric, set(dimensions), statistic) for _, metric, dimensions, statistic in lines(widget)]
        for title, widget in widgets().items()
    }
    assert found == LINES


def test_every_line_is_a_metric_that_exists_of_something_in_the_stack() -> None:
    for title, widget in widgets().items():
        for namespace, metric, dimensions, _ in lines(widget):
            assert frozenset(dimensions) in METRICS[namespace, metric].dimensions, f"{title}: {metric} by {dimensions}"
            for name, value in dimensions.items():
                assert value in DIMENSION_VALUES[name], f"{title}: {metric} of {name} {value}"


def test_failures_are_shown_by_each_reason() -> None:
    shown = [dimensions for _, metric, dimensions, _ in lines(widgets()["What failed"]) if metric == "ObjectsFailed"]
    assert {each["reason"] for each in shown} == REASONS


def test_the_marks_show_the_configured_limits() -> None:
    found = widgets(**CUSTOM)
    marks = {
        title: mark["value"]
        for title, widget in found.items()
        for mark in widget["properties"].get("annotations", {"horizontal": []})["horizontal"]
    }
    assert marks == {
        "How long it took (ms)": 100_000,
        "Write units used in a minute": 7 * 60,
        "Read units used in a minute": 5 * 60,
        "How old events were when they ran (ms)": 6 * 3600 * 1000,
    }


def test_every_widget_looks_at_the_region_of_the_stack() -> None:
    assert {each["properties"]["region"] for each in widgets().values()} == {REGION}
    body = json.loads(synth(**CHINA).one("Dashboard").inputs["dashboardBody"])
    assert {each["properties"]["region"] for each in body["widgets"]} == {"cn-northwest-1"}


def test_the_widgets_fit_the_grid_and_do_not_overlap() -> None:
    found = list(widgets().values())
    for each in found:
        assert each["x"] + each["width"] <= 24
    for one, other in combinations(found, 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        above = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert beside or above


@pytest.mark.parametrize(
    ("config", "host"),
    [
        (PROD, "us-east-1.console.aws.amazon.com"),
        ({**PROD, **CHINA}, "cn-northwest-1.console.amazonaws.cn"),
        (
            {**PROD, "region": "us-gov-west-1", "partition": "aws-us-gov"},
            "us-gov-west-1.console.amazonaws-us-gov.com",
        ),
    ],
    ids=["AWS", "China", "GovCloud"],
)
def test_the_exported_address_opens_this_dashboard_in_the_partitions_own_console(
    config: dict[str, str], host: str
) -> None:
    region = host.partition(".")[0]
    assert synth(**config).outputs["dashboard_url"] == (
        f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/tapstack-prod"
    )
