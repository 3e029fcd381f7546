"""Tests of the configuration key `inventory`: S3 Inventory of the upload bucket, and settings of the log bucket."""

from __future__ import annotations

import json

import pytest

import tap_stack
from tests.support.default_stack import ACCOUNT, CHINA, FULL, LOGS, LOGS_ARN, UPLOADS, UPLOADS_ARN
from tests.support.synth import synth

PROPERTIES = {
    "tap-uploads-inventory": {
        "bucket": UPLOADS,
        "name": "tapstack-dev",
        "destination.bucket.bucketArn": LOGS_ARN,
        "destination.bucket.accountId": ACCOUNT,
        "destination.bucket.prefix": "inventory",
        "destination.bucket.format": "Parquet",
        "includedObjectVersions": "All",
        "optionalFields": [
            *("Size", "LastModifiedDate", "StorageClass", "ETag", "EncryptionStatus", "ChecksumAlgorithm"),
        ],
        "schedule.frequency": "Daily",
    }
}
COVERS = PROPERTIES.keys()


@pytest.mark.parametrize("name", PROPERTIES)
def test_s3_inventory_of_the_upload_bucket_has_exactly_the_expected_properties(name: str) -> None:
    assert synth(**FULL).properties(name) == PROPERTIES[name]


def test_inventories_are_encrypted_with_keys_that_s3_manages() -> None:
    destination = synth(**FULL).named("tap-uploads-inventory").inputs["destination"]["bucket"]
    assert destination["encryption"] == {"sseS3": {}}  # The method `properties` omits empty elements.


def test_stack_without_the_key_inventory_has_no_inventory_and_no_permission_for_s3() -> None:
    stack = synth()
    assert stack.all("Inventory") == ()
    policy = json.loads(stack.named("tap-logs-policy").inputs["policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["DenyWithoutTls", "AllowAccessLogs"]
    assert len(stack.named("tap-logs-lifecycle").inputs["rules"]) == 2


def test_log_bucket_policy_for_inventories_equals_the_statement_in_the_s3_user_guide() -> None:
    """The expected statement is in the S3 User Guide, "Grant permissions for S3 Inventory and S3 analytics"."""
    policy = json.loads(synth(**FULL).named("tap-logs-policy").inputs["policy"])
    [statement] = [each for each in policy["Statement"] if each["Sid"] == "AllowInventories"]
    assert statement == {
        "Sid": "AllowInventories",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{LOGS_ARN}/inventory/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": [UPLOADS_ARN, "arn:aws:s3:::acme-logs", "arn:aws:s3:::acme.data"]},
            "StringEquals": {"aws:SourceAccount": ACCOUNT, "s3:x-amz-acl": "bucket-owner-full-control"},
        },
    }


def test_arns_in_the_log_bucket_policy_for_inventories_have_the_partition_of_the_stack() -> None:
    stack = synth(inventory="true", **CHINA)
    policy = json.loads(stack.named("tap-logs-policy").inputs["policy"])
    [statement] = [each for each in policy["Statement"] if each["Sid"] == "AllowInventories"]
    assert statement["Condition"]["ArnLike"] == {"aws:SourceArn": [stack.outputs["bucket_arn"]]}


def test_inventories_expire_after_14_days_and_access_logs_after_90_days() -> None:
    rules = synth(**FULL).named("tap-logs-lifecycle").inputs["rules"]
    assert rules[1:] == [
        {"id": "expire-access-logs", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 90}},
        {
            "id": "expire-inventories",
            "status": "Enabled",
            "filter": {"prefix": "inventory/"},
            "expiration": {"days": 14},
        },
    ]


def test_inventory_is_created_after_the_log_bucket_policy_and_before_the_settings_document() -> None:
    stack = synth(**FULL)
    inventory = stack.named("tap-uploads-inventory")
    assert stack.depends_on(inventory, stack.named("tap-logs-policy"))
    assert stack.depends_on(stack.named("tap-settings"), inventory)


def test_settings_document_contains_the_location_of_the_inventories() -> None:
    settings = json.loads(synth(**FULL).properties("tap-settings")["insecureValue"])
    assert settings["inventory_location"] == f"s3://{LOGS}/inventory"
    assert tap_stack.INVENTORY_PREFIX == "inventory"
