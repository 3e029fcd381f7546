"""Converts rules in the settings of an S3 bucket from Pulumi's format to that of the AWS API."""

from __future__ import annotations

from typing import Any

from localstack.deployers.resources.base import non_empty, tag_list
from localstack.deployers.resources.inputs import Inputs


def encryption_rule(rule: Inputs) -> dict[str, Any]:
    """Convert a rule of the default encryption of an S3 bucket to the format of the AWS API."""
    default = rule.child("applyServerSideEncryptionByDefault")
    blocked = rule.get("blockedEncryptionTypes")
    return non_empty(
        ApplyServerSideEncryptionByDefault=default
        and default.select(SSEAlgorithm="sseAlgorithm", KMSMasterKeyID="kmsMasterKeyId"),
        BlockedEncryptionTypes=blocked and {"EncryptionType": blocked},
        **rule.select(BucketKeyEnabled="bucketKeyEnabled"),
    )


def cors_rule(rule: Inputs) -> dict[str, Any]:
    """Convert a CORS rule of an S3 bucket to the format of the AWS API."""
    return rule.select(
        ID="id",
        AllowedHeaders="allowedHeaders",
        AllowedMethods="allowedMethods",
        AllowedOrigins="allowedOrigins",
        ExposeHeaders="exposeHeaders",
        MaxAgeSeconds="maxAgeSeconds",
    )


def lifecycle_rule(rule: Inputs) -> dict[str, Any]:
    """Convert a lifecycle rule of an S3 bucket to the format of the AWS API."""
    expiration = rule.child("expiration")
    noncurrent = rule.child("noncurrentVersionExpiration")
    multipart = rule.child("abortIncompleteMultipartUpload")
    translated = rule.select(ID="id", Status="status", Prefix="prefix")
    if (conditions := rule.child("filter")) is not None:
        translated["Filter"] = _lifecycle_filter(conditions)
    return translated | non_empty(
        Expiration=expiration
        and expiration.select(Date="date", Days="days", ExpiredObjectDeleteMarker="expiredObjectDeleteMarker"),
        NoncurrentVersionExpiration=noncurrent
        and noncurrent.select(NoncurrentDays="noncurrentDays", NewerNoncurrentVersions="newerNoncurrentVersions"),
        AbortIncompleteMultipartUpload=multipart and multipart.select(DaysAfterInitiation="daysAfterInitiation"),
        Transitions=[
            transition.select(Date="date", Days="days", StorageClass="storageClass")
            for transition in rule.children("transitions")
        ],
        NoncurrentVersionTransitions=[
            transition.select(
                NoncurrentDays="noncurrentDays",
                NewerNoncurrentVersions="newerNoncurrentVersions",
                StorageClass="storageClass",
            )
            for transition in rule.children("noncurrentVersionTransitions")
        ],
    )


def notification_target(target: Inputs, **arn: str) -> dict[str, Any]:
    """Convert a target of S3 event notifications (function, queue or topic) to the format of the AWS API.

    Args:
        target: inputs of the target.
        arn: one keyword argument that maps AWS's name of the ARN to Pulumi's name, such as ``QueueArn="queueArn"``.
    """
    prefix, suffix = target.get("filterPrefix"), target.get("filterSuffix")
    rules = [{"Name": name, "Value": value} for name, value in (("prefix", prefix), ("suffix", suffix)) if value]
    return target.select(Id="id", Events="events", **arn) | non_empty(
        Filter=rules and {"Key": {"FilterRules": rules}},
    )


def inventory_configuration(inputs: Inputs) -> dict[str, Any]:
    """Convert an inventory configuration of an S3 bucket to the format of the AWS API."""
    enabled, prefix = inputs.get("enabled"), inputs.child("filter")
    schedule, destination = (inputs.child(name) or Inputs({}) for name in ("schedule", "destination"))
    target = destination.child("bucket") or Inputs({})
    bucket = target.select(AccountId="accountId", Bucket="bucketArn", Format="format", Prefix="prefix")
    if encryption := target.child("encryption"):
        key, keys_of_s3 = encryption.child("sseKms"), encryption.child("sseS3")
        bucket["Encryption"] = non_empty(SSEKMS=key and key.select(KeyId="keyId"))
        bucket["Encryption"] |= {} if keys_of_s3 is None else {"SSES3": {}}
    return {
        "IsEnabled": True if enabled is None else enabled,
        "Destination": {"S3BucketDestination": bucket},
        "Schedule": schedule.select(Frequency="frequency"),
        **inputs.select(Id="name", IncludedObjectVersions="includedObjectVersions"),
        **non_empty(OptionalFields=inputs.get("optionalFields"), Filter=prefix and prefix.select(Prefix="prefix")),
    }


def _lifecycle_filter(conditions: Inputs) -> dict[str, Any]:
    sizes = {"ObjectSizeGreaterThan": "objectSizeGreaterThan", "ObjectSizeLessThan": "objectSizeLessThan"}
    tag, conjunction = conditions.child("tag"), conditions.child("and")
    return conditions.select(Prefix="prefix", **sizes) | non_empty(
        Tag=tag and tag.select(Key="key", Value="value"),
        And=conjunction
        and {
            **conjunction.select(Prefix="prefix", **sizes),
            **non_empty(Tags=tag_list(conjunction.mapping("tags"))),
        },
    )
