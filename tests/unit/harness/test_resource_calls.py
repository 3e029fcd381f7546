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
CAPACITY = {"readCapacity": 1, "writeCapacity": 2}
PULUMI_KEYS = [{"attributeName": "day", "keyType": "HASH"}, {"attributeName": "at", "keyType": "RANGE"}]
CREATED = ["s3:ObjectCreated:*"]
RULES = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".csv"}]

TABLE, BUCKET, FUNCTION = "aws:dynamodb/table:Table", "aws:s3/bucket:Bucket", "aws:lambda/function:Function"
LOG_GROUP, QUEUE = "aws:cloudwatch/logGroup:LogGroup", "aws:sqs/queue:Queue"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
NOTIFICATION = "aws:s3/bucketNotification:BucketNotification"

REQUIRED: dict[str, dict[str, Any]] = {
    ALARM: {"name": "alarm", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1},
    BUCKET: {"bucket": "uploads"},
    FUNCTION: {"name": "indexer", "role": "arn:aws:iam::1:role/r", "code": CODE},
    INVOKE_CONFIG: {"functionName": "indexer"},
    LIFECYCLE: {"bucket": "uploads"},
    LOG_GROUP: {"name": "group"},
    NOTIFICATION: {"bucket": "uploads"},
    QUEUE: {"name": "failures"},
    TABLE: {"name": "objects", "hashKey": "id"},
}


def calls(type_: str, **inputs: Any) -> FakeAws:
    """Create a resource with its required inputs and these."""
    fake = FakeAws()
    RESOURCE_HANDLERS[type_]("logical", Inputs(REQUIRED[type_] | inputs), fake_account(fake))(lambda _removal: None)
    return fake


@pytest.mark.parametrize(
    ("type_", "operation", "inputs", "expected"),
    [
        pytest.param(
            NOTIFICATION,
            "PutBucketNotificationConfiguration",
            {
                "lambdaFunctions": [
                    {"lambdaFunctionArn": "arn", "events": CREATED, "filterPrefix": "in/", "filterSuffix": ".csv"}
                ]
            },
            {
                "NotificationConfiguration": {
                    "LambdaFunctionConfigurations": [
                        {"LambdaFunctionArn": "arn", "Events": CREATED, "Filter": {"Key": {"FilterRules": RULES}}}
                    ]
                }
            },
            id="notification: prefix and suffix are rules of one filter",
        ),
        pytest.param(
            LIFECYCLE,
            "PutBucketLifecycleConfiguration",
            {
                "rules": [
                    {"status": "Enabled", "filter": {}, "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}},
                    {"id": "some", "status": "Enabled", "filter": {"and": {"prefix": "a/", "tags": TAGS}}},
                ]
            },
            {
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Status": "Enabled",
                            "Filter": {},
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                        },
                        {"ID": "some", "Status": "Enabled", "Filter": {"And": {"Prefix": "a/", "Tags": TAG_LIST}}},
                    ]
                }
            },
            id="lifecycle: an empty filter applies to all objects",
        ),
        pytest.param(
            TABLE,
            "CreateTable",
            {"rangeKey": "version"},
            {
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "version", "KeyType": "RANGE"},
                ]
            },
            id="table: both keys",
        ),
        pytest.param(
            TABLE,
            "CreateTable",
            {"attributes": [{"name": "id", "type": "S"}], "readCapacity": 100, "writeCapacity": 50},
            {
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 50},
            },
            id="table: attributes and capacity",
        ),
        pytest.param(
            TABLE,
            "CreateTable",
            {
                "globalSecondaryIndexes": [
                    {"name": "old", "hashKey": "day", "rangeKey": "at", "projectionType": "ALL", **CAPACITY},
                    {"name": "new", "keySchemas": PULUMI_KEYS, "projectionType": "KEYS_ONLY"},
                ]
            },
            {
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "old",
                        "KeySchema": KEYS,
                        "Projection": {"ProjectionType": "ALL"},
                        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
                    },
                    {"IndexName": "new", "KeySchema": KEYS, "Projection": {"ProjectionType": "KEYS_ONLY"}},
                ]
            },
            id="table: the deprecated and the current keys of an index are equivalent",
        ),
        pytest.param(
            TABLE,
            "CreateTable",
            {"serverSideEncryption": {"enabled": True}, "deletionProtectionEnabled": False, "tags": TAGS},
            {"SSESpecification": {"Enabled": True}, "DeletionProtectionEnabled": False, "Tags": TAG_LIST},
            id="table: encryption without a key; False is a value",
        ),
        pytest.param(
            TABLE,
            "UpdateContinuousBackups",
            {"pointInTimeRecovery": {"enabled": True}},
            {"TableName": "objects", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}},
            id="table: backups",
        ),
        pytest.param(
            TABLE,
            "UpdateTimeToLive",
            {"ttl": {"attributeName": "expires_at", "enabled": True}},
            {"TableName": "objects", "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True}},
            id="table: expiration",
        ),
        pytest.param(
            LOG_GROUP,
            "PutRetentionPolicy",
            {"retentionInDays": 30},
            {"logGroupName": "group", "retentionInDays": 30},
            id="log group: retention is a separate call",
        ),
        pytest.param(
            ALARM,
            "PutMetricAlarm",
            {
                "threshold": 0,
                "metricQueries": [
                    {
                        "id": "m1",
                        "returnData": False,
                        "metric": {
                            "metricName": "Errors",
                            "dimensions": {"B": "2", "A": "1"},
                            "period": 60,
                            "stat": "Sum",
                        },
                    }
                ],
            },
            {
                "Threshold": 0,
                "Metrics": [
                    {
                        "Id": "m1",
                        "ReturnData": False,
                        "MetricStat": {
                            "Metric": {
                                "MetricName": "Errors",
                                "Dimensions": [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}],
                            },
                            "Period": 60,
                            "Stat": "Sum",
                        },
                    }
                ],
            },
            id="alarm: the period of a query belongs to its statistic; 0 and False are values",
        ),
        pytest.param(
            QUEUE,
            "CreateQueue",
            {"messageRetentionSeconds": 1209600, "sqsManagedSseEnabled": True, "tags": TAGS},
            {"Attributes": {"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"}, "tags": TAGS},
            id="queue: all attributes are texts",
        ),
        pytest.param(
            INVOKE_CONFIG,
            "PutFunctionEventInvokeConfig",
            {"maximumRetryAttempts": 0, "destinationConfig": {"onFailure": {"destination": "arn:queue"}}},
            {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": "arn:queue"}}},
            id="retries: 0 is a value",
        ),
    ],
)
def test_inputs_become_exactly_this_call(
    type_: str, operation: str, inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    without = dict(calls(type_).calls).get(operation, {})
    assert calls(type_, **inputs).parameters(operation) == without | expected


@pytest.mark.parametrize(
    ("type_", "inputs", "absent"),
    [
        (LOG_GROUP, {"retentionInDays": 0}, "PutRetentionPolicy"),
        (FUNCTION, {"reservedConcurrentExecutions": -1}, "PutFunctionConcurrency"),
        (TABLE, {}, "UpdateContinuousBackups"),
        (BUCKET, {}, "PutBucketTagging"),
    ],
)
def test_what_pulumi_means_by_no_setting_is_not_asked_for(type_: str, inputs: dict[str, Any], absent: str) -> None:
    assert absent not in calls(type_, **inputs).operations()
