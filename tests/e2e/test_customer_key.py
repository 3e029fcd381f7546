"""Tests of a stack that encrypts its data with a customer-managed KMS key, on an emulator that enforces policies.

The key has the key policy of docs/security.md. The emulator enforces this policy only for direct calls of KMS, because
its other services do not use KMS. For these services, the tests check only that they are configured with the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localstack.emulators.emulator import ENFORCING, start
from tests.e2e import iam_enforcement
from tests.e2e.iam_enforcement import (
    INVALID_EVENT,
    EnforcingStack,
    call,
    client_of_user,
    enforcing_stack,
    user_credentials,
)
from tests.support.key_policy import key_policy
from tests.support.strategies import minimal_record, s3_event

if TYPE_CHECKING:
    from tests.support.index import Client, Clients

pytestmark = [*iam_enforcement.MARKS, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack() -> Iterator[EnforcingStack]:
    with start("embedded", settings=ENFORCING) as emulator:
        key_arn = emulator.client("kms").create_key(Policy=_key_policy())["KeyMetadata"]["Arn"]
        with enforcing_stack(
            emulator, config={"kmsKeyArn": key_arn, "analytics": "true"}, ChecksumAlgorithm="SHA256"
        ) as deployed:
            yield deployed


@pytest.fixture(scope="module")
def key_arn(stack: EnforcingStack) -> str:
    [key] = stack.emulator.client("kms").list_keys()["Keys"]
    arn: str = key["KeyArn"]
    return arn


@pytest.fixture(scope="module")
def uploader(stack: EnforcingStack) -> Client:
    """Fixture: S3 client of an IAM user, because bucket policies do not fully apply to the root user."""
    allow = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{stack.index.bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    return client_of_user(stack.emulator, "s3", user_credentials(stack.emulator, "uploader", policy))


def test_row_of_a_kms_encrypted_upload_records_the_encryption(stack: EnforcingStack, key_arn: str) -> None:
    head = stack.index.head(stack.row["key"], stack.row["version_id"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key_arn)
    assert stack.row["encryption"] == "aws:kms"
    assert stack.row["checksum"]["value"] == head["ChecksumSHA256"]


def test_resources_with_data_use_the_customer_managed_kms_key(stack: EnforcingStack, key_arn: str) -> None:
    clients, out = stack.index.clients, stack.index.outputs
    rule = _encryption_rule(clients, out["bucket_name"])
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    assert rule["BucketKeyEnabled"] is True
    table = clients.dynamodb.describe_table(TableName=out["table_name"])["Table"]
    assert (table["SSEDescription"]["SSEType"], table["SSEDescription"]["KMSMasterKeyArn"]) == ("KMS", key_arn)
    queue = clients.sqs.get_queue_attributes(QueueUrl=out["failure_queue_url"], AttributeNames=["All"])["Attributes"]
    assert queue["KmsMasterKeyId"] == key_arn
    assert queue.get("SqsManagedSseEnabled", "false") == "false"
    [group] = clients.logs.describe_log_groups(logGroupNamePrefix=out["log_group_name"])["logGroups"]
    assert group["kmsKeyId"] == key_arn
    topic = clients.sns.get_topic_attributes(TopicArn=out["alarm_topic_arn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == key_arn


def test_export_bucket_and_athena_results_use_the_customer_managed_kms_key(stack: EnforcingStack, key_arn: str) -> None:
    out = stack.index.outputs
    rule = _encryption_rule(stack.index.clients, out["export_bucket_name"])
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    athena = stack.emulator.client("athena")
    found = athena.get_work_group(WorkGroup=out["athena_workgroup_name"])["WorkGroup"]["Configuration"]
    encryption = found["ResultConfiguration"]["EncryptionConfiguration"]
    assert encryption == {"EncryptionOption": "SSE_KMS", "KmsKey": key_arn}


def test_log_bucket_does_not_use_the_customer_managed_kms_key(stack: EnforcingStack) -> None:
    rule = _encryption_rule(stack.index.clients, stack.index.outputs["bucket_name"].replace("-uploads-", "-logs-"))
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_failed_event_reaches_the_kms_encrypted_failure_queue(stack: EnforcingStack) -> None:
    assert stack.failures.wait_for(INVALID_EVENT).condition == "RetriesExhausted"


def test_indexer_with_a_kms_key_accepts_a_direct_invocation(stack: EnforcingStack) -> None:
    assert stack.index.invoke(s3_event(minimal_record(stack.row["key"], bucket=stack.index.bucket))).error is None


def test_indexer_role_cannot_call_kms_directly(stack: EnforcingStack, key_arn: str) -> None:
    """The conditions of the role's policy and of the key policy allow only AWS services to use the key."""
    calls = {
        "generate a data key": call("kms", "generate_data_key", KeyId=key_arn, KeySpec="AES_256"),
        "encrypt": call("kms", "encrypt", KeyId=key_arn, Plaintext="secret"),
        "describe the key": call("kms", "describe_key", KeyId=key_arn),
        "disable the key": call("kms", "disable_key", KeyId=key_arn),
    }
    assert stack.role.denied(calls) == set(calls)


def test_upload_without_encryption_headers_uses_the_buckets_kms_key(
    stack: EnforcingStack, uploader: Client, key_arn: str
) -> None:
    response = uploader.put_object(Bucket=stack.index.bucket, Key="uploaded.txt", Body=b"content")
    assert response["SSEKMSKeyId"] == key_arn


@pytest.mark.parametrize(
    "encryption",
    [
        {"ServerSideEncryption": "AES256"},
        # The emulator does not support the condition key for the ARN of the KMS key, so it denies even the bucket's own
        # key. The unit tests of the bucket policy cover that case.
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/aws/s3"},
    ],
    ids=["AES256", "another key"],
)
def test_bucket_rejects_uploads_with_another_encryption(
    stack: EnforcingStack, uploader: Client, encryption: Mapping[str, str]
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        uploader.put_object(Bucket=stack.index.bucket, Key="uploaded.txt", Body=b"content", **encryption)


def _encryption_rule(clients: Clients, bucket: str) -> dict[str, Any]:
    response = clients.s3.get_bucket_encryption(Bucket=bucket)
    [rule] = response["ServerSideEncryptionConfiguration"]["Rules"]
    result: dict[str, Any] = rule
    return result


def _key_policy() -> str:
    """Return the key policy of docs/security.md, with the account and the stack of the emulator."""
    policy = key_policy()
    text = json.dumps({**policy, "Statement": [{**each, "Resource": "*"} for each in policy["Statement"]]})
    return text.replace("123456789012", "000000000000").replace("tapstack-dev", "tapstack-local")
