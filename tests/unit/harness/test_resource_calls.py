"""What AWS is asked for, written out: one example of each translation that is more than a change of names."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from localstack.deployers.resources import RESOURCE_HANDLERS
from localstack.deployers.resources.inputs import Inputs
from tests.unit.harness.recording_fakes import RecordingAws, aws

TAGS = {"Owner": "me", "Env": "dev"}
TAG_LIST = [{"Key": "Env", "Value": "dev"}, {"Key": "Owner", "Value": "me"}]
KEYS = [{"AttributeName": "day", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]

EXAMPLES = [
    pytest.param(
        "aws:s3/bucketNotification:BucketNotification",
        {
            "bucket": "uploads",
            "lambdaFunctions": [
                {
                    "lambdaFunctionArn": "arn",
                    "events": ["s3:ObjectCreated:*"],
                    "filterPrefix": "in/",
                    "filterSuffix": ".csv",
                }
            ],
        },
        "PutBucketNotificationConfiguration",
        {
            "Bucket": "uploads",
            "NotificationConfiguration": {
                "LambdaFunctionConfigurations": [
                    {
                        "LambdaFunctionArn": "arn",
                        "Events": ["s3:ObjectCreated:*"],
                        "Filter": {
                            "Key": {
                                "FilterRules": [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".csv"}]
                            }
                        },
                    }
                ]
            },
        },
        id="notification",
    ),
    pytest.param(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {
            "bucket": "uploads",
            "rules": [
                {
                    "id": "all",
                    "status": "Enabled",
                    "filter": {},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                },
                {"id": "some", "status": "Enabled", "filter": {"and": {"prefix": "a/", "tags": TAGS}}},
            ],
        },
        "PutBucketLifecycleConfiguration",
        {
            "Bucket": "uploads",
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "ID": "all",
                        "Status": "Enabled",
                        "Filter": {},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    },
                    {"ID": "some", "Status": "Enabled", "Filter": {"And": {"Prefix": "a/", "Tags": TAG_LIST}}},
                ]
            },
        },
        id="lifecycle",
    ),
    pytest.param(
        "aws:dynamodb/table:Table",
        {
            "name": "objects",
            "hashKey": "id",
            "rangeKey": "version",
            "readCapacity": 100,
            "writeCapacity": 50,
            "attributes": [{"name": "id", "type": "S"}],
            "globalSecondaryIndexes": [
                {
                    "name": "old",
                    "hashKey": "day",
                    "rangeKey": "at",
                    "projectionType": "ALL",
                    "readCapacity": 1,
                    "writeCapacity": 2,
                },
                {
                    "name": "new",
                    "keySchemas": [
                        {"attributeName": "day", "keyType": "HASH"},
                        {"attributeName": "at", "keyType": "RANGE"},
                    ],
                    "projectionType": "KEYS_ONLY",
                },
            ],
            "serverSideEncryption": {"enabled": True},
            "deletionProtectionEnabled": False,
            "tags": TAGS,
        },
        "CreateTable",
        {
            "TableName": "objects",
            "KeySchema": [
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "version", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 50},
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "old",
                    "KeySchema": KEYS,
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
                },
                {"IndexName": "new", "KeySchema": KEYS, "Projection": {"ProjectionType": "KEYS_ONLY"}},
            ],
            "SSESpecification": {"Enabled": True},
            "DeletionProtectionEnabled": False,
            "Tags": TAG_LIST,
        },
        id="table",
    ),
    pytest.param(
        "aws:dynamodb/table:Table",
        {"name": "objects", "hashKey": "id", "pointInTimeRecovery": {"enabled": True}},
        "UpdateContinuousBackups",
        {"TableName": "objects", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}},
        id="backups",
    ),
    pytest.param(
        "aws:dynamodb/table:Table",
        {"name": "objects", "hashKey": "id", "ttl": {"attributeName": "expires_at", "enabled": True}},
        "UpdateTimeToLive",
        {"TableName": "objects", "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True}},
        id="expiry",
    ),
    pytest.param(
        "aws:cloudwatch/logGroup:LogGroup",
        {"name": "group", "retentionInDays": 30},
        "PutRetentionPolicy",
        {"logGroupName": "group", "retentionInDays": 30},
        id="retention",
    ),
    pytest.param(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        {
            "name": "alarm",
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 1,
            "threshold": 0,
            "metricQueries": [
                {
                    "id": "m1",
                    "returnData": False,
                    "metric": {
                        "metricName": "SystemErrors",
                        "namespace": "AWS/DynamoDB",
                        "dimensions": {"TableName": "t", "Operation": "Query"},
                        "period": 60,
                        "stat": "Sum",
                    },
                }
            ],
        },
        "PutMetricAlarm",
        {
            "AlarmName": "alarm",
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "Metrics": [
                {
                    "Id": "m1",
                    "ReturnData": False,
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/DynamoDB",
                            "MetricName": "SystemErrors",
                            "Dimensions": [
                                {"Name": "Operation", "Value": "Query"},
                                {"Name": "TableName", "Value": "t"},
                            ],
                        },
                        "Period": 60,
                        "Stat": "Sum",
                    },
                }
            ],
        },
        id="alarm",
    ),
    pytest.param(
        "aws:sqs/queue:Queue",
        {"name": "failures", "messageRetentionSeconds": 1209600, "sqsManagedSseEnabled": True, "tags": TAGS},
        "CreateQueue",
        {
            "QueueName": "failures",
            "Attributes": {"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"},
            "tags": TAGS,
        },
        id="queue",
    ),
    pytest.param(
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        {
            "functionName": "indexer",
            "maximumRetryAttempts": 0,
            "destinationConfig": {"onFailure": {"destination": "arn:queue"}},
        },
        "PutFunctionEventInvokeConfig",
        {
            "FunctionName": "indexer",
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnFailure": {"Destination": "arn:queue"}},
        },
        id="retries",
    ),
]


@pytest.mark.parametrize(("type_", "inputs", "operation", "expected"), EXAMPLES)
def test_inputs_become_exactly_this_call(
    type_: str, inputs: dict[str, Any], operation: str, expected: dict[str, Any]
) -> None:
    recording = RecordingAws()
    RESOURCE_HANDLERS[type_]("logical", Inputs(inputs), aws(recording))(lambda _removal: None)
    assert recording.parameters(operation) == expected


@pytest.mark.parametrize(
    ("type_", "inputs", "absent"),
    [
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "group", "retentionInDays": 0}, "PutRetentionPolicy"),
        (
            "aws:lambda/function:Function",
            {"name": "f", "role": "arn:aws:iam::1:role/r", "reservedConcurrentExecutions": -1},
            "PutFunctionConcurrency",
        ),
        ("aws:dynamodb/table:Table", {"name": "t", "hashKey": "id"}, "UpdateContinuousBackups"),
        ("aws:s3/bucket:Bucket", {"bucket": "b"}, "PutBucketTagging"),
    ],
)
def test_what_pulumi_means_by_no_setting_is_not_asked_for(type_: str, inputs: dict[str, Any], absent: str) -> None:
    code = {"code": pulumi.AssetArchive({"a.py": pulumi.StringAsset("")})} if "Function" in type_ else {}
    recording = RecordingAws()
    RESOURCE_HANDLERS[type_]("logical", Inputs(inputs | code), aws(recording))(lambda _removal: None)
    assert absent not in recording.operations()
