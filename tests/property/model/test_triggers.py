"""The same history with S3 notifications and with EventBridge gives equal rows, except for principals and times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.property.model.bucket import CONTENTS, WAYS
from tests.property.model.machine import FAULTS, KEYS, NUMBERS, UNNAMED
from tests.property.model.stack import QUARTER_OF_AN_HOUR, ModelStack

if TYPE_CHECKING:
    from tests.property.model.faults import FaultKind

TIMES = ("event_time", "uploaded_at", "deleted_at")
WITHOUT_FRACTIONS = len("2026-01-31T12:00:00")
ACTS = st.sampled_from(["upload", "upload", "delete", "delete version", "expire", "deliver", "deliver", "duplicate"])


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a history: a change of the bucket, or the delivery of an event."""

    act: str
    key: str
    number: int
    way: str
    customer_key: bool
    unreadable: float
    named: bool
    faults: list[FaultKind | None] = field(default_factory=list)  # faults of the next AWS calls


STEPS = st.builds(
    Step,
    act=ACTS,
    key=KEYS,
    number=NUMBERS,
    way=st.sampled_from(WAYS),
    customer_key=st.sampled_from([False, False, False, True]),
    unreadable=st.sampled_from([0.0, 0.0, 2.0]),
    named=st.sampled_from([True, True, True, False]),
    faults=st.just([]) | FAULTS,
)


def rows_after(steps: list[Step], *, eventbridge: bool, **bucket: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows after a history and the delivery of all its events. `bucket` describes the model bucket."""
    stack = ModelStack(**bucket)
    stack.bucket.eventbridge = eventbridge
    for step in steps:
        stack.clock.now += 0.3
        stack.calls.upcoming.extend(step.faults)
        _run(step, stack)
        stack.check_soundness()
    stack.calls.stop_faults()
    stack.wait(QUARTER_OF_AN_HOUR)
    stack.deliver_all()
    stack.redrive_all()
    stack.deliver_all()
    assert stack.counts["delivered by EventBridge"] == (stack.counts["invocations"] if eventbridge else 0)
    return stack.rows()


def _run(step: Step, stack: ModelStack) -> None:
    versions = stack.bucket.versions.get(step.key, [])
    waiting = stack.delivery.waiting
    if step.act == "upload":
        stack.bucket.upload(
            step.key,
            way=step.way,
            content=step.number % len(CONTENTS),
            unreadable=step.unreadable,
            customer_key=step.customer_key,
            named=step.named,
        )
    elif step.act == "delete":
        stack.bucket.delete(step.key)
    elif step.act == "expire":
        stack.bucket.expire(step.key)
    elif step.act == "delete version" and versions:
        stack.bucket.delete_version(versions[step.number % len(versions)])
    elif step.act == "duplicate" and waiting:
        stack.delivery.duplicate(waiting[step.number % len(waiting)], same_request=False)
    elif step.act == "deliver":
        stack.deliver(step.number)


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without its principal, and with times in whole seconds, as in EventBridge events."""
    changed = {name: row[name][:WITHOUT_FRACTIONS] for name in TIMES if name in row}
    return {name: value for name, value in (row | changed).items() if name != "deleted_by"}


@given(
    steps=st.lists(STEPS, min_size=1, max_size=30),
    versioned=st.sampled_from([True, True, False]),
    suspended=st.booleans(),
    unnamed=st.sampled_from(UNNAMED),
)
def test_rows_are_equal_for_notifications_and_for_eventbridge(
    steps: list[Step], *, versioned: bool, suspended: bool, unnamed: tuple[str, ...]
) -> None:
    bucket = {"versioned": versioned, "suspended": suspended or not versioned, "unnamed": unnamed}
    with_notifications = rows_after(steps, eventbridge=False, **bucket)
    with_eventbridge = rows_after(steps, eventbridge=True, **bucket)
    assert {address: comparable(row) for address, row in with_eventbridge.items()} == {
        address: comparable(row) for address, row in with_notifications.items()
    }
    deleted = {address for address, row in with_notifications.items() if "deleted_by" in row}
    assert deleted == {address for address, row in with_eventbridge.items() if "deleted_by" in row}


def test_rows_of_an_upload_and_a_deletion_differ_only_in_principal_and_fractions_of_seconds() -> None:
    upload = Step(act="upload", key="a+b c.txt", number=1, way="Copy", customer_key=False, unreadable=0.0, named=True)
    steps = [upload, *[Step(**(vars(upload) | {"act": act})) for act in ("deliver", "delete version", "deliver")]]
    bucket: dict[str, Any] = {"versioned": True, "suspended": False, "unnamed": ()}
    [one] = rows_after(steps, eventbridge=False, **bucket).values()
    [other] = rows_after(steps, eventbridge=True, **bucket).values()
    differences = {name: (one.get(name), other.get(name)) for name in one.keys() | other.keys()}
    assert {name: both for name, both in differences.items() if both[0] != both[1]} == {
        "event_time": ("2026-01-31T12:00:00.300Z", "2026-01-31T12:00:00.000Z"),
        "deleted_at": ("2026-01-31T12:00:00.920Z", "2026-01-31T12:00:00.000Z"),
        "deleted_by": ("AWS:AIDAJDPLRKLG7UEXAMPLE", "123456789012"),
    }
