"""Which stack a tool works on: found from its function's name, or from what Pulumi says about it."""

from __future__ import annotations

import json
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


@dataclass(frozen=True, kw_only=True)
class Target:
    """The parts of a deployed stack that the tools use."""

    function: str  # its name
    function_arn: str  # without alias or version
    region: str
    bucket: str
    table: str
    queue_url: str | None  # None: failed events go nowhere


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
    arn = configuration["FunctionArn"]
    destination = aws.failure_destination(name)
    return Target(
        function=configuration["FunctionName"],
        function_arn=":".join(arn.split(":")[:7]),
        region=arn.split(":")[3],
        bucket=variables[BUCKET_VARIABLE],
        table=variables[TABLE_VARIABLE],
        queue_url=aws.queue_url(destination) if destination and ":sqs:" in destination else None,
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
    return Target(
        function=outputs["lambda_function_name"],
        function_arn=outputs["lambda_function_arn"],
        region=outputs["lambda_function_arn"].split(":")[3],
        bucket=outputs["bucket_name"],
        table=outputs["table_name"],
        queue_url=outputs["failure_queue_url"],
    )


def region_of(function: str) -> str | None:
    """The region in a function's ARN; None if it is only a name."""
    return function.split(":")[3] if function.startswith("arn:") else None


def _text(outputs: object, name: str) -> Any:  # noqa: ANN401  whatever JSON has there
    value = outputs.get(name) if isinstance(outputs, Mapping) else None
    return value if isinstance(value, str) else None
