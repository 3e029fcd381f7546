"""What AWS would answer when a resource is created: made up, but whole.

Pulumi turns an output that its mocks leave out into None, and an input made from None silently vanishes. So a text
output that is not declared here gets a value that no test can overlook (`UNDECLARED`).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi import _types

if TYPE_CHECKING:
    from collections.abc import Callable

    from localstack.deployers.monitor import Recorded

UNDECLARED = "output without a fake value:"

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """The account and region that a program is deployed to."""

    account: str = "123456789012"
    region: str = "us-east-1"
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def _bucket(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    name = inputs["bucket"]
    return name, {
        "arn": f"arn:{place.partition}:s3:::{name}",
        "bucketRegionalDomainName": f"{name}.s3.{place.region}.amazonaws.com",
    }


def _bucket_part(_place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    return inputs["bucket"], {}


def _table(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    return inputs["name"], {"arn": place.arn("dynamodb", f"table/{inputs['name']}")}


def _function(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    return inputs["name"], {"arn": place.arn("lambda", f"function:{inputs['name']}")}


def _role(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    return inputs["name"], {"arn": f"arn:{place.partition}:iam::{place.account}:role/{inputs['name']}"}


def _role_policy(_place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    return f"{inputs['role']}:{inputs['name']}", {}


def _log_group(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    return inputs["name"], {"arn": place.arn("logs", f"log-group:{inputs['name']}")}


def _queue(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    url = f"https://sqs.{place.region}.amazonaws.com/{place.account}/{inputs['name']}"
    return url, {"url": url, "arn": place.arn("sqs", inputs["name"])}


def _topic(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    arn = place.arn("sns", inputs["name"])
    return arn, {"arn": arn}


def _alarm(place: Place, inputs: Inputs) -> tuple[str, Inputs]:
    return inputs["name"], {"arn": place.arn("cloudwatch", f"alarm:{inputs['name']}")}


def _nothing_more(_place: Place, _inputs: Inputs) -> tuple[str, Inputs]:
    return f"{UNDECLARED} id", {}


# Pulumi type -> (id, outputs beyond the inputs)
_OUTPUTS: dict[str, Callable[[Place, Inputs], tuple[str, Inputs]]] = {
    "aws:appautoscaling/policy:Policy": _nothing_more,
    "aws:appautoscaling/target:Target": _nothing_more,
    "aws:cloudwatch/dashboard:Dashboard": _nothing_more,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:cloudwatch/queryDefinition:QueryDefinition": _nothing_more,
    "aws:dynamodb/table:Table": _table,
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _role_policy,
    "aws:lambda/function:Function": _function,
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": _nothing_more,
    "aws:lambda/permission:Permission": _nothing_more,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": _bucket_part,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _bucket_part,
    "aws:s3/bucketLogging:BucketLogging": _bucket_part,
    "aws:s3/bucketNotification:BucketNotification": _bucket_part,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _bucket_part,
    "aws:s3/bucketPolicy:BucketPolicy": _bucket_part,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _bucket_part,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _bucket_part,
    "aws:s3/bucketVersioning:BucketVersioning": _bucket_part,
    "aws:sns/topic:Topic": _topic,
    "aws:sns/topicPolicy:TopicPolicy": _nothing_more,
    "aws:sns/topicSubscription:TopicSubscription": _nothing_more,
    "aws:sqs/queue:Queue": _queue,
    "aws:sqs/queuePolicy:QueuePolicy": _nothing_more,
}


def fake_outputs(place: Place, resource: Recorded) -> tuple[str, dict[str, Any]]:
    """Return a resource's id and outputs: its inputs, what the table above adds, and `UNDECLARED` texts.

    Raises:
        KeyError: the table does not know the resource's type.
    """
    identifier, outputs = _OUTPUTS[resource.type](place, resource.inputs)
    undeclared = {
        output: f"{UNDECLARED} {resource.name}.{output}"
        for output, kind in resource_outputs(resource.type).items()
        if kind is str
    }
    return identifier, undeclared | resource.inputs | outputs


def fake_call(place: Place, token: str) -> dict[str, Any]:
    """Answer the functions of the AWS provider that the program may ask.

    Raises:
        KeyError: the program asks for something else.
    """
    return {
        "aws:index/getCallerIdentity:getCallerIdentity": {
            "accountId": place.account,
            "arn": f"arn:{place.partition}:iam::{place.account}:root",
            "userId": "AIDAFAKE",
            "id": place.account,
        },
        "aws:index/getRegion:getRegion": {
            "region": place.region,
            "id": place.region,
            "endpoint": f"ec2.{place.region}.amazonaws.com",
            "description": "somewhere",
        },
        "aws:index/getPartition:getPartition": {
            "partition": place.partition,
            "dnsSuffix": "amazonaws.com",
            "id": place.partition,
            "reverseDnsPrefix": "com.amazonaws",
        },
    }[token]


def resource_outputs(token: str) -> dict[str, type]:
    """Return the outputs (camelCase) that a resource class of the AWS provider has, with their types."""
    _package, module, name = token.split(":")
    service = module.split("/")[0]
    package = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
    return _types.resource_types(getattr(package, name))
