"""Tests that the indexer can parse the events that the tools send."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambda_code.events import Kind, Record, parse_event
from lambda_code.settings import Bucket
from operations.events import Event, deletion_event, version_event
from tests.support.operations_fakes import BUCKET, START, TARGET, marker, version

KEYS = ["a", "a b/c+d%2B.txt", "é/\u5831/\U0001f680", "tab\tnew\nline", "//a//", "a?b=c&d#e;f", "100%", "\x7f\x1b"]
LATER = START + timedelta(seconds=9)


def parsed(event: Event) -> Record:
    assert [record["awsRegion"] for record in event["Records"]] == ["eu-west-1"]
    [record] = parse_event(event, buckets={BUCKET: Bucket(name=BUCKET)})
    assert isinstance(record, Record)
    return record


@pytest.mark.parametrize("key", KEYS)
def test_indexer_parses_events_that_the_tools_create(key: str) -> None:
    record = parsed(version_event(version(key, "v1", size=7, etag="abc-2", seconds=9), TARGET, tool="audit"))
    assert (record.kind, record.key, record.version_id, record.event_time) == (Kind.CREATED, key, "v1", LATER)
    assert (record.size, record.etag, record.sequencer) == (7, "abc-2", None)
    record = parsed(version_event(marker(key, "m1", seconds=9), TARGET, tool="backfill"))
    assert (record.kind, record.key, record.version_id, record.event_time) == (Kind.MARKER_CREATED, key, "m1", LATER)
    assert (record.size, record.principal) == (None, "tapstack:backfill")
    record = parsed(deletion_event(key, "v1", TARGET, at=START, tool="audit"))
    assert (record.kind, record.key, record.version_id, record.event_time) == (Kind.DELETED, key, "v1", START)
    assert record.principal == "tapstack:audit"
