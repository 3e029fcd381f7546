"""The buckets and the table, as AWS describes them after the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.deployed import PREFIX, Deployed, deny_without_tls, statements

if TYPE_CHECKING:
    from tests.support.index import Client

pytestmark = pytest.mark.not_in_a_live_account(
    "compares with Pulumi.localstack.yaml, which a live stack does not follow"
)

UNFINISHED_UPLOADS = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}


def describe_bucket(s3: Client, name: str) -> dict[str, Any]:
    """The settings of a bucket that matter; its lifecycle rules must be enabled and for every object."""
    bucket = {"Bucket": name}
    [encryption] = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    rules = sorted(s3.get_bucket_lifecycle_configuration(**bucket)["Rules"], key=lambda rule: str(rule["ID"]))
    assert all((rule["Status"], rule["Filter"]) == ("Enabled", {"Prefix": ""}) for rule in rules)
    try:
        [cors] = s3.get_bucket_cors(**bucket)["CORSRules"]
    except ClientError as error:
        cors = {"AllowedOrigins": error.response["Error"]["Code"]}
    logging = s3.get_bucket_logging(**bucket).get("LoggingEnabled", {})
    return {
        "encryption": encryption["ApplyServerSideEncryptionByDefault"],
        "ownership": s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"],
        "policy": statements(s3.get_bucket_policy(**bucket)["Policy"]),
        "versioning": s3.get_bucket_versioning(**bucket).get("Status"),
        "lifecycle": [
            {name: value for name, value in rule.items() if name not in {"ID", "Status", "Filter"}} for rule in rules
        ],
        "origins": cors["AllowedOrigins"],
        "methods": sorted(cors.get("AllowedMethods", ())),
        "readable headers": cors.get("ExposeHeaders", []),
        "access log": (logging.get("TargetBucket"), logging.get("TargetPrefix")),
    }


def test_upload_bucket(deployed: Deployed) -> None:
    name = f"{PREFIX}-uploads-{deployed.account}-{deployed.region}"
    arn = f"arn:aws:s3:::{name}"
    assert (deployed.out["bucket_name"], deployed.out["bucket_arn"]) == (name, arn)
    deny_put = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{arn}/*"}
    assert describe_bucket(deployed.aws.s3, name) == {
        "encryption": {"SSEAlgorithm": "AES256"},
        "ownership": [{"ObjectOwnership": "BucketOwnerEnforced"}],  # no access control lists
        "policy": {
            "DenyWithoutTls": deny_without_tls("s3:*", [arn, f"{arn}/*"]),
            "DenyOtherEncryption": {
                **deny_put,
                # without Null it would deny uploads that request no encryption: an absent key is "not equal" too
                "Condition": {
                    "Null": {"s3:x-amz-server-side-encryption": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"},
                },
            },
            "DenyCustomerKeys": {
                **deny_put,
                "Condition": {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
            },
        },
        "versioning": "Enabled",
        "lifecycle": [UNFINISHED_UPLOADS, {"NoncurrentVersionExpiration": {"NoncurrentDays": 90}}],
        "origins": ["http://localhost:3000"],
        "methods": ["GET", "HEAD", "POST", "PUT"],
        "readable headers": ["ETag"],
        "access log": (deployed.log_bucket, "uploads/"),
    }


def test_log_bucket(deployed: Deployed) -> None:
    arn = f"arn:aws:s3:::{deployed.log_bucket}"
    expected = {
        "encryption": {"SSEAlgorithm": "AES256"},
        "ownership": [{"ObjectOwnership": "BucketOwnerEnforced"}],
        "policy": {
            "DenyWithoutTls": deny_without_tls("s3:*", [arn, f"{arn}/*"]),
            # S3's logging service, and only for the upload bucket of this account
            "AllowAccessLogs": {
                "Effect": "Allow",
                "Principal": {"Service": "logging.s3.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": f"{arn}/*",
                "Condition": {
                    "ArnLike": {"aws:SourceArn": deployed.out["bucket_arn"]},
                    "StringEquals": {"aws:SourceAccount": deployed.account},
                },
            },
        },
        "lifecycle": [UNFINISHED_UPLOADS, {"Expiration": {"Days": 90}}],
        "origins": "NoSuchCORSConfiguration",  # no page reads access logs
    }
    settings = describe_bucket(deployed.aws.s3, deployed.log_bucket)
    assert {name: settings[name] for name in expected} == expected


@pytest.mark.control("S3.8")
@pytest.mark.parametrize("purpose", ["uploads", "logs"])
def test_nothing_can_be_made_public(deployed: Deployed, purpose: str) -> None:
    name = deployed.out["bucket_name"] if purpose == "uploads" else deployed.log_bucket
    assert deployed.aws.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }


def test_table(deployed: Deployed) -> None:
    dynamodb, name = deployed.aws.dynamodb, deployed.out["table_name"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    [index] = table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["Projection"]) == ("uploads_by_day", {"ProjectionType": "ALL"})
    assert (table["TableStatus"], index["IndexStatus"]) == ("ACTIVE", "ACTIVE")
    assert all(each["AttributeType"] == "S" for each in table["AttributeDefinitions"])
    # AWS omits the summary for a table that has always been provisioned
    assert table.get("BillingModeSummary", {"BillingMode": "PROVISIONED"})["BillingMode"] == "PROVISIONED"
    for each, hash_key, range_key in ((table, "object_id", "version_id"), (index, "upload_day", "uploaded_at")):
        keys = {key["KeyType"]: key["AttributeName"] for key in each["KeySchema"]}
        assert keys == {"HASH": hash_key, "RANGE": range_key}
        units = each["ProvisionedThroughput"]
        assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (100, 100)
    assert table["SSEDescription"]["Status"] == "ENABLED"
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    # here protectData is false; test_second_stack.py has a stack where it is true
    assert table["DeletionProtectionEnabled"] is False
