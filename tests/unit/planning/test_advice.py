from __future__ import annotations

from dataclasses import replace

import pytest

from lambda_code.retry import RetryPolicy
from operations.planning.advice import Advisor, SettingChange
from operations.planning.estimates import simulate
from operations.planning.scenario import Load, StackSettings, overloaded
from tests.unit.planning.scenarios import constant, settings, unbuffered

# Ten times what 5 units can write, by a function that gives up at once.
BURST = Load(per_day=1000, burst_rate=50, burst_seconds=20)
FEW_ATTEMPTS = unbuffered(write_capacity=5, retry_policy=RetryPolicy(attempts=4))


def found(load: Load, stack: StackSettings) -> dict[str, SettingChange]:
    simulations: list[None] = []
    advisor = Advisor(load, stack, seed=1, on_simulation=lambda: simulations.append(None))
    by_name = {each.name.split()[0]: each for each in advisor.changes()}
    assert len(simulations) >= len(by_name)
    return by_name


@pytest.fixture(scope="module")
def changes() -> dict[str, SettingChange]:
    assert simulate(BURST, FEW_ATTEMPTS, seed=1).lost > 0
    return found(BURST, FEW_ATTEMPTS)


def test_every_change_that_is_named_loses_nothing(changes: dict[str, SettingChange]) -> None:
    assert {"reservedConcurrency", "writeCapacity", "on"} <= set(changes)
    assert next(iter(changes)) == "reservedConcurrency"  # the change without a cost comes first
    for change in changes.values():
        assert change.outcome.lost == simulate(BURST, change.settings, seed=1).lost == 0
        differs = [name for name, value in vars(change.settings).items() if value != getattr(FEW_ATTEMPTS, name)]
        assert len(differs) == 1


def test_less_write_capacity_than_is_named_would_lose_something(changes: dict[str, SettingChange]) -> None:
    units = changes["writeCapacity"].settings.write_capacity
    assert 5 < units <= 100
    less = replace(FEW_ATTEMPTS, write_capacity=round(units * 0.7))  # not one less: chance falls differently
    assert simulate(BURST, less, seed=1).lost > 0


def test_nothing_can_be_reserved_in_an_account_that_must_leave_as_much_to_others() -> None:
    assert "reservedConcurrency" not in found(BURST, replace(FEW_ATTEMPTS, account_concurrency=100))


def test_where_the_everyday_load_is_too_much_only_more_capacity_helps() -> None:
    load, stack = Load(per_day=1.5 * 86_400), settings(write_capacity=1)
    assert overloaded(load, stack)
    changed = found(load, stack)
    assert {"writeCapacity", "on"} <= set(changed) <= {"writeCapacity", "maxCapacity", "on"}
    assert 2 <= changed["writeCapacity"].settings.write_capacity <= 4


def test_where_lambda_is_the_bottleneck_more_executions_help() -> None:
    stack = settings(latencies=constant(head=1000), account_concurrency=2)
    assert list(found(Load(per_day=3 * 86_400), stack)) == ["the"]


def test_more_than_a_day_of_the_index_can_bear_is_not_mended_by_any_setting() -> None:
    assert found(Load(per_day=2000 * 86_400), settings(write_capacity=1000)) == {}
