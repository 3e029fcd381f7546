"""Tests of the inputs of the indexer in benchmarks: events, environment variables and a fake AWS."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks import subjects, worker
from lambda_code.events import Record, parse_event
from lambda_code.settings import Bucket, Settings
from lambda_code.storage import Storage
from tests.support.fakes import unlimited_calls

if TYPE_CHECKING:
    import pytest


def test_benchmark_events_are_uploads_with_different_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_BUCKET_NAME", "uploads")
    [one], [other] = (
        parse_event(worker.event(number), buckets={"uploads": Bucket(name="uploads")}) for number in (1, 2)
    )
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert one.key == "documents/2026/01/report 00000001.pdf"
    assert other.key != one.key
    assert one.event_time
    assert one.sequencer
    assert one.version_id


def test_benchmark_environment_is_valid_for_the_indexer() -> None:
    assert Settings.from_env(subjects.ENVIRONMENT | {"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000"}).tracing


def test_fake_aws_of_the_benchmarks_responds_to_head_object(monkeypatch: pytest.MonkeyPatch) -> None:
    with subjects.fake_aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{aws.port}")
        storage = Storage.connect(Settings.from_env(subjects.ENVIRONMENT))
        with closing(storage.s3):
            result = storage.head("uploads", "a", None, unlimited_calls())
    assert isinstance(result, dict)
    assert (result["ContentLength"], result["Metadata"]) == (1024, {"owner": "archive"})


def test_fake_aws_of_the_benchmarks_counts_received_traces() -> None:
    with subjects.fake_aws() as aws, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        assert aws.traces() == 0
        for number in range(1, 50):
            sending.sendto(b"a trace", ("127.0.0.1", aws.port))
            assert aws.traces() == number
