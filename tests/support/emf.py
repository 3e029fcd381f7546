"""Validation of log lines in CloudWatch's embedded metric format (EMF), and extraction of their metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("emf.schema.json").read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True)
class Published:
    """A metric that CloudWatch extracts from a log line."""

    namespace: str
    name: str
    unit: str
    dimensions: frozenset[str]


def check(line: Mapping[str, Any]) -> None:
    """Assert that a log line is valid EMF. CloudWatch drops invalid metrics without an error.

    Raises:
        AssertionError: the line is invalid; the message lists the violations.
    """
    wrong = [f"{error.json_path}: {error.message}" for error in SCHEMA.iter_errors(line)]
    assert not wrong, wrong
    # The names of metrics and dimensions refer to other members of the log line. A JSON schema cannot check whether
    # these members exist and have the correct type.
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for name in {name for names in directive["Dimensions"] for name in names}:
            assert isinstance(line.get(name), str), f"the dimension {name} has the value {line.get(name)!r}"
        for metric in directive["Metrics"]:
            value = line.get(metric["Name"])
            assert value is not None, f"the metric {metric['Name']} has no value"
            assert not isinstance(value, str), f"the metric {metric['Name']} has the value {value!r}"


def published(line: Mapping[str, Any]) -> Iterator[Published]:
    """Yield the metrics that CloudWatch extracts from a log line: one for each metric and dimension set."""
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            for dimensions in directive["Dimensions"]:
                yield Published(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    unit=metric.get("Unit", "None"),
                    dimensions=frozenset(dimensions),
                )
