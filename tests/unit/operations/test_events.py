"""The function itself reads what the tools send."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambda_code.events import Kind, Record, parse_event
from operations import events
from tests.unit.operations.fakes import BUCKET, START, TARGET, marker, version

KEYS = ["a", "a b/c+d%2B.txt", "é/\u5831/\U0001f680", "tab\tnew\nline", "//a//", "a?b=c&d#e;f", "100%", "\x7f\x1b"]


def read(event: events.Event) -> Record:
    [record] = parse_event(event, bucket=BUCKET)
    assert isinstance(record, Record)
    return record


@pytest.mark.parametrize("key", KEYS)
def test_a_version_is_told_as_s3_tells_of_an_upload(key: str) -> None:
    record = read(events.version_event(version(key, "v1", size=7, etag="abc-2", seconds=9), TARGET, tool="audit"))
    assert (record.kind, record.key, record.version_id) == (Kind.CREATED, key, "v1")
    assert (record.size, record.etag, record.sequencer) == (7, "abc-2", None)
    assert record.event_time == START + timedelta(seconds=9)


@pytest.mark.parametrize("key", KEYS)
def test_a_marker_is_told_as_s3_tells_of_a_deletion_without_a_version(key: str) -> None:
    record = read(events.version_event(marker(key, "m1", seconds=9), TARGET, tool="backfill"))
    assert (record.kind, record.key, record.version_id) == (Kind.MARKER, key, "m1")
    assert (record.size, record.event_time) == (None, START + timedelta(seconds=9))
    assert record.principal == "tapstack:backfill"


@pytest.mark.parametrize("key", KEYS)
def test_absence_is_told_as_the_deletion_of_a_version_at_the_time_it_was_noticed(key: str) -> None:
    record = read(events.deletion_event(key, "v1", TARGET, at=START, tool="audit"))
    assert (record.kind, record.key, record.version_id) == (Kind.DELETED, key, "v1")
    assert (record.event_time, record.principal) == (START, "tapstack:audit")


def test_an_event_has_one_record_and_the_region_of_the_stack() -> None:
    event = events.version_event(version("a"), TARGET, tool="audit")
    [record] = event["Records"]
    assert record["awsRegion"] == "eu-west-1"
