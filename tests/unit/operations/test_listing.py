from __future__ import annotations

from typing import Any

import pytest

from operations.listing import KeyFilter, group_by_key, parse_versions
from tests.unit.operations.fakes import ARN, START, marker, version


def test_versions_and_markers_of_an_answer_come_together_in_the_order_of_their_keys() -> None:
    answer: dict[str, Any] = {
        "Versions": [
            {"Key": key, "VersionId": "v1", "LastModified": START, "Size": 5, "ETag": '"e"', "IsLatest": True}
            for key in ("a", "c", "\U0001f680")
        ],
        "DeleteMarkers": [{"Key": key, "VersionId": "m1", "LastModified": START} for key in ("a", "b", "é")],
    }
    expected = [version("a"), marker("a"), marker("b"), version("c"), marker("é"), version("\U0001f680")]
    assert list(parse_versions(answer)) == expected


def test_an_empty_answer_has_no_versions() -> None:
    assert list(parse_versions({})) == []


def test_versions_of_a_key_are_put_together() -> None:
    listed = [version("a", "v2"), version("a", "v1"), marker("b")]
    assert list(group_by_key(listed)) == [("a", (listed[0], listed[1])), ("b", (listed[2],))]


def rule(prefix: str | None = None, suffix: str | None = None, *, arn: str = ARN, **words: str) -> dict[str, Any]:
    names = {"Prefix": prefix, "Suffix": suffix} | words
    rules = [{"Name": name, "Value": value} for name, value in names.items() if value is not None]
    return {"LambdaFunctionArn": arn, "Filter": {"Key": {"FilterRules": rules}}}


@pytest.mark.parametrize(
    ("configurations", "inside", "outside"),
    [
        pytest.param([{"LambdaFunctionArn": ARN}], ["", "a", "b/c"], [], id="no filter"),
        pytest.param([rule("in/")], ["in/", "in/a"], ["in", "out/in/a"], id="prefix"),
        pytest.param([rule(suffix=".csv")], ["a.csv", ".csv"], ["a.csv.gz", "a.CSV"], id="suffix"),
        pytest.param([rule("in/", ".csv")], ["in/a.csv"], ["in/a.txt", "out/a.csv"], id="both"),
        pytest.param([rule("a/"), rule("b/")], ["a/1", "b/1"], ["c/1"], id="two notifications"),
        pytest.param([rule("a+b/", "%2B.%C3%A9")], ["a b/x+.é"], ["a+b/x+.é"], id="encoded, as S3 has them"),
        pytest.param([rule(prefix="in/", arn=f"{ARN}:live")], ["in/a"], ["a"], id="by an alias"),
        pytest.param([rule("x/", arn=f"{ARN}-other"), rule("in/")], ["in/a"], ["x/a"], id="another function's"),
        pytest.param(
            [{**rule(), "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "p"}]}}}],
            ["p"],
            ["q"],
            id="a name in small letters",
        ),
    ],
)
def test_the_keys_that_the_function_is_told_about(
    configurations: list[dict[str, Any]], inside: list[str], outside: list[str]
) -> None:
    key_filter = KeyFilter.from_notifications(configurations, ARN)
    assert [key for key in inside if key not in key_filter] == []
    assert [key for key in outside if key in key_filter] == []


@pytest.mark.parametrize("configurations", [[], [rule("x/", arn=f"{ARN}-other")]])
def test_without_a_notification_every_key_counts(configurations: list[dict[str, Any]]) -> None:
    key_filter = KeyFilter.from_notifications(configurations, ARN)
    assert key_filter.rules is None
    assert "anything" in key_filter
