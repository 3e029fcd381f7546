"""What someone is told about, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.expected import (
    ACCOUNT,
    CUSTOM,
    FULL,
    FUNCTION,
    LOG_GROUP,
    QUEUE,
    REGION,
    TABLE,
    TAGS,
    TOPIC,
    TOPIC_ARN,
    tls_only,
)
from tests.support.metrics import METRICS, REASONS
from tests.support.synth import policy, synth

if TYPE_CHECKING:
    from localstack.deployers.monitor import Recorded

COVERS = {
    "tap-alarms",
    "tap-alarms-policy",
    "tap-alarms-email",
    "tap-function-errors",
    "tap-function-throttles",
    "tap-function-duration",
    "tap-events-dropped",
    "tap-failure-delivery",
    "tap-failure-queue",
    "tap-failed-denied",
    "tap-failed-malformed",
    "tap-failed-throttled",
    "tap-failed-unavailable",
    "tap-failed-foreign",
    "tap-failed-internal",
    "tap-table-read-throttles",
    "tap-table-write-throttles",
    "tap-index-read-throttles",
    "tap-index-write-throttles",
    "tap-table-write-capacity",
    "tap-index-write-capacity",
    "tap-table-errors-getitem",
    "tap-table-errors-query",
    "tap-table-errors-updateitem",
}

_FUNCTION = {"FunctionName": FUNCTION}
_TABLE = {"TableName": TABLE}
_INDEX = {"TableName": TABLE, "GlobalSecondaryIndexName": "uploads_by_day"}

# purpose: (namespace, metric, dimensions, statistic, threshold, periods of a minute)
ALARMS: dict[str, tuple[str, str, dict[str, str], str, float, int]] = {
    "function-errors": ("AWS/Lambda", "Errors", _FUNCTION, "Sum", 0, 1),
    "function-throttles": ("AWS/Lambda", "Throttles", _FUNCTION, "Sum", 0, 1),
    "function-duration": ("AWS/Lambda", "Duration", _FUNCTION, "p90", 480_000, 5),
    "events-dropped": ("AWS/Lambda", "AsyncEventsDropped", _FUNCTION, "Sum", 0, 1),
    "failure-delivery": ("AWS/Lambda", "DestinationDeliveryFailures", _FUNCTION, "Sum", 0, 1),
    "failure-queue": (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        {"QueueName": QUEUE},
        "Maximum",
        0,
        1,
    ),
    **{
        f"failed-{reason}": ("TapStack", "ObjectsFailed", {"service": "tapstack-dev", "reason": reason}, "Sum", 0, 1)
        for reason in sorted(REASONS)
    },
    "table-read-throttles": ("AWS/DynamoDB", "ReadThrottleEvents", _TABLE, "Sum", 0, 1),
    "table-write-throttles": ("AWS/DynamoDB", "WriteThrottleEvents", _TABLE, "Sum", 0, 1),
    "index-read-throttles": ("AWS/DynamoDB", "ReadThrottleEvents", _INDEX, "Sum", 0, 1),
    "index-write-throttles": ("AWS/DynamoDB", "WriteThrottleEvents", _INDEX, "Sum", 0, 1),
    # 80 % of 100 units a second, for a minute
    "table-write-capacity": ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", _TABLE, "Sum", 4_800, 5),
    "index-write-capacity": ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", _INDEX, "Sum", 4_800, 5),
    "table-errors-getitem": ("AWS/DynamoDB", "SystemErrors", {**_TABLE, "Operation": "GetItem"}, "Sum", 0, 1),
    "table-errors-query": ("AWS/DynamoDB", "SystemErrors", {**_TABLE, "Operation": "Query"}, "Sum", 0, 1),
    "table-errors-updateitem": (
        "AWS/DynamoDB",
        "SystemErrors",
        {**_TABLE, "Operation": "UpdateItem"},
        "Sum",
        0,
        1,
    ),
}


def alarms(**config: str) -> dict[str, Recorded]:
    """Every alarm by its purpose: its name without the stack's part."""
    prefix = f"tapstack-{config.get('env', 'dev')}-"
    return {each.inputs["name"].removeprefix(prefix): each for each in synth(**config).all("MetricAlarm")}


def test_there_are_these_alarms_and_no_others() -> None:
    assert alarms().keys() == ALARMS.keys()


@pytest.mark.control("CloudWatch.15", "CloudWatch.17")
@pytest.mark.parametrize("purpose", ALARMS)
def test_each_alarm_watches_what_it_says(purpose: str) -> None:
    namespace, metric, dimensions, statistic, threshold, periods = ALARMS[purpose]
    inputs = dict(alarms()[purpose].inputs)
    inputs.pop("alarmDescription")
    assert inputs == {
        "name": f"tapstack-dev-{purpose}",
        "namespace": namespace,
        "metricName": metric,
        "dimensions": dimensions,
        ("extendedStatistic" if statistic == "p90" else "statistic"): statistic,
        "comparisonOperator": "GreaterThanThreshold",
        "threshold": threshold,
        "period": 60,
        "evaluationPeriods": periods,
        "treatMissingData": "notBreaching",
        "alarmActions": [TOPIC_ARN],
        "okActions": [TOPIC_ARN],
        "tags": TAGS,
    }


@pytest.mark.parametrize("purpose", ALARMS)
def test_cloudwatch_accepts_each_alarm(purpose: str) -> None:
    """CloudWatch API Reference, PutMetricAlarm. Pulumi and the emulators check none of it."""
    inputs = alarms()[purpose].inputs
    assert inputs["period"] in {10, 20, 30} or inputs["period"] % 60 == 0
    assert inputs["evaluationPeriods"] >= 1
    assert inputs["period"] * inputs["evaluationPeriods"] <= 24 * 3600
    assert inputs.get("datapointsToAlarm", 1) <= inputs["evaluationPeriods"]
    assert len(inputs["name"]) <= 255
    assert len(inputs["alarmDescription"]) <= 1024


@pytest.mark.parametrize("purpose", ALARMS)
def test_each_alarm_is_on_a_metric_that_exists_with_these_dimensions(purpose: str) -> None:
    inputs = alarms()[purpose].inputs
    assert frozenset(inputs["dimensions"]) in METRICS[inputs["namespace"], inputs["metricName"]].dimensions


@pytest.mark.parametrize("purpose", ALARMS)
def test_each_alarm_says_what_happened_and_what_to_do_first(purpose: str) -> None:
    happened, _, remedy = alarms()[purpose].inputs["alarmDescription"].partition(" First: ")
    assert happened.endswith(".")
    assert remedy.endswith(".")
    assert len(remedy) > 20


def test_the_descriptions_name_the_places_to_look_at() -> None:
    assert LOG_GROUP in alarms()["function-errors"].inputs["alarmDescription"]
    assert QUEUE in alarms()["failure-queue"].inputs["alarmDescription"]
    for reason in REASONS:
        assert f"reason {reason} in {LOG_GROUP}" in alarms()[f"failed-{reason}"].inputs["alarmDescription"]


def test_no_two_alarms_say_the_same() -> None:
    """Whoever is mailed can tell them apart."""
    said = [each.inputs["alarmDescription"] for each in alarms().values()]
    assert len(set(said)) == len(said)
    first = [alarms()[f"failed-{reason}"].inputs["alarmDescription"].partition(" First: ")[2] for reason in REASONS]
    assert len(set(first)) == len(REASONS)


def test_every_call_of_dynamodb_that_the_role_allows_is_watched_for_errors() -> None:
    """DynamoDB publishes its own errors only per operation."""
    allowed = {
        action.removeprefix("dynamodb:")
        for statement in policy(synth().one("RolePolicy"))["Statement"]
        for action in statement["Action"]
        if action.startswith("dynamodb:")
    }
    watched = {
        each.inputs["dimensions"]["Operation"]
        for each in alarms().values()
        if each.inputs["metricName"] == "SystemErrors"
    }
    assert watched == allowed


def test_the_duration_alarm_follows_the_configured_timeout() -> None:
    assert alarms(**CUSTOM)["function-duration"].inputs["threshold"] == 80_000


@pytest.mark.parametrize(
    ("config", "threshold"),
    [(CUSTOM, 7 * 60 * 0.8), (FULL, 400 * 60 * 0.8)],
    ids=["capacity", "ceiling"],
)
def test_the_capacity_alarms_follow_what_the_table_can_take_at_most(config: dict[str, str], threshold: float) -> None:
    found = alarms(**config)
    assert found["table-write-capacity"].inputs["threshold"] == threshold
    assert found["index-write-capacity"].inputs["threshold"] == threshold


def test_the_topic_is_not_encrypted_with_the_key_that_silences_alarms() -> None:
    """With alias/aws/sns CloudWatch cannot publish, and says nothing."""
    assert synth().one("Topic").inputs == {"name": TOPIC, "tags": TAGS}


@pytest.mark.control("SNS.4")
def test_only_alarms_of_this_account_and_region_may_publish_and_only_over_tls() -> None:
    topic_policy = synth().one("TopicPolicy")
    assert topic_policy.inputs["arn"] == TOPIC_ARN
    assert policy(topic_policy) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowAlarms",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": TOPIC_ARN,
                "Condition": {
                    "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                },
            },
            tls_only("sns:Publish", TOPIC_ARN),
        ],
    }


def test_nobody_is_mailed_unless_an_address_is_given() -> None:
    assert synth().all("TopicSubscription") == ()


def test_the_alarms_are_mailed_to_the_configured_address() -> None:
    assert synth(**FULL).one("TopicSubscription").inputs == {
        "topic": TOPIC_ARN,
        "protocol": "email",
        "endpoint": "oncall@example.com",
    }


def test_the_address_that_alarms_are_mailed_to_is_a_secret_whether_or_not_it_was_configured_as_one() -> None:
    """It is somebody's: it shall not lie in Pulumi's state for everyone who may read that."""
    assert synth(**FULL).one("TopicSubscription").secret_inputs == {"endpoint"}


def test_whatever_refers_to_the_topic_waits_for_it() -> None:
    stack = synth(**FULL)
    for each in (*stack.all("MetricAlarm"), stack.one("TopicPolicy"), stack.one("TopicSubscription")):
        assert stack.needs(each, stack.one("Topic")), each
