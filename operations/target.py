"""Which stack a tool works on: found from its function's name, or from what Pulumi says about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.errors import OperatorError

if TYPE_CHECKING:
    from operations.aws import Aws

BUCKET_VARIABLE, TABLE_VARIABLE = "TAP_BUCKET_NAME", "TAP_TABLE_NAME"
"""What the stack tells its function, and so anyone who may read the function's configuration."""

OUTPUTS = ("bucket_name", "table_name", "lambda_function_name", "lambda_function_arn", "failure_queue_url")
HOW = "pulumi stack output --json > FILE"

_FUNCTION_ARN = re.compile(r"(arn:[\w-]+:lambda:([\w-]+):\d{12}:function:[\w-]+)(?::[\w$-]+)?")
"""https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html; the end is an alias or a version."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The parts of a deployed stack that the tools use."""

    function: str  # its name
    function_arn: str  # without alias or version
    region: str
    bucket: str
    table: str
    queue_url: str | None = None  # of the failure queue; None: ask Lambda


def from_function(name: str, aws: Aws) -> Target:
    """Ask Lambda about the function (a name, or an ARN).

    Raises:
        OperatorError: there is no such function, or it is not one of this program's.
    """
    configuration = aws.function_configuration(name)
    variables = configuration.get("Environment", {}).get("Variables", {})
    if missing := [each for each in (BUCKET_VARIABLE, TABLE_VARIABLE) if not variables.get(each)]:
        raise OperatorError(
            f"the function {name!r} has no environment variable {' and no '.join(missing)}, so it is not TapStack's: "
            "give the name that `pulumi stack output lambda_function_name` prints"
        )
    arn, region = _parts(configuration["FunctionArn"])
    return Target(
        function=configuration["FunctionName"],
        function_arn=arn,
        region=region,
        bucket=variables[BUCKET_VARIABLE],
        table=variables[TABLE_VARIABLE],
    )


def from_outputs(path: Path) -> Target:
    """Read what `pulumi stack output --json` wrote.

    Raises:
        OperatorError: there is no such file, or it is not that.
    """
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(f"--stack-outputs {path}: {error.strerror}. It is made by: {HOW}") from error
    except ValueError as error:
        raise OperatorError(f"--stack-outputs {path} is not JSON: {error}. It is made by: {HOW}") from error
    if missing := [name for name in OUTPUTS if not _text(outputs, name)]:
        raise OperatorError(f"--stack-outputs {path} lacks {', '.join(missing)}. It is made by: {HOW}")
    arn, region = _parts(outputs["lambda_function_arn"])
    return Target(
        function=outputs["lambda_function_name"],
        function_arn=arn,
        region=region,
        bucket=outputs["bucket_name"],
        table=outputs["table_name"],
        queue_url=outputs["failure_queue_url"],
    )


def region_of(function: str) -> str | None:
    """The region in a function's ARN; None if it is only a name.

    Raises:
        OperatorError: it is neither.
    """
    return _parts(function)[1] if function.startswith("arn:") else None


def same_function(arn: str, function_arn: str) -> bool:
    """Whether an ARN, perhaps with an alias or version at its end, is of this function, whose ARN has none."""
    return arn == function_arn or arn.startswith(f"{function_arn}:")


def failure_queue(aws: Aws, target: Target) -> str:
    """The address of the queue in which the function's failed events end.

    Raises:
        OperatorError: they end nowhere, or elsewhere than in the queue that Pulumi knows.
    """
    arn = aws.failure_destination(target.function)
    if arn is None or ":sqs:" not in arn:
        raise OperatorError(
            f"the function {target.function!r} sends failed events to no SQS queue, so they would be lost: "
            "`pulumi up --refresh` puts back what somebody removed"
        )
    if target.queue_url is None:
        return aws.queue_url(arn)
    if arn.rpartition(":")[2] != target.queue_url.rpartition("/")[2]:
        raise OperatorError(
            f"the function {target.function!r} sends failed events to {arn}, and Pulumi's outputs name the queue "
            f"{target.queue_url}: are they of this stack, and of today?"
        )
    return target.queue_url


def _parts(function_arn: str) -> tuple[str, str]:
    """A function's ARN without alias or version, and the region in it."""
    match = _FUNCTION_ARN.fullmatch(function_arn)
    if match is None:
        raise OperatorError(
            f"{function_arn!r} is no ARN of a function, such as arn:aws:lambda:us-east-1:123456789012:function:indexer"
        )
    return match[1], match[2]


def _text(outputs: object, name: str) -> Any:  # noqa: ANN401  whatever JSON has there
    value = outputs.get(name) if isinstance(outputs, Mapping) else None
    return value if isinstance(value, str) else None
