from __future__ import annotations

from dataclasses import replace

import pytest

from lambda_code.retry import RetryPolicy
from operations.planning.advice import Advisor, SettingChange
from operations.planning.estimates import simulate
from operations.planning.scenario import Load, StackSettings, overloaded
from tests.support.nonempty import nonempty
from tests.unit.planning.scenarios import constant, settings, unbuffered

# The burst is ten times the write capacity, and the indexer makes only four attempts.
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


def test_each_suggested_change_prevents_event_loss(changes: dict[str, SettingChange]) -> None:
    assert {"reservedConcurrency", "writeCapacity", "on-demand"} <= set(changes)
    assert next(iter(changes)) == "reservedConcurrency"  # A change without extra cost is suggested first.
    for change in nonempty(changes.values()):
        assert change.outcome.lost == simulate(BURST, change.settings, seed=1).lost == 0
        differs = [name for name, value in vars(change.settings).items() if value != getattr(FEW_ATTEMPTS, name)]
        assert len(differs) == 1


def test_write_capacity_below_the_suggested_value_loses_events(changes: dict[str, SettingChange]) -> None:
    units = changes["writeCapacity"].settings.write_capacity
    assert 5 < units <= 100
    # The outcome is random, so a capacity just below the suggested value could also lose no event.
    less = replace(FEW_ATTEMPTS, write_capacity=round(units * 0.7))
    assert simulate(BURST, less, seed=1).lost > 0


def test_advisor_suggests_no_reserved_concurrency_in_a_small_account() -> None:
    assert "reservedConcurrency" not in found(BURST, replace(FEW_ATTEMPTS, account_concurrency=100))


def test_advisor_suggests_only_capacity_if_the_table_is_overloaded() -> None:
    load, stack = Load(per_day=1.5 * 86_400), settings(write_capacity=1)
    assert overloaded(load, stack)
    changed = found(load, stack)
    assert {"writeCapacity", "on-demand"} <= set(changed) <= {"writeCapacity", "maxCapacity", "on-demand"}
    assert 2 <= changed["writeCapacity"].settings.write_capacity <= 4


def test_advisor_suggests_concurrency_if_lambda_is_the_bottleneck() -> None:
    stack = settings(latencies=constant(head=1000), account_concurrency=2)
    assert list(found(Load(per_day=3 * 86_400), stack)) == ["account"]


def test_advisor_finds_no_change_if_the_load_exceeds_one_partition() -> None:
    assert found(Load(per_day=2000 * 86_400), settings(write_capacity=1000)) == {}
