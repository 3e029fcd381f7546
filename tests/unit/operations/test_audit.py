from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from operations.audit import GRACE, Audit
from operations.errors import OperatorError
from operations.listing import KeyFilter, Version
from operations.output import Progress
from operations.rate import Capacity
from tests.unit.operations.fakes import ARN, START, TARGET, Clock, FakeAws, marker, row, version

if TYPE_CHECKING:
    from operations.aws import Row

OLD, NEW, MARKER = version("a", "v1"), version("a", "v2", seconds=5, etag="f"), marker("a", "m1", seconds=9)
OTHER = version("b", "v1")
ALL = [MARKER, NEW, OLD, OTHER]
TRUE = [row(each) for each in ALL]


class World:
    """A stack in memory, and audits of it."""

    def __init__(self, listed: Sequence[Version], rows: Sequence[Row]) -> None:
        self.aws = FakeAws(listed, rows)
        self.clock = Clock()
        self.progress = Progress(io.StringIO())

    def audit(self, **options: Any) -> Audit:
        audit = Audit(
            self.aws,
            TARGET,
            key_filter=KeyFilter.from_notifications(self.aws.rules, ARN),
            capacity=self.aws.provisioned,
            clock=self.clock,
            sleep=self.clock.sleep,
            now=lambda: START + timedelta(hours=1),
            **options,
        )
        audit.compare(self.progress)
        return audit

    def found(self, **options: Any) -> list[tuple[str, str, str]]:
        findings = self.audit(**options).report.findings
        return [(each.difference.value, each.key, each.version_id) for each in findings]


def test_a_true_table_has_no_findings_and_nobody_waits() -> None:
    world = World(ALL, TRUE)
    report = world.audit().report
    assert report.findings == []
    assert (report.keys, report.versions, report.markers, report.rows, report.rechecked) == (2, 3, 1, 4, 0)
    assert sum(world.clock.slept) < 1


def test_every_kind_of_damage_is_found() -> None:
    gone, hidden = version("gone", "v1"), marker("gone", "m1")
    rows = [row(NEW, size_bytes=6), row(OLD, content_type=None), row(OTHER), row(gone), row(hidden)]
    assert World(ALL, rows).found() == [
        ("missing", "a", "m1"),
        ("wrong", "a", "v2"),
        ("incomplete", "a", "v1"),
        ("stale", "gone", "v1"),
        ("stale", "gone", "m1"),
    ]


def test_a_row_that_says_that_its_version_was_deleted_is_true() -> None:
    gone = row(version("gone"), deleted_at="2026-01-31T12:00:00.000Z")
    report = World(ALL, [*TRUE, gone]).audit().report
    assert (report.findings, report.rechecked) == ([], 0)


def test_findings_are_in_the_order_of_keys_and_of_each_key_together() -> None:
    gone = version("a", "v0")
    assert World([OTHER, OLD], [row(gone)]).found() == [
        ("missing", "a", "v1"),
        ("stale", "a", "v0"),
        ("missing", "b", "v1"),
    ]


def test_a_prefix_limits_listing_and_scan() -> None:
    rows = [row(version("b/gone")), row(version("c/gone"))]
    listed = [version("a/1"), version("b/1"), version("b/2")]
    assert World(listed, rows).found(prefix="b/") == [
        ("missing", "b/1", "v1"),
        ("missing", "b/2", "v1"),
        ("stale", "b/gone", "v1"),
    ]


def test_keys_that_the_notification_leaves_out_are_counted_and_not_compared() -> None:
    world = World(
        [version("in/a"), version("out/a"), marker("out/a")], [row(version("in/a")), row(version("out/gone"))]
    )
    world.aws.rules = [
        {"LambdaFunctionArn": ARN, "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}]}}}
    ]
    report = world.audit().report
    assert report.findings == []
    assert (report.versions, report.rows, report.not_indexed) == (1, 1, 2)


def test_rows_of_another_bucket_are_not_this_audits() -> None:
    other = row(version("a"), object_id="uploads-old/a")
    assert World(ALL, [*TRUE, other]).found() == []


def test_one_key_that_begins_with_another_is_not_mistaken_for_it() -> None:
    """The second look lists with the key as prefix, and version ids can be the same, as `null` is."""
    listed = [version("a", "v1"), version("a", "null"), version("ab", "null"), version("a/b", "v1")]
    rows = [row(each) for each in listed[2:]]
    assert World(listed, rows).found() == [("missing", "a", "v1"), ("missing", "a", "null")]


# What happens while an audit is at work is no difference.


def arrives(world: World) -> None:
    world.aws.rows.append(row(NEW))


def is_deleted_and_told(world: World) -> None:
    world.aws.listed.remove(NEW)
    world.aws.rows.append(row(NEW, deleted_at="2026-01-31T12:00:00.000Z"))


@pytest.mark.parametrize("meanwhile", [arrives, is_deleted_and_told])
def test_a_version_whose_row_was_only_on_its_way_is_no_finding(meanwhile: Callable[[World], None]) -> None:
    world = World([NEW, OTHER], [row(OTHER)])
    world.clock.meanwhile = lambda: meanwhile(world)
    audit = world.audit()
    assert audit.report.findings == []
    assert audit.report.rechecked == 1
    assert world.clock.slept[-1:] == [GRACE]
    assert world.aws.consistent_reads == 1


def test_a_row_newer_than_the_listing_is_not_stale() -> None:
    world = World([OTHER], [row(OTHER), row(NEW)])  # uploaded after its place in the listing had passed
    world.clock.meanwhile = lambda: world.aws.listed.append(NEW)
    assert world.found() == []


def test_a_row_whose_version_was_deleted_a_moment_ago_is_not_stale() -> None:
    world = World([OTHER], [row(OTHER), row(NEW)])
    world.clock.meanwhile = lambda: world.aws.rows[1].update(deleted_at="2026-01-31T12:00:00.000Z")
    assert world.found() == []


def test_what_comes_between_the_looks_is_not_judged_by_one_of_them() -> None:
    world = World([OLD], [])
    world.clock.meanwhile = lambda: world.aws.listed.append(NEW)  # and its event is on its way
    assert world.found() == [("missing", "a", "v1")]


def test_a_version_that_goes_between_listing_and_row_is_not_one_to_delete_the_row_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its row says, rightly, that it was deleted; whoever deleted the row would lose that."""
    world = World([OLD], [])
    listings: list[str] = []
    list_versions = world.aws.versions

    def versions(bucket: str, **which: Any) -> Iterator[Version]:
        listings.append(which["prefix"])
        yield from list(list_versions(bucket, **which))
        if listings.count("a") == 1:  # the second look has its listing: now it is deleted, and the row says so
            world.aws.listed = []
            world.aws.rows = [row(OLD, deleted_at="2026-01-31T12:00:00.000Z")]

    monkeypatch.setattr(world.aws, "versions", versions)
    assert world.found() == []
    assert listings == ["", "a", "a"]


# Repair.


def test_repair_gives_the_function_the_fact_behind_each_finding() -> None:
    gone = version("gone", "v7")
    world = World([OLD, MARKER], [row(gone)])
    audit = world.audit()
    assert world.aws.sent == []
    audit.repair(world.progress)
    told = [
        (record["eventName"], record["s3"]["object"]["key"], record["s3"]["object"]["versionId"], record["eventTime"])
        for event in world.aws.sent
        for record in event["Records"]
    ]
    assert sorted(told) == [
        ("ObjectCreated:Put", "a", "v1", "2026-01-31T12:00:00.000Z"),
        ("ObjectRemoved:Delete", "gone", "v7", "2026-01-31T13:00:00.000Z"),  # when it was found
        ("ObjectRemoved:DeleteMarkerCreated", "a", "m1", "2026-01-31T12:00:09.000Z"),
    ]
    assert audit.report.sent == 3


def test_repair_sends_nothing_for_what_no_event_mends() -> None:
    world = World([OLD], [row(OLD, deleted_at="2026-01-31T12:00:00.000Z")])
    audit = world.audit()
    audit.repair(world.progress)
    assert (len(audit.report.findings), audit.report.sent, world.aws.sent) == (1, 0, [])


def test_repair_that_is_refused_says_how_far_it_came() -> None:
    world = World([version(f"k{number}") for number in range(5)], [])
    audit = world.audit()

    def refuse(event: Any) -> None:  # noqa: ANN401  JSON
        if event["Records"][0]["s3"]["object"]["key"] == "k3":
            raise OperatorError("denied")

    world.aws.before_invoke = refuse
    with pytest.raises(OperatorError, match="denied"):
        audit.repair(world.progress)
    assert audit.report.sent == 3


# Rates.


def test_reads_take_half_of_the_tables_capacity_at_most() -> None:
    listed = [version(f"k{number:04}") for number in range(200)]
    world = World(listed, [row(each) for each in listed])
    world.aws.provisioned = Capacity(read=100.0, write=100.0)
    world.audit()
    units = 200 * 0.5 + 100 * 10  # the scan's pages of two rows cost ten each
    last_page = 10  # is charged when nobody reads any more
    assert world.clock.seconds - 100 == pytest.approx((units - last_page) / 50, abs=1.2)


def test_a_table_that_is_billed_per_request_is_read_without_a_pause() -> None:
    world = World(ALL, TRUE)
    world.aws.provisioned = Capacity(read=None, write=None)
    world.audit()
    assert world.clock.slept == []


def test_repair_sends_half_of_what_the_table_can_write() -> None:
    world = World([version(f"k{number:04}") for number in range(200)], [])
    world.aws.provisioned = Capacity(read=None, write=20.0)
    audit = world.audit()
    begun = world.clock.seconds
    audit.repair(world.progress)
    assert world.clock.seconds - begun == pytest.approx(200 / 10, abs=1.2)
