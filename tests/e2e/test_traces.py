"""What the deployed function tells X-Ray, as its daemon hears it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.events import event, minimal
from tests.e2e.faults import HEAD, UPDATE, Fault, Proxy, faulty
from tests.e2e.logs import Logs
from tests.support.index import Clients, Index
from tests.support.tracing import EXECUTION, Daemon, daemon, drawn
from tests.support.waiting import WAITER

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.selection import Deploys
    from tests.support.tracing import Subsegment

# elsewhere functions run in containers, which do not reach this machine's 127.0.0.1, and nothing else is listened on
pytestmark = pytest.mark.only_emulator("embedded")

LONGEST_ANNOTATION = 1000  # characters; X-Ray Developer Guide, "Annotations"


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A stack whose function has a daemon to send to, and a proxy between it and AWS."""

    index: Index
    logs: Logs
    daemon: Daemon
    proxy: Proxy

    def upload(self, name: str, **parameters: Any) -> tuple[list[Subsegment], dict[str, Any]]:
        """Upload a file; the trace of its execution, and the line of the log about it."""
        key = self.index.key(name)
        row = self.index.wait_for_row(key, self.index.put(key, **parameters))
        line = self.logs.wait_for(key=key, outcome="indexed", request_id=row["request_id"])
        return self.daemon.trace(line["xray_trace_id"]), line


@pytest.fixture(scope="module")
def traced(emulator: Emulator, deploys: Deploys) -> Iterator[Traced]:
    deployment = deploys(emulator, config_overrides={"env": "traced"})
    index = Index(Clients.of(emulator), deployment.outputs)
    function = index.clients.function
    with daemon() as listening, faulty(emulator.endpoint) as proxy:
        variables = function.get_function_configuration(FunctionName=index.function)["Environment"]["Variables"]
        variables |= {
            "AWS_XRAY_DAEMON_ADDRESS": listening.address,  # which Lambda itself sets on AWS
            "AWS_ENDPOINT_URL_S3": proxy.endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB": proxy.endpoint,
        }
        function.update_function_configuration(FunctionName=index.function, Environment={"Variables": variables})
        function.get_waiter("function_updated_v2").wait(FunctionName=index.function, WaiterConfig=WAITER)
        logs = Logs(index, deployment.outputs["log_group_name"], index.since)
        yield Traced(index=index, logs=logs, daemon=listening, proxy=proxy)
        deployment.destroy()


def test_an_upload_is_a_trace_of_the_execution_its_record_and_each_call(traced: Traced) -> None:
    trace, line = traced.upload("traced/plain.txt")
    assert drawn(trace) == [
        EXECUTION,
        f"  index record bucket={line['bucket']} key={line['key']} outcome=indexed",
        "    S3 HeadObject",
        "    DynamoDB UpdateItem",
    ]


def test_every_attempt_is_in_the_trace_and_those_that_failed_are_marked(traced: Traced) -> None:
    name = "traced/retried.txt"
    traced.proxy.plan(HEAD, name, Fault.THROTTLED)
    traced.proxy.plan(UPDATE, name, Fault.SERVER_ERROR, Fault.THROTTLED)
    trace, line = traced.upload(name)
    assert drawn(trace) == [
        EXECUTION,
        f"  index record bucket={line['bucket']} key={name} outcome=indexed",
        "    S3 HeadObject fault throttle",
        "    S3 HeadObject",
        "    DynamoDB UpdateItem fault",
        "    DynamoDB UpdateItem fault throttle",
        "    DynamoDB UpdateItem",
    ]
    assert (line["attempts"], line["retries"]) == (5, 3)


def test_a_failure_marks_its_record_and_the_execution(traced: Traced) -> None:
    key = traced.index.key("traced/elsewhere.txt")
    assert traced.index.invoke(event(minimal("elsewhere", key))).error
    line = traced.logs.wait_for(outcome="failed", reason="foreign")
    execution, record, *calls = drawn(traced.daemon.trace(line["xray_trace_id"]))
    assert execution == f"{EXECUTION} fault"
    assert record.startswith("  index record fault ")
    assert "outcome=failed" in record
    assert calls == []


def test_the_longest_key_fits_and_nothing_of_the_users_is_told_but_the_key(traced: Traced) -> None:
    secret = "a-secret-of-the-uploader"
    trace, line = traced.upload("traced/" + "k" * 1017, body=secret.encode(), Metadata={"note": secret})
    assert len(line["key"]) == 1024
    annotations = [each["annotations"] for each in trace if "annotations" in each]
    assert [each["key"] for each in annotations] == [line["key"][:LONGEST_ANNOTATION]]
    assert secret not in json.dumps(trace)
    assert secret not in json.dumps(line)
