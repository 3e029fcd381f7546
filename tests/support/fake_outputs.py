"""Fake outputs of Pulumi resources: the values that AWS would return when it creates them.

Pulumi's mocks replace a missing output by None, and an input with the value None disappears without an error.
Therefore a string output that is not declared here gets a value that makes the test fail (`UNDECLARED`).
"""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pulumi import _types

if TYPE_CHECKING:
    from localstack.deployers.monitor import Recorded

UNDECLARED = "output without a fake value:"
NO_OUTPUTS: tuple[str, dict[str, str]] = (f"{UNDECLARED} id", {})
MAPPING_ID = "91eaeb7e-c976-4939-9430-8a42d4f6e0cb"
BUCKET_PROPERTY: tuple[str, dict[str, str]] = ("{bucket}", {})


@dataclass(frozen=True)
class Location:
    """AWS account, region and partition to which the program is deployed."""

    account: str = "123456789012"
    region: str = "us-east-1"
    partition: str = "aws"


# Maps a Pulumi type to two templates: the ID of a resource, and its outputs that are not inputs.
# Placeholders in braces are names of inputs, or `account`, `region` and `partition`.
_OUTPUTS: dict[str, tuple[str, dict[str, str]]] = {
    "aws:appautoscaling/policy:Policy": NO_OUTPUTS,
    "aws:appautoscaling/target:Target": NO_OUTPUTS,
    "aws:athena/workgroup:Workgroup": ("{name}", {}),
    "aws:cloudwatch/dashboard:Dashboard": NO_OUTPUTS,
    "aws:cloudwatch/eventRule:EventRule": ("{name}", {"arn": "arn:{partition}:events:{region}:{account}:rule/{name}"}),
    "aws:cloudwatch/eventTarget:EventTarget": NO_OUTPUTS,
    "aws:cloudwatch/logGroup:LogGroup": (
        "{name}",
        {"arn": "arn:{partition}:logs:{region}:{account}:log-group:{name}"},
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "{name}",
        {"arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"},
    ),
    "aws:cloudwatch/queryDefinition:QueryDefinition": NO_OUTPUTS,
    "aws:dynamodb/table:Table": (
        "{name}",
        {
            "arn": "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
            "streamArn": "arn:{partition}:dynamodb:{region}:{account}:table/{name}/stream/2026-11-28T12:00:00.000",
        },
    ),
    "aws:glue/catalogDatabase:CatalogDatabase": ("{account}:{name}", {}),
    "aws:glue/catalogTable:CatalogTable": ("{account}:{databaseName}:{name}", {}),
    "aws:iam/role:Role": ("{name}", {"arn": "arn:{partition}:iam::{account}:role/{name}"}),
    "aws:iam/rolePolicy:RolePolicy": ("{role}:{name}", {}),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (MAPPING_ID, {"uuid": MAPPING_ID}),
    "aws:lambda/function:Function": ("{name}", {"arn": "arn:{partition}:lambda:{region}:{account}:function:{name}"}),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": NO_OUTPUTS,
    "aws:lambda/permission:Permission": NO_OUTPUTS,
    "aws:s3/bucket:Bucket": (
        "{bucket}",
        {
            "arn": "arn:{partition}:s3:::{bucket}",
            "bucketRegionalDomainName": "{bucket}.s3.{region}.amazonaws.com",
        },
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": BUCKET_PROPERTY,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": BUCKET_PROPERTY,
    "aws:s3/bucketLogging:BucketLogging": BUCKET_PROPERTY,
    "aws:s3/inventory:Inventory": BUCKET_PROPERTY,
    "aws:s3/bucketNotification:BucketNotification": BUCKET_PROPERTY,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": BUCKET_PROPERTY,
    "aws:s3/bucketPolicy:BucketPolicy": BUCKET_PROPERTY,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": BUCKET_PROPERTY,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": BUCKET_PROPERTY,
    "aws:s3/bucketVersioning:BucketVersioning": BUCKET_PROPERTY,
    "aws:sns/topic:Topic": (
        "arn:{partition}:sns:{region}:{account}:{name}",
        {"arn": "arn:{partition}:sns:{region}:{account}:{name}"},
    ),
    "aws:sns/topicPolicy:TopicPolicy": NO_OUTPUTS,
    "aws:sns/topicSubscription:TopicSubscription": NO_OUTPUTS,
    "aws:sqs/queue:Queue": (
        "https://sqs.{region}.amazonaws.com/{account}/{name}",
        {
            "url": "https://sqs.{region}.amazonaws.com/{account}/{name}",
            "arn": "arn:{partition}:sqs:{region}:{account}:{name}",
        },
    ),
    "aws:sqs/queuePolicy:QueuePolicy": NO_OUTPUTS,
    "aws:ssm/parameter:Parameter": ("{name}", {"arn": "arn:{partition}:ssm:{region}:{account}:parameter/{name}"}),
}


def fake_outputs(location: Location, resource: Recorded) -> tuple[str, dict[str, Any]]:
    """Return the fake ID and outputs of a resource. String outputs without a declared value are `UNDECLARED`.

    Raises:
        KeyError: no outputs are declared for the resource's type.
    """
    identifier, outputs = _OUTPUTS[resource.type]
    values = {**asdict(location), **resource.inputs}
    undeclared = {
        output: f"{UNDECLARED} {resource.name}.{output}"
        for output, kind in resource_outputs(resource.type).items()
        if kind is str
    }
    declared = {output: template.format(**values) for output, template in outputs.items()}
    return identifier.format(**values), undeclared | resource.inputs | declared


def fake_call(location: Location, token: str) -> dict[str, Any]:
    """Return the fake result of a function of the AWS provider.

    Args:
        location: account, region and partition to return.
        token: Pulumi token of the function, such as ``aws:index/getRegion:getRegion``.

    Raises:
        KeyError: there is no fake result for this function.
    """
    return {
        "aws:index/getCallerIdentity:getCallerIdentity": {
            "accountId": location.account,
            "arn": f"arn:{location.partition}:iam::{location.account}:root",
            "userId": "AIDAFAKE",
            "id": location.account,
        },
        "aws:index/getRegion:getRegion": {
            "region": location.region,
            "id": location.region,
            "endpoint": f"ec2.{location.region}.amazonaws.com",
            "description": "somewhere",
        },
        "aws:index/getPartition:getPartition": {
            "partition": location.partition,
            "dnsSuffix": "amazonaws.com",
            "id": location.partition,
            "reverseDnsPrefix": "com.amazonaws",
        },
    }[token]


def resource_outputs(token: str) -> dict[str, type]:
    """Return the Python type of each output (camelCase) of a resource type such as ``aws:s3/bucket:Bucket``."""
    _package, module, name = token.split(":")
    service = module.split("/")[0]
    package = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
    return _types.resource_types(getattr(package, name))
