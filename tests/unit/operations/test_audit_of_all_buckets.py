"""Tests of `audit --all-buckets`, which compares all buckets of a stack, with fake AWS calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from operations.errors import OperatorError
from tests.support.operations_fakes import FakeAws, raising, row, version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.listing import Version
    from tests.unit.operations.conftest import Command

LOGS, REPORTS = [version("in/a", "v1")], [version("q1", "null"), version("q2", "null")]
BUCKETS = [
    {"name": "logs", "versioned": True, "prefixes": ["in/"], "rule": "tapstack-prod-logs"},
    {"name": "reports", "versioned": False, "prefixes": [], "rule": "tapstack-prod-reports"},
]
OWN_LINE = (
    "bucket      uploads: the table is consistent with the bucket: 2 versions and 1 delete marker of 2 keys, 3 rows"
)


@pytest.fixture
def run(run: Command) -> Command:
    """Fixture: runs tools with a stack that indexes its own bucket, a versioned and an unversioned bucket."""
    for bucket, versions in zip(BUCKETS, (LOGS, REPORTS), strict=True):
        run.aws.index_bucket(bucket, versions)
        name = bucket["name"]
        run.aws.rows += [row(each, object_id=f"{name}/{each.key}", bucket=name) for each in versions]
    return run


def remove_row(run: Command, object_id: str) -> None:
    before = len(run.aws.rows)
    run.aws.rows = [each for each in run.aws.rows if each["object_id"] != object_id]
    assert len(run.aws.rows) == before - 1


def deny_listing(run: Command, denied: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = run.aws.versions

    def versions(bucket: str, **options: Any) -> Iterator[Version]:
        if bucket == denied:
            raise OperatorError(f"list the bucket {bucket!r}: AccessDenied")
        return listing(bucket, **options)

    monkeypatch.setattr(run.aws, "versions", versions)


def test_audit_of_all_buckets_compares_each_bucket_with_its_rows(run: Command) -> None:
    assert run("audit", "--all-buckets") == 0
    assert run.lines == [
        OWN_LINE,
        "bucket      logs: the table is consistent with the bucket: 1 version and 0 delete markers of 1 key, 1 row",
        (
            "bucket      reports: the table is consistent with the bucket: 2 versions and 0 delete markers of 2 keys, "
            "2 rows"
        ),
        "audit: 3 buckets compared: the table is consistent with them",
    ]


def test_audit_of_all_buckets_scans_the_table_once(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    scans, scan = [], run.aws.scan_rows

    def scan_rows(table: str, *, prefix: str) -> object:
        scans.append(prefix)
        return scan(table, prefix=prefix)

    monkeypatch.setattr(run.aws, "scan_rows", scan_rows)
    assert run("audit", "--all-buckets") == 0
    assert scans == [""]
    run("audit", "--bucket", "logs")
    assert scans == ["", "logs/"]


def test_audit_of_all_buckets_with_a_prefix_does_not_report_rows_of_other_keys(run: Command) -> None:
    assert run("audit", "--all-buckets", "--prefix", "q", "--json") == 0
    numbers = [(each["bucket"], each["keys"], each["rows"]) for each in run.document["buckets"]]
    assert numbers == [("uploads", 0, 0), ("logs", 0, 0), ("reports", 2, 2)]


def test_audit_of_all_buckets_exits_with_1_if_one_bucket_has_a_difference(run: Command) -> None:
    remove_row(run, "logs/in/a")
    stale = version("q3", "null")
    run.aws.rows.append(row(stale, object_id="reports/q3", bucket="reports"))
    assert run("audit", "--all-buckets") == 1
    assert run.lines[0] == OWN_LINE
    assert run.lines[1].startswith("bucket      logs: 1 difference (1 missing) in 1 version")
    assert run.lines[2].startswith("note: the table has no row of the bucket 'logs'")
    assert run.lines[3:5] == ["missing     in/a  v1", "            Runbook: docs/runbook.md#audit"]
    assert run.lines[5].startswith("bucket      reports: 1 difference (1 stale) in 2 versions")
    assert run.lines[6] == "stale       q3  null"
    assert run.lines[-1] == "audit: 3 buckets compared: 2 differences in 2 of them"


def test_audit_of_all_buckets_reports_a_changed_setting_only_once(run: Command) -> None:
    run.aws.rules = []
    assert run("audit", "--all-buckets", "--json") == 1
    assert [each["setting"] for each in run.document["settings"]] == ["notification"]
    assert [each["triggered"] for each in run.document["buckets"]] == [False, True, True]
    assert run.document["summary"] == (
        "audit: 1 finding about the stack; 3 buckets compared: the table is consistent with them"
    )


def test_audit_of_all_buckets_prints_one_json_document(run: Command) -> None:
    remove_row(run, "reports/q1")
    assert run("audit", "--all-buckets", "--json") == 1
    assert set(run.document) == {"tool", "schema", "buckets", "repair", "sent", "notes", "settings", "summary"}
    assert [each["bucket"] for each in run.document["buckets"]] == ["uploads", "logs", "reports"]
    assert [len(each["findings"]) for each in run.document["buckets"]] == [0, 0, 1]
    run("audit", "--json")
    assert {"bucket", "findings", "settings"} <= set(run.document)


def test_audit_of_all_buckets_repairs_each_bucket(run: Command) -> None:
    for object_id in ("logs/in/a", "reports/q1"):
        remove_row(run, object_id)
    assert run("audit", "--all-buckets", "--repair") == 1
    sent = [each["Records"][0]["s3"] for each in run.aws.sent]
    assert [(each["bucket"]["name"], each["object"]["key"]) for each in sent] == [("logs", "in/a"), ("reports", "q1")]
    assert run.lines[-1] == (
        "audit: 3 buckets compared: 2 differences in 2 of them; 2 events sent: run audit again in a minute"
    )


def test_audit_of_all_buckets_compares_the_other_buckets_if_one_cannot_be_read(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny_listing(run, "logs", monkeypatch)
    remove_row(run, "reports/q1")
    assert run("audit", "--all-buckets") == 2
    assert [each for each in run.errors if each.startswith("audit: bucket")] == [
        "audit: bucket uploads",
        "audit: bucket logs",
        "audit: bucket reports",
    ]
    assert run.errors[-2:] == [
        "audit: list the bucket 'logs': AccessDenied",
        "audit: 0 events sent, nothing else was changed; start the audit again",
    ]
    assert run.lines[0] == OWN_LINE
    assert run.lines[1] == "bucket      logs: not compared: list the bucket 'logs': AccessDenied"
    assert run.lines[2].startswith("bucket      reports: 1 difference (1 missing)")
    assert run("audit", "--all-buckets", "--json") == 2
    assert [each.get("error") for each in run.document["buckets"]] == [
        None,
        "list the bucket 'logs': AccessDenied",
        None,
    ]


def test_audit_of_all_buckets_repairs_the_other_buckets_if_one_cannot_be_read(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny_listing(run, "logs", monkeypatch)
    remove_row(run, "reports/q1")
    assert run("audit", "--all-buckets", "--repair") == 2
    assert len(run.aws.sent) == 1


def test_audit_of_all_buckets_repairs_the_other_buckets_if_lambda_rejects_an_event(run: Command) -> None:
    for object_id in ("logs/in/a", "reports/q1"):
        remove_row(run, object_id)
    run.aws.before_invoke = raising(OperatorError("cannot invoke"), key="in/a")
    assert run("audit", "--all-buckets", "--repair") == 2
    assert run.lines[1].endswith("; 0 events sent, then: cannot invoke")
    assert "; 1 event sent: run audit again in a minute" in run.output
    assert run.errors[-2] == "audit: cannot invoke"


def test_audit_of_all_buckets_does_not_compare_a_deleted_bucket(run: Command) -> None:
    run.aws.versioning_elsewhere["logs"] = None
    assert run("audit", "--all-buckets") == 1
    assert run.lines[-3] == "bucket      logs: bucket and table were not compared"
    assert run.lines[-1] == (
        "audit: 1 finding about the stack; 2 buckets compared: the table is consistent with them; 1 bucket not compared"
    )


def test_audit_of_all_buckets_accepts_an_empty_bucket_if_another_bucket_has_keys(run: Command) -> None:
    run.aws.listed, run.aws.rows = [], [each for each in run.aws.rows if each["bucket"] != "uploads"]
    assert run("audit", "--all-buckets") == 0
    assert run.lines[0].startswith("bucket      uploads: no key was compared")
    assert run("audit") == 1


def test_audit_of_all_buckets_that_compares_no_key_reports_a_finding_for_each_bucket(run: Command) -> None:
    run.aws.listed, run.aws.rows = [], []
    run.aws.listed_elsewhere = {"logs": [version("out/c")], "reports": []}
    assert run("audit", "--all-buckets", "--json") == 1
    assert [each["problem"].partition(", so")[0] for each in run.document["settings"]] == [
        "the bucket 'uploads' is empty",
        "the prefixes of 'logs' exclude all 1 version that were listed",
        "the bucket 'reports' is empty",
    ]


def test_audit_of_all_buckets_reports_prefixes_that_exclude_all_versions(run: Command) -> None:
    run.aws.listed_elsewhere["logs"] = [version("out/c")]
    run.aws.rows = [each for each in run.aws.rows if each["bucket"] != "logs"]
    assert run("audit", "--all-buckets", "--json") == 1
    assert [each["setting"] for each in run.document["settings"]] == ["compared keys"]


def test_audit_of_all_buckets_without_settings_document_compares_the_own_bucket_and_prints_a_note(run: Command) -> None:
    run.aws.settings = None
    assert run("audit", "--all-buckets") == 1
    assert run.lines[0] == (
        "note: the names of the existing buckets are in the settings document, which does not exist, so only the "
        "stack's own bucket was compared"
    )
    assert OWN_LINE in run.lines


def test_audit_of_all_buckets_of_a_stack_without_existing_buckets_compares_its_own_bucket(run: Command) -> None:
    run.aws = FakeAws([version("a")], [row(version("a"))])
    assert run("audit", "--all-buckets") == 0
    assert run.lines[-1] == "audit: 1 bucket compared: the table is consistent with it"


def test_notification_of_an_audit_of_all_buckets_has_one_line_per_bucket_and_no_object_keys(
    run: Command,
) -> None:
    remove_row(run, "reports/q1")
    assert run("audit", "--all-buckets", "--notify", "arn:aws:sns:eu-west-1:123456789012:alarms") == 1
    [(_, _, message)] = run.aws.published
    assert "bucket      reports: 1 difference (1 missing)" in message
    assert "q1" not in message


def test_notification_of_a_failed_audit_of_all_buckets_contains_the_other_results(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny_listing(run, "logs", monkeypatch)
    remove_row(run, "reports/q1")
    assert run("audit", "--all-buckets", "--notify", "arn:aws:sns:eu-west-1:123456789012:alarms") == 2
    [(_, subject, message)] = run.aws.published
    assert subject.endswith("failed")
    assert message.startswith(
        "audit: list the bucket 'logs': AccessDenied\naudit: 2 buckets compared: 1 difference in 1 "
    )
    assert "bucket      reports: 1 difference (1 missing)" in message


def test_interrupted_audit_of_all_buckets_reports_no_bucket_as_consistent(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("operations.audit.Audit.scan", interrupt)
    assert run("audit", "--all-buckets") == 130
    assert run.lines == [
        f"bucket      {name}: the comparison was not completed" for name in ("uploads", "logs", "reports")
    ]


def test_options_bucket_and_all_buckets_cannot_be_combined(run: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("audit", "--bucket", "logs", "--all-buckets")
    assert "--all-buckets: not allowed with argument --bucket" in capsys.readouterr().err
