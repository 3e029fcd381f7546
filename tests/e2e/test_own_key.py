"""A stack whose data is encrypted with a key of the user's own, on an emulator that enforces policies.

The key has the policy of docs/security.md. The emulator asks it when somebody calls KMS; its services never do, so what
S3, DynamoDB, SQS, SNS and CloudWatch Logs have been told is read back, and what they do with a key is not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import ENFORCING, Emulator, start
from tests.e2e.enforced import Call, Role
from tests.e2e.events import event, minimal
from tests.e2e.failures import FailureQueue
from tests.support.index import Client, Clients, Index
from tests.support.key_policy import key_policy

if TYPE_CHECKING:
    from tests.support.index import Row

pytestmark = [
    pytest.mark.only_emulator("embedded"),  # LocalStack enforces no policy
    pytest.mark.only_engine("in-process"),  # the engine is not what this is about, and no other deploys in seconds
]

NO_EVENT = {"an event": "that is none of S3's"}


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """The stack, its key, and a file that was uploaded into it."""

    emulator: Emulator
    key_arn: str
    index: Index
    outputs: Mapping[str, str]
    role: Role
    row: Row


@pytest.fixture(scope="module")
def keyed() -> Iterator[Keyed]:
    with start("embedded", settings=ENFORCING) as emulator:
        key_arn = emulator.client("kms").create_key(Policy=_policy_here())["KeyMetadata"]["Arn"]
        deployment = deploy(emulator, config_overrides={"kmsKeyArn": key_arn})
        index = Index(Clients.of(emulator), deployment.outputs)
        index.send(NO_EVENT)  # Lambda takes its time to give up on it
        role = Role(emulator, deployment.outputs["lambda_role_arn"])
        with role.stand_in():
            row = index.wait_for_row("first.txt", index.put("first.txt", ChecksumAlgorithm="SHA256"))
            yield Keyed(emulator=emulator, key_arn=key_arn, index=index, outputs=deployment.outputs, role=role, row=row)
        deployment.destroy()


def test_an_upload_becomes_a_row_that_says_how_it_is_encrypted(keyed: Keyed) -> None:
    head = keyed.index.head(keyed.row["key"], keyed.row["version_id"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", keyed.key_arn)
    assert keyed.row["encryption"] == "aws:kms"
    assert keyed.row["checksum"]["value"] == head["ChecksumSHA256"]


def test_whatever_holds_data_has_the_key(keyed: Keyed) -> None:
    clients, out = keyed.index.clients, keyed.outputs
    [rule] = _rules(clients, out["bucket_name"])
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": keyed.key_arn}
    assert rule["BucketKeyEnabled"] is True
    table = clients.dynamodb.describe_table(TableName=out["table_name"])["Table"]
    assert (table["SSEDescription"]["SSEType"], table["SSEDescription"]["KMSMasterKeyArn"]) == ("KMS", keyed.key_arn)
    queue = clients.sqs.get_queue_attributes(QueueUrl=out["failure_queue_url"], AttributeNames=["All"])["Attributes"]
    assert queue["KmsMasterKeyId"] == keyed.key_arn
    assert queue.get("SqsManagedSseEnabled", "false") == "false"
    [group] = clients.logs.describe_log_groups(logGroupNamePrefix=out["log_group_name"])["logGroups"]
    assert group["kmsKeyId"] == keyed.key_arn
    topic = clients.sns.get_topic_attributes(TopicArn=out["alarm_topic_arn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == keyed.key_arn


def test_access_logs_do_not_have_the_key(keyed: Keyed) -> None:
    [rule] = _rules(keyed.index.clients, keyed.outputs["bucket_name"].replace("-uploads-", "-logs-"))
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_what_fails_reaches_the_encrypted_queue(keyed: Keyed) -> None:
    failures = FailureQueue(keyed.index.clients.sqs, keyed.outputs["failure_queue_url"])
    assert failures.wait_for(NO_EVENT).condition == "RetriesExhausted"


def test_the_function_indexes_by_hand_too(keyed: Keyed) -> None:
    assert keyed.index.invoke(event(minimal(keyed.index.bucket, keyed.row["key"]))).error is None


def test_the_role_cannot_use_the_key_itself(keyed: Keyed) -> None:
    """Only through the services: the conditions of its policy, and of the key's."""
    key = {"KeyId": keyed.key_arn}
    calls = {
        "make a data key": Call(service="kms", operation="generate_data_key", arguments={**key, "KeySpec": "AES_256"}),
        "encrypt": Call(service="kms", operation="encrypt", arguments={**key, "Plaintext": "secret"}),
        "look at the key": Call(service="kms", operation="describe_key", arguments=key),
        "disable the key": Call(service="kms", operation="disable_key", arguments=key),
    }
    assert keyed.role.denied(calls) == set(calls)


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({}, False),
        ({"ServerSideEncryption": "AES256"}, True),
        # the emulator knows no condition key with the name of the key, so it refuses even the right one: on AWS, whose
        # policy is evaluated in the unit tier, that one is let in
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/aws/s3"}, True),
    ],
    ids=["nothing", "AES256", "another key"],
)
def test_an_uploader_gets_the_buckets_key_and_no_other(
    keyed: Keyed, asked: Mapping[str, str], *, refused: bool
) -> None:
    uploader = _uploader(keyed)
    upload: dict[str, Any] = {"Bucket": keyed.index.bucket, "Key": f"{len(asked)}.txt", "Body": b"content", **asked}
    if refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            uploader.put_object(**upload)
    else:
        assert uploader.put_object(**upload)["SSEKMSKeyId"] == keyed.key_arn


def _rules(clients: Clients, bucket: str) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = clients.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    return rules


def _policy_here() -> str:
    """The documented policy, for the account and the stack of an emulator."""
    policy = key_policy()
    text = json.dumps({**policy, "Statement": [{**each, "Resource": "*"} for each in policy["Statement"]]})
    return text.replace("123456789012", "000000000000").replace("tapstack-dev", "tapstack-local")


def _uploader(keyed: Keyed) -> Client:
    """S3 as somebody sees it who may upload: a bucket's policy binds its account's root less than others."""
    iam, name = keyed.index.clients.iam, "uploader"
    if name not in {user["UserName"] for user in iam.list_users()["Users"]}:
        iam.create_user(UserName=name)
        allowed = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{keyed.index.bucket}/*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName=name, PolicyName="upload", PolicyDocument=document)
    secret = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(
        "s3",
        region_name=keyed.emulator.region,
        endpoint_url=keyed.emulator.endpoint,
        verify=str(keyed.emulator.ca_bundle),
        aws_access_key_id=secret["AccessKeyId"],
        aws_secret_access_key=secret["SecretAccessKey"],
        config=Config(s3={"addressing_style": "path"}, proxies={}, retries={"total_max_attempts": 1}),
    )
