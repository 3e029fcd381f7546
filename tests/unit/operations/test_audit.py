from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from operations.audit import GRACE, Audit
from operations.errors import OperatorError
from operations.listing import KeyFilter, Version
from operations.output import Progress
from operations.rate import Capacity
from operations.sample import Sample
from tests.support.clock import FakeClock
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import ARN, START, TARGET, FakeAws, head_response, marker, raising, row, version

if TYPE_CHECKING:
    from operations.audit_report import AuditReport
    from operations.aws import Row

OLD, NEW, MARKER = version("a", "v1"), version("a", "v2", seconds=5, etag="f"), marker("a", "m1", seconds=9)
OTHER, DELETED = version("b", "v1"), version("gone", "v1")
ALL = [MARKER, NEW, OLD, OTHER]
CONSISTENT = [row(each) for each in ALL]
DELETED_AT = "2026-01-31T12:00:00.000Z"


class Scenario:
    """Runs audits of a fake stack. During the grace period, each audit calls the function `meanwhile`."""

    def __init__(self, listed: Sequence[Version], rows: Sequence[Row]) -> None:
        self.aws = FakeAws(listed, rows)
        self.clock = FakeClock()
        self.progress = Progress(io.StringIO())
        self.meanwhile: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        if seconds >= GRACE:
            self.meanwhile()

    def audit(self, **options: Any) -> Audit:
        audit = Audit(
            self.aws,
            TARGET,
            key_filter=KeyFilter.from_notifications(self.aws.rules, ARN),
            capacity=self.aws.provisioned,
            clock=self.clock,
            sleep=self.sleep,
            now=lambda: START + timedelta(hours=1),
            **options,
        )
        audit.compare(self.progress)
        return audit


def described(report: AuditReport) -> str:
    return ", ".join(f"{each.difference.value} {each.key} {each.version_id}" for each in report.findings)


def test_audit_of_a_consistent_table_reports_no_findings_without_waiting() -> None:
    scenario = Scenario(ALL, CONSISTENT)
    report = scenario.audit().report
    assert report.findings == []
    assert (report.keys, report.versions, report.markers, report.rows, report.rechecked) == (2, 3, 1, 4, 0)
    assert sum(scenario.clock.sleeps) < 1


DAMAGED = [row(NEW, size_bytes=6), row(OLD, content_type=None), row(OTHER), row(DELETED), row(marker("gone", "m1"))]
FOLDERS = [version("a/1"), version("b/1"), version("b/2")]
LONGER = [version("ab", "null"), version("a/b", "v1")]  # The object keys "ab" and "a/b" begin with "a".


@pytest.mark.parametrize(
    ("listed", "rows", "prefix", "expected"),
    [
        (ALL, DAMAGED, "", "missing a m1, wrong a v2, incomplete a v1, stale gone v1, stale gone m1"),
        # Findings of the audit are sorted by object key.
        ([OTHER, OLD], [row(version("a", "v0"))], "", "missing a v1, stale a v0, missing b v1"),
        # A key prefix limits both the listing of the bucket and the scan of the table.
        (FOLDERS, [row(version("b/x")), row(DELETED)], "b/", "missing b/1 v1, missing b/2 v1, stale b/x v1"),
        ([OLD, version("a", "null"), *LONGER], [row(each) for each in LONGER], "", "missing a v1, missing a null"),
        (ALL, [*CONSISTENT, row(OLD, object_id="uploads-old/a")], "", ""),  # The audit ignores rows of another bucket.
        (ALL, [*CONSISTENT, row(DELETED, deleted_at=DELETED_AT)], "", ""),
    ],
)
def test_audit_finds_missing_wrong_incomplete_and_stale_rows(
    listed: list[Version], rows: list[Row], prefix: str, expected: str
) -> None:
    report = Scenario(listed, rows).audit(prefix=prefix).report
    assert described(report) == expected
    assert bool(report.rechecked) == bool(expected)  # A second comparison is necessary only for keys with differences.


def test_audit_counts_versions_excluded_by_the_notification_filter() -> None:
    listed = [version("in/a"), version("out/a"), marker("out/a")]
    scenario = Scenario(listed, [row(listed[0]), row(version("out/gone"))])
    rule = {"Name": "Prefix", "Value": "in/"}
    scenario.aws.rules = [{"LambdaFunctionArn": ARN, "Filter": {"Key": {"FilterRules": [rule]}}}]
    report = scenario.audit().report
    assert report.findings == []
    assert (report.versions, report.rows, report.not_indexed) == (1, 1, 2)


def row_is_written(aws: FakeAws) -> None:
    aws.rows.append(row(NEW))


def version_is_deleted(aws: FakeAws) -> None:
    aws.listed.remove(NEW)
    aws.rows.append(row(NEW, deleted_at=DELETED_AT))


@pytest.mark.parametrize("change", [row_is_written, version_is_deleted])
def test_audit_omits_differences_that_are_resolved_in_the_grace_period(change: Callable[[FakeAws], None]) -> None:
    scenario = Scenario([NEW, OTHER], [row(OTHER)])
    scenario.meanwhile = lambda: change(scenario.aws)
    report = scenario.audit().report
    assert (report.findings, report.rechecked) == ([], 1)
    assert scenario.clock.sleeps[-1:] == [GRACE]
    assert scenario.aws.consistent_reads == 1


@pytest.mark.parametrize("is_uploaded", [True, False], ids=["uploaded after the listing", "deleted"])
def test_audit_does_not_report_a_row_newer_than_the_listing_as_stale(*, is_uploaded: bool) -> None:
    scenario = Scenario([OTHER], [row(OTHER), row(NEW)])
    aws = scenario.aws
    scenario.meanwhile = lambda: aws.listed.append(NEW) if is_uploaded else aws.rows[1].update(deleted_at=DELETED_AT)
    assert described(scenario.audit().report) == ""


def test_audit_omits_versions_created_between_its_two_comparisons() -> None:
    scenario = Scenario([OLD], [])
    scenario.meanwhile = lambda: scenario.aws.listed.append(NEW)
    assert described(scenario.audit().report) == "missing a v1"


def test_audit_omits_a_version_deleted_during_the_second_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row is correct: it has the attribute `deleted_at`. If the audit reported it, an operator could delete it."""
    scenario = Scenario([OLD], [])
    listings: list[str] = []
    list_versions = scenario.aws.versions

    def versions(bucket: str, **which: Any) -> Iterator[Version]:
        listings.append(which["prefix"])
        yield from list(list_versions(bucket, **which))
        if listings.count("a") == 1:  # The version is deleted after the second comparison has listed it.
            scenario.aws.listed = []
            scenario.aws.rows = [row(OLD, deleted_at=DELETED_AT)]

    monkeypatch.setattr(scenario.aws, "versions", versions)
    assert described(scenario.audit().report) == ""
    assert listings == ["", "a", "a"]


def test_audit_repair_sends_one_event_for_each_finding() -> None:
    scenario = Scenario([OLD, MARKER], [row(version("gone", "v7"))])
    audit = scenario.audit()
    assert scenario.aws.sent == []
    audit.repair(scenario.progress)
    records = [record for event in scenario.aws.sent for record in event["Records"]]
    assert sorted(
        (each["eventName"], each["s3"]["object"]["key"], each["s3"]["object"]["versionId"], each["eventTime"])
        for each in records
    ) == [
        ("ObjectCreated:Put", "a", "v1", "2026-01-31T12:00:00.000Z"),
        ("ObjectRemoved:Delete", "gone", "v7", "2026-01-31T13:00:00.000Z"),
        ("ObjectRemoved:DeleteMarkerCreated", "a", "m1", "2026-01-31T12:00:09.000Z"),
    ]
    assert audit.report.sent == 3


def test_failed_audit_repair_reports_the_number_of_sent_events() -> None:
    scenario = Scenario([version(f"k{number}") for number in range(5)], [])
    audit = scenario.audit()
    scenario.aws.before_invoke = raising(OperatorError("denied"), key="k3")
    with pytest.raises(OperatorError, match="denied"):
        audit.repair(scenario.progress)
    assert audit.report.sent == 3


MANY = [version(f"k{number:04}") for number in range(200)]


def test_audit_reads_use_at_most_half_of_the_read_capacity() -> None:
    scenario = Scenario(MANY, [row(each) for each in MANY])
    scenario.aws.provisioned = Capacity(read=100.0, write=100.0)
    scenario.audit()
    units = 200 * 0.5 + 100 * 10  # The audit sends 200 queries, and reads 100 pages of the scan.
    last_page = 10  # The audit does not wait after it has read the last page.
    assert scenario.clock.now == pytest.approx((units - last_page) / 50, abs=1.2)


def test_audit_reads_an_on_demand_table_without_a_rate_limit() -> None:
    scenario = Scenario(ALL, CONSISTENT)
    scenario.aws.provisioned = Capacity(read=None, write=None)
    scenario.audit()
    assert scenario.clock.sleeps == []


def test_audit_repair_uses_at_most_half_of_the_write_capacity() -> None:
    scenario = Scenario(MANY, [])
    scenario.aws.provisioned = Capacity(read=None, write=20.0)
    audit = scenario.audit()
    begun = scenario.clock.now
    audit.repair(scenario.progress)
    assert scenario.clock.now - begun == pytest.approx(200 / 10, abs=1.2)


KEYS = [version(f"k{number:02}") for number in range(20)]


def seeded() -> random.Random:
    return random.Random(1)  # noqa: S311  A sample in a test needs no cryptographic random numbers.


def with_heads(listed: Sequence[Version], rows: Sequence[Row], **changed: Any) -> Scenario:
    """Return a scenario in which S3 returns the content type `changed[key]` instead of `text/plain` for a key."""
    scenario = Scenario(listed, rows)
    scenario.aws.head_responses = {
        (each.key, each.version_id): head_response(each, ContentType=changed.get(each.key, "text/plain"))
        for each in listed
        if not each.marker
    }
    return scenario


def test_audit_without_heads_sends_no_head_request() -> None:
    scenario = with_heads(ALL, CONSISTENT, a="image/png")
    assert scenario.audit().report.findings == []
    assert scenario.aws.heads == []


def test_audit_with_heads_sends_one_head_request_for_each_object_version() -> None:
    scenario = with_heads(ALL, CONSISTENT)
    report = scenario.audit(heads=True).report
    assert (report.findings, report.heads, report.unreadable) == ([], 3, 0)
    assert sorted(scenario.aws.heads) == [("a", "v1"), ("a", "v2"), ("b", "v1")]


def test_audit_with_heads_reports_and_repairs_a_different_content_type() -> None:
    scenario = with_heads(ALL, CONSISTENT, b="image/png")
    audit = scenario.audit(heads=True)
    [finding] = audit.report.findings
    assert finding.details == ("content_type is text/plain in the row and image/png in S3",)
    assert audit.report.heads == 3  # HEAD requests of the second comparison are not counted.
    audit.repair(scenario.progress)
    [event] = scenario.aws.sent
    assert event["Records"][0]["s3"]["object"]["key"] == "b"


def test_audit_with_heads_omits_differences_that_are_resolved_in_the_grace_period() -> None:
    scenario = with_heads([OTHER], [row(OTHER, user_metadata={"a": "b"})])
    scenario.aws.head_responses["b", "v1"] = head_response(OTHER, ContentType="image/png", Metadata={"a": "b"})
    scenario.meanwhile = lambda: scenario.aws.rows[0].update(content_type="image/png")
    report = scenario.audit(heads=True).report
    assert (report.findings, report.rechecked, report.heads) == ([], 1, 1)


def test_audit_with_heads_sends_no_head_request_for_a_row_with_another_difference() -> None:
    scenario = with_heads(ALL, [row(OTHER, size_bytes=6), row(OLD, content_type=None)])
    report = scenario.audit(heads=True).report
    assert described(report) == "missing a m1, missing a v2, incomplete a v1, wrong b v1"
    assert scenario.aws.heads == []


def test_audit_with_heads_counts_versions_that_s3_does_not_return() -> None:
    scenario = with_heads(ALL, CONSISTENT)
    del scenario.aws.head_responses["a", "v1"]
    report = scenario.audit(heads=True).report
    assert (report.findings, report.heads, report.unreadable) == ([], 2, 1)


@pytest.mark.parametrize(("size", "expected"), [(1, 1), (7, 7), (20, 20), (100, 20)])
def test_audit_heads_sample_sends_head_requests_for_the_given_number_of_versions(size: int, expected: int) -> None:
    scenario = with_heads([*KEYS, MARKER], [row(each) for each in [*KEYS, MARKER]])
    report = scenario.audit(sample=size, rng=seeded()).report
    assert (report.findings, report.heads) == ([], expected)
    assert len(set(scenario.aws.heads)) == len(scenario.aws.heads) == expected
    assert ("a", "m1") not in scenario.aws.heads


def test_audit_heads_sample_reports_only_differences_of_sampled_versions() -> None:
    scenario = with_heads(KEYS, [row(each) for each in KEYS[1:]], **{each.key: "image/png" for each in KEYS})
    report = scenario.audit(sample=5, rng=seeded()).report
    wrong = {(each.key, each.version_id) for each in report.findings if each.difference == "wrong"}
    assert wrong == set(scenario.aws.heads)
    assert len(wrong) in (4, 5)  # The sample may contain the version k00, whose missing row is not reported as wrong.
    assert described(report).startswith("missing k00 v1")


@pytest.mark.parametrize(("size", "versions", "tolerance"), [(5, KEYS, 100), (1, KEYS[:2], 130)])
def test_audit_heads_sample_selects_each_version_with_the_same_probability(
    size: int, versions: list[Version], tolerance: int
) -> None:
    rng, counts = seeded(), Counter[str]()
    for _ in range(2000):
        sample = Sample(size, rng)
        for each in versions:
            sample.add(each)
        counts.update(each.key for each in sample.versions)
    assert len(counts) == len(versions)
    expected = 2000 * size / len(versions)  # The test allows a deviation of about six standard deviations.
    assert all(abs(number - expected) < tolerance for number in nonempty(counts.values()))


def test_audit_with_heads_sends_no_head_request_for_an_object_with_a_customer_key() -> None:
    scenario = with_heads([OTHER], [row(OTHER, content_type=None, storage_class=None, encryption="SSE-C")])
    report = scenario.audit(heads=True).report
    assert (report.findings, report.heads, scenario.aws.heads) == ([], 0, [])
