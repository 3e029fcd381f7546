"""Traces that the deployed indexer sends to the X-Ray daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.faults import HEAD, UPDATE, Fault, FaultProxy, fault_proxy
from tests.e2e.log_group import LogGroup
from tests.support.index import Clients, Index
from tests.support.strategies import minimal_record, s3_event
from tests.support.tracing import EXECUTION, Daemon, daemon, format_trace

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.selection import DeployStack
    from tests.support.tracing import Subsegment

# Other emulators run functions in containers, which cannot connect to 127.0.0.1 of this machine.
pytestmark = pytest.mark.only_emulator("embedded")

LONGEST_ANNOTATION = 1000  # maximum characters of an annotation (X-Ray Developer Guide, "Annotations")


@dataclass(frozen=True, kw_only=True)
class TracedStack:
    """Stack whose indexer sends its traces to a fake X-Ray daemon, and its AWS calls through a fault proxy."""

    index: Index
    logs: LogGroup
    daemon: Daemon
    proxy: FaultProxy

    def upload(self, name: str, **parameters: Any) -> tuple[list[Subsegment], dict[str, Any]]:
        """Upload an object; return the trace of the indexer's invocation and the log line about the object."""
        row = self.index.put_indexed(self.index.key(name), **parameters)
        line = self.logs.wait_for(key=row["key"], outcome="indexed", request_id=row["request_id"])
        return self.daemon.trace(line["xray_trace_id"]), line


@pytest.fixture(scope="module")
def traced(emulator: Emulator, deploy_stack: DeployStack) -> Iterator[TracedStack]:
    deployment = deploy_stack(emulator, config_overrides={"env": "traced"})
    index = Index(Clients.of(emulator), deployment.outputs)
    with daemon() as listening, fault_proxy(emulator.endpoint) as proxy:
        index.set_environment(
            {
                "AWS_XRAY_DAEMON_ADDRESS": listening.address,  # Lambda itself sets this address on AWS
                "AWS_ENDPOINT_URL_S3": proxy.endpoint,
                "AWS_ENDPOINT_URL_DYNAMODB": proxy.endpoint,
            }
        )
        logs = LogGroup(index)
        yield TracedStack(index=index, logs=logs, daemon=listening, proxy=proxy)
        deployment.destroy()


def test_trace_of_an_upload_has_invocation_record_and_calls(traced: TracedStack) -> None:
    trace, line = traced.upload("traced/plain.txt")
    assert format_trace(trace) == [
        EXECUTION,
        f"  index record bucket={line['bucket']} key={line['key']} outcome=indexed",
        "    S3 HeadObject",
        "    DynamoDB UpdateItem",
    ]


def test_trace_has_every_attempt_and_marks_failed_attempts(traced: TracedStack) -> None:
    name = "traced/retried.txt"
    traced.proxy.plan(HEAD, name, Fault.THROTTLED)
    traced.proxy.plan(UPDATE, name, Fault.SERVER_ERROR, Fault.THROTTLED)
    trace, line = traced.upload(name)
    assert format_trace(trace) == [
        EXECUTION,
        f"  index record bucket={line['bucket']} key={name} outcome=indexed",
        "    S3 HeadObject fault throttle",
        "    S3 HeadObject",
        "    DynamoDB UpdateItem fault",
        "    DynamoDB UpdateItem fault throttle",
        "    DynamoDB UpdateItem",
    ]
    assert (line["attempts"], line["retries"]) == (5, 3)


def test_trace_of_a_failed_record_marks_record_and_invocation(traced: TracedStack) -> None:
    key = traced.index.key("traced/elsewhere.txt")
    assert traced.index.invoke(s3_event(minimal_record(key, bucket="elsewhere"))).error
    line = traced.logs.wait_for(outcome="failed", reason="foreign")
    execution, record, *calls = format_trace(traced.daemon.trace(line["xray_trace_id"]))
    assert execution == f"{EXECUTION} fault"
    assert record.startswith("  index record fault ")
    assert "outcome=failed" in record
    assert calls == []


def test_trace_truncates_the_longest_key_and_has_no_other_user_data(traced: TracedStack) -> None:
    secret = "a-secret-of-the-uploader"
    trace, line = traced.upload("traced/" + "k" * 1017, body=secret.encode(), Metadata={"note": secret})
    assert len(line["key"]) == 1024
    annotations = [each["annotations"] for each in trace if "annotations" in each]
    assert [each["key"] for each in annotations] == [line["key"][:LONGEST_ANNOTATION]]
    assert secret not in json.dumps(trace)
    assert secret not in json.dumps(line)
