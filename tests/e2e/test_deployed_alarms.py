"""The alarms, their topic, the dashboard, and all tags, as AWS describes them after the deployment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.e2e.capabilities import Capability, needs
from tests.e2e.deployed import PREFIX, Deployed, deny_without_tls, statements

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
def alarms(deployed: Deployed) -> list[dict[str, Any]]:
    pages = deployed.aws.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{PREFIX}-")
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def test_the_alarms_of_this_account_may_use_the_topic_over_tls(deployed: Deployed) -> None:
    arn = deployed.out["alarm_topic_arn"]
    attributes = deployed.aws.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert sorted(statements(attributes["Policy"]).values(), key=lambda statement: str(statement["Effect"])) == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{deployed.region}:{deployed.account}:alarm:*"},
                "StringEquals": {"aws:SourceAccount": deployed.account},
            },
        },
        deny_without_tls("sns:Publish", [arn]),
    ]
    assert "KmsMasterKeyId" not in attributes  # the AWS-managed key would keep CloudWatch from publishing


def test_nobody_is_mailed_unless_somebody_was_named(deployed: Deployed) -> None:
    assert deployed.aws.sns.list_subscriptions_by_topic(TopicArn=deployed.out["alarm_topic_arn"])["Subscriptions"] == []


def test_everything_that_can_go_wrong_has_an_alarm(deployed: Deployed, alarms: list[dict[str, Any]]) -> None:
    """Each with its statistic, threshold, and number of consecutive minutes."""
    function = ("FunctionName", deployed.out["lambda_function_name"])
    table = ("TableName", deployed.out["table_name"])
    index = ("GlobalSecondaryIndexName", "uploads_by_day")
    any_in_a_minute = ("Sum", 0, 1)
    expected: dict[MetricKey, tuple[str, float, int]] = {
        ("AWS/Lambda", "Duration", (function,)): ("p90", 480_000, 5),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", (("QueueName", f"{PREFIX}-failures"),)): ("Maximum", 0, 1),
    }
    for metric in ("Errors", "Throttles", "AsyncEventsDropped", "DestinationDeliveryFailures"):
        expected["AWS/Lambda", metric, (function,)] = any_in_a_minute
    for reason in REASONS:
        expected["TapStack", "ObjectsFailed", (("reason", reason), ("service", PREFIX))] = any_in_a_minute
    for dimensions in ((table,), (index, table)):
        expected["AWS/DynamoDB", "ReadThrottleEvents", dimensions] = any_in_a_minute
        expected["AWS/DynamoDB", "WriteThrottleEvents", dimensions] = any_in_a_minute
        expected["AWS/DynamoDB", "ConsumedWriteCapacityUnits", dimensions] = ("Sum", 100 * 60 * 0.8, 5)
    for operation in ("GetItem", "Query", "UpdateItem"):
        expected["AWS/DynamoDB", "SystemErrors", (("Operation", operation), table)] = any_in_a_minute
    found = {
        (
            alarm["Namespace"],
            alarm["MetricName"],
            tuple(sorted((each["Name"], each["Value"]) for each in alarm["Dimensions"])),
        ): (alarm.get("ExtendedStatistic") or alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"])
        for alarm in alarms
    }
    assert found == expected
    assert len(alarms) == len(expected)


def test_every_alarm_tells_the_topic_and_what_to_do_first(deployed: Deployed, alarms: list[dict[str, Any]]) -> None:
    assert alarms
    for alarm in alarms:
        assert alarm["ActionsEnabled"]
        assert alarm["AlarmActions"] == alarm["OKActions"] == [deployed.out["alarm_topic_arn"]]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["Period"] == 60
        assert "First: " in alarm["AlarmDescription"]


def test_the_dashboard_shows_this_stack(deployed: Deployed) -> None:
    body = json.loads(deployed.aws.cloudwatch.get_dashboard(DashboardName=PREFIX)["DashboardBody"])
    shown = {metric[1] for widget in body["widgets"] for metric in widget["properties"]["metrics"]}
    assert {"ObjectsIndexed", "ObjectsFailed", "IndexingDelay", "ConsumedWriteCapacityUnits", "Errors"} <= shown
    assert {widget["properties"]["region"] for widget in body["widgets"]} == {deployed.region}
    text = json.dumps(body)
    assert all(deployed.out[name] in text for name in ("lambda_function_name", "table_name"))
    assert deployed.out["dashboard_url"].endswith(f"#dashboards/dashboard/{PREFIX}")


def test_no_output_is_empty_and_the_test_command_names_the_bucket(deployed: Deployed) -> None:
    assert all(deployed.out.values())
    assert deployed.out["bucket_name"] in deployed.out["test_command"]
    assert deployed.out["table_name"] in deployed.out["test_command"]


def log_group_tags(aws: Clients, out: Mapping[str, str]) -> dict[str, str]:
    [group] = aws.logs.describe_log_groups(logGroupNamePrefix=out["log_group_name"])["logGroups"]
    tags: dict[str, str] = aws.logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"]
    return tags


TAGGED: Mapping[str, Callable[[Clients, Mapping[str, str]], Any]] = {
    "upload bucket": lambda aws, out: aws.s3.get_bucket_tagging(Bucket=out["bucket_name"])["TagSet"],
    "log bucket": lambda aws, out: aws.s3.get_bucket_tagging(
        Bucket=aws.s3.get_bucket_logging(Bucket=out["bucket_name"])["LoggingEnabled"]["TargetBucket"]
    )["TagSet"],
    "table": lambda aws, out: aws.dynamodb.list_tags_of_resource(ResourceArn=out["table_arn"])["Tags"],
    "function": lambda aws, out: aws.function.list_tags(Resource=out["lambda_function_arn"])["Tags"],
    "role": lambda aws, out: aws.iam.list_role_tags(RoleName=out["lambda_role_arn"].rpartition("/")[2])["Tags"],
    "log group": log_group_tags,
    "failure queue": lambda aws, out: aws.sqs.list_queue_tags(QueueUrl=out["failure_queue_url"])["Tags"],
    "alarm topic": lambda aws, out: aws.sns.list_tags_for_resource(ResourceArn=out["alarm_topic_arn"])["Tags"],
}


def tags_by_key(tags: Any) -> Any:  # noqa: ANN401  a response of AWS: a dictionary, or a list of keys and values
    return {tag["Key"]: tag["Value"] for tag in tags} if isinstance(tags, list) else tags


@pytest.mark.parametrize("part", TAGGED)
def test_everything_says_whose_it_is(deployed: Deployed, part: str) -> None:
    assert tags_by_key(TAGGED[part](deployed.aws, deployed.out)) == TAGS


def test_every_alarm_has_the_tags(emulator: Emulator, deployed: Deployed, alarms: list[dict[str, Any]]) -> None:
    needs(emulator, Capability.ALARM_TAGS)
    assert alarms
    for alarm in alarms:
        response = deployed.aws.cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])
        assert tags_by_key(response["Tags"]) == TAGS
