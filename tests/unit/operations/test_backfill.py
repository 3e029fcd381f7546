from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from operations.backfill import Backfill
from operations.errors import OperatorError
from operations.listing import KeyFilter, Version
from operations.output import Progress
from tests.support.clock import FakeClock
from tests.support.operations_fakes import START, TARGET, FakeAws, marker, raising, version

LISTED = [version("a", "v2", seconds=60), version("a", "v1"), marker("b", "m1", seconds=60), version("c", "v1")]
SILENT = Progress(io.StringIO())


def create(
    listed: Sequence[Version] = LISTED, *, clock: FakeClock | None = None, **options: Any
) -> tuple[FakeAws, Backfill]:
    aws, clock = FakeAws(listed), clock or FakeClock()
    options.setdefault("key_filter", KeyFilter(None))
    options.setdefault("per_second", 10)
    return aws, Backfill(aws, TARGET, clock=clock, sleep=clock.sleep, **options)


def sent(aws: FakeAws) -> list[str]:
    objects = [record["s3"]["object"] for event in aws.sent for record in event["Records"]]
    return sorted(f"{each['key']} {each['versionId']}" for each in objects)


def test_backfill_sends_one_event_for_each_version_and_delete_marker() -> None:
    aws, backfill = create()
    backfill.invoke(SILENT)
    assert sent(aws) == ["a v1", "a v2", "b m1", "c v1"]
    assert {len(event["Records"]) for event in aws.sent} == {1}
    assert {event["Records"][0]["userIdentity"]["principalId"] for event in aws.sent} == {"tapstack:backfill"}
    assert (backfill.report.selected, backfill.report.sent, backfill.report.resume_after) == (4, 4, "")


@pytest.mark.parametrize(
    ("options", "expected", "excluded"),
    [
        ({"since": START + timedelta(seconds=1)}, ["a v2", "b m1"], {"excluded_by_since": 2}),
        (
            {"since": START},
            ["a v1", "a v2", "b m1", "c v1"],
            {"excluded_by_since": 0},
        ),  # The option --since includes versions of exactly this time.
        ({"prefix": "b"}, ["b m1"], {}),
        ({"start_after": "a"}, ["b m1", "c v1"], {}),
        ({"key_filter": KeyFilter((("b", ""), ("c", "")))}, ["b m1", "c v1"], {"not_indexed": 2}),
    ],
)
def test_backfill_options_exclude_versions_and_count_them(
    options: dict[str, Any], expected: list[str], excluded: dict[str, int]
) -> None:
    aws, backfill = create(**options)
    backfill.invoke(SILENT)
    assert sent(aws) == expected
    assert {name: getattr(backfill.report, name) for name in excluded} == excluded


def test_backfill_sends_events_at_the_configured_rate(clock: FakeClock) -> None:
    _, backfill = create([version(f"k{number:03}") for number in range(100)], clock=clock, per_second=4)
    backfill.invoke(SILENT)
    assert clock.now == pytest.approx(100 / 4, abs=0.3)


@pytest.mark.parametrize("stops_at", range(5))
@pytest.mark.parametrize("error", [OperatorError, KeyboardInterrupt])
def test_restarted_backfill_sends_all_remaining_events(stops_at: int, error: type[BaseException]) -> None:
    listed = [version("a", "v3", seconds=90), *LISTED]
    aws, backfill = create(listed)
    aws.before_invoke = stop_at(listed[stops_at].version_id, listed[stops_at].key, error)
    with pytest.raises(error):
        backfill.invoke(SILENT)
    assert backfill.report.sent == stops_at
    sent_before = {each for each in sent(aws) if each.split()[0] <= backfill.report.resume_after}
    again, rest = create(listed, start_after=backfill.report.resume_after)
    rest.invoke(SILENT)
    assert sent_before | set(sent(again)) == {f"{each.key} {each.version_id}" for each in listed}
    assert rest.report.resume_after == ""


def stop_at(version_id: str, key: str, error: type[BaseException]) -> Callable[[Any], None]:
    refuse = raising(error(), key=key)
    return lambda event: refuse(event) if event["Records"][0]["s3"]["object"]["versionId"] == version_id else None
