"""The function's role on an emulator that enforces it: enough for everything, and nothing that nothing needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

import tap_stack
from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import ENFORCING, start
from tests.e2e.enforced import Call, Permission, Role, failures_to_index, permissions
from tests.e2e.events import as_s3_sent_it, event, minimal
from tests.e2e.failures import FailureQueue
from tests.support.index import Clients, Index

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Row

pytestmark = [
    pytest.mark.only_emulator("embedded"),  # LocalStack enforces no policy
    pytest.mark.only_engine("in-process"),  # the engine is not what this is about, and no other deploys in seconds
]

POLICY = tap_stack.indexer_policy(bucket_arn="bucket", table_arn="table", log_group_arn="logs", queue_arn="queue")

WITH_A_VERSION = "the function indexes what S3 announces"
WITHOUT_A_VERSION = "the function indexes what an operator announces, without a version"
BUCKET_LISTED = "the role may know that an object is gone"
ROW_READ = "the role reads a row"
VERSIONS_READ = "the role reads the rows of an object"
DAY_READ = "the role reads the rows of a day"
FAILURE_REPORTED = "the role reports a failure"
STREAM_MADE = "the role makes a log stream"
LINES_WRITTEN = "the role writes log lines"
TRACES_SENT = "the role sends traces"
COUNTS_SENT = "the role sends the X-Ray SDK's counts"

BREAKS = {
    Permission("ReadObjects", "s3:GetObjectVersion"): {WITH_A_VERSION},
    Permission("ReadObjects", "s3:GetObject"): {WITHOUT_A_VERSION},
    # on AWS, HEAD of what is gone then answers 403; the emulator asks for the permission only where a bucket is listed
    Permission("TellGoneFromDenied", "s3:ListBucket"): {BUCKET_LISTED},
    Permission("UseTable", "dynamodb:UpdateItem"): {WITH_A_VERSION, WITHOUT_A_VERSION},
    Permission("UseTable", "dynamodb:GetItem"): {ROW_READ},
    Permission("UseTable", "dynamodb:Query"): {VERSIONS_READ},
    Permission("UseDayIndex", "dynamodb:Query"): {DAY_READ},
    Permission("WriteLogs", "logs:CreateLogStream"): {STREAM_MADE},
    Permission("WriteLogs", "logs:PutLogEvents"): {LINES_WRITTEN},
    Permission("ReportFailures", "sqs:SendMessage"): {FAILURE_REPORTED},
    Permission("WriteTraces", "xray:PutTraceSegments"): {TRACES_SENT},
    Permission("WriteTraces", "xray:PutTelemetryRecords"): {COUNTS_SENT},
}
"""What a permission is for: exactly what no longer works when it is taken away."""

ASKED_FOR = {
    Permission("UseTable", "dynamodb:GetItem"): "the role was ordered with the right to read single rows",
    Permission("UseTable", "dynamodb:Query"): "the role was ordered with the right to query the table",
    Permission("UseDayIndex", "dynamodb:Query"): "the same right, which on an index has to be said apart",
}
"""Permissions that the function itself does not use, and why it has them all the same."""

NO_EVENT = {"an event": "that is none of S3's"}

ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@dataclass(frozen=True, kw_only=True)
class Enforced:
    """A deployed stack whose emulator enforces policies, and what can be asked of it."""

    emulator: Emulator
    index: Index
    outputs: Mapping[str, str]
    role: Role
    row: Row

    @property
    def failures(self) -> FailureQueue:
        """What Lambda gave up on."""
        return FailureQueue(self.index.clients.sqs, self.outputs["failure_queue_url"])

    def broken(self) -> set[str]:
        """Everything that the role does not get done, of all that its permissions are for."""
        return (
            failures_to_index(self.index, self._events())
            | self.role.denied(self._calls())
            | self.role.simulated_denied(self._questions())
        )

    def _events(self) -> dict[str, dict[str, Any]]:
        return {
            WITH_A_VERSION: event(as_s3_sent_it(self.row)),
            WITHOUT_A_VERSION: event(minimal(self.index.bucket, self.row["key"])),
        }

    def _calls(self) -> dict[str, Call]:
        table, row = {"TableName": self.index.table}, self.row
        queue = {
            "QueueUrl": self.outputs["failure_queue_url"],
            "MessageBody": json.dumps({"requestPayload": "a test's"}),
        }
        return {
            BUCKET_LISTED: s3("list_objects_v2", Bucket=self.index.bucket),
            ROW_READ: dynamodb("get_item", **table, Key=address(row)),
            VERSIONS_READ: dynamodb("query", **table, **equal("object_id", row["object_id"])),
            DAY_READ: dynamodb("query", **table, IndexName="uploads_by_day", **equal("upload_day", row["upload_day"])),
            FAILURE_REPORTED: Call(service="sqs", operation="send_message", arguments=queue),
        }

    def _questions(self) -> dict[str, tuple[str, str]]:
        group = self.outputs["log_group_name"]
        stream = f"arn:aws:logs:{self.emulator.region}:000000000000:log-group:{group}:log-stream:a/stream"
        return {
            STREAM_MADE: ("logs:CreateLogStream", stream),
            LINES_WRITTEN: ("logs:PutLogEvents", stream),
            TRACES_SENT: ("xray:PutTraceSegments", "*"),
            COUNTS_SENT: ("xray:PutTelemetryRecords", "*"),
        }


def s3(operation: str, **arguments: object) -> Call:
    return Call(service="s3", operation=operation, arguments=arguments)


def dynamodb(operation: str, **arguments: object) -> Call:
    return Call(service="dynamodb", operation=operation, arguments=arguments)


def address(row: Row) -> dict[str, Any]:
    return {name: {"S": row[name]} for name in ("object_id", "version_id")}


def equal(name: str, value: str) -> dict[str, Any]:
    return {"KeyConditionExpression": f"{name} = :value", "ExpressionAttributeValues": {":value": {"S": value}}}


@pytest.fixture(scope="module")
def enforced() -> Iterator[Enforced]:
    with start("embedded", settings=ENFORCING) as emulator:
        deployment: Deployment = deploy(emulator)
        index = Index(Clients.of(emulator), deployment.outputs)
        role = Role(emulator, deployment.outputs["lambda_role_arn"])
        index.send(NO_EVENT)  # Lambda takes its time to give up on it
        with role.stand_in():
            row = index.wait_for_row("first.txt", index.put("first.txt"))
            yield Enforced(emulator=emulator, index=index, outputs=deployment.outputs, role=role, row=row)
        deployment.destroy()


def test_with_exactly_its_permissions_an_upload_becomes_a_row(enforced: Enforced) -> None:
    index = enforced.index
    version_id = index.put("images/photo.png", b"not really", ContentType="image/png")
    row = index.wait_for_row("images/photo.png", version_id)
    assert (row["content_type"], row["size_bytes"]) == ("image/png", 10)
    index.delete_version("images/photo.png", version_id)
    index.wait_for_deletion("images/photo.png", version_id)


def test_with_exactly_its_permissions_what_cannot_succeed_ends_in_the_failure_queue(enforced: Enforced) -> None:
    failure = enforced.failures.wait_for(NO_EVENT)
    assert (failure.condition, failure.tries) == ("RetriesExhausted", 3)


def test_with_exactly_its_permissions_nothing_is_broken(enforced: Enforced) -> None:
    assert enforced.broken() == set()


def test_the_emulator_enforces_the_policy_that_the_program_asks_for(enforced: Enforced) -> None:
    """Otherwise every test below would pass by asking nobody."""
    assert permissions(enforced.role.policy()) == permissions(POLICY)
    with enforced.role.lacking(*permissions(POLICY)[1:]):
        assert enforced.broken() == set().union(*BREAKS.values())


def test_what_the_function_may_not_write_ends_in_the_failure_queue(enforced: Enforced) -> None:
    refused = event(as_s3_sent_it(enforced.row))
    with enforced.role.lacking(Permission("UseTable", "dynamodb:UpdateItem")):
        enforced.index.send(refused)
        failure = enforced.failures.wait_for(refused)
    assert "denied: UpdateItem" in failure.error
    assert (failure.condition, failure.tries) == ("RetriesExhausted", 3)


def _with_what_it_is_for(permission: Permission) -> str:
    return f"{permission}: {', and '.join(sorted(BREAKS.get(permission, {'nothing known'})))}"


@pytest.mark.parametrize("permission", permissions(POLICY), ids=_with_what_it_is_for)
def test_without_a_permission_exactly_what_it_is_for_breaks(enforced: Enforced, permission: Permission) -> None:
    assert BREAKS.get(permission), f"nothing is known to need {permission}"
    with enforced.role.lacking(permission):
        assert enforced.broken() == BREAKS[permission]


def test_every_permission_that_something_needs_is_there() -> None:
    assert set(permissions(POLICY)) == set(BREAKS)


def test_the_function_itself_needs_all_but_what_was_asked_for(enforced: Enforced) -> None:
    with enforced.role.lacking(*ASKED_FOR):
        assert enforced.broken() == {ROW_READ, VERSIONS_READ, DAY_READ}
        index = enforced.index
        version_id = index.put("unread.txt")
        index.wait_for_row("unread.txt", version_id)
        index.delete_version("unread.txt", version_id)
        index.wait_for_deletion("unread.txt", version_id)


def test_the_role_reaches_nothing_but_its_own(enforced: Enforced) -> None:
    """Each of these exists, or the answer would not tell whether it was refused."""
    client, index, key = enforced.emulator.client, enforced.index, enforced.row["key"]
    client("s3").create_bucket(Bucket="another-bucket")
    client("s3").put_object(Bucket="another-bucket", Key=key, Body=b"secret")
    described = client("dynamodb").describe_table(TableName=index.table)["Table"]
    client("dynamodb").create_table(
        TableName="another-table",
        KeySchema=described["KeySchema"],
        AttributeDefinitions=[
            each for each in described["AttributeDefinitions"] if each["AttributeName"] in address(enforced.row)
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    another_queue = client("sqs").create_queue(QueueName="another-queue")["QueueUrl"]
    logs = index.bucket.replace("-uploads-", "-logs-")
    client("s3").put_object(Bucket=logs, Key="a-log", Body=b"who came")
    at = {"Key": address(enforced.row)}
    queue = {"QueueUrl": enforced.outputs["failure_queue_url"]}
    sending = {"QueueUrl": another_queue, "MessageBody": "x"}
    more = {"RoleName": enforced.role.arn.rpartition("/")[2], "PolicyName": "more", "PolicyDocument": ANYTHING}
    calls = {
        "read an object of another bucket": s3("get_object", Bucket="another-bucket", Key=key),
        "list another bucket": s3("list_objects_v2", Bucket="another-bucket"),
        "read a log": s3("get_object", Bucket=logs, Key="a-log"),
        "list the log bucket": s3("list_objects_v2", Bucket=logs),
        "write a log": s3("put_object", Bucket=logs, Key="a-log"),
        "write into its own bucket": s3("put_object", Bucket=index.bucket, Key=key),
        "delete from its own bucket": s3("delete_object", Bucket=index.bucket, Key=key),
        "write another table": dynamodb("update_item", TableName="another-table", **at),
        "read another table": dynamodb("get_item", TableName="another-table", **at),
        "replace a row": dynamodb("put_item", TableName=index.table, Item=address(enforced.row)),
        "delete a row": dynamodb("delete_item", TableName=index.table, **at),
        "read the whole table": dynamodb("scan", TableName=index.table),
        "send to another queue": Call(service="sqs", operation="send_message", arguments=sending),
        "read the failure queue": Call(service="sqs", operation="receive_message", arguments=queue),
        "give itself more": Call(service="iam", operation="put_role_policy", arguments=more),
    }
    assert enforced.role.denied(calls) == set(calls)


def test_nobody_but_lambda_takes_the_role(enforced: Enforced) -> None:
    with pytest.raises(ClientError, match=r"AccessDenied.*sts:AssumeRole"):
        enforced.emulator.client("sts").assume_role(RoleArn=enforced.role.arn, RoleSessionName="somebody-else")
