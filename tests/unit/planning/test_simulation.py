"""The simulation against outcomes that are known without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tap_stack
from lambda_code.retry import DEFAULT_POLICY, MAX_ATTEMPTS, RetryPolicy
from operations.planning import limits
from operations.planning.distribution import Distribution
from operations.planning.estimates import choose_scale, measure_sustained_rate, simulate
from operations.planning.scenario import Load, StackSettings, overloaded, service_seconds
from operations.planning.simulation import Simulation
from tests.unit.planning.scenarios import CPU_MS, DELIVERY_MS, SERVICE_MS, burst, constant, settings, unbuffered

if TYPE_CHECKING:
    from operations.planning.outcome import SimulationOutcome

ONCE = RetryPolicy(attempts=1)
LARGE_ROWS = burst(5, 20, row_bytes=400 * 1024)  # none of which one unit a second ever writes


def run(load: Load, stack: StackSettings, *, seed: int = 1, scale: int = 1) -> SimulationOutcome:
    outcome = Simulation(load, stack, seed=seed, scale=scale).run()
    assert outcome.arrived == outcome.rows + outcome.lost
    assert outcome.pending == 0
    return outcome


# Without contention the delay is the time that the steps take.


def test_without_contention_the_delay_is_delivery_and_service_and_nothing_is_wasted() -> None:
    outcome = run(Load(per_day=86_400), settings())
    assert outcome.rows > 3000
    assert {outcome.delay(quantile) for quantile in (0, 0.5, 1)} == {(DELIVERY_MS + SERVICE_MS) / 1000}
    assert outcome.billed_seconds == pytest.approx(outcome.rows * SERVICE_MS / 1000)
    assert outcome.wasted_share == pytest.approx(0)
    assert (outcome.refused_writes, outcome.requeued, outcome.failed_executions) == (0, 0, 0)


def test_as_many_arrive_as_were_asked_for() -> None:
    assert run(Load(per_day=86_400), settings()).arrived == pytest.approx(3600, rel=0.05)
    assert run(burst(100, 60), settings()).arrived == pytest.approx(6000, rel=0.05)


def test_a_burst_is_settled_with_its_own_last_file_whatever_the_everyday_load_has_under_way() -> None:
    load = Load(per_day=10 * 86_400, burst_rate=50, burst_seconds=10)
    settled = Simulation(load, settings(), seed=1).run(seconds=120).settled_seconds
    assert settled == pytest.approx(10 + (DELIVERY_MS + SERVICE_MS) / 1000, abs=0.2)


def test_executions_at_once_are_what_little_says() -> None:
    """Little's law: arrivals a second times the time that each takes."""
    outcome = run(burst(200, 120), settings(write_capacity=1000))
    running = [step.running for step in outcome.steps if 70 < step.second < 170]
    assert sum(running) / len(running) == pytest.approx(200 * SERVICE_MS / 1000, rel=0.3)


def test_less_memory_makes_the_functions_own_work_slower() -> None:
    expected = {1769: CPU_MS, 512: round(CPU_MS * 1769 / 512), 10_240: CPU_MS}
    assert {memory_mb: settings(memory_mb=memory_mb).function_ms for memory_mb in expected} == expected


def test_an_environment_that_is_not_there_yet_is_waited_and_billed_for_once() -> None:
    outcome = run(Load(per_day=86_400 / 10), settings(latencies=constant(delivery=0, init=600)))
    assert outcome.delay(1) == pytest.approx(0.648)
    assert outcome.delay(0.5) == pytest.approx(0.048)
    assert outcome.billed_seconds == pytest.approx(outcome.rows * 0.048 + outcome.max_running * 0.6)


# Saturated: the table, or Lambda, limits the rate.


@pytest.mark.parametrize(
    ("row_bytes", "changed", "least", "most"),
    [
        (600, {"write_capacity": 10, "account_concurrency": 2}, 0.95 * 10, 10 * 1.001),
        (600, {"write_capacity": 10, "account_concurrency": 50}, 0.95 * 10, 10 * 1.001),
        (2000, {"write_capacity": 20, "account_concurrency": 50}, 0.95 * 10, 10 * 1.05),  # two units a row
        # less than one after the other: an event that waits returns at its own time
        (600, {"write_capacity": 500, "account_concurrency": 1}, 0.85 * 1000 / SERVICE_MS, 1000 / SERVICE_MS),
    ],
)
def test_sustained_rate_is_limited_by_the_table_or_by_concurrency(
    row_bytes: int, changed: dict[str, Any], least: float, most: float
) -> None:
    assert least <= measure_sustained_rate(Load(per_day=0, row_bytes=row_bytes), settings(**changed)) <= most


def test_a_backlog_drains_at_what_is_provisioned_less_what_arrives() -> None:
    """A burst of 100 a second for a minute on 50 units, of which the everyday load uses 10 all the time."""
    stack = unbuffered(write_capacity=50, account_concurrency=20)
    outcome = run(Load(per_day=10 * 86_400, burst_rate=100, burst_seconds=60), stack)
    # the last of a backlog waits for its turn in Lambda's queue, by chance for up to five minutes
    steps = [step for step in outcome.steps if 130 < step.second < 170]
    drained = (steps[0].waiting - steps[-1].waiting) / (steps[-1].second - steps[0].second)
    assert drained == pytest.approx(50 - 10, rel=0.1)


def test_saved_units_carry_a_burst_that_is_not_too_long() -> None:
    """50 units saved for 300 s, and 50 each second of the burst: 200 a second for 99 s are just not too many."""
    assert run(burst(200, 99), settings(write_capacity=50)).refused_writes == 0
    assert run(burst(200, 110), settings(write_capacity=50)).refused_writes > 0


# Lost: when the attempts, the retries or the event age are used up.


def test_without_retries_what_is_refused_is_lost() -> None:
    stack = unbuffered(write_capacity=50, retry_policy=ONCE, async_retries=0)
    outcome = run(burst(200, 60), stack)
    assert outcome.rows == pytest.approx(50 * 60, rel=0.03)
    failed = {outcome.refused_writes, outcome.failed_executions, outcome.retries_exhausted}
    assert failed == {outcome.arrived - outcome.rows}
    assert 1 <= simulate(burst(200, 60), stack, until_lost=True).lost < 10  # stopped at the first


def test_lambda_tries_again_after_one_and_two_minutes() -> None:
    """300 units are needed, one comes each second, and the third try is after 180 seconds."""
    stack = unbuffered(write_capacity=1, retry_policy=ONCE)
    outcome = run(burst(1, 1, row_bytes=300 * 1024), stack, seed=5)
    assert outcome.arrived == 1
    assert (outcome.retries_exhausted, outcome.executions, outcome.refused_writes) == (1, 3, 3)
    assert outcome.settled_seconds == pytest.approx(180 + (DELIVERY_MS + 3 * SERVICE_MS) / 1000, abs=1)
    # it needs 150 units, and the burst starts after 60 s
    assert run(burst(1, 1, row_bytes=150 * 1024), stack, seed=5).rows == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_an_event_has_as_many_executions_as_the_queue_gives_it(retries: int) -> None:
    outcome = run(LARGE_ROWS, unbuffered(write_capacity=1, retry_policy=ONCE, async_retries=retries))
    assert outcome.retries_exhausted == outcome.arrived > 50
    assert outcome.executions == outcome.arrived * (retries + 1)


def test_the_function_tries_as_often_as_its_own_code_does_and_ends_before_its_time() -> None:
    seven = unbuffered(write_capacity=1, async_retries=0, retry_policy=RetryPolicy(attempts=7))
    outcome = run(LARGE_ROWS, seven)
    assert outcome.refused_writes == outcome.arrived * 7
    short = run(LARGE_ROWS, unbuffered(write_capacity=1, timeout_seconds=10))
    assert short.billed_seconds / short.executions < 10
    assert short.refused_writes < short.executions * MAX_ATTEMPTS


def test_what_waits_for_longer_than_an_event_may_is_lost() -> None:
    outcome = run(burst(200, 60), settings(account_concurrency=1, event_age_seconds=60))
    assert outcome.too_old > 0
    assert outcome.retries_exhausted == 0
    assert max(outcome.delays) <= 60_000 + DELIVERY_MS + SERVICE_MS
    assert outcome.rows <= 125_000 / SERVICE_MS  # one at a time, as long as an event may wait


def test_no_more_environments_start_than_lambda_allows() -> None:
    slow = constant(delivery=0, head=60_000)
    stack = settings(latencies=slow, account_concurrency=10_000, timeout_seconds=900, write_capacity=1000)
    outcome = Simulation(burst(2000, 10), stack).run(seconds=75)
    [running] = [step.running for step in outcome.steps if step.second == 70]
    assert running == pytest.approx(2000, rel=0.03)  # a thousand at once, and a hundred more each second


# Seed, scale and end.


def test_one_file_may_stand_for_several() -> None:
    policy = RetryPolicy(attempts=6)
    stack = StackSettings(write_capacity=50, account_concurrency=250, burst_capacity_seconds=0, retry_policy=policy)
    whole, part = run(burst(400, 20), stack), run(burst(400, 20), stack, scale=5)
    assert part.scale == 5
    assert part.arrived == pytest.approx(whole.arrived, rel=0.06)
    assert part.lost / part.arrived == pytest.approx(whole.lost / whole.arrived, abs=0.03)
    assert part.billed_seconds == pytest.approx(whole.billed_seconds, rel=0.1)
    assert part.max_running == whole.max_running == 250


@pytest.mark.parametrize(
    ("load", "stack", "scale"),
    [
        (burst(1000, 300), StackSettings(), 10),
        (burst(1000, 300), StackSettings(account_concurrency=10), 1),
        (burst(1000, 300), StackSettings(write_capacity=15), 1),
        (burst(100, 60), StackSettings(), 1),
    ],
)
def test_it_stands_for_several_only_where_enough_is_left(load: Load, stack: StackSettings, scale: int) -> None:
    assert choose_scale(load, stack) == scale


def test_a_simulation_that_is_cut_off_says_what_is_pending() -> None:
    outcome = Simulation(burst(100, 60), settings(), seed=1).run(seconds=90)
    assert outcome.pending > 0
    assert outcome.arrived == outcome.rows + outcome.pending


def test_an_everyday_load_that_is_too_much_is_known_as_such() -> None:
    almost = Load(per_day=86_400 * 99)
    assert not overloaded(almost, settings())
    assert overloaded(Load(per_day=86_400 * 101), settings())
    assert overloaded(Load(per_day=86_400 * 99, row_bytes=2000), settings())
    assert overloaded(almost, settings(account_concurrency=4))
    assert service_seconds(settings()) == pytest.approx(SERVICE_MS / 1000)


def test_a_spread_has_its_median_and_its_one_in_a_hundred() -> None:
    distribution = Distribution(100, 300)
    drawn = sorted(distribution.draw(lambda each=each: each / 1000) for each in range(1000))  # type: ignore[misc]  # a loop's value
    assert drawn[500] == pytest.approx(100, abs=1)
    assert drawn[990] == pytest.approx(300, rel=0.05)
    assert min(drawn) > 0
    assert distribution.mean == pytest.approx(sum(drawn) / 1000, rel=0.01)


def test_the_defaults_are_those_of_the_stack_and_of_the_function() -> None:
    args, stack = tap_stack.TapStackArgs(), StackSettings()
    for name in ("write_capacity", "max_capacity", "memory_mb", "timeout_seconds", "reserved_concurrency"):
        assert getattr(stack, name) == getattr(args, name)
    assert stack.async_retries == tap_stack.ASYNC_RETRIES == len(limits.RETRIES_AFTER_SECONDS)
    assert stack.event_age_seconds == tap_stack.ASYNC_EVENT_AGE_SECONDS
    assert tap_stack.AUTOSCALING_TARGET_PERCENT / 100 == limits.SCALING_TARGET
    assert stack.retry_policy == DEFAULT_POLICY
