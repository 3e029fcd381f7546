"""What the function tells the outside: log lines, metrics and traces, caught where they leave it."""

from __future__ import annotations

import io
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from aws_xray_sdk import global_sdk_config
from aws_xray_sdk.core import lambda_launcher

from lambda_code.errors import IndexingError, PermanentError, Reason, TransientError
from lambda_code.indexer import Indexer, Outcome, Result
from lambda_code.settings import Settings
from lambda_code.telemetry import MAX_ANNOTATION_CHARACTERS, Telemetry
from tests.fakes import Fault, World, client_error
from tests.strategies import head, s3_event, s3_record
from tests.unit.lambda_code.conftest import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"
SEGMENT_ID = "53995c3f42cd8ad8"
SECRET = "the owner's own business"


class Told:
    """A world whose indexer has the real telemetry, and what that writes."""

    def __init__(self, settings: Settings) -> None:
        self.stream = io.StringIO()
        self.world = World()
        self.world.s3.put("photos/cat.jpg", "v1", head(Metadata={"note": SECRET}))
        self.indexer = Indexer(**{**vars(self.world.indexer), "telemetry": Telemetry(settings, stream=self.stream)})

    def handle(self, event: object, *, request_id: str = "request-1") -> None:
        try:
            self.indexer.handle(event, request_id=request_id, deadline=self.world.clock() + 60)
        except IndexingError:
            self.failed = True

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().split("\n") if line]

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "_aws" not in line]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "_aws" in line]


@pytest.fixture
def told(settings: Settings) -> Told:
    return Told(settings)


class Daemon:
    """An X-Ray daemon that only listens."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()

    def heard(self, number: int) -> list[dict[str, Any]]:
        """The next so many subsegments, and nothing after them."""
        found = [self._next() for _ in range(number)]
        self._socket.settimeout(0)  # on loopback what was sent has arrived
        with pytest.raises(BlockingIOError):
            self._socket.recv(65536)
        return found

    def _next(self) -> dict[str, Any]:
        header, _, document = self._socket.recv(65536).decode().partition("\n")
        assert json.loads(header) == {"format": "json", "version": 1}
        subsegment: dict[str, Any] = json.loads(document)
        return subsegment


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Daemon]:
    """A sampled invocation, as Lambda announces it, with somebody listening."""
    daemon = Daemon()
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")  # without it the SDK prepares a sampling of its own: 0.4 s
    monkeypatch.setattr(lambda_launcher, "TOUCH_FILE_DIR", str(tmp_path))
    monkeypatch.setattr(lambda_launcher, "TOUCH_FILE_PATH", str(tmp_path / "initialized"))
    monkeypatch.setenv("AWS_XRAY_SDK_ENABLED", "true")
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE_ID};Parent={SEGMENT_ID};Sampled=1")
    global_sdk_config.set_sdk_enabled(value=True)
    yield daemon
    monkeypatch.setenv("AWS_XRAY_SDK_ENABLED", "false")
    global_sdk_config.set_sdk_enabled(value=False)
    daemon.close()


@pytest.fixture
def traced(daemon: Daemon) -> Iterator[Told]:
    settings = Settings.from_env({**ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": daemon.address})
    told = Told(settings)
    yield told
    assert isinstance(told.indexer.telemetry, Telemetry)
    assert told.indexer.telemetry._recorder
    told.indexer.telemetry._recorder.emitter._socket.close()  # which lasts as long as a function, not as a test


# --- logs


def test_an_indexed_record_is_one_line(told: Told) -> None:
    told.world.calls.faults.extend([Fault(seconds=0.25), Fault(client_error(500), seconds=0.5)])
    told.handle(s3_event(s3_record()))
    [line] = told.logs
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "message": "indexed",
        "service": "tapstack-test",
        "outcome": "indexed",
        "bucket": "uploads",
        "key": "photos/cat.jpg",
        "version_id": "v1",
        "event_name": "ObjectCreated:Put",
        "record": 0,
        "attempts": 3,
        "retries": 1,
        "duration_ms": pytest.approx(860),
        "head_ms": pytest.approx(250),
        "write_ms": pytest.approx(610),
        "indexing_delay_ms": pytest.approx(2610),
        "request_id": "request-1",
    }


def test_a_failed_record_is_a_line_with_its_reason(told: Told) -> None:
    told.world.calls.faults.append(Fault(client_error(403)))
    told.handle(s3_event(s3_record()))
    [line] = told.logs
    assert (line["level"], line["message"], line["outcome"], line["reason"]) == ("ERROR", "failed", "failed", "denied")
    assert line["error"].startswith("HeadObject: ClientError: An error occurred (403)")
    assert (line["key"], line["attempts"]) == ("photos/cat.jpg", 1)
    assert "exception" not in line


def test_a_record_that_nobody_understands_is_a_line_with_the_field(told: Told) -> None:
    told.handle(s3_event({"eventName": "ObjectCreated:Put"}))
    [line] = told.logs
    assert (line["reason"], line["field"], line["record"]) == ("malformed", "Records[0].s3", 0)
    assert "key" not in line


def test_a_bug_is_a_line_that_says_where_in_the_code(told: Told) -> None:
    told.world.calls.faults.append(Fault(ZeroDivisionError("a bug")))
    told.handle(s3_event(s3_record()))
    [line] = told.logs
    assert line["reason"] == "internal"
    assert "ZeroDivisionError: a bug" in line["exception"]
    assert "call_with_retry" in line["exception"]


def test_ignored_and_gone_records_and_test_events_are_lines_too(told: Told) -> None:
    told.handle(s3_event(s3_record("gone"), s3_record(event_name="ObjectRemoved:Delete")))
    told.handle({"Event": "s3:TestEvent"}, request_id="request-2")
    assert [line["message"].split()[0] for line in told.logs] == ["gone", "ignored", "s3:TestEvent"]
    assert told.logs[2]["request_id"] == "request-2"


def test_user_metadata_is_never_told(told: Told) -> None:
    told.handle(s3_event(s3_record()))
    told.handle(s3_event(s3_record()), request_id="request-2")
    assert told.world.dynamodb.row("photos/cat.jpg", "v1")["user_metadata"] == {"note": SECRET}
    assert SECRET not in told.stream.getvalue()
    assert "note" not in told.stream.getvalue()


def test_any_key_is_one_line_of_json(told: Told) -> None:
    told.handle(s3_event(s3_record("line\nbreak\x00\u2028日本\U0001f98a")))
    [line] = told.logs
    assert line["key"] == "line\nbreak\x00\u2028日本\U0001f98a"
    assert len(told.stream.getvalue().split("\n")) == 1 + len(told.metrics) + 1


def test_lines_below_the_configured_level_are_not_written() -> None:
    told = Told(Settings.from_env({**ENVIRONMENT, "POWERTOOLS_LOG_LEVEL": "ERROR"}))
    told.world.calls.faults.extend([Fault(), Fault(), Fault(client_error(403))])
    told.handle(s3_event(s3_record(), s3_record("other")))
    assert [line["message"] for line in told.logs] == ["failed"]


@pytest.mark.usefixtures("daemon")
def test_a_line_carries_the_trace_id(traced: Told) -> None:
    traced.handle(s3_event(s3_record()))
    assert traced.logs[0]["xray_trace_id"] == TRACE_ID


# --- metrics


def directive(line: dict[str, Any]) -> dict[str, Any]:
    [only] = line["_aws"]["CloudWatchMetrics"]
    found: dict[str, Any] = only
    return found


def test_an_events_metrics_are_one_line_in_the_embedded_format(told: Told) -> None:
    told.world.calls.faults.append(Fault(client_error(500), seconds=0))
    told.handle(s3_event(s3_record(), s3_record(), s3_record("gone")))
    [line] = told.metrics
    assert directive(line) == {
        "Namespace": "TapStack",
        "Dimensions": [["service"]],
        "Metrics": [
            {"Name": "ObjectsIndexed", "Unit": "Count"},
            {"Name": "SdkRetries", "Unit": "Count"},
            {"Name": "ObjectsDuplicate", "Unit": "Count"},
            {"Name": "ObjectsGone", "Unit": "Count"},
            {"Name": "IndexingDelay", "Unit": "Milliseconds"},
        ],
    }
    assert line["service"] == "tapstack-test"
    assert {name: line[name] for name in ("ObjectsIndexed", "SdkRetries", "ObjectsDuplicate", "ObjectsGone")} == {
        "ObjectsIndexed": [1.0],
        "SdkRetries": [1.0],
        "ObjectsDuplicate": [1.0],
        "ObjectsGone": [1.0],
    }
    assert line["IndexingDelay"] == [pytest.approx(1870)]
    assert isinstance(line["_aws"]["Timestamp"], int)


def test_failures_are_counted_by_service_and_by_service_and_reason(told: Told) -> None:
    told.world.calls.faults.extend([Fault(client_error(403)), Fault(client_error(403))])
    told.handle(s3_event(s3_record(), s3_record(), {}))
    denied, malformed = told.metrics
    for line, reason, count in ((denied, "denied", 2.0), (malformed, "malformed", 1.0)):
        assert directive(line) == {
            "Namespace": "TapStack",
            "Dimensions": [["service"], ["service", "reason"]],
            "Metrics": [{"Name": "ObjectsFailed", "Unit": "Count"}],
        }
        assert (line["service"], line["reason"], line["ObjectsFailed"]) == ("tapstack-test", reason, [count])


def test_nothing_happened_is_no_metric(told: Told) -> None:
    told.handle({"Event": "s3:TestEvent"})
    told.handle(s3_event(s3_record(event_name="ObjectRemoved:Delete")))
    assert told.metrics == []


def test_metrics_of_one_event_do_not_leak_into_the_next(told: Told) -> None:
    told.handle(s3_event(s3_record()))
    told.handle(s3_event(s3_record()), request_id="request-2")
    assert [line.get("ObjectsIndexed") for line in told.metrics] == [[1.0], None]


@pytest.mark.parametrize("records", [99, 100, 101, 250])
def test_a_metric_has_at_most_a_hundred_values_in_a_line(
    told: Told, records: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(records):
        told.world.s3.put(f"key{number}", "v1", head())
    told.handle(s3_event(*[s3_record(f"key{number}") for number in range(records)]))
    by_powertools = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = told.metrics + by_powertools
    assert sum(sum(line.get("ObjectsIndexed", [])) for line in lines) == records
    assert sum(len(line.get("IndexingDelay", [])) for line in lines) == records
    assert all(len(line.get("IndexingDelay", [])) <= 100 for line in lines)


# --- traces


def test_a_trace_shows_the_execution_its_record_and_each_aws_call(traced: Told, daemon: Daemon) -> None:
    traced.handle(s3_event(s3_record()))
    head_call, write_call, record, execution = daemon.heard(4)
    assert execution["name"] == "## lambda_handler"
    assert execution["parent_id"] == SEGMENT_ID
    assert (record["name"], record["parent_id"]) == ("index record", execution["id"])
    assert record["annotations"] == {"bucket": "uploads", "key": "photos/cat.jpg", "outcome": "indexed"}
    for call, name, operation in ((head_call, "S3", "HeadObject"), (write_call, "DynamoDB", "UpdateItem")):
        assert (call["name"], call["namespace"], call["aws"]) == (name, "aws", {"operation": operation})
        assert call["parent_id"] == record["id"]
    for each in (head_call, write_call, record, execution):
        assert (each["trace_id"], each["type"]) == (TRACE_ID, "subsegment")
        assert each["start_time"] <= each["end_time"]
        assert "fault" not in each
        assert SECRET not in json.dumps(each)


def test_every_attempt_is_seen_and_failed_ones_are_marked(traced: Told, daemon: Daemon) -> None:
    traced.world.calls.faults.extend([Fault(client_error(400, "ThrottlingException")), Fault(client_error(500))])
    traced.handle(s3_event(s3_record()))
    throttled, broken, fine, *_, execution = daemon.heard(6)
    assert [each["name"] for each in (throttled, broken, fine)] == ["S3"] * 3
    assert [(each.get("fault"), each.get("throttle")) for each in (throttled, broken, fine)] == [
        (True, True),
        (True, None),
        (None, None),
    ]
    assert throttled["cause"]["exceptions"][0]["type"] == "ClientError"
    assert "fault" not in execution


def test_a_failed_record_marks_itself_and_the_execution(traced: Told, daemon: Daemon) -> None:
    traced.world.calls.faults.append(Fault(client_error(403)))
    traced.handle(s3_event(s3_record()))
    _, record, execution = daemon.heard(3)
    assert record["fault"]
    assert record["annotations"]["outcome"] == "failed"
    assert execution["fault"]


def test_a_record_that_nobody_understands_is_traced_without_what_nobody_knows(traced: Told, daemon: Daemon) -> None:
    traced.handle(s3_event({}))
    record, _ = daemon.heard(2)
    assert record["annotations"] == {"outcome": "failed"}
    assert record["cause"]["exceptions"][0]["message"] == "Records[0].eventName is missing"


def test_annotations_keep_x_rays_limits(traced: Told, daemon: Daemon) -> None:
    traced.handle(s3_event(*[s3_record("k" * 1024)] * 20))
    subsegments = daemon.heard(20 * 3 + 1)
    annotated = [each["annotations"] for each in subsegments if "annotations" in each]
    assert sum(len(each) for each in annotated) <= 50
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
    traced: Told, daemon: Daemon, header: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if header is None:
        monkeypatch.delenv("_X_AMZN_TRACE_ID")
    else:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    traced.handle(s3_event(s3_record()))
    assert [line["outcome"] for line in traced.logs] == ["indexed"]
    assert daemon.heard(0) == []
    assert len(caplog.records) == (header == "nonsense"), "the SDK must not add a line of its own to each event"


def test_an_event_that_was_cut_off_leaves_nothing_to_the_next(
    traced: Told, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(traced.indexer.telemetry, Telemetry)
    assert traced.indexer.telemetry._recorder
    traced.indexer.telemetry._recorder.begin_subsegment("never ended")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE_ID[:-1]}4;Parent={SEGMENT_ID};Sampled=1")
    traced.handle({"Event": "s3:TestEvent"})
    [execution] = daemon.heard(1)
    assert execution["trace_id"] == f"{TRACE_ID[:-1]}4"
    assert execution["parent_id"] == SEGMENT_ID


def test_without_a_daemon_that_listens_rows_are_written_all_the_same(traced: Told, daemon: Daemon) -> None:
    daemon.close()
    traced.handle(s3_event(s3_record()))
    assert traced.world.dynamodb.row("photos/cat.jpg", "v1")


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, which gave up after opening it
@pytest.mark.usefixtures("daemon")
def test_a_daemons_address_that_is_none_costs_the_trace_and_not_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "nowhere")
    told = Told(Settings.from_env({**ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": "nowhere"}))
    told.handle(s3_event(s3_record()))
    assert [line["message"] for line in told.logs] == ["no traces: the X-Ray SDK cannot be used", "indexed"]
    assert "InvalidDaemonAddressException" in told.logs[0]["exception"]


# --- the seam


@pytest.mark.parametrize("result", Result)
def test_every_result_can_be_reported(settings: Settings, result: Result) -> None:
    error = TransientError("no", reason=Reason.THROTTLED) if result is Result.FAILED else None
    stream = io.StringIO()
    with Telemetry(settings, stream=stream).invocation("request-1") as invocation:
        invocation.report(Outcome(result=result, request_id="request-1", error=error))
    assert json.loads(stream.getvalue().splitlines()[0])["outcome"] == result


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_dimension(settings: Settings, reason: Reason) -> None:
    stream = io.StringIO()
    with Telemetry(settings, stream=stream).invocation("request-1") as invocation:
        error = PermanentError("no", reason=reason)
        invocation.report(Outcome(result=Result.FAILED, request_id="request-1", error=error))
    assert json.loads(stream.getvalue().splitlines()[-1])["reason"] == reason
