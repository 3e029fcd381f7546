from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from localstack.deployers.cleanup_stack import GONE_TIMEOUT, Ledger
from localstack.deployers.resources.base import Removal
from localstack.errors import DeploymentError
from tests.support.clock import FakeClock as Clock
from tests.unit.harness.recording_fakes import refusal


@dataclass
class World:
    """Things that exist until they are deleted, and a ledger that knows them."""

    clock: Clock = field(default_factory=Clock)
    there: list[str] = field(default_factory=list)
    refusals: dict[str, Exception] = field(default_factory=dict)
    lingering: dict[str, int] = field(default_factory=dict)
    """How many more times a deleted thing is still seen."""
    coming_back: dict[str, bool] = field(default_factory=dict)
    """What somebody makes anew when it is deleted for the first time."""

    def __post_init__(self) -> None:
        self.ledger = Ledger(clock=self.clock, sleep=self.clock.sleep)
        self.deleted: list[str] = []

    def make(self, name: str, *, protected: bool = False, locked: bool = False) -> None:
        def delete() -> None:
            if locked and f"{name} unlocked" not in self.deleted:
                raise refusal("BucketNotEmpty")
            if name in self.refusals:
                raise self.refusals[name]
            if name not in self.there:
                raise refusal("ResourceInUseException")
            self.there.remove(name)
            self.deleted.append(name)
            if self.coming_back.pop(name, False):
                self.there.append(name)

        def exists() -> bool:
            if self.lingering.get(name, 0) > 0:
                self.lingering[name] -= 1
                return True
            if name not in self.there:
                raise refusal("ResourceNotFoundException")
            return True

        self.there.append(name)
        unlock = (lambda: self.deleted.append(f"{name} unlocked")) if locked else None
        self.ledger.add(name, Removal(delete=delete, exists=exists, unlock=unlock), protected=protected)


@pytest.fixture
def world() -> World:
    return World()


def test_the_newest_goes_first(world: World) -> None:
    for name in ("bucket", "policy", "function"):
        world.make(name)
    world.ledger.destroy()
    assert world.deleted == ["function", "policy", "bucket"]


def test_destroying_twice_is_allowed(world: World) -> None:
    world.make("bucket")
    world.ledger.destroy()
    world.ledger.destroy()
    assert world.deleted == ["bucket"]


def test_one_protected_thing_keeps_everything(world: World) -> None:
    world.make("bucket", protected=True)
    world.make("function")
    with pytest.raises(DeploymentError, match=r"nothing was destroyed, because of protected resources: bucket\. "):
        world.ledger.destroy()
    assert world.there == ["bucket", "function"]


def test_what_is_already_gone_is_no_error(world: World) -> None:
    world.make("bucket")
    world.refusals["bucket"] = refusal("NoSuchBucket")
    world.there.clear()
    world.ledger.destroy()
    assert len(world.ledger) == 0


def test_a_failure_stops_is_named_and_can_be_tried_again(world: World) -> None:
    for name in ("bucket", "table", "function"):
        world.make(name)
    world.refusals["table"] = refusal("AccessDenied", "DeleteTable")
    with pytest.raises(
        DeploymentError, match=r"could not delete table: .*AccessDenied.*It and 1 older resources remain"
    ):
        world.ledger.destroy()
    assert world.there == ["bucket", "table"]
    world.refusals.clear()
    world.ledger.destroy()
    assert world.there == []


def test_what_goes_slowly_is_waited_for(world: World) -> None:
    world.make("queue")
    world.lingering["queue"] = 3
    world.ledger.destroy()
    assert len(world.clock.sleeps) == 3


def test_what_somebody_else_made_anew_is_deleted_again(world: World) -> None:
    world.make("log group")
    world.coming_back["log group"] = True
    world.ledger.destroy()
    assert world.deleted == ["log group", "log group"]
    assert world.there == []


def test_what_never_goes_is_named(world: World) -> None:
    world.make("queue")
    world.make("bucket")
    world.lingering["queue"] = 1_000_000
    with pytest.raises(DeploymentError, match=r"deleted, but still there after 60 s: queue$"):
        world.ledger.destroy()
    assert sum(world.clock.sleeps) == pytest.approx(GONE_TIMEOUT, abs=0.2)


def test_a_part_of_something_else_is_not_asked_for(world: World) -> None:
    world.ledger.add("policy", Removal(delete=lambda: None))
    world.ledger.destroy()
    assert world.clock.sleeps == []


def test_rolling_back_ignores_protection_unlocks_and_goes_on_after_a_failure(world: World) -> None:
    world.make("bucket", protected=True, locked=True)
    world.make("table")
    world.make("function")
    world.refusals["table"] = refusal("AccessDenied", "DeleteTable")
    assert world.ledger.roll_back() == [
        "table: An error occurred (AccessDenied) when calling the DeleteTable operation: as the test wishes"
    ]
    assert world.deleted == ["function", "bucket unlocked", "bucket"]
    assert world.there == ["table"]
