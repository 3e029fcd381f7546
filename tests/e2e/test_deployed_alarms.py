"""The failure queue, the alarms, their topic and the dashboard, and the tags of everything, read back from AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.e2e.capabilities import Capability, needs

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Clients

pytestmark = pytest.mark.not_in_a_live_account(
    "compares with Pulumi.localstack.yaml, which a live stack does not follow"
)

MetricKey: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]

REASONS = ("denied", "malformed", "throttled", "unavailable", "foreign", "internal")
TAGS = {
    "Project": "tapstack",
    "Environment": "local",
    "ManagedBy": "pulumi",
    "Owner": "platform",
    "CostCenter": "shared",
}


@pytest.fixture(scope="module")
def alarms(clients: Clients, prefix: str) -> list[dict[str, Any]]:
    pages = clients.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{prefix}-")
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


@pytest.fixture(scope="module")
def queue(clients: Clients, outputs: Mapping[str, str]) -> dict[str, str]:
    attributes: dict[str, str] = clients.sqs.get_queue_attributes(
        QueueUrl=outputs["failure_queue_url"], AttributeNames=["All"]
    )["Attributes"]
    return attributes


def test_failures_are_kept_for_two_weeks_encrypted(queue: Mapping[str, str], prefix: str) -> None:
    assert queue["QueueArn"].rpartition(":")[2] == f"{prefix}-failures"
    assert queue["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert queue["SqsManagedSseEnabled"] == "true"


def test_the_failure_queue_needs_tls_and_lets_nobody_in(queue: Mapping[str, str]) -> None:
    [statement] = json.loads(queue["Policy"])["Statement"]
    assert {name: value for name, value in statement.items() if name != "Sid"} == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": [queue["QueueArn"]],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_alarms_of_this_account_may_use_the_topic_over_tls(
    clients: Clients, outputs: Mapping[str, str], account: str, region: str
) -> None:
    arn = outputs["alarm_topic_arn"]
    attributes = clients.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    statements = {
        statement["Effect"]: {name: value for name, value in statement.items() if name not in {"Sid", "Effect"}}
        for statement in json.loads(attributes["Policy"])["Statement"]
    }
    assert statements == {
        "Allow": {
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{region}:{account}:alarm:*"},
                "StringEquals": {"aws:SourceAccount": account},
            },
        },
        "Deny": {
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": [arn],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }
    assert "KmsMasterKeyId" not in attributes  # the AWS-managed key would keep CloudWatch from publishing


def test_nobody_is_mailed_unless_somebody_was_named(clients: Clients, outputs: Mapping[str, str]) -> None:
    assert clients.sns.list_subscriptions_by_topic(TopicArn=outputs["alarm_topic_arn"])["Subscriptions"] == []


def test_everything_that_can_go_wrong_has_an_alarm(
    alarms: list[dict[str, Any]], outputs: Mapping[str, str], prefix: str
) -> None:
    """Each with its statistic, threshold, and how many minutes in a row."""
    function = ("FunctionName", outputs["lambda_function_name"])
    table = ("TableName", outputs["table_name"])
    index = ("GlobalSecondaryIndexName", "uploads_by_day")
    expected: dict[MetricKey, tuple[str, float, int]] = {
        ("AWS/Lambda", "Errors", (function,)): ("Sum", 0, 1),
        ("AWS/Lambda", "Throttles", (function,)): ("Sum", 0, 1),
        ("AWS/Lambda", "Duration", (function,)): ("p90", 480_000, 5),
        ("AWS/Lambda", "AsyncEventsDropped", (function,)): ("Sum", 0, 1),
        ("AWS/Lambda", "DestinationDeliveryFailures", (function,)): ("Sum", 0, 1),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", (("QueueName", f"{prefix}-failures"),)): ("Maximum", 0, 1),
    }
    for reason in REASONS:
        of = (("reason", reason), ("service", prefix))
        expected["TapStack", "ObjectsFailed", of] = ("Sum", 0, 1)
    for place in ((table,), (index, table)):
        expected["AWS/DynamoDB", "ReadThrottleEvents", place] = ("Sum", 0, 1)
        expected["AWS/DynamoDB", "WriteThrottleEvents", place] = ("Sum", 0, 1)
        expected["AWS/DynamoDB", "ConsumedWriteCapacityUnits", place] = ("Sum", 100 * 60 * 0.8, 5)
    for operation in ("GetItem", "Query", "UpdateItem"):
        expected["AWS/DynamoDB", "SystemErrors", (("Operation", operation), table)] = ("Sum", 0, 1)
    found = {
        (alarm["Namespace"], alarm["MetricName"], _dimensions(alarm)): (
            alarm.get("ExtendedStatistic") or alarm["Statistic"],
            alarm["Threshold"],
            alarm["EvaluationPeriods"],
        )
        for alarm in alarms
    }
    assert found == expected
    assert len(alarms) == len(expected)


def test_every_alarm_tells_the_topic_and_what_to_do_first(
    alarms: list[dict[str, Any]], outputs: Mapping[str, str]
) -> None:
    assert alarms
    for alarm in alarms:
        assert alarm["ActionsEnabled"]
        assert alarm["AlarmActions"] == alarm["OKActions"] == [outputs["alarm_topic_arn"]]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["Period"] == 60
        assert "First: " in alarm["AlarmDescription"]


def test_the_dashboard_shows_this_stack(clients: Clients, outputs: Mapping[str, str], prefix: str, region: str) -> None:
    body = json.loads(clients.cloudwatch.get_dashboard(DashboardName=prefix)["DashboardBody"])
    shown = {metric[1] for widget in body["widgets"] for metric in widget["properties"]["metrics"]}
    assert {"ObjectsIndexed", "ObjectsFailed", "IndexingDelay", "ConsumedWriteCapacityUnits", "Errors"} <= shown
    assert {widget["properties"]["region"] for widget in body["widgets"]} == {region}
    text = json.dumps(body)
    assert all(outputs[name] in text for name in ("lambda_function_name", "table_name"))
    assert outputs["dashboard_url"].endswith(f"#dashboards/dashboard/{prefix}")


def test_no_output_is_empty_and_the_test_command_names_the_bucket(outputs: Mapping[str, str]) -> None:
    assert all(outputs.values())
    assert outputs["bucket_name"] in outputs["test_command"]
    assert outputs["table_name"] in outputs["test_command"]


TAGGED: Mapping[str, Callable[[Clients, Mapping[str, str], list[dict[str, Any]]], Any]] = {
    "upload bucket": lambda aws, out, _: aws.s3.get_bucket_tagging(Bucket=out["bucket_name"])["TagSet"],
    "log bucket": lambda aws, out, _: aws.s3.get_bucket_tagging(
        Bucket=aws.s3.get_bucket_logging(Bucket=out["bucket_name"])["LoggingEnabled"]["TargetBucket"]
    )["TagSet"],
    "table": lambda aws, out, _: aws.dynamodb.list_tags_of_resource(ResourceArn=out["table_arn"])["Tags"],
    "function": lambda aws, out, _: aws.function.list_tags(Resource=out["lambda_function_arn"])["Tags"],
    "role": lambda aws, out, _: aws.iam.list_role_tags(RoleName=out["lambda_role_arn"].rpartition("/")[2])["Tags"],
    "log group": lambda aws, out, _: aws.logs.list_tags_for_resource(
        resourceArn=aws.logs.describe_log_groups(logGroupNamePrefix=out["log_group_name"])["logGroups"][0][
            "logGroupArn"
        ]
    )["tags"],
    "failure queue": lambda aws, out, _: aws.sqs.list_queue_tags(QueueUrl=out["failure_queue_url"])["Tags"],
    "alarm topic": lambda aws, out, _: aws.sns.list_tags_for_resource(ResourceArn=out["alarm_topic_arn"])["Tags"],
    "alarms": lambda aws, _, alarms: [
        tag for alarm in alarms for tag in aws.cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    ],
}


@pytest.mark.parametrize("part", TAGGED)
def test_everything_says_whose_it_is(
    emulator: Emulator, clients: Clients, outputs: Mapping[str, str], alarms: list[dict[str, Any]], part: str
) -> None:
    if part == "alarms":
        needs(emulator, Capability.ALARM_TAGS)
    tags = TAGGED[part](clients, outputs, alarms)
    if isinstance(tags, list):
        if part == "alarms":
            assert len(tags) == len(alarms) * len(TAGS)
        tags = {tag["Key"]: tag["Value"] for tag in tags}
    assert tags == TAGS


def _dimensions(alarm: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((each["Name"], each["Value"]) for each in alarm["Dimensions"]))
