"""Resource handlers for S3 buckets and their settings. In Pulumi, each setting of a bucket is a separate resource."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from localstack.deployers.resources.base import (
    Aws,
    Create,
    RegisterRemoval,
    Removal,
    ResourceResult,
    non_empty,
    tag_list,
)
from localstack.deployers.resources.inputs import Inputs
from localstack.deployers.resources.s3_rules import (
    cors_rule,
    encryption_rule,
    inventory_configuration,
    lifecycle_rule,
    notification_target,
)
from localstack.errors import HarnessError

if TYPE_CHECKING:
    from localstack.emulators.emulator import Client

DEFAULT_REGION = "us-east-1"
"""Default region of S3. CreateBucket rejects it as a LocationConstraint, so the request omits this element."""


_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Characters that XML does not allow.

AWS and LocalStack reject a DeleteObjects request if an object key contains one; MiniStack accepts it.
"""


def bucket(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an S3 bucket. Args: see `ResourceHandler`."""
    bucket_name = aws.physical_name(name, inputs.get("bucket"))
    tags = tag_list(inputs.mapping("tags"))
    options = inputs.select(ObjectLockEnabledForBucket="objectLockEnabled")
    force_destroy = inputs.get("forceDestroy")
    if aws.region != DEFAULT_REGION:
        options["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
    s3 = aws.client("s3")

    def delete() -> None:
        if force_destroy:
            _empty(s3, bucket_name)
        s3.delete_bucket(Bucket=bucket_name)

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        s3.create_bucket(Bucket=bucket_name, **options)
        register_removal(
            Removal(
                delete=delete,
                exists=lambda: s3.head_bucket(Bucket=bucket_name),
                unlock=lambda: _empty(s3, bucket_name),
            )
        )
        if tags:
            s3.put_bucket_tagging(Bucket=bucket_name, Tagging={"TagSet": tags})
        region = s3.get_bucket_location(Bucket=bucket_name)["LocationConstraint"] or DEFAULT_REGION
        state = {
            "bucket": bucket_name,
            "arn": f"arn:{aws.partition}:s3:::{bucket_name}",
            "bucketRegion": region,
            "bucketDomainName": f"{bucket_name}.s3.{aws.dns_suffix}",
            "bucketRegionalDomainName": f"{bucket_name}.s3.{region}.{aws.dns_suffix}",
        }
        return ResourceResult(id=bucket_name, state=state)

    return create


def bucket_versioning(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the versioning configuration of an S3 bucket. Args: see `ResourceHandler`."""
    configuration = _child(inputs, "versioningConfiguration").select(Status="status", MFADelete="mfaDelete")
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_versioning(**target, VersioningConfiguration=configuration),
        delete=lambda: s3.put_bucket_versioning(**target, VersioningConfiguration={"Status": "Suspended"}),
    )


def bucket_encryption(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the default encryption of an S3 bucket. Args: see `ResourceHandler`."""
    rules = [encryption_rule(rule) for rule in inputs.children("rules")]
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_encryption(**target, ServerSideEncryptionConfiguration={"Rules": rules}),
        delete=lambda: s3.delete_bucket_encryption(**target),
    )


def bucket_cors(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the CORS configuration of an S3 bucket. Args: see `ResourceHandler`."""
    rules = [cors_rule(rule) for rule in inputs.children("corsRules")]
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_cors(**target, CORSConfiguration={"CORSRules": rules}),
        delete=lambda: s3.delete_bucket_cors(**target),
    )


def bucket_lifecycle(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the lifecycle configuration of an S3 bucket. Args: see `ResourceHandler`."""
    rules = [lifecycle_rule(rule) for rule in inputs.children("rules")]
    options = inputs.select(TransitionDefaultMinimumObjectSize="transitionDefaultMinimumObjectSize")
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_lifecycle_configuration(**target, **options, LifecycleConfiguration={"Rules": rules}),
        delete=lambda: s3.delete_bucket_lifecycle(**target),
    )


def bucket_logging(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the access logging of an S3 bucket. Args: see `ResourceHandler`."""
    logging = {"TargetBucket": inputs.require("targetBucket"), "TargetPrefix": inputs.require("targetPrefix")}
    if key_format := inputs.child("targetObjectKeyFormat"):
        partitioned, simple = key_format.child("partitionedPrefix"), key_format.child("simplePrefix")
        logging["TargetObjectKeyFormat"] = non_empty(
            PartitionedPrefix=partitioned and partitioned.select(PartitionDateSource="partitionDateSource")
        ) or ({"SimplePrefix": {}} if simple else {})
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_logging(**target, BucketLoggingStatus={"LoggingEnabled": logging}),
        delete=lambda: s3.put_bucket_logging(**target, BucketLoggingStatus={}),
    )


def bucket_public_access_block(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the public access block of an S3 bucket. Args: see `ResourceHandler`."""
    block = inputs.select(
        BlockPublicAcls="blockPublicAcls",
        BlockPublicPolicy="blockPublicPolicy",
        IgnorePublicAcls="ignorePublicAcls",
        RestrictPublicBuckets="restrictPublicBuckets",
    )
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_public_access_block(**target, PublicAccessBlockConfiguration=block),
        delete=lambda: s3.delete_public_access_block(**target),
    )


def bucket_ownership(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the object ownership setting of an S3 bucket. Args: see `ResourceHandler`."""
    rule = _child(inputs, "rule").select(ObjectOwnership="objectOwnership")
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_ownership_controls(**target, OwnershipControls={"Rules": [rule]}),
        delete=lambda: s3.delete_bucket_ownership_controls(**target),
    )


def bucket_policy(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the resource policy of an S3 bucket. Args: see `ResourceHandler`."""
    policy = inputs.require("policy")
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_policy(**target, Policy=policy),
        delete=lambda: s3.delete_bucket_policy(**target),
    )


def bucket_notification(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the event notifications of an S3 bucket. Args: see `ResourceHandler`."""
    configuration = non_empty(
        LambdaFunctionConfigurations=[
            notification_target(each, LambdaFunctionArn="lambdaFunctionArn")
            for each in inputs.children("lambdaFunctions")
        ],
        QueueConfigurations=[notification_target(each, QueueArn="queueArn") for each in inputs.children("queues")],
        TopicConfigurations=[notification_target(each, TopicArn="topicArn") for each in inputs.children("topics")],
    )
    if inputs.get("eventbridge"):
        configuration["EventBridgeConfiguration"] = {}
    s3, target = aws.client("s3"), _target(inputs)
    return _setting(
        target,
        put=lambda: s3.put_bucket_notification_configuration(**target, NotificationConfiguration=configuration),
        delete=lambda: s3.put_bucket_notification_configuration(**target, NotificationConfiguration={}),
    )


def inventory(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an inventory configuration of an S3 bucket. Args: see `ResourceHandler`."""
    configuration, identifier = inventory_configuration(inputs), inputs.require("name")
    s3, target = aws.client("s3"), {"Bucket": inputs.require("bucket"), "Id": identifier}
    created = _setting(
        target,
        put=lambda: s3.put_bucket_inventory_configuration(**target, InventoryConfiguration=configuration),
        delete=lambda: s3.delete_bucket_inventory_configuration(**target),
    )

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        return replace(created(register_removal), id=f"{target['Bucket']}:{identifier}")

    return create


def _setting(target: dict[str, str], *, put: Callable[[], object], delete: Callable[[], object]) -> Create:
    """Return a function that creates a setting of an S3 bucket. The ID of the setting is the bucket name."""

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        put()
        register_removal(Removal(delete=delete))
        return ResourceResult(id=target["Bucket"], state={})

    return create


def _target(inputs: Inputs) -> dict[str, str]:
    return {"Bucket": inputs.require("bucket"), **inputs.select(ExpectedBucketOwner="expectedBucketOwner")}


def _child(inputs: Inputs, name: str) -> Inputs:
    return inputs.child(name) or Inputs({})


def _empty(s3: Client, bucket_name: str) -> None:
    """Delete all object versions and delete markers of an S3 bucket, and abort its multipart uploads."""
    while True:
        # Each iteration lists the first page again, because it deletes the listed objects.
        page = s3.list_object_versions(Bucket=bucket_name)
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not versions:
            break
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]
        batch = [each for each in objects if not _NOT_IN_XML.search(each["Key"])]
        for each in objects:
            if each not in batch:
                s3.delete_object(Bucket=bucket_name, **each)
        response = s3.delete_objects(Bucket=bucket_name, Delete={"Objects": batch, "Quiet": True}) if batch else {}
        if response.get("Errors"):
            raise HarnessError(f"bucket {bucket_name} cannot be emptied: {response['Errors'][0]}")
    while uploads := s3.list_multipart_uploads(Bucket=bucket_name).get("Uploads", []):
        for upload in uploads:
            s3.abort_multipart_upload(Bucket=bucket_name, Key=upload["Key"], UploadId=upload["UploadId"])
