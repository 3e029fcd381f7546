"""Tests of the EMF validation, which accepts the example of AWS and rejects log lines that CloudWatch ignores."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import emf

METRIC = {"Name": "time", "Unit": "Milliseconds", "StorageResolution": 60}
DIRECTIVE = {"Namespace": "lambda-function-metrics", "Dimensions": [["functionVersion"]], "Metrics": [METRIC]}


def line(*directives: dict[str, Any], timestamp: object = 1574109732004, **members: Any) -> dict[str, Any]:
    return {
        "_aws": {"Timestamp": timestamp, "CloudWatchMetrics": list(directives or [DIRECTIVE])},
        "functionVersion": "$LATEST",
        "time": 100,
        "requestId": "989ffbf8-9ace-4817-a57c-e4dd734019ee",
        **members,
    }


def test_emf_check_accepts_the_example_of_the_specification() -> None:
    emf.check(line())
    assert list(emf.published(line())) == [
        emf.Published(
            namespace="lambda-function-metrics",
            name="time",
            unit="Milliseconds",
            dimensions=frozenset({"functionVersion"}),
        )
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({}, id="no metadata"),
        pytest.param(line(timestamp="2019-11-18"), id="timestamp as text"),
        pytest.param(line(timestamp=1574109732), id="timestamp in seconds"),
        pytest.param(line({**DIRECTIVE, "Namespace": ""}), id="no namespace"),
        pytest.param(line({**DIRECTIVE, "Dimensions": []}), id="no dimension set"),
        pytest.param(line({**DIRECTIVE, "Dimensions": ["functionVersion"]}), id="dimension set that is no list"),
        pytest.param(line({**DIRECTIVE, "Dimensions": [["elsewhere"]]}), id="dimension without a value"),
        pytest.param(line({**DIRECTIVE, "Dimensions": [[f"d{n}" for n in range(31)]]}), id="too many dimensions"),
        pytest.param(line(functionVersion=1), id="dimension as a number"),
        pytest.param(line(functionVersion="v" * 1025), id="too long dimension"),
        pytest.param(line({**DIRECTIVE, "Metrics": []}), id="no metrics"),
        pytest.param(line({**DIRECTIVE, "Metrics": [METRIC] * 101}), id="too many metrics"),
        pytest.param(line({**DIRECTIVE, "Metrics": [{**METRIC, "Unit": "ms"}]}), id="unknown unit"),
        pytest.param(line({**DIRECTIVE, "Metrics": [{**METRIC, "Name": "none"}]}), id="metric without a value"),
        pytest.param(line(time="100"), id="metric as text"),
        pytest.param(line(time=[1.0] * 101), id="too many values"),
        pytest.param(line(time={"nested": 1}), id="nested value"),
    ],
)
def test_emf_check_rejects_lines_that_cloudwatch_drops(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        emf.check(wrong)
