"""Names of all resources in an AWS account, to compare the account before and after a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.index import Clients

LISTINGS: Mapping[str, Callable[[Clients], list[Any]]] = {
    "bucket": lambda aws: [each["Name"] for each in aws.s3.list_buckets()["Buckets"]],
    "table": lambda aws: aws.dynamodb.list_tables()["TableNames"],
    "function": lambda aws: [each["FunctionName"] for each in aws.function.list_functions()["Functions"]],
    "role": lambda aws: [each["RoleName"] for each in aws.iam.list_roles()["Roles"]],
    "log group": lambda aws: [each["logGroupName"] for each in aws.logs.describe_log_groups()["logGroups"]],
    "queue": lambda aws: aws.sqs.list_queues().get("QueueUrls", []),
    "topic": lambda aws: [each["TopicArn"] for each in aws.sns.list_topics()["Topics"]],
    "subscription": lambda aws: [each["Endpoint"] for each in aws.sns.list_subscriptions()["Subscriptions"]],
    "alarm": lambda aws: [
        each["AlarmName"]
        for page in aws.cloudwatch.get_paginator("describe_alarms").paginate()
        for each in page["MetricAlarms"]
    ],
    "dashboard": lambda aws: [each["DashboardName"] for each in aws.cloudwatch.list_dashboards()["DashboardEntries"]],
    "parameter": lambda aws: [each["Name"] for each in aws.ssm.describe_parameters()["Parameters"]],
}


def snapshot(clients: Clients) -> set[tuple[str, str]]:
    """Return kind and name of every resource in the account, for the kinds that a stack creates."""
    return {(kind, str(name)) for kind, names in LISTINGS.items() for name in names(clients)}
