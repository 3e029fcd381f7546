"""The buckets and the table, as AWS describes them after the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.deployed import PREFIX, Deployed, deny_without_tls, statements

if TYPE_CHECKING:
    from tests.support.index import Response

pytestmark = pytest.mark.not_in_a_live_account(
    "compares with Pulumi.localstack.yaml, which a live stack does not follow"
)

BOTH = pytest.mark.parametrize("purpose", ["uploads", "logs"])


def bucket(deployed: Deployed, purpose: str) -> dict[str, str]:
    return {"Bucket": deployed.out["bucket_name"] if purpose == "uploads" else deployed.log_bucket}


@pytest.fixture(scope="module")
def table(deployed: Deployed) -> Response:
    return deployed.aws.dynamodb.describe_table(TableName=deployed.out["table_name"])["Table"]


def test_the_upload_bucket_is_named_after_account_and_region(deployed: Deployed) -> None:
    name = f"{PREFIX}-uploads-{deployed.account}-{deployed.region}"
    assert deployed.out["bucket_name"] == name
    assert deployed.out["bucket_arn"] == f"arn:aws:s3:::{name}"


def test_every_version_of_an_upload_is_kept(deployed: Deployed) -> None:
    assert deployed.aws.s3.get_bucket_versioning(**bucket(deployed, "uploads"))["Status"] == "Enabled"


@BOTH
def test_objects_are_encrypted_at_rest_and_access_lists_are_switched_off(deployed: Deployed, purpose: str) -> None:
    encryption = deployed.aws.s3.get_bucket_encryption(**bucket(deployed, purpose))
    [rule] = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    ownership = deployed.aws.s3.get_bucket_ownership_controls(**bucket(deployed, purpose))
    assert ownership["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.control("S3.8")
@BOTH
def test_nothing_can_be_made_public(deployed: Deployed, purpose: str) -> None:
    response = deployed.aws.s3.get_public_access_block(**bucket(deployed, purpose))
    assert response["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }


def test_uploads_need_tls_and_the_encryption_of_the_bucket(deployed: Deployed) -> None:
    arn = deployed.out["bucket_arn"]
    deny_put = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{arn}/*"}
    assert statements(deployed.aws.s3.get_bucket_policy(**bucket(deployed, "uploads"))["Policy"]) == {
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


def test_only_the_logging_service_for_this_bucket_may_write_access_logs(deployed: Deployed) -> None:
    arn = f"arn:aws:s3:::{deployed.log_bucket}"
    assert statements(deployed.aws.s3.get_bucket_policy(**bucket(deployed, "logs"))["Policy"]) == {
        "DenyWithoutTls": deny_without_tls("s3:*", [arn, f"{arn}/*"]),
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
    }


def test_pages_of_the_configured_origins_may_upload(deployed: Deployed) -> None:
    [rule] = deployed.aws.s3.get_bucket_cors(**bucket(deployed, "uploads"))["CORSRules"]
    assert rule["AllowedOrigins"] == ["http://localhost:3000"]
    assert sorted(rule["AllowedMethods"]) == ["GET", "HEAD", "POST", "PUT"]
    assert rule["ExposeHeaders"] == ["ETag"]


def test_no_page_may_read_the_access_logs(deployed: Deployed) -> None:
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        deployed.aws.s3.get_bucket_cors(**bucket(deployed, "logs"))


@pytest.mark.parametrize(
    ("purpose", "expiration"),
    [
        pytest.param("uploads", {"NoncurrentVersionExpiration": {"NoncurrentDays": 90}}, id="old versions"),
        pytest.param("logs", {"Expiration": {"Days": 90}}, id="old access logs"),
    ],
)
def test_what_is_left_over_expires(deployed: Deployed, purpose: str, expiration: dict[str, Any]) -> None:
    response = deployed.aws.s3.get_bucket_lifecycle_configuration(**bucket(deployed, purpose))
    rules = sorted(response["Rules"], key=lambda rule: str(rule.pop("ID")))
    every_object = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    unfinished_uploads = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
    assert rules == [{**every_object, **unfinished_uploads}, {**every_object, **expiration}]


def test_every_request_to_the_upload_bucket_is_logged(deployed: Deployed) -> None:
    logging = deployed.aws.s3.get_bucket_logging(**bucket(deployed, "uploads"))["LoggingEnabled"]
    assert (logging["TargetBucket"], logging["TargetPrefix"]) == (deployed.log_bucket, "uploads/")


def test_table_has_the_keys_index_and_capacity_of_the_program(table: Response) -> None:
    assert table["TableStatus"] == "ACTIVE"
    assert all(each["AttributeType"] == "S" for each in table["AttributeDefinitions"])
    # AWS omits the summary for a table that has always been provisioned
    assert table.get("BillingModeSummary", {"BillingMode": "PROVISIONED"})["BillingMode"] == "PROVISIONED"
    [index] = table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["IndexStatus"]) == ("uploads_by_day", "ACTIVE")
    assert index["Projection"] == {"ProjectionType": "ALL"}
    for each, hash_key, range_key in (
        (table, "object_id", "version_id"),
        (index, "upload_day", "uploaded_at"),
    ):
        keys = {key["KeyType"]: key["AttributeName"] for key in each["KeySchema"]}
        assert keys == {"HASH": hash_key, "RANGE": range_key}
        units = each["ProvisionedThroughput"]
        assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (100, 100)


def test_rows_are_encrypted_and_can_be_restored(deployed: Deployed, table: Response) -> None:
    assert table["SSEDescription"]["Status"] == "ENABLED"
    backups = deployed.aws.dynamodb.describe_continuous_backups(TableName=deployed.out["table_name"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_rows_expire_at_the_time_that_they_say(deployed: Deployed) -> None:
    response = deployed.aws.dynamodb.describe_time_to_live(TableName=deployed.out["table_name"])
    assert response["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_the_table_may_go_because_the_configuration_says_so(table: Response) -> None:
    """Here protectData is false; test_second_stack.py has a stack where it is true."""
    assert table["DeletionProtectionEnabled"] is False
