"""The operations tools with existing buckets, which the stack indexes through EventBridge.

While a test changes an object, its bucket sends no events to EventBridge, because the events of MiniStack have no
version ID.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.operations_stack import UNVERSIONED, VERSIONED
from tests.support.nonempty import nonempty

if TYPE_CHECKING:
    from tests.e2e.operations_stack import OperationsStack
    from tests.support.index import AwsTarget

pytestmark = pytest.mark.not_in_a_live_account("deploys its own stack and creates buckets")


@contextmanager
def eventbridge_enabled(operations: OperationsStack) -> Iterator[None]:
    """Context manager: let both existing buckets send their events to EventBridge."""
    s3 = operations.index.clients.s3
    for configuration in ({"EventBridgeConfiguration": {}}, {}):
        for bucket in (VERSIONED, UNVERSIONED):
            s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
        if configuration:
            yield


def test_backfill_and_audit_of_existing_buckets_repair_their_rows(operations: OperationsStack) -> None:
    s3 = operations.index.clients.s3
    for bucket in (VERSIONED, UNVERSIONED):
        for key in ("in box/a b+é.txt", "in box/deleted", "elsewhere"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"first")
        s3.put_object(Bucket=bucket, Key="in box/a b+é.txt", Body=b"second version")
        s3.delete_object(Bucket=bucket, Key="in box/deleted")
    for bucket, events, skipped in nonempty([(VERSIONED, 4, 1), (UNVERSIONED, 2, 0)]):
        counted = operations.run("backfill", "--bucket", bucket).document
        assert (counted["chosen"], counted["not_indexed"], counted["triggered"]) == (events, skipped, False)
        sent = operations.run("backfill", "--bucket", bucket, "--invoke").document
        assert sent["sent"] == events
        audited = operations.audit_until_consistent("--bucket", bucket).document
        assert (audited["bucket"], audited["versions"] + audited["markers"], audited["rows"]) == (
            bucket,
            events,
            events,
        )
    findings = [(each["setting"], each["problem"].split("'")[1]) for each in audited["settings"]]
    assert findings == [("existing bucket EventBridge", VERSIONED), ("existing bucket EventBridge", UNVERSIONED)]
    s3.put_object(Bucket=UNVERSIONED, Key="in box/a b+é.txt", Body=b"a third object")
    s3.delete_object(Bucket=UNVERSIONED, Key="elsewhere")
    repaired = operations.run("audit", "--bucket", UNVERSIONED, "--repair")
    assert repaired.findings() == [("stale", "elsewhere", "null"), ("wrong", "in box/a b+é.txt", "null")]
    operations.audit_until_consistent("--bucket", UNVERSIONED)


def test_audit_reports_a_disabled_rule_of_an_existing_bucket_and_the_missing_versioning(
    operations: OperationsStack, target: AwsTarget
) -> None:
    events, s3 = target.client("events"), operations.index.clients.s3
    with eventbridge_enabled(operations):
        for bucket in (VERSIONED, UNVERSIONED):
            assert operations.run("audit", "--prefix", "no key", "--bucket", bucket).document["triggered"] is True, (
                bucket
            )
        [rule] = events.list_rules(NamePrefix=f"tapstack-operations-{VERSIONED}")["Rules"]
        events.disable_rule(Name=rule["Name"])
        s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Suspended"})
        document = operations.run("audit", "--bucket", VERSIONED).document
        events.enable_rule(Name=rule["Name"])
        s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    assert [each["setting"] for each in document["settings"]] == ["existing bucket versioning", "rule state"]
    assert document["triggered"] is False


def test_redrive_indexes_an_event_that_eventbridge_did_not_deliver(operations: OperationsStack) -> None:
    index = operations.index
    index.clients.s3.put_object(Bucket=UNVERSIONED, Key="undelivered+1", Body=b"content")
    event = {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2026-11-22T21:40:04Z",
        "detail": {
            "bucket": {"name": UNVERSIONED},
            "object": {"key": "undelivered+1", "size": 7, "sequencer": "00617F08299329D189"},
            "requester": "123456789012",
            "reason": "PutObject",
        },
    }
    attributes = {"TARGET_ARN": index.outputs["lambda_function_arn"], "ERROR_CODE": "NO_PERMISSIONS"}
    index.clients.sqs.send_message(
        QueueUrl=operations.queue_url,
        MessageBody=json.dumps(event),
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
    operations.wait_for_failures(1)
    result = operations.run("redrive", "--reason", "undelivered", "--replay")
    assert [(each["objects"], each["buckets"], each["replayed"]) for each in result.document["messages"]] == [
        (["undelivered+1"], [UNVERSIONED], True)
    ]
    operations.audit_until_consistent("--bucket", UNVERSIONED, "--prefix", "undelivered")
