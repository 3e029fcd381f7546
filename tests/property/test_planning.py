"""Properties of the simulation: no file appears or vanishes, and no capacity is exceeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_code.retry import RetryPolicy
from operations.planning import limits
from operations.planning.scenario import Load, StackSettings
from operations.planning.simulation import STEP_MS, Simulation
from operations.planning.table import write_units

LOADS = st.builds(
    Load,
    per_day=st.just(0.0) | st.floats(1, 86_400 * 3),
    burst_rate=st.floats(0.1, 60),
    burst_seconds=st.floats(1, 30),
    row_bytes=st.integers(1, 8 * 1024),
)
POLICIES = st.builds(
    RetryPolicy, attempts=st.integers(1, 20), wait_base=st.floats(0.01, 2), wait_max=st.floats(0.1, 60)
)
STACKS = st.builds(
    StackSettings,
    write_capacity=st.integers(1, 60),
    max_capacity=st.none() | st.integers(60, 200),
    on_demand=st.booleans(),
    account_concurrency=st.integers(1, 300),
    timeout_seconds=st.integers(10, 900),
    async_retries=st.integers(0, 2),
    event_age_seconds=st.integers(60, 1800),
    burst_capacity_seconds=st.sampled_from([0.0, 30.0, float(limits.BURST_SECONDS)]),
    retry_policy=POLICIES,
)
SECONDS = 900


def any_simulation(test: Callable[[Load, StackSettings, int], None]) -> Callable[[], None]:
    """Few examples, each of which simulates a quarter of an hour."""
    return settings(max_examples=25)(given(LOADS, STACKS, st.integers(0, 1000))(test))


@any_simulation
def test_what_arrived_has_its_row_or_failed_or_is_under_way(load: Load, stack: StackSettings, seed: int) -> None:
    outcome = Simulation(load, stack, seed=seed).run(seconds=SECONDS)
    parts = (outcome.rows, outcome.retries_exhausted, outcome.too_old, outcome.pending)
    assert sum(parts) == outcome.arrived
    assert min(parts) >= 0
    assert len(outcome.delays) == outcome.rows
    assert sum(step.rows for step in outcome.steps) <= outcome.rows
    # an execution writes a row, or fails, or is under way
    under_way = outcome.executions - outcome.rows - outcome.failed_executions
    assert 0 <= under_way <= min(stack.concurrency, outcome.pending)
    assert outcome.failed_executions <= outcome.refused_writes
    assert outcome.retries_exhausted * (stack.async_retries + 1) <= outcome.failed_executions


@any_simulation
def test_no_capacity_is_ever_exceeded(load: Load, stack: StackSettings, seed: int) -> None:
    outcome = Simulation(load, stack, seed=seed).run(seconds=SECONDS)
    assert outcome.max_running <= stack.concurrency
    units = write_units(load.row_bytes)
    provisioned = limits.ON_DEMAND_UNITS if stack.on_demand else stack.max_write_capacity
    saved = max(1.0, stack.burst_capacity_seconds) * provisioned
    for used in (step.rows * units for step in outcome.steps):
        assert used <= saved + provisioned * STEP_MS / 1000 + units
        assert used <= limits.PARTITION_UNITS * (STEP_MS / 1000 + 1) + units
    assert sum(step.rows for step in outcome.steps) * units <= saved + provisioned * SECONDS + units


@any_simulation
def test_nothing_is_billed_or_delayed_for_less_than_it_takes(load: Load, stack: StackSettings, seed: int) -> None:
    outcome = Simulation(load, stack, seed=seed).run(seconds=SECONDS)
    assert 0 <= outcome.wasted_share <= 1
    assert outcome.useful_seconds <= outcome.billed_seconds + 1e-6
    assert list(outcome.delays) == sorted(outcome.delays)
    if outcome.delays:
        assert 0 < outcome.delays[0] <= outcome.delays[-1]
        assert outcome.delays[-1] <= 1000 * (stack.event_age_seconds + stack.timeout_seconds + 60)


@any_simulation
def test_twice_the_capacity_never_loses_more(load: Load, stack: StackSettings, seed: int) -> None:
    """Except by chance, which falls differently, and lets more or fewer arrive: one event in twenty, and three.

    With less capacity the work is done later, and files that arrived after the burst do not dilute the loss.
    """
    stack = replace(stack, max_capacity=None, on_demand=False)
    twice = replace(stack, write_capacity=2 * stack.write_capacity)
    less, more = (Simulation(load, each, seed=seed).run(seconds=SECONDS) for each in (stack, twice))
    if less.arrived and more.arrived:
        fewer = min(less.arrived, more.arrived)
        assert more.lost / more.arrived <= less.lost / fewer + 1 / 20 + 3 / fewer
