from __future__ import annotations

import json
from pathlib import Path

import pytest

from operations.errors import OperatorError
from operations.target import OUTPUTS, Target, from_function, from_outputs, region_of
from tests.unit.operations.fakes import ARN, TARGET, FakeAws

TOLD = {
    "bucket_name": "uploads",
    "table_name": "objects",
    "lambda_function_name": "indexer",
    "lambda_function_arn": ARN,
    "failure_queue_url": "https://queue",
    "dashboard_url": "https://elsewhere",
}


def test_the_function_knows_the_rest_of_its_stack() -> None:
    assert from_function("indexer", FakeAws()) == TARGET


@pytest.mark.parametrize("destination", [None, "arn:aws:sns:eu-west-1:123456789012:topic"])
def test_a_function_without_a_failure_queue_has_none(destination: str | None) -> None:
    aws = FakeAws()
    aws.destination = destination
    assert from_function("indexer", aws).queue_url is None


def test_another_function_is_refused_with_the_remedy() -> None:
    aws = FakeAws()
    aws.variables = {"TAP_TABLE_NAME": ""}
    with pytest.raises(OperatorError, match=r"no environment variable TAP_BUCKET_NAME and no TAP_TABLE_NAME.*pulumi"):
        from_function("indexer", aws)


def test_outputs_of_pulumi_name_everything(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(TOLD))
    assert from_outputs(file) == TARGET


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("value", [None, "", 1])
def test_outputs_that_lack_something_are_refused_with_the_remedy(tmp_path: Path, name: str, value: object) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({**TOLD, name: value}))
    with pytest.raises(OperatorError, match=f"lacks {name}. It is made by: pulumi stack output --json"):
        from_outputs(file)


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("{", "not JSON"), ("[]", "lacks bucket_name")])
def test_a_file_that_is_no_outputs_is_refused_with_the_remedy(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "outputs.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(OperatorError, match=f"{why}.*pulumi stack output --json"):
        from_outputs(file)


def test_an_arn_names_its_region_and_a_name_does_not() -> None:
    assert (region_of(ARN), region_of("indexer")) == ("eu-west-1", None)


def test_both_ways_lead_to_the_same_stack(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(TOLD))
    both: set[Target] = {from_outputs(file), from_function("indexer", FakeAws())}
    assert len(both) == 1
