from __future__ import annotations

from typing import Any

import pytest

from operations.listing import KeyFilter, group_by_key, parse_versions
from tests.support.operations_fakes import ARN, START, marker, version


def test_versions_and_delete_markers_are_parsed_in_key_order() -> None:
    response: dict[str, Any] = {
        "Versions": [
            {"Key": key, "VersionId": "v1", "LastModified": START, "Size": 5, "ETag": '"e"', "IsLatest": True}
            for key in ("a", "c", "\U0001f680")
        ],
        "DeleteMarkers": [{"Key": key, "VersionId": "m1", "LastModified": START} for key in ("a", "b", "é")],
    }
    expected = [version("a"), marker("a"), marker("b"), version("c"), marker("é"), version("\U0001f680")]
    assert list(parse_versions(response)) == expected
    assert list(parse_versions({})) == []


def test_listed_versions_are_grouped_by_key() -> None:
    listed = [version("a", "v2"), version("a", "v1"), marker("b")]
    assert list(group_by_key(listed)) == [("a", (listed[0], listed[1])), ("b", (listed[2],))]


def rule(start: str | None = None, end: str | None = None, *, arn: str = ARN, **names: str) -> dict[str, Any]:
    values = {"Prefix": start, "Suffix": end} | names
    rules = [{"Name": name, "Value": value} for name, value in values.items() if value is not None]
    return {"LambdaFunctionArn": arn, "Filter": {"Key": {"FilterRules": rules}}}


@pytest.mark.parametrize(
    ("configurations", "inside", "outside"),
    [
        ([{"LambdaFunctionArn": ARN}], ["", "a", "b/c"], []),
        ([rule("in/")], ["in/", "in/a"], ["in", "out/in/a"]),
        ([rule(end=".csv")], ["a.csv", ".csv"], ["a.csv.gz", "a.CSV"]),
        ([rule("in/", ".csv")], ["in/a.csv"], ["in/a.txt", "out/a.csv"]),
        ([rule("a/"), rule("b/")], ["a/1", "b/1"], ["c/1"]),
        ([rule("a+b/", "%2B.%C3%A9")], ["a b/x+.é"], ["a+b/x+.é"]),  # S3 returns prefixes and suffixes URL-encoded.
        ([rule("in/", arn=f"{ARN}:live")], ["in/a"], ["a"]),  # The ARN of the indexer may end with an alias.
        # A notification rule for another Lambda function does not affect the filter.
        ([rule("x/", arn=f"{ARN}-other"), rule("in/")], ["in/a"], ["x/a"]),
        # S3 may return the names "Prefix" and "Suffix" of filter rules in lower case.
        ([rule(prefix="p")], ["p"], ["q"]),
        # The filter contains every key if the bucket does not notify the indexer.
        ([], ["anything"], []),
        ([rule("x/", arn=f"{ARN}-other")], ["anything"], []),
    ],
)
def test_key_filter_matches_the_notification_rules_for_the_indexer(
    configurations: list[dict[str, Any]], inside: list[str], outside: list[str]
) -> None:
    key_filter = KeyFilter.from_notifications(configurations, ARN)
    assert [key for key in inside if key not in key_filter] == []
    assert [key for key in outside if key in key_filter] == []
    assert (key_filter.rules is None) == (inside == ["anything"])


@pytest.mark.parametrize(
    ("rules", "prefix", "expected"),
    [
        (None, "", [""]),
        (None, "a/", ["a/"]),
        ((("", ""),), "a/", ["a/"]),
        ((("a/", ".txt"), ("b/", "")), "", ["a/", "b/"]),
        ((("a/", ".txt"), ("a/", ".csv"), ("a/b", "")), "", ["a/"]),
        ((("a/", ""), ("b/", "")), "a/1", ["a/1"]),
        ((("a/", ""), ("b/", "")), "c", []),
    ],
)
def test_prefixes_of_a_key_filter_cover_all_matching_keys_that_begin_with_the_prefix(
    rules: tuple[tuple[str, str], ...] | None, prefix: str, expected: list[str]
) -> None:
    assert KeyFilter(rules).prefixes(prefix) == expected
