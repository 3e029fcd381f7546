"""A stack whose data is encrypted with a KMS key of the user's own (`kmsKeyArn`)."""

from __future__ import annotations

import pulumi
import pytest

from tests.support.default_stack import ACCOUNT, ENCRYPTED, FULL, KEY_ARN
from tests.support.synth import policy, strings, synth

# The resources that a key changes. Not the log bucket: S3 delivers access logs to SSE-S3 only. Nor the function, whose
# variables are no secrets.
CHANGED = ("uploads-encryption", "uploads-policy", "objects", "failures", "indexer-logs", "indexer-policy", "alarms")
ENCRYPTION = "rules[0].applyServerSideEncryptionByDefault"


@pytest.mark.control("S3.17", "SQS.1", "SNS.1")
@pytest.mark.parametrize(
    ("name", "properties"),
    [
        # one call of KMS for many objects
        ("uploads-encryption", {f"{ENCRYPTION}.sseAlgorithm": "aws:kms", "rules[0].bucketKeyEnabled": True}),
        ("uploads-encryption", {f"{ENCRYPTION}.kmsMasterKeyId": KEY_ARN}),
        # S3 User Guide, "Enabling Amazon S3 server access logging": default encryption of a target is SSE-S3 only
        ("logs-encryption", {f"{ENCRYPTION}.sseAlgorithm": "AES256", f"{ENCRYPTION}.kmsMasterKeyId": None}),
        ("logs-encryption", {"rules[0].bucketKeyEnabled": None}),
        ("objects", {"serverSideEncryption.enabled": True, "serverSideEncryption.kmsKeyArn": KEY_ARN}),
        ("failures", {"kmsMasterKeyId": KEY_ARN, "sqsManagedSseEnabled": None}),
        ("indexer-logs", {"kmsKeyId": KEY_ARN}),
        ("alarms", {"kmsMasterKeyId": KEY_ARN}),
    ],
)
def test_whatever_holds_data_is_encrypted_with_the_key(name: str, properties: dict[str, object]) -> None:
    found = synth(**ENCRYPTED).properties(f"tap-{name}")
    assert {key: found.get(key) for key in properties} == properties


def test_a_key_changes_nothing_else() -> None:
    plain, encrypted = (
        {each.name: {**each.inputs, "code": None} for each in synth(**config).resources} for config in (FULL, ENCRYPTED)
    )  # the archive is an object of its own each time
    assert plain.keys() == encrypted.keys()
    assert {name for name, inputs in encrypted.items() if inputs != plain[name]} == {f"tap-{name}" for name in CHANGED}


def test_without_a_key_nothing_asks_kms_for_anything() -> None:
    said = [(each.name, text) for each in synth(**FULL).resources for text in strings(each.inputs)]
    assert len(said) > 100
    assert [each for each in said if "kms" in each[1].lower()] == []


@pytest.mark.control("KMS.2")
def test_the_key_adds_one_statement_for_each_service_that_uses_it_for_the_function() -> None:
    """access_cases.py has the requests that each of them allows."""
    plain, encrypted = (policy(synth(**config).one("RolePolicy"))["Statement"] for config in (FULL, ENCRYPTED))
    assert [each for each in encrypted if each in plain] == plain
    added = [each for each in encrypted if each not in plain]
    assert [each["Sid"] for each in added] == ["ReadChecksums", "OpenTable", "EncryptFailures"]
    assert [each["Resource"] for each in added] == [[KEY_ARN]] * 3


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
