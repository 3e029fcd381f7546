"""Tests of a stack that encrypts its data with a customer managed KMS key (`kmsKeyArn`)."""

from __future__ import annotations

import pulumi
import pytest

from tests.support.default_stack import ACCOUNT, ENCRYPTED, FULL, KEY_ARN
from tests.support.synth import policy, strings, synth

# Resources whose inputs change if a KMS key is configured. The log bucket is not changed, because S3 delivers access
# logs only to buckets with SSE-S3. The indexer is not changed, because its environment variables are not secret.
CHANGED = (
    *("uploads-encryption", "uploads-policy", "objects", "failures", "alarms"),
    *("indexer-logs", "indexer-policy", "inspector-logs", "inspector-policy"),
    *("exports-encryption", "exports-policy", "analytics", "settings"),
)
ENCRYPTION = "rules[0].applyServerSideEncryptionByDefault"
RESULTS = "configuration.resultConfiguration.encryptionConfiguration"


@pytest.mark.control("S3.17", "SQS.1", "SNS.1")
@pytest.mark.parametrize(
    ("name", "properties"),
    [
        # A bucket key reduces the number of KMS requests.
        ("uploads-encryption", {f"{ENCRYPTION}.sseAlgorithm": "aws:kms", "rules[0].bucketKeyEnabled": True}),
        ("uploads-encryption", {f"{ENCRYPTION}.kmsMasterKeyId": KEY_ARN}),
        # The bucket for access logs supports only SSE-S3 (S3 User Guide, "Enabling Amazon S3 server access logging").
        ("logs-encryption", {f"{ENCRYPTION}.sseAlgorithm": "AES256", f"{ENCRYPTION}.kmsMasterKeyId": None}),
        ("logs-encryption", {"rules[0].bucketKeyEnabled": None}),
        ("exports-encryption", {f"{ENCRYPTION}.sseAlgorithm": "aws:kms", f"{ENCRYPTION}.kmsMasterKeyId": KEY_ARN}),
        ("analytics", {f"{RESULTS}.encryptionOption": "SSE_KMS", f"{RESULTS}.kmsKeyArn": KEY_ARN}),
        ("objects", {"serverSideEncryption.enabled": True, "serverSideEncryption.kmsKeyArn": KEY_ARN}),
        ("failures", {"kmsMasterKeyId": KEY_ARN, "sqsManagedSseEnabled": None}),
        ("indexer-logs", {"kmsKeyId": KEY_ARN}),
        ("inspector-logs", {"kmsKeyId": KEY_ARN}),
        ("alarms", {"kmsMasterKeyId": KEY_ARN}),
    ],
)
def test_configured_kms_key_sets_the_encryption_of_each_resource(name: str, properties: dict[str, object]) -> None:
    found = synth(**ENCRYPTED).properties(f"tap-{name}")
    assert {key: found.get(key) for key in properties} == properties


def test_configured_kms_key_changes_only_the_expected_resources() -> None:
    plain, encrypted = (
        # The archive of the function code is omitted, because two archive objects are never equal.
        {each.name: {**each.inputs, "code": None} for each in synth(**config).resources}
        for config in (FULL, ENCRYPTED)
    )
    assert plain.keys() == encrypted.keys()
    assert {name for name, inputs in encrypted.items() if inputs != plain[name]} == {f"tap-{name}" for name in CHANGED}


def test_stack_without_a_kms_key_contains_no_kms_settings() -> None:
    texts = [(each.name, text) for each in synth().resources for text in strings(each.inputs)]
    assert len(texts) > 100
    assert [each for each in texts if "kms" in each[1].lower()] == []


@pytest.mark.control("KMS.2")
def test_configured_kms_key_adds_three_statements_to_the_indexer_policy() -> None:
    plain, encrypted = (
        policy(synth(**config).named("tap-indexer-policy"))["Statement"] for config in (FULL, ENCRYPTED)
    )
    assert [each for each in encrypted if each in plain] == plain
    added = [each for each in encrypted if each not in plain]
    assert [each["Sid"] for each in added] == ["ReadChecksums", "OpenTable", "EncryptFailures"]
    assert [each["Resource"] for each in added] == [[KEY_ARN]] * 3


def test_kms_permissions_in_china_allow_both_domain_names_of_sqs() -> None:
    key = KEY_ARN.replace("arn:aws:kms:us-east-1", "arn:aws-cn:kms:cn-north-1")
    stack = synth(partition="aws-cn", region="cn-north-1", kmsKeyArn=key)
    statements = {each["Sid"]: each for each in policy(stack.named("tap-indexer-policy"))["Statement"]}
    assert statements["EncryptFailures"]["Condition"] == {
        "StringEquals": {"kms:ViaService": ["sqs.cn-north-1.amazonaws.com", "sqs.cn-north-1.amazonaws.com.cn"]}
    }


@pytest.mark.parametrize(
    ("key", "limit", "remedy"),
    [
        (KEY_ARN.replace("us-east-1", "eu-west-1"), "the stack's region, which is us-east-1", "multi-Region"),
        (KEY_ARN.replace(ACCOUNT, "999999999999"), f"the stack's account, which is {ACCOUNT}", "DynamoDB"),
        (
            KEY_ARN.replace("arn:aws:", "arn:aws-cn:"),
            "the stack's partition, which is aws",
            "Choose a key in this partition",
        ),
    ],
)
def test_kms_key_of_another_region_or_account_is_rejected(key: str, limit: str, remedy: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        synth(kmsKeyArn=key)
    message = str(caught.value)
    assert message.startswith(f"kmsKeyArn: {key!r} ")
    assert limit in message
    assert remedy in message.partition(limit)[2]
