"""Tests of the conversion of Pulumi engine events to changes, progress, warnings and readable errors."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation import EngineEvent

from localstack.deployers.deployment import Progress
from localstack.deployers.pulumi_events import Change, EventRecorder, indented, without_traceback
from tests.support.clock import FakeClock

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


def diagnostic(message: str, severity: str = "error", urn: str | None = None) -> EngineEvent:
    return event(diagnosticEvent={"message": message, "color": "never", "severity": severity, "urn": urn})


def event(**content: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, **content})


class Recorded:
    """Return an EventRecorder with a fake clock, and the list to which it adds each progress report."""

    def __init__(self) -> None:
        self.progress: list[Progress] = []
        self.clock = FakeClock()
        self.events = EventRecorder(on_resource=self.progress.append, clock=self.clock)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def test_pulumi_event_recorder_reports_a_created_resource_and_duration(recorded: Recorded) -> None:
    recorded.events(step("resourcePreEvent", "create"))
    recorded.clock.advance(1)
    recorded.events(step("resOutputsEvent", "create"))
    assert recorded.events.changes == [Change(op="create", type="aws:sqs/queue:Queue", name="failures::x")]
    [created] = recorded.events.created
    assert (created.type, created.name, created.id) == ("aws:sqs/queue:Queue", "failures::x", "the-id")
    assert recorded.progress == [Progress(type="aws:sqs/queue:Queue", name="failures::x", seconds=1)]


COMPONENT_URN = "urn:pulumi:localstack::toy::tap:index:TapStack::tap"


@pytest.mark.parametrize(
    ("events", "change"),
    [
        pytest.param([step("resOutputsEvent", "same")], ("same", "failures::x"), id="unchanged"),
        pytest.param([step("resOutputsEvent", "update")], ("update", "failures::x"), id="updated"),
        pytest.param([step("resOutputsEvent", "delete")], ("delete", "failures::x"), id="deleted"),
        pytest.param([step("resOutputsEvent", "create", planning=True)], ("create", "failures::x"), id="preview"),
        pytest.param(
            [step("resOutputsEvent", "create", urn=COMPONENT_URN, custom=False)] * 2,
            ("create", "tap"),
            id="component with two events",
        ),
    ],
)
def test_pulumi_event_recorder_reports_progress_only_for_created_custom_resources(
    recorded: Recorded, events: list[EngineEvent], change: tuple[str, str]
) -> None:
    for each in events:
        recorded.events(each)
    assert [(found.op, found.name) for found in recorded.events.changes] == [change]
    assert (recorded.events.created, recorded.progress) == ([], [])


@pytest.mark.parametrize("urn", [STACK_URN, "urn:pulumi:localstack::toy::pulumi:providers:aws::default_7"])
def test_pulumi_event_recorder_ignores_events_of_the_stack_and_its_providers(recorded: Recorded, urn: str) -> None:
    recorded.events(step("resOutputsEvent", "create", urn=urn))
    assert (recorded.events.changes, recorded.events.created, recorded.progress) == ([], [], [])


def test_pulumi_event_recorder_records_warnings_and_program_output(recorded: Recorded) -> None:
    recorded.events(diagnostic("<{%fg 3%}>deprecated<{%reset%}>\n", "warning", urn=STACK_URN))
    recorded.events(diagnostic("x is deprecated", "info#err", urn=URN))
    recorded.events(diagnostic("\n", "info#err"))
    recorded.events(diagnostic("registering", "debug"))
    assert recorded.events.warnings == ["deprecated", "aws:sqs/queue:Queue 'failures::x': x is deprecated"]
    assert recorded.events.errors == ()


@pytest.mark.parametrize(
    ("diagnostics", "errors"),
    [
        pytest.param(
            [
                diagnostic("AccessDenied: no\n", urn=URN),
                diagnostic("update failed"),
                diagnostic("an unhandled error occurred: program exited with non-zero exit code: 1"),
            ],
            ("aws:sqs/queue:Queue 'failures::x': AccessDenied: no",),
            id="error with its resource and without general messages",
        ),
        pytest.param([diagnostic("update failed")], ("update failed",), id="general message alone"),
        pytest.param(
            [diagnostic(TRACEBACK, urn=STACK_URN)],
            ("Program failed with an unhandled exception at toy.py, line 4: ValueError: no zones\nhere",),
            id="traceback reduced to location and message",
        ),
    ],
)
def test_pulumi_event_recorder_reports_errors_with_location_and_cause(
    recorded: Recorded, diagnostics: list[EngineEvent], errors: tuple[str, ...]
) -> None:
    for each in diagnostics:
        recorded.events(each)
    assert recorded.events.errors == errors


def test_pulumi_traceback_outside_the_program_is_reduced_to_its_message() -> None:
    text = 'Traceback (most recent call last):\n  File "/lib/x.py", line 1, in f\nKeyError: 1\n'
    assert without_traceback(text) == "KeyError: 1"
    assert without_traceback("plain") == "plain"
    assert without_traceback("Traceback (most recent call last):\nKeyError: 1\n") == "KeyError: 1"


def test_indented_texts_have_two_spaces_before_each_line_even_if_it_is_empty() -> None:
    assert indented(["first error\n\nits reason", "second error"]) == "  first error\n  \n  its reason\n  second error"
