from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.discovery import failure_queue, from_function
from operations.errors import OperatorError
from operations.target import OUTPUTS, from_outputs, region_from_arn, settings_parameter
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
    """Fixture: a function that changes stack outputs, writes them to a file, and returns the file's path."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "outputs.json"
        path.write_text(json.dumps(STACK_OUTPUTS | changes))
        return path

    return write


def test_function_name_and_stack_outputs_identify_the_same_stack(outputs: Callable[..., Path]) -> None:
    assert from_function("indexer", FakeAws()) == TARGET
    expected = replace(TARGET, queue_url="https://queue", settings_parameter="indexer-settings")
    assert from_outputs(outputs()) == expected


def test_function_of_another_program_is_rejected_with_a_remedy() -> None:
    aws = FakeAws()
    aws.variables = {"TAP_TABLE_NAME": ""}
    with pytest.raises(OperatorError, match=r"no environment variable TAP_BUCKET_NAME and no TAP_TABLE_NAME.*pulumi"):
        from_function("indexer", aws)


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("value", [None, "", 1])
def test_incomplete_stack_outputs_are_rejected_with_a_remedy(
    outputs: Callable[..., Path], name: str, value: object
) -> None:
    with pytest.raises(OperatorError, match=f"lacks {name}. Create it with: pulumi stack output --json"):
        from_outputs(outputs(**{name: value}))


@pytest.mark.parametrize(("text", "error"), [(None, "No such file"), ("{", "not JSON"), ("[]", "lacks bucket_name")])
def test_invalid_stack_outputs_file_is_rejected_with_a_remedy(tmp_path: Path, text: str | None, error: str) -> None:
    path = tmp_path / "outputs.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OperatorError, match=f"{error}.*pulumi stack output --json"):
        from_outputs(path)


ENCODINGS = [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("utf-16-le", "\n"), ("utf-32", "\n")]


@pytest.mark.parametrize(("encoding", "newline"), ENCODINGS)
def test_stack_outputs_of_windows_powershell_are_read(tmp_path: Path, encoding: str, newline: str) -> None:
    """The operator `>` of Windows PowerShell 5 writes UTF-16, and `Out-File -Encoding utf8` a byte order mark."""
    path = tmp_path / "outputs.json"
    path.write_bytes(json.dumps(STACK_OUTPUTS, indent=2).replace("\n", newline).encode(encoding))
    assert from_outputs(path).bucket == STACK_OUTPUTS["bucket_name"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "Is a directory"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not JSON"),
        (b"", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
    ],
)
def test_stack_outputs_file_of_a_wrong_type_is_rejected_with_a_remedy(
    tmp_path: Path, content: bytes | None, error: str
) -> None:
    path = tmp_path / "outputs.json"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(OperatorError, match=f"^--stack-outputs {path}.*{error}.*pulumi stack output --json"):
        from_outputs(path)


def test_region_is_parsed_from_a_function_arn_but_not_from_a_name() -> None:
    assert (region_from_arn(ARN), region_from_arn("indexer")) == ("eu-west-1", None)


@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        ("tapstack-prod-indexer", "tapstack-prod-settings"),
        ("tapstack-prod-indexer:live", "tapstack-prod-settings"),
        ("123456789012:function:tapstack-prod-indexer", "tapstack-prod-settings"),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:function:tapstack-prod-indexer:7", "tapstack-prod-settings"),
        ("indexer", "indexer-settings"),
        ("an-indexer-of-another-program", "an-indexer-of-another-program-settings"),
    ],
)
def test_settings_parameter_is_derived_from_the_function(function: str, parameter: str) -> None:
    assert settings_parameter(function) == parameter


def test_stack_output_with_the_settings_parameter_is_used(outputs: Callable[..., Path]) -> None:
    assert from_outputs(outputs(settings_parameter="renamed")).settings_parameter == "renamed"


@pytest.mark.parametrize("arn", ["arn:aws", "arn:aws:s3:::uploads", f"{ARN} "])
def test_invalid_function_arn_is_rejected(outputs: Callable[..., Path], arn: str) -> None:
    for find in (lambda: from_outputs(outputs(lambda_function_arn=arn)), lambda: region_from_arn(arn)):
        with pytest.raises(OperatorError, match="is not the ARN of a Lambda function, such as arn:aws:lambda:"):
            find()


@pytest.mark.parametrize("url", [None, "https://sqs/1/failures"])
def test_failure_queue_is_the_on_failure_destination_of_the_indexer(url: str | None) -> None:
    assert failure_queue(FakeAws(), replace(TARGET, queue_url=url)) == (url or "https://queue")


FAILURES = "arn:aws:sqs:eu-west-1:123456789012:failures"
NO_QUEUE = "sends failed events to no SQS queue, so they would be lost: `pulumi up"
OTHER_QUEUE = "failures, but the stack outputs contain the queue https://sqs/1/another"


@pytest.mark.parametrize(
    ("destination", "url", "error"),
    [
        (None, None, NO_QUEUE),
        ("arn:aws:sns:eu-west-1:123456789012:topic", None, NO_QUEUE),
        (FAILURES, "https://sqs/1/another", OTHER_QUEUE),
    ],
)
def test_unexpected_on_failure_destination_is_an_error(destination: str | None, url: str | None, error: str) -> None:
    aws = FakeAws()
    aws.destination = destination
    with pytest.raises(OperatorError, match=error):
        failure_queue(aws, replace(TARGET, queue_url=url))
