"""S3: the rules inside the settings of a bucket, from Pulumi's shape to AWS's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.deployers.resources.base import given, tag_list

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def encryption_rule(rule: Inputs) -> dict[str, Any]:
    """Return one rule of the default encryption."""
    default = rule.child("applyServerSideEncryptionByDefault")
    blocked = rule.take("blockedEncryptionTypes")
    return given(
        ApplyServerSideEncryptionByDefault=default
        and default.pick(SSEAlgorithm="sseAlgorithm", KMSMasterKeyID="kmsMasterKeyId"),
        BlockedEncryptionTypes=blocked and {"EncryptionType": blocked},
        **rule.pick(BucketKeyEnabled="bucketKeyEnabled"),
    )


def cors_rule(rule: Inputs) -> dict[str, Any]:
    """Return one CORS rule."""
    return rule.pick(
        ID="id",
        AllowedHeaders="allowedHeaders",
        AllowedMethods="allowedMethods",
        AllowedOrigins="allowedOrigins",
        ExposeHeaders="exposeHeaders",
        MaxAgeSeconds="maxAgeSeconds",
    )


def lifecycle_rule(rule: Inputs) -> dict[str, Any]:
    """Return one lifecycle rule."""
    expiration = rule.child("expiration")
    noncurrent = rule.child("noncurrentVersionExpiration")
    multipart = rule.child("abortIncompleteMultipartUpload")
    translated = rule.pick(ID="id", Status="status", Prefix="prefix")
    if (where := rule.child("filter")) is not None:
        translated["Filter"] = _lifecycle_filter(where)
    return translated | given(
        Expiration=expiration
        and expiration.pick(Date="date", Days="days", ExpiredObjectDeleteMarker="expiredObjectDeleteMarker"),
        NoncurrentVersionExpiration=noncurrent
        and noncurrent.pick(NoncurrentDays="noncurrentDays", NewerNoncurrentVersions="newerNoncurrentVersions"),
        AbortIncompleteMultipartUpload=multipart and multipart.pick(DaysAfterInitiation="daysAfterInitiation"),
        Transitions=[
            transition.pick(Date="date", Days="days", StorageClass="storageClass")
            for transition in rule.children("transitions")
        ],
        NoncurrentVersionTransitions=[
            transition.pick(
                NoncurrentDays="noncurrentDays",
                NewerNoncurrentVersions="newerNoncurrentVersions",
                StorageClass="storageClass",
            )
            for transition in rule.children("noncurrentVersionTransitions")
        ],
    )


def notification_target(to: Inputs, **arn: str) -> dict[str, Any]:
    """Return one receiver of a bucket's events; `arn` has AWS's and Pulumi's names of its ARN."""
    prefix, suffix = to.take("filterPrefix"), to.take("filterSuffix")
    rules = [{"Name": name, "Value": value} for name, value in (("prefix", prefix), ("suffix", suffix)) if value]
    return to.pick(Id="id", Events="events", **arn) | given(
        Filter=rules and {"Key": {"FilterRules": rules}},
    )


def _lifecycle_filter(where: Inputs) -> dict[str, Any]:
    sizes = {"ObjectSizeGreaterThan": "objectSizeGreaterThan", "ObjectSizeLessThan": "objectSizeLessThan"}
    tag, every = where.child("tag"), where.child("and")
    return where.pick(Prefix="prefix", **sizes) | given(
        Tag=tag and tag.pick(Key="key", Value="value"),
        And=every and {**every.pick(Prefix="prefix", **sizes), **given(Tags=tag_list(every.mapping("tags")))},
    )
