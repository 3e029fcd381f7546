"""For each type that the in-process engine knows: inputs that use all of what it understands.

Some belong to different variants of a resource, so a type may have several samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

CODE = pulumi.AssetArchive({"main.py": pulumi.StringAsset("def handler(event, context): ...")})
TAGS = {"Project": "tapstack", "Owner": "platform"}
DIMENSIONS = {"TableName": "objects", "Operation": "Query"}
LIFECYCLE = {
    "id": "rule",
    "status": "Enabled",
    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    "noncurrentVersionExpiration": {"noncurrentDays": 90, "newerNoncurrentVersions": 3},
    "noncurrentVersionTransitions": [
        {"noncurrentDays": 30, "newerNoncurrentVersions": 2, "storageClass": "STANDARD_IA"}
    ],
}

SAMPLES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "aws:cloudwatch/dashboard:Dashboard": ({"dashboardName": "board", "dashboardBody": '{"widgets": []}'},),
    "aws:cloudwatch/logGroup:LogGroup": (
        {
            "name": "name",
            "retentionInDays": 30,
            "kmsKeyId": "arn:key",
            "logGroupClass": "INFREQUENT_ACCESS",
            "tags": TAGS,
        },
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        {
            "name": "alarm",
            "actionsEnabled": False,
            "alarmActions": ["arn:aws:sns:::alarms"],
            "alarmDescription": "what to do first",
            "comparisonOperator": "GreaterThanThreshold",
            "datapointsToAlarm": 2,
            "dimensions": DIMENSIONS,
            "evaluateLowSampleCountPercentiles": "ignore",
            "evaluationPeriods": 3,
            "extendedStatistic": "p90",
            "insufficientDataActions": ["arn:aws:sns:::nothing"],
            "metricName": "Duration",
            "namespace": "AWS/Lambda",
            "okActions": ["arn:aws:sns:::fine"],
            "period": 60,
            "tags": TAGS,
            "threshold": 0,
            "treatMissingData": "notBreaching",
            "unit": "Milliseconds",
        },
        {"name": "alarm", "comparisonOperator": "LessThanThreshold", "evaluationPeriods": 1, "statistic": "Sum"},
        {
            "name": "alarm",
            "comparisonOperator": "GreaterThanUpperThreshold",
            "evaluationPeriods": 1,
            "thresholdMetricId": "band",
            "metricQueries": [
                {
                    "id": "band",
                    "expression": "m1 + 1",
                    "label": "Band",
                    "returnData": True,
                    "accountId": "1",
                    "period": 60,
                },
                {
                    "id": "m1",
                    "metric": {
                        "metricName": "SystemErrors",
                        "namespace": "AWS/DynamoDB",
                        "dimensions": DIMENSIONS,
                        "period": 60,
                        "stat": "Sum",
                        "unit": "Count",
                    },
                },
            ],
        },
    ),
    "aws:dynamodb/table:Table": (
        {
            "name": "objects",
            "billingMode": "PROVISIONED",
            "hashKey": "id",
            "rangeKey": "version",
            "readCapacity": 100,
            "writeCapacity": 101,
            "attributes": [{"name": "id", "type": "S"}, {"name": "version", "type": "N"}],
            "globalSecondaryIndexes": [
                {
                    "name": "by_day",
                    "keySchemas": [
                        {"attributeName": "day", "keyType": "HASH"},
                        {"attributeName": "at", "keyType": "RANGE"},
                    ],
                    "projectionType": "INCLUDE",
                    "nonKeyAttributes": ["size"],
                    "readCapacity": 102,
                    "writeCapacity": 103,
                },
                {"name": "old", "hashKey": "h", "rangeKey": "r", "projectionType": "ALL"},
            ],
            "localSecondaryIndexes": [
                {"name": "local", "rangeKey": "size", "projectionType": "INCLUDE", "nonKeyAttributes": ["etag"]}
            ],
            "pointInTimeRecovery": {"enabled": True, "recoveryPeriodInDays": 7},
            "serverSideEncryption": {"enabled": True, "kmsKeyArn": "arn:key"},
            "deletionProtectionEnabled": True,
            "tableClass": "STANDARD_INFREQUENT_ACCESS",
            "ttl": {"attributeName": "expires_at", "enabled": True},
            "streamEnabled": True,
            "streamViewType": "KEYS_ONLY",
            "tags": TAGS,
        },
        {
            "name": "objects",
            "billingMode": "PAY_PER_REQUEST",
            "hashKey": "id",
            "attributes": [{"name": "id", "type": "S"}],
            "onDemandThroughput": {"maxReadRequestUnits": 10, "maxWriteRequestUnits": 20},
            "globalSecondaryIndexes": [
                {
                    "name": "by_day",
                    "hashKey": "day",
                    "projectionType": "ALL",
                    "onDemandThroughput": {"maxReadRequestUnits": 30, "maxWriteRequestUnits": 40},
                }
            ],
        },
    ),
    "aws:iam/role:Role": (
        {
            "name": "role",
            "assumeRolePolicy": "{}",
            "description": "what it is for",
            "maxSessionDuration": 3600,
            "path": "/service/",
            "permissionsBoundary": "arn:aws:iam::aws:policy/Boundary",
            "tags": TAGS,
        },
    ),
    "aws:iam/rolePolicy:RolePolicy": ({"name": "policy", "role": "role", "policy": "{}"},),
    "aws:lambda/function:Function": (
        {
            "name": "indexer",
            "code": CODE,
            "architectures": ["arm64"],
            "deadLetterConfig": {"targetArn": "arn:aws:sqs:::dead"},
            "description": "what it does",
            "environment": {"variables": {"TAP_TABLE_NAME": "objects"}},
            "ephemeralStorage": {"size": 1024},
            "handler": "main.handler",
            "kmsKeyArn": "arn:aws:kms:::key/1",
            "layers": ["arn:aws:lambda:::layer:one:1"],
            "loggingConfig": {
                "logFormat": "JSON",
                "logGroup": "/aws/lambda/indexer",
                "applicationLogLevel": "INFO",
                "systemLogLevel": "WARN",
            },
            "memorySize": 512,
            "packageType": "Zip",
            "publish": True,
            "reservedConcurrentExecutions": 5,
            "role": "arn:aws:iam::123456789012:role/role",
            "runtime": "python3.13",
            "tags": TAGS,
            "timeout": 60,
            "tracingConfig": {"mode": "Active"},
        },
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        {
            "functionName": "indexer",
            "qualifier": "live",
            "maximumEventAgeInSeconds": 21600,
            "maximumRetryAttempts": 0,
            "destinationConfig": {
                "onFailure": {"destination": "arn:aws:sqs:::failed"},
                "onSuccess": {"destination": "arn:aws:sqs:::worked"},
            },
        },
    ),
    "aws:lambda/permission:Permission": (
        {
            "statementId": "FromS3",
            "action": "lambda:InvokeFunction",
            "function": "indexer",
            "qualifier": "live",
            "principal": "s3.amazonaws.com",
            "principalOrgId": "o-1234567890",
            "sourceAccount": "123456789012",
            "sourceArn": "arn:aws:s3:::uploads",
            "eventSourceToken": "token",
            "functionUrlAuthType": "AWS_IAM",
        },
    ),
    "aws:s3/bucket:Bucket": ({"bucket": "uploads", "forceDestroy": True, "objectLockEnabled": True, "tags": TAGS},),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": (
        {
            "bucket": "uploads",
            "expectedBucketOwner": "123456789012",
            "corsRules": [
                {
                    "id": "pages",
                    "allowedHeaders": ["*"],
                    "allowedMethods": ["PUT"],
                    "allowedOrigins": ["https://example.com"],
                    "exposeHeaders": ["ETag"],
                    "maxAgeSeconds": 3000,
                }
            ],
        },
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        {
            "bucket": "uploads",
            "transitionDefaultMinimumObjectSize": "varies_by_storage_class",
            "rules": [
                LIFECYCLE
                | {"prefix": "old-style/"}
                | {"expiration": {"date": "2027-01-01T00:00:00Z", "expiredObjectDeleteMarker": True}},
                LIFECYCLE
                | {"filter": {"prefix": "logs/", "objectSizeGreaterThan": 1, "objectSizeLessThan": 2}}
                | {"expiration": {"days": 90}, "transitions": [{"days": 30, "storageClass": "GLACIER"}]},
                LIFECYCLE | {"filter": {"tag": {"key": "kind", "value": "log"}}},
                LIFECYCLE
                | {
                    "filter": {
                        "and": {"prefix": "a/", "objectSizeGreaterThan": 3, "objectSizeLessThan": 4, "tags": TAGS}
                    }
                }
                | {"transitions": [{"date": "2027-01-01T00:00:00Z", "storageClass": "GLACIER"}]},
            ],
        },
    ),
    "aws:s3/bucketLogging:BucketLogging": (
        {
            "bucket": "uploads",
            "targetBucket": "logs",
            "targetPrefix": "uploads/",
            "targetObjectKeyFormat": {"partitionedPrefix": {"partitionDateSource": "EventTime"}},
        },
        {
            "bucket": "uploads",
            "targetBucket": "logs",
            "targetPrefix": "",
            "targetObjectKeyFormat": {"simplePrefix": {}},
        },
    ),
    "aws:s3/bucketNotification:BucketNotification": (
        {
            "bucket": "uploads",
            "eventbridge": True,
            "lambdaFunctions": [
                {
                    "id": "index",
                    "lambdaFunctionArn": "arn:aws:lambda:::function:indexer",
                    "events": ["s3:ObjectCreated:*"],
                    "filterPrefix": "in/",
                    "filterSuffix": ".jpg",
                }
            ],
            "queues": [
                {"id": "q", "queueArn": "arn:aws:sqs:::q", "events": ["s3:ObjectRemoved:*"], "filterPrefix": "q/"}
            ],
            "topics": [
                {"id": "t", "topicArn": "arn:aws:sns:::t", "events": ["s3:ObjectRestore:*"], "filterSuffix": ".t"}
            ],
        },
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        {"bucket": "uploads", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
    ),
    "aws:s3/bucketPolicy:BucketPolicy": ({"bucket": "uploads", "policy": "{}"},),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        {
            "bucket": "uploads",
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        {
            "bucket": "uploads",
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:key"},
                    "blockedEncryptionTypes": ["SSE-C"],
                    "bucketKeyEnabled": True,
                }
            ],
        },
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (
        {"bucket": "uploads", "versioningConfiguration": {"status": "Enabled", "mfaDelete": "Disabled"}},
    ),
    "aws:sns/topic:Topic": (
        {
            "name": "alarms.fifo",
            "contentBasedDeduplication": True,
            "deliveryPolicy": "{}",
            "displayName": "Alarms",
            "fifoTopic": True,
            "kmsMasterKeyId": "arn:key",
            "policy": '{"Version": "2012-10-17"}',
            "signatureVersion": 2,
            "tracingConfig": "Active",
            "tags": TAGS,
        },
    ),
    "aws:sns/topicPolicy:TopicPolicy": ({"arn": "arn:aws:sns:::alarms", "policy": "{}"},),
    "aws:sns/topicSubscription:TopicSubscription": (
        {
            "topic": "arn:aws:sns:::alarms",
            "protocol": "sqs",
            "endpoint": "arn:aws:sqs:::q",
            "deliveryPolicy": "{}",
            "filterPolicy": '{"kind": ["alarm"]}',
            "filterPolicyScope": "MessageBody",
            "rawMessageDelivery": True,
            "redrivePolicy": '{"deadLetterTargetArn": "arn"}',
            "subscriptionRoleArn": "arn:aws:iam:::role/r",
        },
    ),
    "aws:sqs/queue:Queue": (
        {
            "name": "failures.fifo",
            "contentBasedDeduplication": True,
            "deduplicationScope": "messageGroup",
            "delaySeconds": 1,
            "fifoQueue": True,
            "fifoThroughputLimit": "perMessageGroupId",
            "kmsDataKeyReusePeriodSeconds": 300,
            "kmsMasterKeyId": "arn:key",
            "maxMessageSize": 2048,
            "messageRetentionSeconds": 1209600,
            "policy": "{}",
            "receiveWaitTimeSeconds": 20,
            "redriveAllowPolicy": '{"redrivePermission": "denyAll"}',
            "redrivePolicy": '{"maxReceiveCount": 3}',
            "sqsManagedSseEnabled": False,
            "tags": TAGS,
            "visibilityTimeoutSeconds": 30,
        },
    ),
    "aws:sqs/queuePolicy:QueuePolicy": ({"queueUrl": "http://queue", "policy": "{}"},),
}
