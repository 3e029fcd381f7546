"""The buckets and the table, as AWS describes them after the deployment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.policies import deny_without_tls, statements_by_sid

if TYPE_CHECKING:
    from tests.support.index import Client, Clients, Response

pytestmark = pytest.mark.not_in_a_live_account(
    "compares with Pulumi.localstack.yaml, which a live stack does not follow"
)

BOTH = pytest.mark.parametrize("purpose", ["uploads", "logs"])


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """The names of the two buckets, and a client to describe them."""

    s3: Client
    uploads: str
    logs: str


@pytest.fixture(scope="module")
def buckets(clients: Clients, outputs: Mapping[str, str], account: str, prefix: str, region: str) -> Buckets:
    logs = f"{prefix}-logs-{account}-{region}"
    return Buckets(s3=clients.s3, uploads=outputs["bucket_name"], logs=logs)


@pytest.fixture(scope="module")
def described_table(clients: Clients, outputs: Mapping[str, str]) -> Response:
    return clients.dynamodb.describe_table(TableName=outputs["table_name"])["Table"]


def test_the_upload_bucket_is_named_after_account_and_region(
    buckets: Buckets, outputs: Mapping[str, str], account: str, prefix: str, region: str
) -> None:
    assert buckets.uploads == f"{prefix}-uploads-{account}-{region}"
    assert outputs["bucket_arn"] == f"arn:aws:s3:::{buckets.uploads}"


def encryption(s3: Client, bucket: str) -> object:
    [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return rule["ApplyServerSideEncryptionByDefault"]


def ownership_rules(s3: Client, bucket: str) -> object:
    return s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]


@BOTH
@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param(encryption, {"SSEAlgorithm": "AES256"}, id="encrypted-at-rest"),
        pytest.param(ownership_rules, [{"ObjectOwnership": "BucketOwnerEnforced"}], id="access-lists-disabled"),
    ],
)
def test_setting_of_both_buckets(
    buckets: Buckets, purpose: str, setting: Callable[[Client, str], object], expected: object
) -> None:
    assert setting(buckets.s3, getattr(buckets, purpose)) == expected


@pytest.mark.control("S3.8")
@BOTH
def test_nothing_can_be_made_public(buckets: Buckets, purpose: str) -> None:
    response = buckets.s3.get_public_access_block(Bucket=getattr(buckets, purpose))
    assert response["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }


def test_every_version_of_an_upload_is_kept(buckets: Buckets) -> None:
    assert buckets.s3.get_bucket_versioning(Bucket=buckets.uploads)["Status"] == "Enabled"


def test_uploads_need_tls_and_the_encryption_of_the_bucket(buckets: Buckets) -> None:
    arn = f"arn:aws:s3:::{buckets.uploads}"
    deny_put = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{arn}/*"}
    assert bucket_policy(buckets.s3, buckets.uploads) == {
        "DenyWithoutTls": deny_without_tls("s3:*", [arn, f"{arn}/*"]),
        "DenyOtherEncryption": {
            **deny_put,
            # without Null it would deny every upload that requests no encryption: an absent key is "not equal" too
            "Condition": {
                "Null": {"s3:x-amz-server-side-encryption": "false"},
                "StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"},
            },
        },
        "DenyCustomerKeys": {
            **deny_put,
            "Condition": {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
        },
    }


def test_only_the_logging_service_for_this_bucket_may_write_access_logs(buckets: Buckets, account: str) -> None:
    arn = f"arn:aws:s3:::{buckets.logs}"
    assert bucket_policy(buckets.s3, buckets.logs) == {
        "DenyWithoutTls": deny_without_tls("s3:*", [arn, f"{arn}/*"]),
        "AllowAccessLogs": {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"{arn}/*",
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{buckets.uploads}"},
                "StringEquals": {"aws:SourceAccount": account},
            },
        },
    }


def test_pages_of_the_configured_origins_may_upload(buckets: Buckets) -> None:
    [rule] = buckets.s3.get_bucket_cors(Bucket=buckets.uploads)["CORSRules"]
    assert rule["AllowedOrigins"] == ["http://localhost:3000"]
    assert sorted(rule["AllowedMethods"]) == ["GET", "HEAD", "POST", "PUT"]
    assert rule["ExposeHeaders"] == ["ETag"]


def test_no_page_may_read_the_access_logs(buckets: Buckets) -> None:
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        buckets.s3.get_bucket_cors(Bucket=buckets.logs)


def test_what_is_left_over_expires(buckets: Buckets) -> None:
    """Parts of uploads that were never finished, versions that are no longer current, old access logs."""
    unfinished = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
    noncurrent = {"NoncurrentVersionExpiration": {"NoncurrentDays": 90}}
    assert lifecycle(buckets.s3, buckets.uploads) == [unfinished, noncurrent]
    assert lifecycle(buckets.s3, buckets.logs) == [unfinished, {"Expiration": {"Days": 90}}]


def test_every_request_to_the_upload_bucket_is_logged(buckets: Buckets) -> None:
    logging = buckets.s3.get_bucket_logging(Bucket=buckets.uploads)["LoggingEnabled"]
    assert (logging["TargetBucket"], logging["TargetPrefix"]) == (buckets.logs, "uploads/")


def test_table_has_the_keys_index_and_capacity_of_the_program(described_table: Response) -> None:
    assert described_table["TableStatus"] == "ACTIVE"
    assert all(each["AttributeType"] == "S" for each in described_table["AttributeDefinitions"])
    # AWS omits the summary for a table that has always been provisioned
    assert described_table.get("BillingModeSummary", {"BillingMode": "PROVISIONED"})["BillingMode"] == "PROVISIONED"
    [index] = described_table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["IndexStatus"]) == ("uploads_by_day", "ACTIVE")
    assert index["Projection"] == {"ProjectionType": "ALL"}
    for each, hash_key, range_key in (
        (described_table, "object_id", "version_id"),
        (index, "upload_day", "uploaded_at"),
    ):
        keys = {key["KeyType"]: key["AttributeName"] for key in each["KeySchema"]}
        assert keys == {"HASH": hash_key, "RANGE": range_key}
        units = each["ProvisionedThroughput"]
        assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (100, 100)


def test_rows_are_encrypted_and_can_be_restored(
    described_table: Response, clients: Clients, outputs: Mapping[str, str]
) -> None:
    assert described_table["SSEDescription"]["Status"] == "ENABLED"
    backups = clients.dynamodb.describe_continuous_backups(TableName=outputs["table_name"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_rows_expire_at_the_time_that_they_say(clients: Clients, outputs: Mapping[str, str]) -> None:
    response = clients.dynamodb.describe_time_to_live(TableName=outputs["table_name"])
    assert response["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_the_table_may_go_because_the_configuration_says_so(described_table: Response) -> None:
    """Here protectData is false; test_second_stack.py has a stack where it is true."""
    assert described_table["DeletionProtectionEnabled"] is False


def bucket_policy(s3: Client, bucket: str) -> dict[str, dict[str, Any]]:
    """The statements of a bucket's policy, by their Sid."""
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Version"] == "2012-10-17"
    return statements_by_sid(policy)


def lifecycle(s3: Client, bucket: str) -> list[dict[str, Any]]:
    """The actions of a bucket's lifecycle rules, all of which must be enabled and for every object."""
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert all(rule["Status"] == "Enabled" and rule["Filter"] == {"Prefix": ""} for rule in rules)
    return [
        {name: value for name, value in rule.items() if name not in {"ID", "Status", "Filter"}}
        for rule in sorted(rules, key=lambda rule: str(rule["ID"]))
    ]
