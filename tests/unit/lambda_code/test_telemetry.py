"""The traces, as an X-Ray daemon receives them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from aws_xray_sdk.core.models.trace_header import TraceHeader

from lambda_code.settings import Settings
from lambda_code.telemetry import MAX_ANNOTATION_CHARACTERS, MAX_SUBSEGMENTS
from tests.support.fakes import ENVIRONMENT, Fault, client_error
from tests.support.strategies import s3_event, s3_record
from tests.support.telemetry_fakes import SECRET, SEGMENT_ID, TRACE_ID, LoggedIndexer, TracedIndexer


def test_a_trace_shows_the_execution_its_record_and_each_aws_call(traced: TracedIndexer) -> None:
    traced.handle(s3_event(s3_record()))
    [execution] = traced.daemon.trees()  # sent at once, when the event is done
    [record] = execution["subsegments"]
    calls = record["subsegments"]
    assert (execution["name"], execution["parent_id"]) == ("## lambda_handler", SEGMENT_ID)
    assert record["name"] == "index record"
    assert record["annotations"] == {"bucket": "uploads", "key": "photos/cat.jpg", "outcome": "indexed"}
    assert [(call["name"], call["namespace"], call["aws"]) for call in calls] == [
        ("S3", "aws", {"operation": "HeadObject"}),
        ("DynamoDB", "aws", {"operation": "UpdateItem"}),
    ]
    for each in (*calls, record, execution):
        assert (each["trace_id"], each["type"]) == (TRACE_ID, "subsegment")
        assert each["start_time"] <= each["end_time"]
        assert "fault" not in each
    assert SECRET not in json.dumps(execution)


def test_every_attempt_is_seen_and_failed_ones_are_marked(traced: TracedIndexer) -> None:
    traced.calls.faults.extend([Fault(client_error(400, "ThrottlingException")), Fault(client_error(500))])
    traced.handle(s3_event(s3_record()))
    throttled, broken, fine, *_, execution = traced.daemon.subsegments(6)
    assert [each["name"] for each in (throttled, broken, fine)] == ["S3"] * 3
    assert [(each.get("fault"), each.get("throttle")) for each in (throttled, broken, fine)] == [
        (True, True),
        (True, None),
        (None, None),
    ]
    assert throttled["cause"]["exceptions"][0]["type"] == "ClientError"
    assert "fault" not in execution


def test_the_trace_header_is_read_once_an_event(traced: TracedIndexer, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(side_effect=TraceHeader.from_header_str)
    monkeypatch.setattr(TraceHeader, "from_header_str", read)
    for _ in range(2):
        traced.handle(s3_event(s3_record()))
    assert len(read.mock_calls) == 2
    assert len(traced.daemon.trees()) == 2


def test_trouble_is_told_while_it_lasts_so_that_a_function_that_is_killed_has_told_it(traced: TracedIndexer) -> None:
    throttled = Fault(client_error(400, "ThrottlingException"))
    traced.calls.faults.extend([throttled, throttled])
    sent: list[list[str]] = []

    def sleep(_: float) -> None:
        sent.append([tree["name"] for tree in traced.daemon.trees()])

    storage = replace(traced.indexer.storage, sleep=sleep)
    traced.indexer = replace(traced.indexer, storage=storage)
    traced.handle(s3_event(s3_record()))
    assert sent == [["S3"], ["S3"]]
    [execution] = traced.daemon.trees()
    assert [len(record["subsegments"]) for record in execution["subsegments"]] == [2]


def test_a_long_event_is_told_in_parts_that_a_datagram_can_carry(traced: TracedIndexer) -> None:
    traced.deliver(s3_event(*[s3_record("k" * 1024)] * 30))
    trees = traced.daemon.trees()
    assert sum(_size(tree) for tree in trees) == 30 * 3 + 1
    assert max(_size(tree) for tree in trees) <= MAX_SUBSEGMENTS


def test_the_largest_part_of_an_event_fits_into_a_datagram(traced: TracedIndexer) -> None:
    """A key has six characters for each byte in JSON, at worst; a record that calls nothing is nothing but its key."""
    traced.deliver(s3_event(*[s3_record("\x01" * 1024, event_name="ObjectTagging:Put")] * (MAX_SUBSEGMENTS - 1)))
    [tree] = traced.daemon.trees()
    assert _size(tree) == MAX_SUBSEGMENTS
    assert len(json.dumps(tree)) < 65_507 - len('{"format":"json","version":1}\n')


def _size(tree: dict[str, Any]) -> int:
    return 1 + sum(_size(each) for each in tree.get("subsegments", ()))


def test_a_failed_record_marks_itself_and_the_execution(traced: TracedIndexer) -> None:
    traced.calls.faults.append(Fault(client_error(403)))
    traced.deliver(s3_event(s3_record()))
    _, record, execution = traced.daemon.subsegments(3)
    assert record["fault"]
    assert record["annotations"]["outcome"] == "failed"
    assert execution["fault"]


def test_a_record_that_nobody_understands_is_traced_without_what_nobody_knows(traced: TracedIndexer) -> None:
    traced.deliver(s3_event({}))
    record, _ = traced.daemon.subsegments(2)
    assert record["annotations"] == {"outcome": "failed"}
    assert record["cause"]["exceptions"][0]["message"] == "Records[0].eventName is missing"


def test_annotations_keep_x_rays_limits(traced: TracedIndexer) -> None:
    traced.deliver(s3_event(*[s3_record("k" * 1024)] * 20))
    subsegments = traced.daemon.subsegments(20 * 3 + 1)
    annotated = [each["annotations"] for each in subsegments if "annotations" in each]
    assert sum(len(each) for each in annotated) == 48  # of 50: three for each of as many records as possible
    assert {len(each["key"]) for each in annotated} == {MAX_ANNOTATION_CHARACTERS}


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="without a header"),
        pytest.param("", id="with an empty header"),
        pytest.param("nonsense", id="with nonsense for a header"),
        pytest.param(f"Root={TRACE_ID};Parent={SEGMENT_ID};Sampled=0", id="when Lambda did not sample it"),
        pytest.param(f"Root={TRACE_ID};Lineage=a:0", id="when nobody decided on sampling"),
    ],
)
def test_nothing_is_traced(
    traced: TracedIndexer,
    header: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if header is None:
        monkeypatch.delenv("_X_AMZN_TRACE_ID")
    else:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    traced.handle(s3_event(s3_record()))
    assert [line["outcome"] for line in traced.logs] == ["indexed"]
    assert traced.daemon.subsegments(0) == []
    assert len(caplog.records) == (header == "nonsense"), "the SDK must not add a line of its own to each event"


@pytest.mark.parametrize("trace_id", [TRACE_ID, f"{TRACE_ID[:-1]}4"], ids=["of the same trace", "of another trace"])
def test_an_event_that_was_cut_off_leaves_nothing_to_the_next(
    traced: TracedIndexer, monkeypatch: pytest.MonkeyPatch, trace_id: str
) -> None:
    traced.recorder.begin_subsegment("never ended")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={trace_id};Parent={SEGMENT_ID};Sampled=1")
    traced.deliver({"Event": "s3:TestEvent"})
    [execution] = traced.daemon.subsegments(1)
    assert execution["trace_id"] == trace_id
    assert execution["parent_id"] == SEGMENT_ID


def test_without_a_daemon_that_listens_rows_are_written_all_the_same(traced: TracedIndexer) -> None:
    traced.daemon.close()
    traced.handle(s3_event(s3_record()))
    assert traced.dynamodb.row("photos/cat.jpg", "v1")


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, which gave up after opening it
@pytest.mark.usefixtures("daemon")
def test_a_daemons_address_that_is_none_costs_the_trace_and_not_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "nowhere")
    logged = LoggedIndexer(Settings.from_env({**ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": "nowhere"}))
    logged.deliver(s3_event(s3_record()))
    assert [line["message"] for line in logged.logs] == ["no traces: the X-Ray SDK cannot be used", "indexed"]
    assert "InvalidDaemonAddressException" in logged.logs[0]["exception"]
