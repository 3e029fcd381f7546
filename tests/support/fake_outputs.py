"""Fake outputs of resources: what AWS would return when it creates them.

Pulumi turns an output that its mocks leave out into None, and an input made from None silently vanishes. So a text
output that is not declared here gets a value that no test can overlook (`UNDECLARED`).
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
BUCKET_PROPERTY: tuple[str, dict[str, str]] = ("{bucket}", {})


@dataclass(frozen=True)
class Location:
    """The account and region that a program is deployed to."""

    account: str = "123456789012"
    region: str = "us-east-1"
    partition: str = "aws"


# Pulumi type -> id and outputs besides the inputs, as templates of inputs and location
_OUTPUTS: dict[str, tuple[str, dict[str, str]]] = {
    "aws:appautoscaling/policy:Policy": NO_OUTPUTS,
    "aws:appautoscaling/target:Target": NO_OUTPUTS,
    "aws:cloudwatch/dashboard:Dashboard": NO_OUTPUTS,
    "aws:cloudwatch/logGroup:LogGroup": (
        "{name}",
        {"arn": "arn:{partition}:logs:{region}:{account}:log-group:{name}"},
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "{name}",
        {"arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"},
    ),
    "aws:cloudwatch/queryDefinition:QueryDefinition": NO_OUTPUTS,
    "aws:dynamodb/table:Table": ("{name}", {"arn": "arn:{partition}:dynamodb:{region}:{account}:table/{name}"}),
    "aws:iam/role:Role": ("{name}", {"arn": "arn:{partition}:iam::{account}:role/{name}"}),
    "aws:iam/rolePolicy:RolePolicy": ("{role}:{name}", {}),
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
}


def fake_outputs(location: Location, resource: Recorded) -> tuple[str, dict[str, Any]]:
    """Return a resource's id and outputs: its inputs, those of the table above, and `UNDECLARED` texts.

    Raises:
        KeyError: the table does not know the resource's type.
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
    """Return the result of a function of the AWS provider that the program may call.

    Raises:
        KeyError: the program calls another function.
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
    """Return the outputs (camelCase) that a resource class of the AWS provider has, with their types."""
    _package, module, name = token.split(":")
    service = module.split("/")[0]
    package = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
    return _types.resource_types(getattr(package, name))
