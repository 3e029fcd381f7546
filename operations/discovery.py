"""Finds a deployed stack by its function, and its failure queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.errors import OperatorError
from operations.target import Target, parse_function_arn

if TYPE_CHECKING:
    from operations.aws import Aws

BUCKET_VARIABLE, TABLE_VARIABLE = "TAP_BUCKET_NAME", "TAP_TABLE_NAME"
"""The function's environment variables that name its stack's bucket and table."""


def from_function(name: str, aws: Aws) -> Target:
    """Return the stack of a function (a name, or an ARN), from the function's configuration.

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
    arn, region = parse_function_arn(configuration["FunctionArn"])
    return Target(
        function=configuration["FunctionName"],
        function_arn=arn,
        region=region,
        bucket=variables[BUCKET_VARIABLE],
        table=variables[TABLE_VARIABLE],
    )


def failure_queue(aws: Aws, target: Target) -> str:
    """Return the URL of the queue to which Lambda sends the function's failed events.

    Raises:
        OperatorError: Lambda sends them to no queue, or to another queue than Pulumi's outputs name.
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
