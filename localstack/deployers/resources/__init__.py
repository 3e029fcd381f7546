"""Maps each resource type that the in-process deployer supports to the function that creates such resources."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from localstack.deployers.resources import analytics, cloudwatch, dynamodb, events, iam, lambdas, messaging, s3, ssm

if TYPE_CHECKING:
    from localstack.deployers.resources.base import ResourceHandler

RESOURCE_HANDLERS: Mapping[str, ResourceHandler] = MappingProxyType(
    {
        "aws:athena/workgroup:Workgroup": analytics.workgroup,
        "aws:cloudwatch/dashboard:Dashboard": cloudwatch.dashboard,
        "aws:cloudwatch/eventRule:EventRule": events.rule,
        "aws:cloudwatch/eventTarget:EventTarget": events.target,
        "aws:cloudwatch/logGroup:LogGroup": cloudwatch.log_group,
        "aws:cloudwatch/metricAlarm:MetricAlarm": cloudwatch.metric_alarm,
        "aws:dynamodb/table:Table": dynamodb.table,
        "aws:glue/catalogDatabase:CatalogDatabase": analytics.database,
        "aws:glue/catalogTable:CatalogTable": analytics.table,
        "aws:iam/role:Role": iam.role,
        "aws:iam/rolePolicy:RolePolicy": iam.role_policy,
        "aws:lambda/eventSourceMapping:EventSourceMapping": lambdas.event_source_mapping,
        "aws:lambda/function:Function": lambdas.function,
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": lambdas.event_invoke_config,
        "aws:lambda/permission:Permission": lambdas.permission,
        "aws:s3/bucket:Bucket": s3.bucket,
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": s3.bucket_cors,
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": s3.bucket_lifecycle,
        "aws:s3/bucketLogging:BucketLogging": s3.bucket_logging,
        "aws:s3/bucketNotification:BucketNotification": s3.bucket_notification,
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls": s3.bucket_ownership,
        "aws:s3/bucketPolicy:BucketPolicy": s3.bucket_policy,
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": s3.bucket_public_access_block,
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": s3.bucket_encryption,
        "aws:s3/bucketVersioning:BucketVersioning": s3.bucket_versioning,
        "aws:s3/inventory:Inventory": s3.inventory,
        "aws:sns/topic:Topic": messaging.topic,
        "aws:sns/topicPolicy:TopicPolicy": messaging.topic_policy,
        "aws:sns/topicSubscription:TopicSubscription": messaging.topic_subscription,
        "aws:sqs/queue:Queue": messaging.queue,
        "aws:sqs/queuePolicy:QueuePolicy": messaging.queue_policy,
        "aws:ssm/parameter:Parameter": ssm.parameter,
    }
)
