"""Resource handlers for EventBridge rules and their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.deployers.resources.base import (
    Aws,
    Create,
    RegisterRemoval,
    Removal,
    ResourceResult,
    non_empty,
    tag_list,
)
from localstack.errors import HarnessError

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def rule(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an EventBridge rule. Args: see `ResourceHandler`."""
    rule_name, bus = aws.physical_name(name, inputs.get("name")), inputs.select(EventBusName="eventBusName")
    request = non_empty(
        Tags=tag_list(inputs.mapping("tags")),
        **inputs.select(
            Description="description",
            EventPattern="eventPattern",
            RoleArn="roleArn",
            ScheduleExpression="scheduleExpression",
            State="state",
        ),
    )
    events = aws.client("events")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        arn = events.put_rule(Name=rule_name, **bus, **request)["RuleArn"]
        register_removal(
            Removal(
                delete=lambda: events.delete_rule(Name=rule_name, **bus),
                exists=lambda: events.describe_rule(Name=rule_name, **bus),
            )
        )
        return ResourceResult(id=rule_name, state={"name": rule_name, "arn": arn})

    return create


def target(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a target of an EventBridge rule. Args: see `ResourceHandler`."""
    rule_name, target_id = inputs.require("rule"), aws.physical_name(name, inputs.get("targetId"))
    place = {"Rule": rule_name, **inputs.select(EventBusName="eventBusName")}
    retries, failures = inputs.child("retryPolicy"), inputs.child("deadLetterConfig")
    request = non_empty(
        Id=target_id,
        Arn=inputs.require("arn"),
        RetryPolicy=retries
        and retries.select(
            MaximumEventAgeInSeconds="maximumEventAgeInSeconds", MaximumRetryAttempts="maximumRetryAttempts"
        ),
        DeadLetterConfig=failures and failures.select(Arn="arn"),
        **inputs.select(Input="input", InputPath="inputPath", RoleArn="roleArn"),
    )
    events = aws.client("events")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        # EventBridge reports a rejected target in a successful response.
        if rejected := events.put_targets(**place, Targets=[request]).get("FailedEntries"):
            raise HarnessError(f"EventBridge rejected the target {target_id} of the rule {rule_name}: {rejected}")
        register_removal(Removal(delete=lambda: events.remove_targets(**place, Ids=[target_id])))
        return ResourceResult(id=f"{rule_name}-{target_id}", state={"targetId": target_id})

    return create
