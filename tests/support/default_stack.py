"""Literal names and ARNs of resources in the default configuration, and configurations that several tests use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localstack.deployers.monitor import Recorded
    from tests.support.synth import Synth

ACCOUNT = "123456789012"
REGION = "us-east-1"

UPLOADS = "tapstack-dev-uploads-123456789012-us-east-1"
LOGS = "tapstack-dev-logs-123456789012-us-east-1"
EXPORTS = "tapstack-dev-exports-123456789012-us-east-1"
TABLE = "tapstack-dev-objects"
FUNCTION = "tapstack-dev-indexer"
ROLE = "tapstack-dev-indexer-us-east-1"
LOG_GROUP = "/aws/lambda/tapstack-dev-indexer"
INSPECTOR = "tapstack-dev-inspector"
INSPECTOR_ROLE = "tapstack-dev-inspector-us-east-1"
INSPECTOR_LOG_GROUP = "/aws/lambda/tapstack-dev-inspector"
QUEUE = "tapstack-dev-failures"
TOPIC = "tapstack-dev-alarms"
SETTINGS = "tapstack-dev-settings"

UPLOADS_ARN = f"arn:aws:s3:::{UPLOADS}"
LOGS_ARN = f"arn:aws:s3:::{LOGS}"
EXPORTS_ARN = f"arn:aws:s3:::{EXPORTS}"
TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/tapstack-dev-objects"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:tapstack-dev-indexer"
ROLE_ARN = "arn:aws:iam::123456789012:role/tapstack-dev-indexer-us-east-1"
LOG_GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/tapstack-dev-indexer"
STREAM_ARN = f"{TABLE_ARN}/stream/2026-11-28T12:00:00.000"
INSPECTOR_ARN = "arn:aws:lambda:us-east-1:123456789012:function:tapstack-dev-inspector"
INSPECTOR_ROLE_ARN = "arn:aws:iam::123456789012:role/tapstack-dev-inspector-us-east-1"
INSPECTOR_LOG_GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/tapstack-dev-inspector"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:tapstack-dev-failures"
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/tapstack-dev-failures"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:tapstack-dev-alarms"
BOUNDARY_ARN = "arn:aws:iam::123456789012:policy/boundaries/developers"
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

TAGS = {
    "Project": "tapstack",
    "Environment": "dev",
    "ManagedBy": "pulumi",
    "Owner": "platform",
    "CostCenter": "shared",
}

# Event types of S3 that concern objects in the table.
# Source: S3 User Guide, "Supported event types for SQS, SNS, and Lambda".
S3_EVENTS = {
    "s3:TestEvent",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
}

# Tests share the following configurations, because each one requires a slow run of the Pulumi program.

# Smallest valid configuration for an environment other than dev.
PROD = {"env": "prod", "corsAllowedOrigins": "https://app.example.com"}
# Two existing buckets: one with two prefixes and a KMS key, and one without versioning.
EXISTING_KEY_ARN = "arn:aws:kms:us-east-1:999999999999:key/9999abcd-12ab-34cd-56ef-1234567890ab"
EXISTING_BUCKETS = ("acme-logs", "acme.data")
EXISTING = {
    "existingBuckets": json.dumps(
        [
            {"name": "acme-logs", "versioned": True, "prefixes": ["a/", "é*/"], "kmsKeyArn": EXISTING_KEY_ARN},
            {"name": "acme.data", "versioned": False},
        ]
    )
}
# This configuration creates all optional resources.
FULL = {
    **EXISTING,
    "maxCapacity": "400",
    "alarmEmail": "oncall@example.com",
    "expectUploadEveryHours": "24",
    "expectAuditEveryHours": "168",
    "alarmOnMismatch": "true",
    "inventory": "true",
    "analytics": "true",
}
# This configuration creates all optional resources, encrypted with a customer managed KMS key.
ENCRYPTED = {**FULL, "kmsKeyArn": KEY_ARN}
# On-demand billing without and with a maximum.
ON_DEMAND = {"billing": "on-demand"}
LIMITED = {"billing": "on-demand", "maxOnDemandReads": "300", "maxOnDemandWrites": "200"}
# Every setting differs from its default, except billing and the settings of optional resources.
CUSTOM = {
    "env": "staging",
    "bucketName": "acme-inbox",
    "tableName": "acme-rows",
    "readCapacity": "5",
    "writeCapacity": "7",
    "corsAllowedOrigins": '["https://app.example.com", "https://*.example.org"]',
    "notificationPrefix": "in box/",
    "notificationSuffix": ".csv",
    "noncurrentDays": "7",
    "deletedRetentionDays": "30",
    "inspectorFilter": "false",
    "logLevel": "ERROR",
    "logRetentionDays": "365",
    "memoryMb": "1024",
    "timeoutSeconds": "100",
    "tableClass": "infrequent-access",
    "indexProjection": "keys-only",
    "architecture": "x86_64",
    "reservedConcurrency": "5",
    "maxDelaySeconds": "300",
    "runbookUrl": "https://git.example.com/ops/docs/runbook.md",
    "owner": "Data Platform",
    "costCenter": "cc-42",
    "protectData": "false",
}
# Account, region and partition that all differ from the defaults.
CHINA = {"account": "999999999999", "region": "cn-northwest-1", "partition": "aws-cn"}


def tagged(stack: Synth) -> tuple[Recorded, ...]:
    """Return the resources of a stack whose Pulumi type has an output `tags`."""
    from tests.support.fake_outputs import resource_outputs  # noqa: PLC0415  the constants do not need Pulumi

    return tuple(each for each in stack.resources if "tags" in resource_outputs(each.type))
