"""A stack whose data is encrypted with a KMS key of the user's own (`kmsKeyArn`)."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from tests.support.expected import (
    ACCOUNT,
    ENCRYPTED,
    FULL,
    KEY_ARN,
    LOGS,
    TABLE,
    UPLOADS,
    UPLOADS_ARN,
)
from tests.support.synth import policy, synth, texts

ENCRYPTION = "s3:x-amz-server-side-encryption"

DIFFERENT = {
    "tap-uploads-encryption",
    "tap-uploads-policy",
    "tap-objects",
    "tap-failures",
    "tap-indexer-logs",
    "tap-indexer-policy",
    "tap-alarms",
}
"""What a key changes. Not the log bucket: S3 delivers access logs to SSE-S3 only. Nor the function: its variables are
no secrets."""


@pytest.mark.control("S3.17")
def test_uploads_are_encrypted_with_the_key_and_one_call_of_kms_serves_many() -> None:
    assert synth(**ENCRYPTED).one("BucketServerSideEncryptionConfiguration", bucket=UPLOADS).inputs == {
        "bucket": UPLOADS,
        "rules": [
            {
                "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY_ARN},
                "bucketKeyEnabled": True,
            }
        ],
    }


def test_access_logs_stay_with_the_encryption_that_s3_can_deliver_to() -> None:
    """S3 User Guide, "Enabling Amazon S3 server access logging": default encryption of a target is SSE-S3 only."""
    rules = synth(**ENCRYPTED).one("BucketServerSideEncryptionConfiguration", bucket=LOGS).inputs["rules"]
    assert rules == [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]


@pytest.mark.control("SQS.1", "SNS.1")
@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("Table", {"serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY_ARN}}),
        ("Queue", {"kmsMasterKeyId": KEY_ARN, "sqsManagedSseEnabled": None}),
        ("LogGroup", {"kmsKeyId": KEY_ARN}),
        ("Topic", {"kmsMasterKeyId": KEY_ARN}),
    ],
)
def test_whatever_else_holds_data_is_encrypted_with_the_key(type_: str, expected: dict[str, Any]) -> None:
    inputs = synth(**ENCRYPTED).one(type_).inputs
    assert {key: inputs.get(key) for key in expected} == expected


def test_a_key_changes_nothing_else() -> None:
    plain, encrypted = (
        {each.name: {**each.inputs, "code": None} for each in synth(**config).resources} for config in (FULL, ENCRYPTED)
    )  # the archive is an object of its own each time
    assert plain.keys() == encrypted.keys()
    assert {name for name, inputs in encrypted.items() if inputs != plain[name]} == DIFFERENT


def test_without_a_key_nothing_asks_kms_for_anything() -> None:
    said = [(each.name, text) for each in synth(**FULL).resources for text in texts(each.inputs)]
    assert len(said) > 100
    assert [each for each in said if "kms" in each[1].lower()] == []


def test_the_bucket_refuses_every_other_encryption_and_every_other_key() -> None:
    statements = policy(synth(**ENCRYPTED).one("BucketPolicy", bucket=UPLOADS))["Statement"]
    refusals = {each["Sid"]: each["Condition"] for each in statements if each["Action"] == "s3:PutObject"}
    assert {each["Effect"] for each in statements} == {"Deny"}
    assert refusals == {
        "DenyOtherEncryption": {"Null": {ENCRYPTION: "false"}, "StringNotEquals": {ENCRYPTION: "aws:kms"}},
        "DenyOtherKeys": {
            "Null": {ENCRYPTION: "false"},
            "StringNotEquals": {f"{ENCRYPTION}-aws-kms-key-id": KEY_ARN},
        },
        "DenyCustomerKeys": {"Null": {f"{ENCRYPTION}-customer-algorithm": "false"}},
    }


@pytest.mark.control("KMS.2")
def test_the_function_may_use_the_key_for_this_and_nothing_else() -> None:
    """Exactly one statement for each service that uses the key on the function's behalf."""

    def allow(sid: str, actions: list[str], condition: dict[str, Any]) -> dict[str, Any]:
        return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [KEY_ARN], "Condition": condition}

    plain, encrypted = (policy(synth(**config).one("RolePolicy"))["Statement"] for config in (FULL, ENCRYPTED))
    assert [each for each in encrypted if each not in plain] == [
        allow(
            "ReadChecksums",
            ["kms:Decrypt"],
            {
                "StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com"]},
                "ArnLike": {"kms:EncryptionContext:aws:s3:arn": [UPLOADS_ARN, f"{UPLOADS_ARN}/*"]},
            },
        ),
        allow(
            "OpenTable",
            ["kms:Decrypt"],
            {
                "StringEquals": {
                    "kms:ViaService": ["dynamodb.us-east-1.amazonaws.com"],
                    "kms:EncryptionContext:aws:dynamodb:tableName": TABLE,
                }
            },
        ),
        allow(
            "EncryptFailures",
            ["kms:GenerateDataKey", "kms:Decrypt"],
            {"StringEquals": {"kms:ViaService": ["sqs.us-east-1.amazonaws.com"]}},
        ),
    ]
    assert [each for each in encrypted if each in plain] == plain


def test_in_china_a_service_is_known_by_both_of_its_domains() -> None:
    key = KEY_ARN.replace("arn:aws:kms:us-east-1", "arn:aws-cn:kms:cn-north-1")
    stack = synth(partition="aws-cn", region="cn-north-1", kmsKeyArn=key)
    statements = {each["Sid"]: each for each in policy(stack.one("RolePolicy"))["Statement"]}
    assert statements["EncryptFailures"]["Condition"] == {
        "StringEquals": {"kms:ViaService": ["sqs.cn-north-1.amazonaws.com", "sqs.cn-north-1.amazonaws.com.cn"]}
    }


@pytest.mark.parametrize(
    ("key", "limit", "remedy"),
    [
        (KEY_ARN.replace("us-east-1", "eu-west-1"), "the stack's region, which is us-east-1", "multi-Region"),
        (KEY_ARN.replace(ACCOUNT, "999999999999"), f"the stack's account, which is {ACCOUNT}", "DynamoDB"),
        (KEY_ARN.replace("arn:aws:", "arn:aws-cn:"), "the stack's partition, which is aws", "Choose a key there"),
    ],
)
def test_a_key_from_elsewhere_is_refused_before_anything_is_created(key: str, limit: str, remedy: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        synth(kmsKeyArn=key)
    message = str(caught.value)
    assert message.startswith(f"kmsKeyArn: {key!r} ")
    assert limit in message
    assert remedy in message.partition(limit)[2]
