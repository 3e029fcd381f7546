"""The calls to AWS of the translations that change more than the names of inputs."""

from __future__ import annotations

from typing import Any

import pytest

from localstack.deployers.resources import RESOURCE_HANDLERS
from localstack.deployers.resources.inputs import Inputs
from tests.unit.harness.fake_aws import FakeAws, fake_account
from tests.unit.harness.resource_inputs import CODE

TAGS = {"Owner": "me", "Env": "dev"}
TAG_LIST = [{"Key": "Env", "Value": "dev"}, {"Key": "Owner", "Value": "me"}]
KEYS = [{"AttributeName": "day", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]
PULUMI_KEYS = [{"attributeName": "day", "keyType": "HASH"}, {"attributeName": "at", "keyType": "RANGE"}]
CAPACITY = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}
PULUMI_CAPACITY = {"readCapacity": 1, "writeCapacity": 2}
NOTIFIED = {"lambdaFunctionArn": "arn", "events": ["s3:ObjectCreated:*"], "filterPrefix": "in/", "filterSuffix": ".csv"}
RULES = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".csv"}]
METRIC = {"metricName": "Errors", "dimensions": {"B": "2", "A": "1"}, "period": 60, "stat": "Sum"}
DIMENSIONS = [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]

REQUIRED: dict[str, dict[str, Any]] = {
    "aws:cloudwatch/logGroup:LogGroup": {"name": "group"},
    "aws:cloudwatch/metricAlarm:MetricAlarm": {"name": "a", "comparisonOperator": "Greater", "evaluationPeriods": 1},
    "aws:dynamodb/table:Table": {"name": "objects", "hashKey": "id"},
    "aws:lambda/function:Function": {"name": "indexer", "role": "arn:aws:iam::1:role/r", "code": CODE},
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": {"functionName": "indexer"},
    "aws:s3/bucket:Bucket": {"bucket": "uploads"},
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": {"bucket": "uploads"},
    "aws:s3/bucketNotification:BucketNotification": {"bucket": "uploads"},
    "aws:sqs/queue:Queue": {"name": "failures"},
}
TYPES = {type_.rpartition(":")[2]: type_ for type_ in REQUIRED}

CALLS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "prefix and suffix are rules of one filter": (
        "BucketNotification",
        "PutBucketNotificationConfiguration",
        {"lambdaFunctions": [NOTIFIED]},
        {
            "NotificationConfiguration": {
                "LambdaFunctionConfigurations": [
                    {
                        "LambdaFunctionArn": "arn",
                        "Events": NOTIFIED["events"],
                        "Filter": {"Key": {"FilterRules": RULES}},
                    }
                ]
            }
        },
    ),
    "an empty filter applies to all objects": (
        "BucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        {"rules": [{"status": "Enabled", "filter": {}, "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}]},
        {
            "LifecycleConfiguration": {
                "Rules": [
                    {"Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
                ]
            }
        },
    ),
    "a filter with several conditions": (
        "BucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        {"rules": [{"id": "some", "status": "Enabled", "filter": {"and": {"prefix": "a/", "tags": TAGS}}}]},
        {
            "LifecycleConfiguration": {
                "Rules": [{"ID": "some", "Status": "Enabled", "Filter": {"And": {"Prefix": "a/", "Tags": TAG_LIST}}}]
            }
        },
    ),
    "both keys of a table": (
        "Table",
        "CreateTable",
        {"hashKey": "day", "rangeKey": "at", "attributes": [{"name": "day", "type": "S"}], **PULUMI_CAPACITY},
        {
            "KeySchema": KEYS,
            "AttributeDefinitions": [{"AttributeName": "day", "AttributeType": "S"}],
            "ProvisionedThroughput": CAPACITY,
        },
    ),
    "the deprecated keys of an index": (
        "Table",
        "CreateTable",
        {
            "globalSecondaryIndexes": [
                {"name": "old", "hashKey": "day", "rangeKey": "at", "projectionType": "ALL", **PULUMI_CAPACITY}
            ]
        },
        {
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "old",
                    "KeySchema": KEYS,
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": CAPACITY,
                }
            ]
        },
    ),
    "the current keys of an index": (
        "Table",
        "CreateTable",
        {"globalSecondaryIndexes": [{"name": "new", "keySchemas": PULUMI_KEYS, "projectionType": "KEYS_ONLY"}]},
        {
            "GlobalSecondaryIndexes": [
                {"IndexName": "new", "KeySchema": KEYS, "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ]
        },
    ),
    "encryption without a key, and False is a value": (
        "Table",
        "CreateTable",
        {"serverSideEncryption": {"enabled": True}, "deletionProtectionEnabled": False, "tags": TAGS},
        {"SSESpecification": {"Enabled": True}, "DeletionProtectionEnabled": False, "Tags": TAG_LIST},
    ),
    "backups need a separate call": (
        "Table",
        "UpdateContinuousBackups",
        {"pointInTimeRecovery": {"enabled": True}},
        {"TableName": "objects", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}},
    ),
    "expiration needs a separate call": (
        "Table",
        "UpdateTimeToLive",
        {"ttl": {"attributeName": "expires_at", "enabled": True}},
        {"TableName": "objects", "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True}},
    ),
    "retention needs a separate call": (
        "LogGroup",
        "PutRetentionPolicy",
        {"retentionInDays": 30},
        {"logGroupName": "group", "retentionInDays": 30},
    ),
    "the period of a query belongs to its statistic, and 0 is a value": (
        "MetricAlarm",
        "PutMetricAlarm",
        {"threshold": 0, "metricQueries": [{"id": "m1", "returnData": False, "metric": METRIC}]},
        {
            "Threshold": 0,
            "Metrics": [
                {
                    "Id": "m1",
                    "ReturnData": False,
                    "MetricStat": {
                        "Metric": {"MetricName": "Errors", "Dimensions": DIMENSIONS},
                        "Period": 60,
                        "Stat": "Sum",
                    },
                }
            ],
        },
    ),
    "all attributes of a queue are texts": (
        "Queue",
        "CreateQueue",
        {"messageRetentionSeconds": 1209600, "sqsManagedSseEnabled": True, "tags": TAGS},
        {"Attributes": {"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"}, "tags": TAGS},
    ),
    "no retries is a value": (
        "FunctionEventInvokeConfig",
        "PutFunctionEventInvokeConfig",
        {"maximumRetryAttempts": 0, "destinationConfig": {"onFailure": {"destination": "arn:queue"}}},
        {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": "arn:queue"}}},
    ),
}


def calls(name: str, inputs: dict[str, Any]) -> FakeAws:
    """Create a resource with its required inputs and these."""
    fake, type_ = FakeAws(), TYPES[name]
    RESOURCE_HANDLERS[type_]("logical", Inputs(REQUIRED[type_] | inputs), fake_account(fake))(lambda _removal: None)
    return fake


@pytest.mark.parametrize(("name", "operation", "inputs", "expected"), CALLS.values(), ids=CALLS)
def test_inputs_become_exactly_this_call(
    name: str, operation: str, inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    required = dict(calls(name, {}).calls).get(operation, {})
    assert calls(name, inputs).parameters(operation) == required | expected


@pytest.mark.parametrize(
    ("name", "inputs", "absent"),
    [
        ("LogGroup", {"retentionInDays": 0}, "PutRetentionPolicy"),
        ("Function", {"reservedConcurrentExecutions": -1}, "PutFunctionConcurrency"),
        ("Table", {}, "UpdateContinuousBackups"),
        ("Bucket", {}, "PutBucketTagging"),
    ],
)
def test_what_pulumi_means_by_no_setting_is_not_asked_for(name: str, inputs: dict[str, Any], absent: str) -> None:
    assert absent not in calls(name, inputs).operations()
