"""What the engine tells becomes changes, progress, complaints and errors that a person can read."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation import EngineEvent

from localstack.deployers.deployment import Progress
from localstack.deployers.pulumi_events import Change, EventRecorder, without_traceback

URN = "urn:pulumi:localstack::toy::tap:index:TapStack$aws:sqs/queue:Queue::failures::x"
STACK_URN = "urn:pulumi:localstack::toy::pulumi:pulumi:Stack::toy-localstack"

TRACEBACK = """\
Program failed with an unhandled exception:
Traceback (most recent call last):
  File "toy.py", line 7, in <module>
    main()
  File "toy.py", line 4, in main
    aws.get_zones()
  File "/lib/python3.13/site-packages/pulumi_aws/zones.py", line 222, in get_zones
    raise error
    ^^^^^^^^^^^
ValueError: no zones
here
"""


def step(kind: str, op: str, *, urn: str = URN, custom: bool = True, planning: bool = False) -> EngineEvent:
    state = {"type": "", "urn": urn, "id": "the-id", "custom": custom, "parent": "", "provider": "", "inputs": {}}
    resource_type = urn.split("::")[2].rpartition("$")[2]
    metadata = {"op": op, "urn": urn, "type": resource_type, "provider": "", "new": {**state, "outputs": {}}}
    return event(**{kind: {"metadata": metadata, "planning": planning}})


def said(message: str, severity: str = "error", urn: str | None = None) -> EngineEvent:
    return event(diagnosticEvent={"message": message, "color": "never", "severity": severity, "urn": urn})


def event(**content: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, **content})


class Bench:
    """Events with a clock that goes on by a second at each look."""

    def __init__(self) -> None:
        self.heard: list[Progress] = []
        self.now = 0.0
        self.events = EventRecorder(on_resource=self.heard.append, clock=self.clock)

    def clock(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_created_resource_is_heard_of_with_its_name_id_and_seconds(bench: Bench) -> None:
    for each in (step("resourcePreEvent", "create"), step("resOutputsEvent", "create")):
        bench.events(each)
    assert bench.events.changes == [Change(op="create", type="aws:sqs/queue:Queue", name="failures::x")]
    [created] = bench.events.created
    assert (created.type, created.name, created.id) == ("aws:sqs/queue:Queue", "failures::x", "the-id")
    assert bench.heard == [Progress(type="aws:sqs/queue:Queue", name="failures::x", seconds=1)]


@pytest.mark.parametrize("op", ["same", "update", "delete"])
def test_what_is_not_created_is_a_change_without_progress(bench: Bench, op: str) -> None:
    bench.events(step("resOutputsEvent", op))
    assert [change.op for change in bench.events.changes] == [op]
    assert (bench.events.created, bench.heard) == ([], [])


def test_a_preview_creates_nothing(bench: Bench) -> None:
    bench.events(step("resOutputsEvent", "create", planning=True))
    assert [change.op for change in bench.events.changes] == ["create"]
    assert (bench.events.created, bench.heard) == ([], [])


def test_a_component_is_one_change_and_is_nothing_at_aws(bench: Bench) -> None:
    urn = "urn:pulumi:localstack::toy::tap:index:TapStack::tap"
    for _ in range(2):
        bench.events(step("resOutputsEvent", "create", urn=urn, custom=False))
    assert [change.name for change in bench.events.changes] == ["tap"]
    assert (bench.events.created, bench.heard) == ([], [])


@pytest.mark.parametrize("urn", [STACK_URN, "urn:pulumi:localstack::toy::pulumi:providers:aws::default_7"])
def test_the_stack_itself_and_its_providers_do_not_count(bench: Bench, urn: str) -> None:
    bench.events(step("resOutputsEvent", "create", urn=urn))
    assert (bench.events.changes, bench.events.created, bench.heard) == ([], [], [])


def test_an_error_of_the_listener_is_not_lost() -> None:
    def listener(_: Progress) -> None:
        raise ValueError("broken pipe")

    events = EventRecorder(on_resource=listener)
    events.check()
    events(step("resOutputsEvent", "create"))
    with pytest.raises(ValueError, match="broken pipe"):
        events.check()


def test_warnings_and_what_the_program_writes_are_complaints_and_debugging_is_not(bench: Bench) -> None:
    bench.events(said("<{%fg 3%}>deprecated<{%reset%}>\n", "warning", urn=STACK_URN))
    bench.events(said("x is deprecated", "info#err", urn=URN))
    bench.events(said("\n", "info#err"))
    bench.events(said("registering", "debug"))
    assert bench.events.warnings == ["deprecated", "aws:sqs/queue:Queue 'failures::x': x is deprecated"]
    assert bench.events.errors == ()


def test_an_error_names_its_resource_and_empty_phrases_are_left_out(bench: Bench) -> None:
    bench.events(said("AccessDenied: no\n", urn=URN))
    bench.events(said("update failed"))
    bench.events(said("an unhandled error occurred: program exited with non-zero exit code: 1"))
    assert bench.events.errors == ("aws:sqs/queue:Queue 'failures::x': AccessDenied: no",)


def test_an_empty_phrase_is_better_than_nothing(bench: Bench) -> None:
    bench.events(said("update failed"))
    assert bench.events.errors == ("update failed",)


def test_of_a_traceback_remain_the_place_in_the_program_and_what_went_wrong(bench: Bench) -> None:
    bench.events(said(TRACEBACK, urn=STACK_URN))
    assert bench.events.errors == (
        "Program failed with an unhandled exception at toy.py, line 4: ValueError: no zones\nhere",
    )


def test_a_traceback_elsewhere_keeps_what_it_says() -> None:
    text = 'Traceback (most recent call last):\n  File "/lib/x.py", line 1, in f\nKeyError: 1\n'
    assert without_traceback(text) == "KeyError: 1"
    assert without_traceback("plain") == "plain"
