"""Tests of the tools with existing buckets, which the stack indexes through EventBridge, with fake AWS calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.operations_fakes import SETTINGS, head_response, item, marker, row, version

if TYPE_CHECKING:
    from operations.aws import Row
    from operations.listing import Version
    from operations.restored_row import Item
    from tests.unit.operations.conftest import Command

LOGS = [version("in/a", "v2", seconds=9), version("in/a", "v1"), marker("in/b"), version("out/c")]
REPORTS = [version("q1", "null"), version("q2", "null", storage_class="GLACIER")]
BUCKETS = [
    {"name": "logs", "versioned": True, "prefixes": ["in/", "new/"], "rule": "tapstack-prod-logs"},
    {"name": "reports", "versioned": False, "prefixes": [], "rule": "tapstack-prod-reports"},
]


def row_in(bucket: str, listed: Version, **changes: Any) -> Row:
    return row(listed, **{"object_id": f"{bucket}/{listed.key}", "bucket": bucket} | changes)


def item_in(bucket: str, listed: Version, **changes: Any) -> Item:
    return item(listed, **{"object_id": f"{bucket}/{listed.key}", "bucket": bucket} | changes)


@pytest.fixture
def run(run: Command) -> Command:
    """Fixture: runs tools with a stack that indexes its own bucket, a versioned and an unversioned bucket."""
    for bucket, versions in zip(BUCKETS, (LOGS, REPORTS), strict=True):
        run.aws.index_bucket(bucket, versions)
    run.aws.rows += [row_in("logs", each) for each in LOGS[:3]]
    # A lifecycle rule has changed the storage class of the second object after its row was written.
    run.aws.rows += [row_in("reports", each, storage_class="STANDARD") for each in REPORTS]
    return run


def sent(run: Command) -> list[tuple[str, str, str]]:
    objects = [record["s3"] for event in run.aws.sent for record in event["Records"]]
    return sorted((each["bucket"]["name"], each["object"]["key"], each["object"]["versionId"]) for each in objects)


@pytest.mark.parametrize(
    ("bucket", "events", "excluded"),
    [
        ("logs", [("logs", "in/a", "v1"), ("logs", "in/a", "v2"), ("logs", "in/b", "m1")], 1),
        ("reports", [("reports", "q1", "null"), ("reports", "q2", "null")], 0),
        ("uploads", [("uploads", "a", "v1"), ("uploads", "b", "m1"), ("uploads", "b", "v1")], 0),
    ],
)
def test_backfill_of_an_existing_bucket_sends_events_for_its_indexed_versions(
    run: Command, bucket: str, events: list[tuple[str, str, str]], excluded: int
) -> None:
    assert run("backfill", "--bucket", bucket, "--rate", "1000", "--invoke", "--json") == 0
    assert sent(run) == events
    assert (run.document["bucket"], run.document["sent"]) == (bucket, len(events))
    assert (run.document["not_indexed"], run.document["triggered"]) == (excluded, True)


@pytest.mark.parametrize("tool", ["audit", "backfill"])
def test_tool_requires_that_the_bucket_belongs_to_the_account_of_the_stack(run: Command, tool: str) -> None:
    run(tool, "--bucket", "logs")
    assert run.aws.bucket_owner == "123456789012"


def test_backfill_summary_of_an_existing_bucket_names_the_key_that_excludes_versions(run: Command) -> None:
    assert run("backfill", "--bucket", "logs") == 1
    assert "(skipped: versions excluded by existingBuckets: 1)" in run.lines[-1]


def test_backfill_of_a_bucket_whose_rule_was_deleted_prints_a_note_and_exits_with_1(run: Command) -> None:
    run.aws.event_rules.clear()
    assert run("backfill", "--bucket", "reports", "--rate", "1000", "--invoke") == 1
    assert run.lines[0].startswith("note: the rule 'tapstack-prod-reports' of the bucket 'reports' does not exist; run")


def test_backfill_of_a_bucket_without_eventbridge_prints_a_note_and_exits_with_1(run: Command) -> None:
    run.aws.bridged = False
    assert run("backfill", "--bucket", "reports", "--rate", "1000", "--invoke") == 1
    assert run.lines[0] == (
        "note: the bucket 'reports' sends no events to EventBridge; run: tapstack adopt reports --apply; then run "
        "redrive with --replay, and then audit with --bucket reports and --repair, because events since the change "
        "are lost"
    )
    assert len(run.aws.sent) == 2
    run("backfill", "--bucket", "reports", "--json")
    assert run.document["triggered"] is False


@pytest.mark.parametrize("tool", [("backfill",), ("audit",), ("restore-rows", "--from", "restored")])
def test_bucket_that_the_stack_does_not_index_is_an_error_with_the_names_of_its_buckets(
    run: Command, tool: tuple[str, ...]
) -> None:
    assert run(*tool, "--bucket", "another") == 2
    [error] = run.errors
    assert error == (
        f"{tool[0]}: --bucket 'another': the stack does not index this bucket. Its own bucket is uploads, its "
        "existing buckets are: logs, reports. Correct the name, or add the bucket to existingBuckets and run: pulumi up"
    )
    run.aws.settings = dict(SETTINGS)
    assert run(*tool, "--bucket", "another") == 2
    assert "its existing buckets are: none." in run.errors[0]


@pytest.mark.parametrize("tool", [("backfill",), ("audit",), ("restore-rows", "--from", "restored")])
def test_option_bucket_requires_a_settings_document_except_for_the_own_bucket(
    run: Command, tool: tuple[str, ...]
) -> None:
    run.aws.settings = None
    assert run(*tool, "--bucket", "logs") == 2
    assert "are in the SSM parameter 'indexer-settings', which does not exist: run: pulumi up" in run.errors[0]
    assert run(*tool, "--bucket", "uploads") in (0, 1)


@pytest.mark.parametrize(("bucket", "keys", "rows"), [("logs", 2, 3), ("reports", 2, 2), ("uploads", 2, 3)])
def test_audit_with_option_bucket_compares_only_this_bucket(run: Command, bucket: str, keys: int, rows: int) -> None:
    assert run("audit", "--bucket", bucket, "--json") == 0
    assert (run.document["bucket"], run.document["keys"], run.document["rows"]) == (bucket, keys, rows)
    assert run.document["findings"] == []


def test_audit_summary_contains_the_name_of_an_existing_bucket(run: Command) -> None:
    assert run("audit", "--bucket", "logs") == 0
    assert run.lines == [
        (
            "audit: the table is consistent with the bucket logs: 2 versions and 1 delete marker of 2 keys, 3 rows; "
            "versions excluded by existingBuckets: 1"
        )
    ]


def test_audit_of_an_unversioned_bucket_repairs_missing_wrong_and_stale_rows(run: Command) -> None:
    deleted = version("q3", "null")
    run.aws.rows = [row_in("reports", REPORTS[1], size_bytes=6), row_in("reports", deleted)]
    assert run("audit", "--bucket", "reports", "--json", "--repair") == 1
    assert [(each["key"], each["difference"], each["repairable"]) for each in run.document["findings"]] == [
        ("q1", "missing", True),
        ("q2", "wrong", True),
        ("q3", "stale", True),
    ]
    assert sent(run) == [("reports", f"q{number}", "null") for number in (1, 2, 3)]
    names = {event["Records"][0]["s3"]["object"]["key"]: event["Records"][0]["eventName"] for event in run.aws.sent}
    assert names == {
        "q1": "ObjectCreated:Put",
        "q2": "ObjectCreated:Put",
        "q3": "ObjectRemoved:Delete",
    }


def test_audit_with_heads_of_an_existing_bucket_does_not_report_a_lifecycle_transition(run: Command) -> None:
    for listed in REPORTS:
        response = head_response(listed, StorageClass=listed.storage_class)
        run.aws.head_responses[listed.key, "null"] = response
    assert run("audit", "--bucket", "reports", "--heads", "--json") == 0
    assert (run.document["heads"], run.document["findings"]) == (2, [])


@pytest.mark.parametrize(("bucket", "code"), [("reports", 0), ("uploads", 1)])
def test_audit_with_heads_accepts_a_row_without_the_checksum_of_a_kms_key_only_in_existing_buckets(
    run: Command, bucket: str, code: int
) -> None:
    listed = REPORTS[0] if bucket == "reports" else run.aws.listed[0]
    keyed = {"ServerSideEncryption": "aws:kms", "ChecksumCRC64NVME": "x", "ChecksumType": "FULL_OBJECT"}
    run.aws.head_responses = {(listed.key, listed.version_id): head_response(listed, **keyed)}
    run.aws.rows = [each | {"encryption": "aws:kms"} for each in run.aws.rows if each["bucket"] == bucket]
    assert run("audit", "--bucket", bucket, "--heads", "--json") == code
    assert run.document["heads"] == 1
    assert [each["difference"] for each in run.document["findings"]] == ["wrong"] * code


def test_audit_of_an_existing_bucket_without_rows_prints_a_note_about_backfill(run: Command) -> None:
    run.aws.rows = [each for each in run.aws.rows if each["bucket"] != "logs"]
    assert run("audit", "--bucket", "logs") == 1
    assert run.lines[0] == (
        "note: the table has no row of the bucket 'logs': if its objects were never indexed, run backfill with "
        "--bucket logs; otherwise, see docs/runbook.md#table-lost before --repair, which cannot create the rows of "
        "deleted versions"
    )


@pytest.mark.parametrize(
    ("bucket", "listed", "problem", "remedy"),
    [
        ("reports", [], "the bucket 'reports' is empty", "upload a file, then run audit again"),
        (
            "logs",
            [version("out/c")],
            "the prefixes of 'logs' exclude all 1 version that were listed",
            "check existingBuckets, and the option --prefix of audit",
        ),
    ],
)
def test_audit_of_an_existing_bucket_that_compared_no_key_reports_a_finding(
    run: Command, bucket: str, listed: list[Version], problem: str, remedy: str
) -> None:
    run.aws.listed_elsewhere[bucket], run.aws.rows = listed, []
    assert run("audit", "--bucket", bucket, "--json") == 1
    [finding] = run.document["settings"]
    assert finding["problem"] == f"{problem}, so the audit compared nothing"
    assert finding["remedy"] == remedy


def test_restore_rows_copies_the_rows_of_all_buckets_of_the_stack(run: Command) -> None:
    run.aws.restored = [item(version("a")), item_in("logs", LOGS[0]), item_in("reports", version("r", "v1"))]
    assert run("restore-rows", "--from", "restored", "--apply") == 0
    assert sorted(address[0] for address in run.aws.items) == ["logs/in/a", "reports/r", "uploads/a"]


def test_restore_rows_of_one_bucket_does_not_copy_the_rows_of_other_buckets(run: Command) -> None:
    run.aws.restored = [item(version("a")), item_in("logs", LOGS[0]), item_in("removed", LOGS[0])]
    assert run("restore-rows", "--from", "restored", "--bucket", "logs", "--apply", "--json") == 0
    assert sorted(address[0] for address in run.aws.items) == ["logs/in/a"]
    assert (run.document["read"], run.document["copied"], run.document["other_buckets"]) == (1, 1, 2)
    assert "0 with the ID 'null', 2 of other buckets" in run.document["summary"]


def test_restore_rows_with_a_row_of_a_removed_bucket_is_an_error_with_the_remedies(run: Command) -> None:
    run.aws.restored = [item_in("removed", LOGS[0])]
    assert run("restore-rows", "--from", "restored") == 2
    assert "object_id is removed/in/a, but the stack's buckets are 'uploads', 'logs', 'reports'." in run.errors[0]
    assert "removed a bucket from existingBuckets, use --any-bucket" in run.errors[0]
    assert run("restore-rows", "--from", "restored", "--any-bucket", "--apply") == 0
    assert len(run.aws.items) == 1


def test_restore_rows_of_an_unversioned_bucket_prints_the_backfill_command_of_the_bucket(run: Command) -> None:
    run.aws.restored = [item_in("reports", REPORTS[0])]
    assert run("restore-rows", "--from", "restored", "--bucket", "reports") == 0
    assert "run backfill with --bucket reports --invoke next" in run.lines[0]


@pytest.mark.parametrize(
    "buckets",
    [
        None,
        {},
        [1],
        *([{**BUCKETS[0], name: value}] for name, value in (("name", 1), ("versioned", "true"), ("rule", None))),
        *([{**BUCKETS[0], "prefixes": value}] for value in (None, "in/", [1])),
    ],
)
def test_settings_document_with_invalid_existing_buckets_is_an_error(run: Command, buckets: object) -> None:
    run.aws.settings = {**SETTINGS, "existing_buckets": buckets}
    assert run("audit") == 2
    assert "has no valid existing_buckets: run: pulumi up --refresh" in run.errors[0]
