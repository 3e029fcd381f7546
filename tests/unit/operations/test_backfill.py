from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from operations.backfill import Backfill
from operations.errors import OperatorError
from operations.listing import KeyFilter, Version
from operations.output import Progress
from tests.unit.operations.fakes import START, TARGET, Clock, FakeAws, marker, version

LISTED = [version("a", "v2", seconds=60), version("a", "v1"), marker("b", "m1", seconds=60), version("c", "v1")]
SILENT = Progress(io.StringIO())


def make(listed: Sequence[Version] = LISTED, *, rate: float = 10, **options: Any) -> tuple[FakeAws, Clock, Backfill]:
    aws, clock = FakeAws(listed), Clock()
    key_filter = options.pop("key_filter", KeyFilter(None))
    backfill = Backfill(aws, TARGET, key_filter=key_filter, per_second=rate, clock=clock, sleep=clock.sleep, **options)
    return aws, clock, backfill


def told(aws: FakeAws) -> list[tuple[str, str]]:
    records = [record["s3"]["object"] for event in aws.sent for record in event["Records"]]
    return sorted((record["key"], record["versionId"]) for record in records)


def test_a_dry_run_only_counts() -> None:
    aws, _, backfill = make()
    backfill.count(SILENT)
    assert (backfill.report.chosen, backfill.report.sent, aws.log) == (4, 0, [])


def test_every_version_and_marker_is_sent_once_each_in_an_event_of_its_own() -> None:
    aws, _, backfill = make()
    backfill.invoke(SILENT)
    assert told(aws) == [("a", "v1"), ("a", "v2"), ("b", "m1"), ("c", "v1")]
    assert {len(event["Records"]) for event in aws.sent} == {1}
    assert {event["Records"][0]["userIdentity"]["principalId"] for event in aws.sent} == {"tapstack:backfill"}
    assert (backfill.report.chosen, backfill.report.sent, backfill.report.resume_after) == (4, 4, "")


def test_prefix_and_time_limit_what_is_sent_and_what_is_left_out_is_counted() -> None:
    aws, _, backfill = make(since=START + timedelta(seconds=1))
    backfill.invoke(SILENT)
    assert told(aws) == [("a", "v2"), ("b", "m1")]
    assert backfill.report.older == 2
    aws, _, backfill = make(prefix="b")
    backfill.invoke(SILENT)
    assert told(aws) == [("b", "m1")]


def test_a_version_of_exactly_the_time_is_sent() -> None:
    aws, _, backfill = make(since=START)
    backfill.invoke(SILENT)
    assert len(aws.sent) == 4


def test_keys_that_the_notification_leaves_out_are_counted_and_not_sent() -> None:
    aws, _, backfill = make(key_filter=KeyFilter((("b", ""), ("c", ""))))
    backfill.invoke(SILENT)
    assert told(aws) == [("b", "m1"), ("c", "v1")]
    assert backfill.report.not_indexed == 2


def test_events_are_sent_at_the_rate_that_was_asked_for() -> None:
    _, clock, backfill = make([version(f"k{number:03}") for number in range(100)], rate=4)
    backfill.invoke(SILENT)
    assert clock.seconds - 100 == pytest.approx(100 / 4, abs=0.3)


def test_it_goes_on_after_the_key_that_it_is_given() -> None:
    aws, _, backfill = make(start_after="a")
    backfill.invoke(SILENT)
    assert told(aws) == [("b", "m1"), ("c", "v1")]


@pytest.mark.parametrize("stops_at", range(4))
@pytest.mark.parametrize("why", [OperatorError, KeyboardInterrupt])
def test_interrupted_and_started_again_it_has_sent_everything(stops_at: int, why: type[BaseException]) -> None:
    aws, _, backfill = make()

    def stop(event: Any) -> None:  # noqa: ANN401  JSON
        place = event["Records"][0]["s3"]["object"]
        if (place["key"], place["versionId"]) == (LISTED[stops_at].key, LISTED[stops_at].version_id):
            raise why

    aws.before_invoke = stop
    with pytest.raises(why):
        backfill.invoke(SILENT)
    assert backfill.report.sent == stops_at
    sent_before = {each for each in told(aws) if each[0] <= backfill.report.resume_after}
    again, _, rest = make(start_after=backfill.report.resume_after)
    rest.invoke(SILENT)
    assert sent_before | set(told(again)) == {(each.key, each.version_id) for each in LISTED}
    assert rest.report.resume_after == ""


def test_a_key_counts_as_done_only_with_all_its_versions() -> None:
    aws, _, backfill = make()

    def stop(event: Any) -> None:  # noqa: ANN401  JSON
        if event["Records"][0]["s3"]["object"]["versionId"] == "m1":
            raise OperatorError("no")

    aws.before_invoke = stop
    with pytest.raises(OperatorError):
        backfill.invoke(SILENT)
    assert backfill.report.resume_after in {"", "a"}
    assert backfill.report.sent == 2
