from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.discovery import failure_queue, from_function
from operations.errors import OperatorError
from operations.target import OUTPUTS, from_outputs, region_from_arn
from tests.support.operations_fakes import ARN, TARGET, FakeAws

if TYPE_CHECKING:
    from collections.abc import Callable

STACK_OUTPUTS = {
    "bucket_name": "uploads",
    "table_name": "objects",
    "lambda_function_name": "indexer",
    "lambda_function_arn": ARN,
    "failure_queue_url": "https://queue",
    "dashboard_url": "https://elsewhere",
}


@pytest.fixture
def outputs(tmp_path: Path) -> Callable[..., Path]:
    """Writes the outputs of a stack, with changes, into a file."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "outputs.json"
        path.write_text(json.dumps(STACK_OUTPUTS | changes))
        return path

    return write


def test_both_ways_lead_to_the_same_stack(outputs: Callable[..., Path]) -> None:
    assert from_function("indexer", FakeAws()) == TARGET
    assert from_outputs(outputs()) == replace(TARGET, queue_url="https://queue")


def test_another_function_is_refused_with_the_remedy() -> None:
    aws = FakeAws()
    aws.variables = {"TAP_TABLE_NAME": ""}
    with pytest.raises(OperatorError, match=r"no environment variable TAP_BUCKET_NAME and no TAP_TABLE_NAME.*pulumi"):
        from_function("indexer", aws)


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("value", [None, "", 1])
def test_outputs_that_lack_something_are_refused_with_the_remedy(
    outputs: Callable[..., Path], name: str, value: object
) -> None:
    with pytest.raises(OperatorError, match=f"lacks {name}. It is made by: pulumi stack output --json"):
        from_outputs(outputs(**{name: value}))


@pytest.mark.parametrize(("text", "error"), [(None, "No such file"), ("{", "not JSON"), ("[]", "lacks bucket_name")])
def test_a_file_that_is_no_outputs_is_refused_with_the_remedy(tmp_path: Path, text: str | None, error: str) -> None:
    path = tmp_path / "outputs.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OperatorError, match=f"{error}.*pulumi stack output --json"):
        from_outputs(path)


def test_an_arn_names_its_region_and_a_name_does_not() -> None:
    assert (region_from_arn(ARN), region_from_arn("indexer")) == ("eu-west-1", None)


@pytest.mark.parametrize("arn", ["arn:aws", "arn:aws:s3:::uploads", f"{ARN} "])
def test_what_is_no_arn_of_a_function_is_refused(outputs: Callable[..., Path], arn: str) -> None:
    for find in (lambda: from_outputs(outputs(lambda_function_arn=arn)), lambda: region_from_arn(arn)):
        with pytest.raises(OperatorError, match="is no ARN of a function, such as arn:aws:lambda:"):
            find()


@pytest.mark.parametrize("url", [None, "https://sqs/1/failures"])
def test_failure_queue_is_that_of_lambda(url: str | None) -> None:
    assert failure_queue(FakeAws(), replace(TARGET, queue_url=url)) == (url or "https://queue")


FAILURES = "arn:aws:sqs:eu-west-1:123456789012:failures"
NO_QUEUE = "sends failed events to no SQS queue, so they would be lost: `pulumi up"
OTHER_QUEUE = "failures, and Pulumi's outputs name the queue https://sqs/1/another"


@pytest.mark.parametrize(
    ("destination", "url", "error"),
    [
        (None, None, NO_QUEUE),
        ("arn:aws:sns:eu-west-1:123456789012:topic", None, NO_QUEUE),
        (FAILURES, "https://sqs/1/another", OTHER_QUEUE),
    ],
)
def test_failed_events_that_go_elsewhere_are_an_error(destination: str | None, url: str | None, error: str) -> None:
    aws = FakeAws()
    aws.destination = destination
    with pytest.raises(OperatorError, match=error):
        failure_queue(aws, replace(TARGET, queue_url=url))
