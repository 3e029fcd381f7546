"""The IAM roles of indexer and inspector have exactly the required permissions, on an emulator that enforces them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

import tap_stack
from localstack.emulators.emulator import ENFORCING, start
from tests.e2e import iam_enforcement
from tests.e2e.events import creation_record
from tests.e2e.iam_enforcement import (
    ALLOW_EVERYTHING,
    INVALID_EVENT,
    EnforcingStack,
    Permission,
    call,
    denied_events,
    enforcing_stack,
    permissions,
    reduced,
)
from tests.e2e.inspector_permissions import (
    ENFORCED_PURPOSES,
    EVALUATED_PURPOSES,
    EXISTING_INSPECTED,
    UNVERSIONED_INSPECTED,
    VERSION_INSPECTED,
    denied_by_emulator,
    denied_by_policy,
    inspector_policy,
)
from tests.support.eventbridge import eventbridge_event
from tests.support.iam import Decision, Request, decide
from tests.support.index import Index
from tests.support.nonempty import nonempty
from tests.support.strategies import minimal_record, s3_event, s3_record

if TYPE_CHECKING:
    from tests.support.rows import Row

pytestmark = iam_enforcement.MARKS

ENCRYPTED, UNVERSIONED = "encrypted-existing", "unversioned-existing"
EXISTING_OBJECT = f"arn:aws:s3:::{ENCRYPTED}/in/a.txt"
KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EXISTING_BUCKETS = [
    {"name": ENCRYPTED, "versioned": True, "prefixes": ["in/"], "kmsKeyArn": KEY},
    {"name": UNVERSIONED, "versioned": False},
]
"""Existing buckets of the stack. The emulator's S3 does not use KMS, so the key need not exist."""

RESOURCES: dict[str, Any] = {
    **{name: name for name in ("bucket_arn", "table_arn", "log_group_arn", "queue_arn")},
    "existing_buckets": [
        tap_stack.ExistingBucket(name=ENCRYPTED, versioned=True, prefixes=("in/",), kms_key_arn=KEY),
        tap_stack.ExistingBucket(name=UNVERSIONED, versioned=False),
    ],
}
POLICY, INSPECTOR_POLICY = tap_stack.indexer_policy(**RESOURCES), inspector_policy(**RESOURCES)

WITH_A_VERSION = "index an event of S3"
WITHOUT_A_VERSION = "index an event of an operator without a version"
BUCKET_LISTED = "detect a missing object"
ROW_READ = "read a row"
VERSIONS_READ = "read the rows of an object"
DAY_READ = "read the rows of a day"
FAILURE_REPORTED = "send to the failure queue"
STREAM_CREATED = "create a log stream"
LINES_WRITTEN = "write log lines"
TRACES_SENT = "send traces"
COUNTS_SENT = "send the counts of the X-Ray SDK"
EXISTING_VERSION = "index an event of an existing bucket"
EXISTING_WITHOUT_A_VERSION = "index an event of an existing bucket without a version"
EXISTING_LISTED = "detect a missing object of an existing bucket"
UNVERSIONED_OBJECT = "index an event of an existing bucket without versioning"
UNVERSIONED_LISTED = "detect a missing object of an existing bucket without versioning"
CHECKSUM_READ = "read the checksum of an object that a KMS key encrypts"

PURPOSES = {
    Permission("ReadObjects", "s3:GetObjectVersion"): {WITH_A_VERSION, EXISTING_VERSION},
    Permission("ReadObjects", "s3:GetObject"): {WITHOUT_A_VERSION, EXISTING_WITHOUT_A_VERSION},
    Permission("ReadNullVersions", "s3:GetObjectVersion"): {UNVERSIONED_OBJECT},
    # Without this permission, AWS responds to HEAD of a missing object with 403. The emulator needs it only for lists.
    Permission("TellGoneFromDenied", "s3:ListBucket"): {BUCKET_LISTED, EXISTING_LISTED, UNVERSIONED_LISTED},
    Permission("ReadChecksums0", "kms:Decrypt"): {CHECKSUM_READ},
    Permission("UseTable", "dynamodb:UpdateItem"): {
        *(WITH_A_VERSION, WITHOUT_A_VERSION, EXISTING_VERSION, EXISTING_WITHOUT_A_VERSION, UNVERSIONED_OBJECT),
    },
    Permission("UseTable", "dynamodb:GetItem"): {ROW_READ},
    Permission("UseTable", "dynamodb:Query"): {VERSIONS_READ},
    Permission("UseDayIndex", "dynamodb:Query"): {DAY_READ},
    Permission("WriteLogs", "logs:CreateLogStream"): {STREAM_CREATED},
    Permission("WriteLogs", "logs:PutLogEvents"): {LINES_WRITTEN},
    Permission("ReportFailures", "sqs:SendMessage"): {FAILURE_REPORTED},
    Permission("WriteTraces", "xray:PutTraceSegments"): {TRACES_SENT},
    Permission("WriteTraces", "xray:PutTelemetryRecords"): {COUNTS_SENT},
}
"""Purposes of each permission of the indexer's role. Without the permission, exactly these purposes fail."""

UNUSED_BY_THE_INDEXER = (
    Permission("UseTable", "dynamodb:GetItem"),
    Permission("UseTable", "dynamodb:Query"),
    Permission("UseDayIndex", "dynamodb:Query"),
)
"""Permissions to read rows. The project's requirements demand them, although the indexer only writes rows."""


def denied_purposes(stack: EnforcingStack) -> set[str]:
    """Return the purposes, such as "write log lines", for which the indexer's role lacks a permission."""
    index, row = stack.index, stack.row
    version_id = stack.emulator.client("s3").head_object(Bucket=ENCRYPTED, Key="in/a.txt")["VersionId"]
    events = {
        WITH_A_VERSION: s3_event(creation_record(row)),
        WITHOUT_A_VERSION: s3_event(minimal_record(row["key"], bucket=index.bucket)),
        EXISTING_VERSION: eventbridge_event(s3_record("in/a.txt", bucket=ENCRYPTED, version_id=version_id)),
        EXISTING_WITHOUT_A_VERSION: s3_event(minimal_record("in/a.txt", bucket=ENCRYPTED)),
        UNVERSIONED_OBJECT: eventbridge_event(s3_record("a.txt", bucket=UNVERSIONED, version_id=None)),
    }
    table = {"TableName": index.table}
    by_day = {"IndexName": "uploads_by_day", **key_condition("upload_day", row["upload_day"])}
    message = json.dumps({"requestPayload": "a test's"})
    calls = {
        BUCKET_LISTED: call("s3", "list_objects_v2", Bucket=index.bucket),
        EXISTING_LISTED: call("s3", "list_objects_v2", Bucket=ENCRYPTED),
        UNVERSIONED_LISTED: call("s3", "list_objects_v2", Bucket=UNVERSIONED),
        ROW_READ: call("dynamodb", "get_item", **table, Key=primary_key(row)),
        VERSIONS_READ: call("dynamodb", "query", **table, **key_condition("object_id", row["object_id"])),
        DAY_READ: call("dynamodb", "query", **table, **by_day),
        FAILURE_REPORTED: call(
            "sqs", "send_message", QueueUrl=stack.index.outputs["failure_queue_url"], MessageBody=message
        ),
    }
    group = stack.index.outputs["log_group_name"]
    stream = f"arn:aws:logs:{stack.emulator.region}:000000000000:log-group:{group}:log-stream:a/stream"
    requests = {
        STREAM_CREATED: ("logs:CreateLogStream", stream),
        LINES_WRITTEN: ("logs:PutLogEvents", stream),
        TRACES_SENT: ("xray:PutTraceSegments", "*"),
        COUNTS_SENT: ("xray:PutTelemetryRecords", "*"),
    }
    # The emulator's S3 does not use KMS, and its policy simulator ignores the conditions of the statement.
    context = {"kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": EXISTING_OBJECT}
    decryption = Request(action="kms:Decrypt", resource=KEY, context=context)
    unreadable = set() if decide(stack.role.policy(), decryption) is Decision.ALLOW else {CHECKSUM_READ}
    denied = denied_events(index, events) | stack.role.denied(calls)
    return denied | stack.role.simulated_denied(requests) | unreadable


def primary_key(row: Row) -> dict[str, Any]:
    return {name: {"S": row[name]} for name in ("object_id", "version_id")}


def key_condition(name: str, value: str) -> dict[str, Any]:
    return {"KeyConditionExpression": f"{name} = :value", "ExpressionAttributeValues": {":value": {"S": value}}}


@pytest.fixture(scope="module")
def stack() -> Iterator[EnforcingStack]:
    with start("embedded", settings=ENFORCING) as emulator:
        s3 = emulator.client("s3")
        for bucket, key in ((ENCRYPTED, "in/a.txt"), (UNVERSIONED, "a.txt")):
            s3.create_bucket(Bucket=bucket)
            if bucket == ENCRYPTED:
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            s3.put_object(Bucket=bucket, Key=key, Body=b"content")
        with enforcing_stack(emulator, config={"existingBuckets": json.dumps(EXISTING_BUCKETS)}) as deployed:
            yield deployed


def test_indexer_role_has_the_permissions_to_index_an_upload(stack: EnforcingStack) -> None:
    row = stack.index.put_indexed("images/photo.png", b"not really", ContentType="image/png")
    assert (row["content_type"], row["size_bytes"]) == ("image/png", 10)
    stack.index.delete_indexed_version(row)


def test_indexer_role_has_the_permissions_to_report_a_failed_event(stack: EnforcingStack) -> None:
    failure = stack.failures.wait_for(INVALID_EVENT)
    assert (failure.condition, failure.attempts) == ("RetriesExhausted", 3)


def test_indexer_role_allows_every_action_that_its_purposes_require(stack: EnforcingStack) -> None:
    assert denied_purposes(stack) == set()


def test_emulator_enforces_the_iam_policy_of_the_program(stack: EnforcingStack) -> None:
    """If the emulator did not enforce policies, all other tests of the indexer's role would pass without reason."""
    assert permissions(stack.role.policy()) == permissions(POLICY)
    with stack.role.without_permissions(*permissions(POLICY)[1:]):
        assert denied_purposes(stack) == set().union(*PURPOSES.values())


def test_event_whose_write_is_denied_reaches_the_failure_queue(stack: EnforcingStack) -> None:
    denied = s3_event(creation_record(stack.row))
    with stack.role.without_permissions(Permission("UseTable", "dynamodb:UpdateItem")):
        stack.index.invoke_async(denied)
        failure = stack.failures.wait_for(denied)
    assert "denied: UpdateItem" in failure.error
    assert (failure.condition, failure.attempts) == ("RetriesExhausted", 3)


def _id(permission: Permission) -> str:
    return f"{permission}: {', and '.join(sorted(PURPOSES.get(permission, {'no purpose'})))}"


@pytest.mark.parametrize("permission", permissions(POLICY), ids=_id)
@pytest.mark.slow
def test_removal_of_a_permission_prevents_exactly_its_purposes(stack: EnforcingStack, permission: Permission) -> None:
    assert PURPOSES.get(permission), f"{permission} has no purpose"
    with stack.role.without_permissions(permission):
        assert denied_purposes(stack) == PURPOSES[permission]


def test_indexer_policy_matches_the_permissions_with_documented_purposes() -> None:
    assert set(permissions(POLICY)) == set(PURPOSES)


def test_indexer_works_without_the_permissions_to_read_rows(stack: EnforcingStack) -> None:
    with stack.role.without_permissions(*UNUSED_BY_THE_INDEXER):
        assert denied_purposes(stack) == {ROW_READ, VERSIONS_READ, DAY_READ}
        stack.index.delete_indexed_version(stack.index.put_indexed("unread.txt"))


def test_indexer_role_is_denied_access_to_other_resources(stack: EnforcingStack) -> None:
    """The test first creates the other resources, so that each error is a denied call and not a missing resource."""
    client, index, key = stack.emulator.client, stack.index, stack.row["key"]
    row_key = primary_key(stack.row)
    client("s3").create_bucket(Bucket="another-bucket")
    client("s3").put_object(Bucket="another-bucket", Key=key, Body=b"secret")
    client("dynamodb").create_table(
        TableName="another-table",
        KeySchema=client("dynamodb").describe_table(TableName=index.table)["Table"]["KeySchema"],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in row_key],
        BillingMode="PAY_PER_REQUEST",
    )
    another_queue = client("sqs").create_queue(QueueName="another-queue")["QueueUrl"]
    logs = index.bucket.replace("-uploads-", "-logs-")
    client("s3").put_object(Bucket=logs, Key="a-log", Body=b"access log")
    client("s3").put_object(Bucket=ENCRYPTED, Key="out/a.txt", Body=b"outside the prefixes")
    more = {"RoleName": stack.role.name, "PolicyName": "more", "PolicyDocument": ALLOW_EVERYTHING}
    calls = {
        "read an object of another bucket": call("s3", "get_object", Bucket="another-bucket", Key=key),
        "list another bucket": call("s3", "list_objects_v2", Bucket="another-bucket"),
        "read another object of an existing bucket": call("s3", "get_object", Bucket=ENCRYPTED, Key="out/a.txt"),
        "read without a version ID in an unversioned bucket": call("s3", "get_object", Bucket=UNVERSIONED, Key="a.txt"),
        "write into an existing bucket": call("s3", "put_object", Bucket=ENCRYPTED, Key="in/a.txt"),
        "change the notifications of an existing bucket": call(
            "s3", "put_bucket_notification_configuration", Bucket=ENCRYPTED, NotificationConfiguration={}
        ),
        "read a log": call("s3", "get_object", Bucket=logs, Key="a-log"),
        "list the log bucket": call("s3", "list_objects_v2", Bucket=logs),
        "write a log": call("s3", "put_object", Bucket=logs, Key="a-log"),
        "write into its own bucket": call("s3", "put_object", Bucket=index.bucket, Key=key),
        "delete from its own bucket": call("s3", "delete_object", Bucket=index.bucket, Key=key),
        "write another table": call("dynamodb", "update_item", TableName="another-table", Key=row_key),
        "read another table": call("dynamodb", "get_item", TableName="another-table", Key=row_key),
        "replace a row": call("dynamodb", "put_item", TableName=index.table, Item=row_key),
        "delete a row": call("dynamodb", "delete_item", TableName=index.table, Key=row_key),
        "read the whole table": call("dynamodb", "scan", TableName=index.table),
        "send to another queue": call("sqs", "send_message", QueueUrl=another_queue, MessageBody="x"),
        "read the failure queue": call("sqs", "receive_message", QueueUrl=stack.index.outputs["failure_queue_url"]),
        "extend its own policy": call("iam", "put_role_policy", **more),
    }
    assert stack.role.denied(calls) == set(calls)


def test_only_the_lambda_service_can_assume_the_indexer_role(stack: EnforcingStack) -> None:
    with pytest.raises(ClientError, match=r"AccessDenied.*sts:AssumeRole"):
        stack.emulator.client("sts").assume_role(RoleArn=stack.role.arn, RoleSessionName="another-user")


# -- inspector --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inspected(stack: EnforcingStack) -> Iterator[Callable[[], set[str]]]:
    """Function that returns the purposes for which the inspector's role lacks a permission."""
    rows = {VERSION_INSPECTED: stack.row}
    for purpose, bucket, key in (
        (EXISTING_INSPECTED, ENCRYPTED, "in/a.txt"),
        (UNVERSIONED_INSPECTED, UNVERSIONED, "a.txt"),
    ):
        version_id = stack.emulator.client("s3").head_object(Bucket=bucket, Key=key).get("VersionId")
        existing = Index(stack.index.clients, {**stack.index.outputs, "bucket_name": bucket})
        record = s3_record(key, bucket=bucket, version_id=version_id)
        assert stack.index.invoke(eventbridge_event(record)).error is None
        rows[purpose] = existing.wait_for_row(key, version_id or "null")
    buckets = {BUCKET_LISTED: stack.index.bucket, EXISTING_LISTED: ENCRYPTED, UNVERSIONED_LISTED: UNVERSIONED}
    with stack.inspector.probe_function():
        yield lambda: denied_by_emulator(stack, rows, buckets)


def test_inspector_role_allows_every_action_that_its_purposes_require(
    stack: EnforcingStack, inspected: Callable[[], set[str]]
) -> None:
    policy = stack.inspector.policy()
    assert inspected() | denied_by_policy(policy, stack, key=KEY, encrypted_object=EXISTING_OBJECT) == set()
    found = permissions(policy)
    assert set(found) == set(permissions(INSPECTOR_POLICY)) == ENFORCED_PURPOSES.keys() | EVALUATED_PURPOSES.keys()


@pytest.mark.parametrize("permission", ENFORCED_PURPOSES, ids=str)
def test_inspector_role_without_a_permission_is_denied_exactly_the_purposes_of_the_permission(
    stack: EnforcingStack, inspected: Callable[[], set[str]], permission: Permission
) -> None:
    with stack.inspector.without_permissions(permission):
        assert inspected() == ENFORCED_PURPOSES[permission]


def test_inspector_policy_without_a_permission_denies_exactly_the_purposes_of_the_permission(
    stack: EnforcingStack,
) -> None:
    policy = stack.inspector.policy()
    for permission, purposes in nonempty(EVALUATED_PURPOSES.items()):
        found = denied_by_policy(reduced(policy, permission), stack, key=KEY, encrypted_object=EXISTING_OBJECT)
        assert found == purposes, permission


@pytest.mark.usefixtures("inspected")  # creates the probe function
def test_inspector_role_is_denied_access_to_other_resources(stack: EnforcingStack) -> None:
    index, key, row_key = stack.index, stack.row["key"], primary_key(stack.row)
    calls = {
        "read without a version ID": call("s3", "get_object", Bucket=index.bucket, Key=key),
        "write into its own bucket": call("s3", "put_object", Bucket=index.bucket, Key=key),
        "read a row": call("dynamodb", "get_item", TableName=index.table, Key=row_key),
        "replace a row": call("dynamodb", "put_item", TableName=index.table, Item=row_key),
        "delete a row": call("dynamodb", "delete_item", TableName=index.table, Key=row_key),
        "read the whole table": call("dynamodb", "scan", TableName=index.table),
        "read the failure queue": call("sqs", "receive_message", QueueUrl=index.outputs["failure_queue_url"]),
        "invoke the indexer": call("lambda", "invoke", FunctionName=index.function),
    }
    assert stack.inspector.denied(calls) == set(calls)
