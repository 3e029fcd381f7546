"""End-to-end tests of the operators' tools with a separate stack."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from operations.audit import GRACE, Audit
from operations.aws import Aws
from operations.discovery import from_function
from operations.inventory.files import CSV, PARQUET
from operations.listing import KeyFilter
from operations.output import Progress
from tests.e2e.capabilities import Capability, gap, needs
from tests.e2e.log_group import LogGroup
from tests.e2e.snapshots import uploaded, write_snapshots
from tests.support.nonempty import nonempty
from tests.support.rows import object_attributes
from tests.support.signals import default_signals

if TYPE_CHECKING:
    from operations.listing import Version
    from tests.e2e.operations_stack import OperationsStack
    from tests.support.index import AwsTarget
    from tests.support.rows import Row

pytestmark = pytest.mark.not_in_a_live_account("deploys its own stack, and makes its indexer fail")

ROOT = Path(__file__).parents[2]
INVALID_EVENT = {"no": "records"}


@pytest.fixture(scope="module")
def failed(_operations: OperationsStack) -> Iterator[tuple[str, str]]:
    """Fixture: object key and version ID of an object whose event failed.

    The failure queue contains the failed event, an event that always fails, and a message of another sender.
    """
    operations, index = _operations, _operations.index
    key = index.key("redrive/a b+é.txt")
    index.clients.sqs.send_message(QueueUrl=operations.queue_url, MessageBody="hello")
    with operations.function_failing():
        version_id = index.put(key)
        index.invoke_async(INVALID_EVENT)
        operations.wait_for_failures(3)
    yield key, version_id
    index.clients.sqs.purge_queue(QueueUrl=operations.queue_url)


def test_redrive_lists_failures_by_reason_with_their_objects(
    operations: OperationsStack, failed: tuple[str, str], tmp_path: Path
) -> None:
    result = operations.run("redrive")
    assert (result.code, result.document["read"], result.document["replayed"]) == (1, 3, 0)
    messages = result.document["messages"]
    assert sorted((",".join(each["reasons"]), each["objects"]) for each in messages) == [
        ("", []),
        ("internal", [failed[0]]),
        ("malformed", []),
    ]
    assert [each["unrecognized"] for each in messages if each["unrecognized"]] == ["it is not JSON"]
    file = tmp_path / "failures.jsonl"
    exported = operations.run("redrive", "--export", str(file)).document["exported"]
    assert exported == 3  # `redrive` without options has removed no messages.
    bodies = [json.loads(line)["body"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert "hello" in bodies
    assert INVALID_EVENT in [body["requestPayload"] for body in bodies if body != "hello"]


def test_redrive_indexes_the_selected_failures_and_keeps_the_others(
    operations: OperationsStack, failed: tuple[str, str]
) -> None:
    index = operations.index
    assert index.rows(failed[0]) == []
    assert operations.run("audit", "--prefix", "redrive/").findings() == [("missing", *failed)]

    result = operations.run("redrive", "--reason", "internal", "--replay")
    assert (result.code, result.document["replayed"]) == (1, 1)
    assert index.wait_for_row(*failed)["key"] == failed[0]
    # The replayed event is old, so its delay would trigger the alarm indexing-delay.
    assert "indexing_delay_ms" not in LogGroup(index).wait_for(key=failed[0], outcome="indexed")
    assert operations.run("audit", "--prefix", "redrive/").code == 0

    messages = operations.run("redrive").document["messages"]
    assert sorted(each["unrecognized"] or each["reasons"][0] for each in messages) == ["it is not JSON", "malformed"]


@pytest.mark.usefixtures("failed")
def test_redriven_event_that_fails_again_returns_to_the_failure_queue(operations: OperationsStack) -> None:
    assert operations.run("redrive", "--reason", "malformed", "--replay").document["replayed"] == 1
    operations.wait_for_failures(2)
    [message] = [each for each in operations.run("redrive").document["messages"] if each["reasons"]]
    assert message["reasons"] == ["malformed"]


@pytest.mark.usefixtures("failed")
def test_redrive_moves_messages_of_the_failure_queue_to_a_file(operations: OperationsStack, tmp_path: Path) -> None:
    operations.index.clients.sqs.send_message(QueueUrl=operations.queue_url, MessageBody="another sender")
    operations.wait_for_failures(1)
    file = tmp_path / "failures.jsonl"
    result = operations.run("redrive", "--export", str(file), "--delete")
    bodies = [json.loads(line)["body"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert (result.code, result.document["deleted"], "another sender" in bodies) == (0, len(bodies), True)
    result = operations.run("redrive")
    assert (result.code, result.document["read"]) == (0, 0)


NAMES = (
    *("audit/lost.txt", "audit/altered.txt", "audit/moved to another day.txt", "audit/incomplete +%2B.txt"),
    *("audit/gone é.txt", "audit/marked.txt", "audit/fine.txt"),
)


def test_audit_with_heads_finds_and_repairs_attributes_that_s3_does_not_list(
    operations: OperationsStack, target: AwsTarget
) -> None:
    storage_class = "STANDARD" if gap(target, Capability.LISTED_STORAGE_CLASS) else "STANDARD_IA"
    key = operations.index.key("heads/é.txt")
    described = operations.index.put_indexed(
        key, ContentType="text/x", Metadata={"by": "zoe", "for": "max"}, StorageClass=storage_class
    )
    [plain] = operations.put_all_indexed(["heads/plain"])
    result = operations.run("audit", "--prefix", "heads/", "--heads")
    assert (result.code, result.document["heads"], result.document["heads_unreadable"]) == (0, 2, 0)

    operations.overwrite_row(plain, content_type="text/wrong", filename="wrong")
    operations.overwrite_row(described, user_metadata={"by": "zoe"})
    wrong = [("wrong", plain["key"], plain["version_id"])]
    assert operations.run("audit", "--prefix", "heads/").findings() == wrong
    wrong = sorted([*wrong, ("wrong", key, described["version_id"])])
    result = operations.run("audit", "--prefix", "heads/", "--heads-sample", "9", "--repair")
    # A row that differs from S3's list of versions needs no HEAD request.
    assert (result.findings(), result.document["heads"]) == (wrong, 1)
    operations.audit_until_consistent("--prefix", "heads/", "--heads")


def test_audit_by_listing_and_by_inventory_finds_and_repairs_every_kind_of_difference(
    operations: OperationsStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = operations.index
    lost, altered, moved, incomplete, deleted, marked, intact = rows = operations.put_all_indexed(NAMES)
    assert operations.run("audit", "--prefix", "audit/").code == 0

    index.delete_row(lost["key"], lost["version_id"])
    operations.overwrite_row(altered, size_bytes=1, etag="wrong")
    operations.overwrite_row(moved, uploaded_at="2001-01-01T00:00:00.000Z", upload_day="2001-01-01")
    operations.overwrite_row(incomplete, content_type=None)
    with operations.notifications_disabled():
        index.delete_version(deleted["key"], deleted["version_id"])
        marker = index.delete(marked["key"])
        unseen_key = index.key("audit/unseen: a+b c%20d.txt")
        unseen = index.put(unseen_key, b"unseen", Metadata={"by": "nobody"})
    damaged = [index.rows(row["key"]) for row in rows]

    result = operations.run("audit", "--prefix", "audit/")
    assert result.code == 1
    assert result.findings() == sorted(
        [
            ("missing", lost["key"], lost["version_id"]),
            ("missing", marked["key"], marker),
            ("missing", unseen_key, unseen),
            ("wrong", altered["key"], altered["version_id"]),
            ("wrong", moved["key"], moved["version_id"]),
            ("incomplete", incomplete["key"], incomplete["version_id"]),
            ("stale", deleted["key"], deleted["version_id"]),
        ]
    )
    assert [index.rows(row["key"]) for row in rows] == damaged  # An audit without --repair changes no rows.

    monkeypatch.setenv("TAPSTACK_CACHE", str(tmp_path / "cache"))
    names = ("findings", "keys", "versions", "markers", "rows", "not_indexed", "without_content")
    for format_ in nonempty([CSV, PARQUET]):
        inventory, export = write_snapshots(index, tmp_path / format_, format_=format_)
        with uploaded(index, inventory) as url:
            place = url if format_ == PARQUET else str(inventory.root)
            options = (f"--from-inventory={place}", f"--from-export={export}")
            from_inventory = operations.run("audit", "--prefix", "audit/", *options)
        assert from_inventory.code == 1
        assert {each: from_inventory.document[each] for each in names} == {
            each: result.document[each] for each in names
        }

    before = datetime.now(UTC)
    result = operations.run("audit", "--prefix", "audit/", "--repair")
    assert (result.code, result.document["sent"]) == (1, 7)
    result = operations.audit_until_consistent("--prefix", "audit/")
    assert (result.document["versions"], result.document["markers"]) == (7, 1)

    for row in (lost, altered, moved, incomplete, marked, intact):
        repaired = index.existing_row(row["key"], row["version_id"])
        assert object_attributes(repaired) == object_attributes(row)
    [row] = index.rows(deleted["key"])
    assert {name: row[name] for name in object_attributes(deleted)} == object_attributes(deleted)
    assert row["deleted_by"] == "tapstack:audit"
    assert before.isoformat() < row["deleted_at"]
    marker_row = index.existing_row(marked["key"], marker)
    assert (marker_row["delete_marker"], "upload_day" in marker_row) == (True, False)
    assert {row["version_id"] for row in index.rows(marked["key"])} == {marked["version_id"], marker}
    index.assert_row_matches_head(index.wait_for_row(unseen_key, unseen))


def test_audit_repairs_a_null_version_that_was_replaced_without_event(operations: OperationsStack) -> None:
    index = operations.index
    key = index.key("audit-null/a.txt")

    def find_and_repair(difference: str) -> Row:
        assert operations.run("audit", "--prefix", "audit-null/").findings() == [(difference, key, "null")]
        operations.run("audit", "--prefix", "audit-null/", "--repair")
        operations.audit_until_consistent("--prefix", "audit-null/")
        return index.wait_for_row(key, "null")

    with operations.versioning_suspended():
        assert index.put_indexed(key, b"first")["size_bytes"] == 5
        with operations.notifications_disabled():
            index.put(key, b"the second")
        assert find_and_repair("wrong")["size_bytes"] == 10
        with operations.notifications_disabled():
            index.delete_version(key, "null")
        assert find_and_repair("stale")["deleted_by"] == "tapstack:audit"


def test_parallel_listing_returns_the_same_versions_as_the_paginator(
    target: AwsTarget, operations: OperationsStack
) -> None:
    needs(target, Capability.LIST_FROM_ANY_KEY)
    index, aws = operations.index, Aws.connect()
    prefix = index.key("listed/")
    names = ["a b/c+d%2B.txt", "é/\u5831\U0001f680.txt", "x/tab\tand?&#.txt", "x/\ue000", "x/\U00010000"]
    with operations.notifications_disabled():
        for key in [prefix + each for each in names]:
            for body in (b"1", b"22"):
                index.put(key, body)
            index.delete(key)
    expected = sorted(map(repr, aws.versions(index.bucket, prefix=prefix)))
    assert len(expected) == 3 * len(names)
    for _ in range(10):  # repeated, because the ranges depend on the order of responses
        listed = aws.versions_in_any_order(index.bucket, prefix=prefix, workers=8, page=4)
        assert sorted(map(repr, listed)) == expected


class ConcurrentlyChangedAws(Aws):
    """Variant of `Aws` that changes objects after it has listed the versions, before the audit compares them."""

    change: Callable[[], object] | None = None

    def versions_in_any_order(self, bucket: str, **which: Any) -> Iterator[Version]:
        listed = list(super().versions_in_any_order(bucket, **which))
        if self.change:
            change, self.change = self.change, None
            change()
        yield from listed


def test_audit_of_a_changing_bucket_reports_no_findings(operations: OperationsStack) -> None:
    """Objects are created and deleted during the first comparison. Their events are processed before the second one."""
    index, aws = operations.index, ConcurrentlyChangedAws.connect()
    target = from_function(index.function, aws)
    rows = operations.put_all_indexed([f"busy/{number}.txt" for number in range(8)])
    created: list[tuple[str, str]] = []

    def change_objects() -> None:
        for number, row in enumerate(rows[:4]):
            created.append((row["key"], index.put(row["key"], b"another version")))
            created.append((row["key"], index.delete(row["key"])))
            index.delete_version(row["key"], row["version_id"])
            key = index.key(f"busy/new-{number}.txt")
            created.append((key, index.put(key)))

    def sleep(seconds: float) -> None:
        if seconds == GRACE:
            thread.join()
            for key, version_id in created:
                index.wait_for_row(key, version_id)
            for row in rows[:4]:
                index.wait_for_deletion(row["key"], row["version_id"])

    audit = Audit(
        aws,
        target,
        key_filter=KeyFilter.from_notifications(aws.notifications(index.bucket), target.function_arn),
        capacity=aws.capacity(index.table),
        prefix="busy/",
        sleep=sleep,
    )
    aws.change = lambda: index.put_indexed(index.key("busy/after the listing.txt"))
    thread = Thread(target=change_objects)
    thread.start()
    audit.compare(Progress(io.StringIO()))
    thread.join()
    assert audit.report.findings == []
    # The first comparison of the audit has found differences, because objects changed.
    assert audit.report.rechecked > 0
    sleep(GRACE)
    assert operations.run("audit", "--prefix", "busy/").code == 0


def test_backfill_creates_rows_for_objects_without_events(operations: OperationsStack) -> None:
    index = operations.index
    names = ["a b+c%20d.txt", "é/\u5831.txt", "a?b=c&d#e.txt", "plain.txt"]
    keys = [index.key(f"backfill/{name}") for name in names for _ in range(2)]
    other_prefix = index.key("backfill-not/a.txt")
    with operations.notifications_disabled():
        versions = [
            (key, index.put(key, f"{number}".encode(), Metadata={"body": "x"})) for number, key in enumerate(keys)
        ]
        marker = index.delete(keys[-1])
        index.put(other_prefix)

    result = operations.run("backfill", "--prefix", "backfill/")
    assert (result.code, result.document["selected"], result.document["sent"]) == (1, 9, 0)
    assert [key for key in keys if index.rows(key)] == []  # A backfill without --invoke sends no events.

    result = operations.run("backfill", "--prefix", "backfill/", "--invoke")
    assert (result.code, result.document["sent"]) == (0, 9)
    for key, version_id in nonempty(versions):
        row = index.wait_for_row(key, version_id)
        index.assert_row_matches_head(row)
        assert "sequencer" not in row
    assert index.wait_for_row(keys[-1], marker)["delete_marker"] is True
    assert index.rows(other_prefix) == []
    assert operations.run("audit", "--prefix", "backfill/").code == 0


def test_is_current_in_sql_equals_the_version_that_s3_returns_without_a_version_id(
    target: AwsTarget, operations: OperationsStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(target, Capability.GROWING_SEQUENCERS)  # Two versions of a key can be uploaded in the same second.
    monkeypatch.setenv("TAPSTACK_CACHE", str(tmp_path))
    index = operations.index
    keys = [index.key(f"sql/{name}") for name in ("a b+c%20d.txt", "é/\u5831.txt", "'; DROP VIEW objects --", "=1+1")]
    versions = [(key, index.put(key, b"x" * number)) for key in keys for number in (1, 2)]
    for key, version_id in [*versions, (keys[-1], index.delete(keys[-1]))]:
        index.wait_for_row(key, version_id)
    sql = "SELECT key, version_id, size_bytes FROM objects WHERE is_current AND starts_with(key, 'sql/')"
    result = operations.run("sql", "--scan", "--max-age=0", sql)
    assert result.code == 0
    expected = [[key, version_id, 2] for key, version_id in versions[1::2] if key != keys[-1]]
    assert sorted(result.document["rows"]) == sorted(expected)


def test_backfill_with_a_start_time_skips_older_objects(operations: OperationsStack) -> None:
    with operations.notifications_disabled():
        operations.index.put(operations.index.key("since/a.txt"))
    assert operations.run("backfill", "--prefix", "since/", "--since", "2001-01-01").document["selected"] == 1
    result = operations.run("backfill", "--prefix", "since/", "--since", "2101-01-01T00:00:00Z")
    assert (result.document["selected"], result.document["excluded_by_since"]) == (0, 1)


@pytest.mark.usefixtures("default_signals")
@pytest.mark.slow
def test_interrupted_backfill_can_be_continued(target: AwsTarget, operations: OperationsStack) -> None:
    index = operations.index
    name = "plain-" if gap(target, Capability.LIST_FROM_ANY_KEY) else "it's "
    with operations.notifications_disabled():
        keys = [index.key(f"interrupted/{name}{number:02}.txt") for number in range(16)]
        versions = [(key, index.put(key)) for key in keys]
    arguments = ["--invoke", "--prefix", "interrupted/"]
    command = [sys.executable, "-m", "operations", "backfill", "--function", index.function, *arguments, "--rate", "1"]
    with (
        default_signals(),
        subprocess.Popen(  # noqa: S603  our own program, no shell
            command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True
        ) as running,
    ):
        # When the fourth version has a row, the backfill has completed the first key. The rest would take 12 s.
        index.wait_for_row(*versions[3])
        running.send_signal(signal.SIGINT)
        errors = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    match = re.search(
        r"(\d+) events? sent; start the backfill again (?:with (--start-after=.*)|from the start)$", errors.strip()
    )
    assert match is not None, errors
    assert 0 < int(match[1]) < len(keys)
    start_after = shlex.split(match[2] or "")
    assert start_after  # The interrupted backfill has printed the last key that it processed.
    assert 0 < operations.run("backfill", *arguments, *start_after).document["sent"] < len(keys)
    for key, version_id in versions:
        index.wait_for_row(key, version_id)
    assert operations.run("audit", "--prefix", "interrupted/").code == 0


def test_adopt_adds_eventbridge_and_inventory_and_keeps_settings_of_other_owners(
    operations: OperationsStack,
) -> None:
    clients, bucket = operations.index.clients, "reports-of-another-owner"
    queue = clients.sqs.create_queue(QueueName="reports")["QueueUrl"]
    arn = clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rules = [{"Name": "prefix", "Value": "in/é+ &"}]
    entry = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    clients.s3.create_bucket(Bucket=bucket)
    try:
        clients.s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [entry]}, SkipDestinationValidation=True
        )
        before = operations.run("adopt", bucket)
        assert (before.code, before.document["event_bridge"], before.document["obstacles"]) == (1, False, [])
        theirs = {"Bucket": "arn:aws:s3:::theirs", "Format": "CSV"}
        other = {
            "Id": "theirs",
            "IsEnabled": True,
            "IncludedObjectVersions": "Current",
            "Schedule": {"Frequency": "Weekly"},
            "Destination": {"S3BucketDestination": theirs},
        }
        clients.s3.put_bucket_inventory_configuration(Bucket=bucket, Id="theirs", InventoryConfiguration=other)
        after = operations.run("adopt", bucket, "--inventory", "--apply")
        assert (after.code, after.document["changed"], after.document["conflicts"]) == (0, True, [])
        assert (before.document["inventory"], after.document["inventory_changed"]) == (None, True)
        names = {"own": (operations.index.outputs["bucket_name"], "tapstack-operations"), "theirs": (bucket, "theirs")}
        names |= {"added": (bucket, "tapstack-operations")}
        inventories = {
            name: clients.s3.get_bucket_inventory_configuration(Bucket=source, Id=identifier)["InventoryConfiguration"]
            for name, (source, identifier) in names.items()
        }
        assert inventories["added"] == inventories["own"]
        assert inventories["theirs"] == other
        again = operations.run("adopt", bucket, "--inventory", "--apply").document
        assert (again["inventory"], again["inventory_sent"]) == (True, False)
        assert after.document["notifications"] == before.document["notifications"]
        found = clients.s3.get_bucket_notification_configuration(Bucket=bucket)
        assert found["EventBridgeConfiguration"] == {}
        [kept] = found["QueueConfigurations"]
        assert (kept["QueueArn"], kept["Events"]) == (entry["QueueArn"], entry["Events"])
        assert [each["Value"] for each in kept["Filter"]["Key"]["FilterRules"]] == ["in/é+ &"]
    finally:
        clients.s3.delete_bucket(Bucket=bucket)
        clients.sqs.delete_queue(QueueUrl=queue)


def test_report_sql_and_export_contain_the_versions_that_s3_lists(
    operations: OperationsStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAPSTACK_CACHE", str(tmp_path / "cache"))
    index = operations.index
    overwritten, hidden, deleted = (index.key(f"report/{name}") for name in ("a b+é.txt", "hidden", "deleted"))
    first = datetime.fromisoformat(index.put_indexed(overwritten, b"noncurrent")["uploaded_at"])
    index.put_indexed(hidden, b"hidden")
    index.wait_for_row(hidden, index.delete(hidden))
    index.delete_indexed_version(index.put_indexed(deleted, b"deleted"))
    # The order of versions of one second depends on their sequencers, which LocalStack does not increase.
    index.wait_until(lambda: (datetime.now(UTC) - first).total_seconds() > 1 or None, "the next second")
    index.put_indexed(overwritten, b"current")
    prefix = index.key("report/")
    listed = index.clients.s3.list_object_versions(Bucket=index.bucket, Prefix=prefix)
    expected = [[each["Key"], each["VersionId"], each["Size"], each["IsLatest"]] for each in listed["Versions"]]
    expected += [[each["Key"], each["VersionId"], None, False] for each in listed["DeleteMarkers"]]
    assert len(expected) == 4

    columns = "key, version_id, size_bytes, is_current"
    sql = f"SELECT {columns} FROM objects WHERE starts_with(key, '{prefix}') AND deleted_at IS NULL"  # noqa: S608  a prefix of the test
    found = operations.run("sql", sql, "--scan").document
    assert sorted(map(str, found["rows"])) == sorted(map(str, expected))
    totals = operations.run("report", f"--prefix={prefix}", "--scan").document["totals"]
    kinds = ("objects", "noncurrent_versions", "delete_markers", "deleted_versions")
    assert [totals[kind] for kind in kinds] == [1, 2, 1, 1]
    assert [totals[name] for name in ("bytes", "noncurrent_bytes", "deleted_bytes")] == [7, 16, 7]
    folder = tmp_path / "objects"
    written = operations.run("export", f"--parquet={folder}", "--scan").document
    rows = duckdb.read_parquet(f"{folder}/*/*.parquet", hive_partitioning=True)
    assert len(rows) == written["table_rows"] == found["table_rows"]
