"""Tests that a stack indexes buckets that it does not own through EventBridge, and does not change them.

MiniStack's EventBridge events contain no version ID. Events of a versioned bucket with the format of AWS are therefore
also sent to the indexer directly. MiniStack and LocalStack do not use the retry policy and the dead-letter queue of a
target, so the tests check only that they are configured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from tap_stack import item_type
from tests.e2e.capabilities import Capability, gap, needs
from tests.e2e.failure_queue import FailureQueue
from tests.support.eventbridge import eventbridge_event
from tests.support.index import Client, Clients, Index
from tests.support.nonempty import nonempty
from tests.support.strategies import s3_record

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment
    from localstack.emulators.emulator import Emulator
    from tests.support.index import AwsTarget
    from tests.support.selection import DeployStack

pytestmark = pytest.mark.not_in_a_live_account("creates buckets that the stack does not own")

PLAIN, VERSIONED = "owned-by-others", "owned.by.others.versioned"
PREFIX, ENCODED_PREFIX = "plain/", "a b+é/"
CONFIG = {
    "env": "existing",
    "eventBridge": "true",
    "existingBuckets": json.dumps(
        [
            {"name": PLAIN, "versioned": False, "prefixes": [PREFIX, ENCODED_PREFIX]},
            {"name": VERSIONED, "versioned": True},
        ]
    ),
}


def configuration(s3: Client, bucket: str) -> Mapping[str, Any]:
    """Return the settings that the owner of a bucket has configured."""
    notifications = s3.get_bucket_notification_configuration(Bucket=bucket)
    versioning = s3.get_bucket_versioning(Bucket=bucket)
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    for response in (notifications, versioning):
        del response["ResponseMetadata"]
    return {"notifications": notifications, "versioning": versioning, "tags": tags}


@pytest.fixture(scope="module")
def owned(clients: Clients) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Fixture: configurations of two existing buckets that notify EventBridge and a queue of their owner."""
    s3, sqs = clients.s3, clients.sqs
    queue = sqs.create_queue(QueueName="owners-queue")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    notifications = {
        "QueueConfigurations": [{"Id": "owners", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}],
        "EventBridgeConfiguration": {},
    }
    for bucket in (PLAIN, VERSIONED):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "Owner", "Value": "another team"}]})
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notifications)
    s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    yield {bucket: configuration(s3, bucket) for bucket in (PLAIN, VERSIONED)}
    for bucket in (PLAIN, VERSIONED):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
        s3.delete_bucket(Bucket=bucket)
    sqs.delete_queue(QueueUrl=queue)


@pytest.fixture(scope="module")
def deployment(
    emulator: Emulator, deploy_stack: DeployStack, clients: Clients, owned: Mapping[str, Mapping[str, Any]]
) -> Iterator[Deployment]:
    has_athena = gap(emulator, Capability.ATHENA) is None
    deployed = deploy_stack(emulator, config_overrides={**CONFIG, "analytics": str(has_athena).lower()})
    yield deployed
    deployed.destroy()
    names = {each["Name"] for each in clients.s3.list_buckets()["Buckets"]}
    assert not {name for name in names if name.startswith("tapstack-existing-exports-")}
    left = [rule["Name"] for rule in emulator.client("events").list_rules(NamePrefix="tapstack-existing")["Rules"]]
    assert left == []
    assert {bucket: configuration(clients.s3, bucket) for bucket in owned} == owned


@pytest.fixture(scope="module")
def plain(clients: Clients, deployment: Deployment) -> Index:
    return Index(clients, {**deployment.outputs, "bucket_name": PLAIN}, prefix=PREFIX)


@pytest.fixture(scope="module")
def versioned(clients: Clients, deployment: Deployment) -> Index:
    return Index(clients, {**deployment.outputs, "bucket_name": VERSIONED})


def test_stack_does_not_change_existing_buckets(
    clients: Clients, plain: Index, owned: Mapping[str, Mapping[str, Any]]
) -> None:
    assert plain.function == "tapstack-existing-indexer"
    assert {bucket: configuration(clients.s3, bucket) for bucket in owned} == owned


def test_object_of_an_unversioned_bucket_is_indexed_replaced_and_deleted(plain: Index, target: AwsTarget) -> None:
    key = plain.key("c.txt") if gap(target, Capability.EVENTBRIDGE_KEYS) else f"{ENCODED_PREFIX}c+d %41.txt"
    first = plain.put_indexed(key, b"first", ContentType="text/plain")
    plain.assert_row_matches_head(first)
    plain.put(key, b"and the second")
    second = plain.wait_until(
        lambda: row if (row := plain.existing_row(key, "null"))["size_bytes"] == 14 else None, "the replaced object"
    )
    plain.assert_row_matches_head(second)
    plain.clients.s3.delete_object(Bucket=PLAIN, Key=key)
    plain.wait_for_deletion(key, "null")
    plain.put(key, b"the third")
    third = plain.wait_until(
        lambda: row if "deleted_at" not in (row := plain.existing_row(key, "null")) else None, "the new object"
    )
    plain.assert_row_matches_head(third)
    assert len(plain.rows(key)) == 1


def test_configuration_key_analytics_deploys_export_bucket_glue_table_and_workgroup(
    emulator: Emulator, clients: Clients, deployment: Deployment, target: AwsTarget
) -> None:
    needs(target, Capability.ATHENA)
    out = deployment.outputs
    bucket, database, workgroup = (
        out[f"{name}_name"] for name in ("export_bucket", "glue_database", "athena_workgroup")
    )
    assert (database, workgroup) == ("tapstack_existing", "tapstack-existing-analytics")
    # When the fixture removes the stack, it checks that the bucket and the new object are deleted too.
    clients.s3.put_object(Bucket=bucket, Key="exports/none-yet/AWSDynamoDB/1/manifest-summary.json", Body=b"{}")
    denied = [each["Sid"] for each in json.loads(clients.s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]]
    assert denied == ["DenyWithoutTls", "DenyOtherEncryption", "DenyCustomerKeys"]
    rules = clients.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule] == [30]
    table = emulator.client("glue").get_table(DatabaseName=database, Name="exported_rows")["Table"]
    assert table["StorageDescriptor"]["Location"] == f"s3://{bucket}/exports/none/"
    [column] = table["StorageDescriptor"]["Columns"]
    assert (column["Name"], column["Type"]) == ("item", item_type())
    found = emulator.client("athena").get_work_group(WorkGroup=workgroup)["WorkGroup"]["Configuration"]
    assert found["EnforceWorkGroupConfiguration"] is True
    assert found["BytesScannedCutoffPerQuery"] == 100 * 1024**3
    assert found["ResultConfiguration"]["OutputLocation"] == f"s3://{bucket}/results/"
    assert found["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}


def test_object_outside_the_prefixes_of_an_existing_bucket_is_not_indexed(plain: Index) -> None:
    plain.clients.s3.put_object(Bucket=PLAIN, Key="other/a.txt", Body=b"other")
    plain.put_indexed(plain.key("later.txt"))
    assert plain.rows("other/a.txt") == []


def test_versions_of_an_existing_bucket_are_indexed_and_deleted_through_eventbridge(
    versioned: Index, target: AwsTarget
) -> None:
    needs(target, Capability.EVENTBRIDGE_VERSION_IDS)
    key = "through-eventbridge.txt"
    first, second = versioned.put_indexed(key, b"first"), versioned.put_indexed(key, b"and the second")
    for row in nonempty((first, second)):
        versioned.assert_row_matches_head(row)
    versioned.delete_indexed_version(first)
    assert "deleted_at" not in versioned.existing_row(key, second["version_id"])


def test_event_of_a_versioned_existing_bucket_writes_the_row_of_its_version(versioned: Index) -> None:
    key, versions = "x/é+y.txt", {}
    for body in (b"first", b"and the second"):
        version_id = versions[body] = versioned.put(key, body)
        event = eventbridge_event(s3_record(key, bucket=VERSIONED, version_id=version_id))
        assert versioned.invoke(event).error is None
    for body, version_id in nonempty(versions.items()):
        row = versioned.wait_for_row(key, version_id)
        assert row["size_bytes"] == len(body)
        versioned.assert_row_matches_head(row)
    assert {row["version_id"] for row in versioned.rows(key)} >= set(versions.values())


def test_failed_event_of_an_existing_bucket_reaches_the_failure_queue(deployment: Deployment, versioned: Index) -> None:
    event = eventbridge_event(s3_record("x.txt", bucket="a-bucket-of-nobody", version_id="v"))
    versioned.invoke_async(event)
    failure = FailureQueue(versioned).wait_for(event)
    assert deployment.outputs["failure_queue_url"].endswith("tapstack-existing-failures")
    assert (failure.condition, failure.attempts) == ("RetriesExhausted", 3)
    assert "foreign" in failure.error


@pytest.mark.parametrize("bucket", [PLAIN, VERSIONED])
def test_rule_of_an_existing_bucket_invokes_the_indexer_and_keeps_undelivered_events(
    emulator: Emulator, deployment: Deployment, bucket: str
) -> None:
    events, function = emulator.client("events"), deployment.outputs["lambda_function_arn"]
    rule = events.describe_rule(Name=f"tapstack-existing_{bucket}")
    assert rule["State"] == "ENABLED"
    keys = {"object": {"key": [{"prefix": PREFIX}, {"prefix": ENCODED_PREFIX}]}} if bucket == PLAIN else {}
    assert json.loads(rule["EventPattern"]) == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": [bucket]}, **keys},
    }
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    queue = function.replace(":lambda:", ":sqs:").replace("function:tapstack-existing-indexer", "")
    assert target == {
        "Id": "indexer",
        "Arn": function,
        "RetryPolicy": {"MaximumEventAgeInSeconds": 21_600, "MaximumRetryAttempts": 185},
        "DeadLetterConfig": {"Arn": f"{queue}tapstack-existing-failures"},
    }
    permissions = json.loads(emulator.client("lambda").get_policy(FunctionName=function)["Policy"])
    [permission] = [each for each in permissions["Statement"] if rule["Arn"] in json.dumps(each["Condition"])]
    assert (permission["Action"], permission["Principal"]) == (
        "lambda:InvokeFunction",
        {"Service": "events.amazonaws.com"},
    )
    attributes = emulator.client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs["failure_queue_url"], AttributeNames=["Policy"]
    )["Attributes"]
    [allowed] = [each for each in json.loads(attributes["Policy"])["Statement"] if each["Effect"] == "Allow"]
    assert rule["Arn"] in allowed["Condition"]["ArnLike"]["aws:SourceArn"]


def test_configuration_key_eventbridge_keeps_the_notification_of_the_indexer(
    clients: Clients, deployment: Deployment
) -> None:
    own = Index(clients, deployment.outputs)
    notifications = clients.s3.get_bucket_notification_configuration(Bucket=own.bucket)
    assert "EventBridgeConfiguration" in notifications
    assert [each["LambdaFunctionArn"] for each in notifications["LambdaFunctionConfigurations"]] == [
        deployment.outputs["lambda_function_arn"]
    ]
    own.assert_row_matches_head(own.put_indexed("own.txt"))
