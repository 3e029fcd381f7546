"""The buckets and the table, as AWS itself describes them after the deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.support.index import Answer, Client, Clients

pytestmark = pytest.mark.not_in_a_live_account(
    "compares with Pulumi.localstack.yaml, which a live stack does not follow"
)

BOTH = pytest.mark.parametrize("purpose", ["uploads", "logs"])


@pytest.fixture(scope="module")
def buckets(outputs: Mapping[str, str], account: str, prefix: str, region: str) -> Mapping[str, str]:
    """The name of each bucket by its purpose."""
    return {"uploads": outputs["bucket_name"], "logs": f"{prefix}-logs-{account}-{region}"}


@pytest.fixture(scope="module")
def s3(clients: Clients) -> Client:
    return clients.s3


@pytest.fixture(scope="module")
def described_table(clients: Clients, outputs: Mapping[str, str]) -> Answer:
    return clients.dynamodb.describe_table(TableName=outputs["table_name"])["Table"]


def test_the_upload_bucket_is_named_after_account_and_region(
    buckets: Mapping[str, str], outputs: Mapping[str, str], account: str, prefix: str, region: str
) -> None:
    assert buckets["uploads"] == f"{prefix}-uploads-{account}-{region}"
    assert outputs["bucket_arn"] == f"arn:aws:s3:::{buckets['uploads']}"


def test_every_version_of_an_upload_is_kept(s3: Client, buckets: Mapping[str, str]) -> None:
    assert s3.get_bucket_versioning(Bucket=buckets["uploads"])["Status"] == "Enabled"


@BOTH
def test_objects_are_encrypted_at_rest(s3: Client, buckets: Mapping[str, str], purpose: str) -> None:
    [rule] = s3.get_bucket_encryption(Bucket=buckets[purpose])["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.control("S3.8")
@BOTH
def test_nothing_can_be_made_public(s3: Client, buckets: Mapping[str, str], purpose: str) -> None:
    assert s3.get_public_access_block(Bucket=buckets[purpose])["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }


@BOTH
def test_access_lists_are_switched_off(s3: Client, buckets: Mapping[str, str], purpose: str) -> None:
    controls = s3.get_bucket_ownership_controls(Bucket=buckets[purpose])["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_uploads_need_tls_and_the_encryption_of_the_bucket(s3: Client, buckets: Mapping[str, str]) -> None:
    arn = f"arn:aws:s3:::{buckets['uploads']}"
    statements = _statements(s3, buckets["uploads"])
    assert statements.pop("DenyWithoutTls") == _deny_without_tls(arn)
    assert statements.pop("DenyOtherEncryption") == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"{arn}/*",
        # without Null it would refuse every upload that asks for no encryption: an absent key is "not equal" too
        "Condition": {
            "Null": {"s3:x-amz-server-side-encryption": "false"},
            "StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"},
        },
    }
    assert statements.pop("DenyCustomerKeys") == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"{arn}/*",
        "Condition": {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
    }
    assert not statements


def test_only_the_logging_service_for_this_bucket_may_write_access_logs(
    s3: Client, buckets: Mapping[str, str], account: str
) -> None:
    arn = f"arn:aws:s3:::{buckets['logs']}"
    statements = _statements(s3, buckets["logs"])
    assert statements.pop("DenyWithoutTls") == _deny_without_tls(arn)
    assert statements.pop("AllowAccessLogs") == {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{arn}/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{buckets['uploads']}"},
            "StringEquals": {"aws:SourceAccount": account},
        },
    }
    assert not statements


def test_pages_of_the_configured_origins_may_upload(s3: Client, buckets: Mapping[str, str]) -> None:
    [rule] = s3.get_bucket_cors(Bucket=buckets["uploads"])["CORSRules"]
    assert rule["AllowedOrigins"] == ["http://localhost:3000"]
    assert sorted(rule["AllowedMethods"]) == ["GET", "HEAD", "POST", "PUT"]
    assert rule["ExposeHeaders"] == ["ETag"]


def test_no_page_may_read_the_access_logs(s3: Client, buckets: Mapping[str, str]) -> None:
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket=buckets["logs"])


def test_what_is_left_over_expires(s3: Client, buckets: Mapping[str, str]) -> None:
    """Parts of uploads that were never finished, versions that are no longer current, old access logs."""
    uploads, logs = (_lifecycle(s3, buckets[purpose]) for purpose in ("uploads", "logs"))
    unfinished = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
    assert uploads == [unfinished, {"NoncurrentVersionExpiration": {"NoncurrentDays": 90}}]
    assert logs == [unfinished, {"Expiration": {"Days": 90}}]


def test_every_request_to_the_upload_bucket_is_logged(s3: Client, buckets: Mapping[str, str]) -> None:
    logging = s3.get_bucket_logging(Bucket=buckets["uploads"])["LoggingEnabled"]
    assert (logging["TargetBucket"], logging["TargetPrefix"]) == (buckets["logs"], "uploads/")


def test_rows_are_addressed_by_object_and_version(described_table: Answer) -> None:
    assert described_table["TableStatus"] == "ACTIVE"
    assert _keys(described_table) == {"HASH": "object_id", "RANGE": "version_id"}
    assert all(each["AttributeType"] == "S" for each in described_table["AttributeDefinitions"])


def test_rows_can_be_asked_for_by_day(described_table: Answer) -> None:
    [index] = described_table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["IndexStatus"]) == ("uploads_by_day", "ACTIVE")
    assert _keys(index) == {"HASH": "upload_day", "RANGE": "uploaded_at"}
    assert index["Projection"] == {"ProjectionType": "ALL"}


def test_table_and_index_have_a_hundred_units_each(described_table: Answer) -> None:
    # AWS leaves the summary out where a table has always been provisioned
    assert described_table.get("BillingModeSummary", {"BillingMode": "PROVISIONED"})["BillingMode"] == "PROVISIONED"
    [index] = described_table["GlobalSecondaryIndexes"]
    for each in (described_table, index):
        units = each["ProvisionedThroughput"]
        assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (100, 100)


def test_rows_are_encrypted_and_can_be_restored(
    described_table: Answer,
    clients: Clients,
    outputs: Mapping[str, str],
) -> None:
    assert described_table["SSEDescription"]["Status"] == "ENABLED"
    backups = clients.dynamodb.describe_continuous_backups(TableName=outputs["table_name"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_rows_expire_at_the_time_that_they_say(clients: Clients, outputs: Mapping[str, str]) -> None:
    told = clients.dynamodb.describe_time_to_live(TableName=outputs["table_name"])["TimeToLiveDescription"]
    assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_the_table_may_go_because_the_configuration_says_so(described_table: Answer) -> None:
    """Here protectData is false; test_another_stack.py has one where it is not."""
    assert described_table["DeletionProtectionEnabled"] is False


def _statements(s3: Client, bucket: str) -> dict[str, dict[str, Any]]:
    """The statements of a bucket's policy by their Sid."""
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Version"] == "2012-10-17"
    return {statement.pop("Sid"): statement for statement in policy["Statement"]}


def _deny_without_tls(arn: str) -> dict[str, Any]:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _lifecycle(s3: Client, bucket: str) -> list[dict[str, Any]]:
    """What the rules of a bucket do, after a look at whether they are on and for every object."""
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert all(rule["Status"] == "Enabled" and rule["Filter"] == {"Prefix": ""} for rule in rules)
    return [
        {name: value for name, value in rule.items() if name not in {"ID", "Status", "Filter"}}
        for rule in sorted(rules, key=lambda rule: str(rule["ID"]))
    ]


def _keys(described: Answer) -> dict[str, str]:
    return {key["KeyType"]: key["AttributeName"] for key in described["KeySchema"]}
