from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from operations.discovery import failure_queue, from_function
from operations.errors import OperatorError
from operations.target import OUTPUTS, from_outputs, region_from_arn
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
def test_a_function_whose_failures_end_in_no_queue_is_told_of(destination: str | None) -> None:
    aws = FakeAws()
    aws.destination = destination
    with pytest.raises(OperatorError, match="sends failed events to no SQS queue, so they would be lost: `pulumi up"):
        failure_queue(aws, TARGET)


def test_the_failure_queue_is_asked_of_lambda() -> None:
    assert failure_queue(FakeAws(), TARGET) == "https://queue"


@pytest.mark.parametrize(("url", "good"), [("https://sqs/1/failures", True), ("https://sqs/1/another", False)])
def test_the_queue_that_pulumi_names_has_to_be_the_one_that_lambda_uses(
    url: str,
    good: bool,  # noqa: FBT001  a table
) -> None:
    target = replace(TARGET, queue_url=url)
    if good:
        assert failure_queue(FakeAws(), target) == url
        return
    with pytest.raises(OperatorError, match="failures, and Pulumi's outputs name the queue https://sqs/1/another"):
        failure_queue(FakeAws(), target)


def test_another_function_is_refused_with_the_remedy() -> None:
    aws = FakeAws()
    aws.variables = {"TAP_TABLE_NAME": ""}
    with pytest.raises(OperatorError, match=r"no environment variable TAP_BUCKET_NAME and no TAP_TABLE_NAME.*pulumi"):
        from_function("indexer", aws)


def test_outputs_of_pulumi_name_everything(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(TOLD))
    assert from_outputs(file) == replace(TARGET, queue_url=TOLD["failure_queue_url"])


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
    assert (region_from_arn(ARN), region_from_arn("indexer")) == ("eu-west-1", None)


@pytest.mark.parametrize("arn", ["arn:aws", "arn:aws:s3:::uploads", f"{ARN} "])
def test_what_is_no_arn_of_a_function_is_refused(tmp_path: Path, arn: str) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({**TOLD, "lambda_function_arn": arn}))
    for find in (lambda: from_outputs(file), lambda: region_from_arn(arn)):
        with pytest.raises(OperatorError, match="is no ARN of a function, such as arn:aws:lambda:"):
            find()


def test_both_ways_lead_to_the_same_stack(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(TOLD))
    assert replace(from_outputs(file), queue_url=None) == from_function("indexer", FakeAws())
