"""The deployed stack that a tool works on, as its outputs or its function's configuration describe it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.errors import OperatorError

OUTPUTS = ("bucket_name", "table_name", "lambda_function_name", "lambda_function_arn", "failure_queue_url")
OUTPUTS_COMMAND = "pulumi stack output --json > FILE"

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
    queue_url: str | None = None  # of the failure queue; None: unknown


def from_outputs(path: Path) -> Target:
    """Read what `pulumi stack output --json` wrote.

    Raises:
        OperatorError: there is no such file, or it is not that.
    """
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(f"--stack-outputs {path}: {error.strerror}. It is made by: {OUTPUTS_COMMAND}") from error
    except ValueError as error:
        raise OperatorError(f"--stack-outputs {path} is not JSON: {error}. It is made by: {OUTPUTS_COMMAND}") from error
    if missing := [name for name in OUTPUTS if not _string(outputs, name)]:
        raise OperatorError(f"--stack-outputs {path} lacks {', '.join(missing)}. It is made by: {OUTPUTS_COMMAND}")
    arn, region = parse_function_arn(outputs["lambda_function_arn"])
    return Target(
        function=outputs["lambda_function_name"],
        function_arn=arn,
        region=region,
        bucket=outputs["bucket_name"],
        table=outputs["table_name"],
        queue_url=outputs["failure_queue_url"],
    )


def region_from_arn(function: str) -> str | None:
    """The region in a function's ARN; None if it is only a name.

    Raises:
        OperatorError: it is neither.
    """
    return parse_function_arn(function)[1] if function.startswith("arn:") else None


def same_function(arn: str, function_arn: str) -> bool:
    """Whether an ARN, perhaps with an alias or version at its end, is of this function, whose ARN has none."""
    return arn == function_arn or arn.startswith(f"{function_arn}:")


def parse_function_arn(function_arn: str) -> tuple[str, str]:
    """A function's ARN without alias or version, and the region in it."""
    match = _FUNCTION_ARN.fullmatch(function_arn)
    if match is None:
        raise OperatorError(
            f"{function_arn!r} is no ARN of a function, such as arn:aws:lambda:us-east-1:123456789012:function:indexer"
        )
    return match[1], match[2]


def _string(outputs: object, name: str) -> Any:  # noqa: ANN401  whatever JSON has there
    value = outputs.get(name) if isinstance(outputs, Mapping) else None
    return value if isinstance(value, str) else None
