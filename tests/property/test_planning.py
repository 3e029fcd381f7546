"""The simulation of a deployed stack: nothing appears or vanishes, and no capacity is exceeded, whatever is asked."""

from __future__ import annotations

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
ASKED = st.builds(
    StackSettings,
    write_capacity=st.integers(1, 60),
    max_capacity=st.none() | st.integers(60, 200),
    on_demand=st.booleans(),
    account_concurrency=st.integers(1, 300),
    timeout_seconds=st.integers(10, 900),
    async_retries=st.integers(0, 2),
    event_age_seconds=st.integers(60, 1800),
    burst_capacity_seconds=st.sampled_from([0.0, 30.0, float(limits.BURST_SECONDS)]),
    retry_policy=st.builds(
        RetryPolicy,
        attempts=st.integers(1, 20),
        wait_base=st.floats(0.01, 2),
        wait_max=st.floats(0.1, 60),
    ),
)
SECONDS = 900
FEW = settings(max_examples=25)  # each a simulation of a quarter of an hour


@FEW
@given(LOADS, ASKED, st.integers(0, 1000))
def test_what_arrived_has_its_row_or_failed_or_is_under_way(load: Load, asked: StackSettings, seed: int) -> None:
    outcome = Simulation(load, asked, seed=seed).run(seconds=SECONDS)
    assert outcome.arrived == outcome.rows + outcome.retries_exhausted + outcome.too_old + outcome.pending
    assert min(outcome.rows, outcome.retries_exhausted, outcome.too_old, outcome.pending) >= 0
    assert len(outcome.delays) == outcome.rows
    assert sum(step.rows for step in outcome.steps) <= outcome.rows
    # an execution writes a row, or fails, or is under way
    under_way = outcome.executions - outcome.rows - outcome.failed_executions
    assert 0 <= under_way <= min(asked.concurrency, outcome.pending)
    assert outcome.failed_executions <= outcome.refused_writes
    assert outcome.retries_exhausted * (asked.async_retries + 1) <= outcome.failed_executions


@FEW
@given(LOADS, ASKED, st.integers(0, 1000))
def test_no_capacity_is_ever_exceeded(load: Load, asked: StackSettings, seed: int) -> None:
    outcome = Simulation(load, asked, seed=seed).run(seconds=SECONDS)
    assert outcome.max_running <= asked.concurrency
    units = write_units(load.row_bytes)
    provisioned = limits.ON_DEMAND_UNITS if asked.on_demand else asked.max_write_capacity
    saved = max(1.0, asked.burst_capacity_seconds) * provisioned
    for step in outcome.steps:
        used = step.rows * units
        assert used <= saved + provisioned * STEP_MS / 1000 + units
        assert used <= limits.PARTITION_UNITS * (STEP_MS / 1000 + 1) + units
    assert sum(step.rows for step in outcome.steps) * units <= saved + provisioned * SECONDS + units


@FEW
@given(LOADS, ASKED, st.integers(0, 1000))
def test_nothing_is_billed_or_delayed_for_less_than_it_takes(load: Load, asked: StackSettings, seed: int) -> None:
    outcome = Simulation(load, asked, seed=seed).run(seconds=SECONDS)
    assert 0 <= outcome.wasted_share <= 1
    assert outcome.useful_seconds <= outcome.billed_seconds + 1e-6
    assert list(outcome.delays) == sorted(outcome.delays)
    if outcome.delays:
        assert outcome.delays[0] > 0
        assert outcome.delays[-1] <= 1000 * (asked.event_age_seconds + asked.timeout_seconds + 60)


@FEW
@given(LOADS, ASKED, st.integers(0, 1000))
def test_twice_the_capacity_never_loses_more(load: Load, asked: StackSettings, seed: int) -> None:
    """But for chance, which falls differently, and lets more or fewer arrive: one event in twenty, and three.

    With less capacity the work is done later, and what arrived meanwhile, after the burst, does not dilute the loss.
    """
    asked = replace(asked, max_capacity=None, on_demand=False)
    twice = replace(asked, write_capacity=2 * asked.write_capacity)
    less, more = (Simulation(load, each, seed=seed).run(seconds=SECONDS) for each in (asked, twice))
    if less.arrived and more.arrived:
        fewer = min(less.arrived, more.arrived)
        assert more.lost / more.arrived <= less.lost / fewer + 1 / 20 + 3 / fewer
