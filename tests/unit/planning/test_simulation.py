"""The simulation against what is known without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tap_stack
from lambda_code.retry import DEFAULT_POLICY, MAX_ATTEMPTS, RetryPolicy
from operations.planning import limits, scenario
from operations.planning.distribution import Distribution
from operations.planning.estimates import choose_scale, measure_sustained_rate, simulate
from operations.planning.scenario import Load, StackSettings, overloaded, service_seconds
from operations.planning.simulation import Simulation
from tests.unit.planning.scenarios import DELIVERY_MS, OWN_MS, SERVICE_MS, settings

if TYPE_CHECKING:
    from operations.planning.outcome import SimulationOutcome

ONCE = RetryPolicy(attempts=1)


def run(load: Load, asked: StackSettings, *, seed: int = 1, scale: int = 1) -> SimulationOutcome:
    outcome = Simulation(load, asked, seed=seed, scale=scale).run()
    assert outcome.arrived == outcome.rows + outcome.lost
    assert outcome.pending == 0
    return outcome


def burst(rate: float, seconds: float, **changed: float) -> Load:
    return Load(per_day=0, burst_rate=rate, burst_seconds=seconds, **changed)  # type: ignore[arg-type]  # numbers


# Nothing in the way: the delay is the time that things take.


def test_without_contention_the_delay_is_delivery_and_service_and_nothing_is_wasted() -> None:
    outcome = run(Load(per_day=86_400), settings())
    assert outcome.rows > 3000
    assert {outcome.delay(share) for share in (0, 0.5, 1)} == {(DELIVERY_MS + SERVICE_MS) / 1000}
    assert outcome.billed_seconds == pytest.approx(outcome.rows * SERVICE_MS / 1000)
    assert outcome.wasted_share == pytest.approx(0)
    assert (outcome.refused_writes, outcome.requeued, outcome.failed_executions) == (0, 0, 0)


def test_as_many_arrive_as_were_asked_for() -> None:
    assert run(Load(per_day=86_400), settings()).arrived == pytest.approx(3600, rel=0.05)
    assert run(burst(100, 60), settings()).arrived == pytest.approx(6000, rel=0.05)


def test_executions_at_once_are_what_little_says() -> None:
    """Little's law: arrivals a second times the time that each takes."""
    outcome = run(burst(200, 120), settings(write_capacity=1000))
    running = [step.running for step in outcome.steps if 70 < step.second < 170]
    assert sum(running) / len(running) == pytest.approx(200 * SERVICE_MS / 1000, rel=0.3)


def test_less_memory_makes_the_functions_own_work_slower() -> None:
    assert settings().function_ms == OWN_MS
    assert settings(memory_mb=512).function_ms == round(OWN_MS * 1769 / 512)
    assert settings(memory_mb=10_240).function_ms == OWN_MS


def test_an_environment_that_is_not_there_yet_is_waited_and_billed_for_once() -> None:
    latencies = scenario.Latencies(delivery=(0, 0), head=(30, 30), write=(8, 8), init=(600, 600), cpu_ms=10)
    outcome = run(Load(per_day=86_400 / 10), settings(latencies=latencies))
    assert outcome.delay(1) == pytest.approx(0.648)
    assert outcome.delay(0.5) == pytest.approx(0.048)
    assert outcome.billed_seconds == pytest.approx(outcome.rows * 0.048 + outcome.max_running * 0.6)


# Saturated: the table, or Lambda, sets the pace.


@pytest.mark.parametrize("concurrency", [2, 50])
def test_a_saturated_table_is_written_as_fast_as_is_provisioned(concurrency: int) -> None:
    held = measure_sustained_rate(Load(per_day=0), settings(write_capacity=10, account_concurrency=concurrency))
    assert 0.95 * 10 <= held <= 10 * 1.001


def test_rows_of_two_units_are_half_as_many() -> None:
    assert measure_sustained_rate(
        Load(per_day=0, row_bytes=2000), settings(write_capacity=20, account_concurrency=50)
    ) == pytest.approx(10, rel=0.05)


def test_too_little_concurrency_sets_the_pace() -> None:
    held = measure_sustained_rate(Load(per_day=0), settings(write_capacity=500, account_concurrency=1))
    # a little less: what waits comes back at its own time, not when the only execution is free
    assert 0.85 * 1000 / SERVICE_MS <= held <= 1000 / SERVICE_MS


def test_a_backlog_drains_at_what_is_provisioned_less_what_arrives() -> None:
    """A burst of 100 a second for a minute on 50 units, of which the everyday load takes 10 all the time."""
    asked = settings(write_capacity=50, burst_capacity_seconds=0, account_concurrency=20)
    outcome = run(Load(per_day=10 * 86_400, burst_rate=100, burst_seconds=60), asked)
    # the last of a backlog waits for its turn in Lambda's queue, by chance for up to five minutes
    steps = [step for step in outcome.steps if 130 < step.second < 170]
    drained = (steps[0].waiting - steps[-1].waiting) / (steps[-1].second - steps[0].second)
    assert drained == pytest.approx(50 - 10, rel=0.1)


def test_saved_units_carry_a_burst_that_is_not_too_long() -> None:
    """50 units saved for 300 s, and 50 each second of the burst: 200 a second for 99 s are just not too many."""
    asked = settings(write_capacity=50)
    assert run(burst(200, 99), asked).refused_writes == 0
    assert run(burst(200, 110), asked).refused_writes > 0


# Lost: when back-off, retries or age are used up.


def test_without_retries_what_is_refused_is_lost() -> None:
    asked = settings(write_capacity=50, burst_capacity_seconds=0, retry_policy=ONCE, async_retries=0)
    outcome = run(burst(200, 60), asked)
    assert outcome.rows == pytest.approx(50 * 60, rel=0.03)
    assert (
        outcome.refused_writes
        == outcome.failed_executions
        == outcome.retries_exhausted
        == outcome.arrived - outcome.rows
    )


def test_lambda_tries_again_after_one_and_two_minutes() -> None:
    """300 units are needed, one comes each second, and the third try is after 180 seconds."""
    asked = settings(write_capacity=1, burst_capacity_seconds=0, retry_policy=ONCE)
    outcome = run(burst(1, 1, row_bytes=300 * 1024), asked, seed=5)
    assert outcome.arrived == 1
    assert (outcome.retries_exhausted, outcome.executions, outcome.refused_writes) == (1, 3, 3)
    assert outcome.settled_seconds == pytest.approx(180 + (DELIVERY_MS + 3 * SERVICE_MS) / 1000, abs=1)
    # where it needs 150 units, and the burst starts after 60 s
    assert run(burst(1, 1, row_bytes=150 * 1024), asked, seed=5).rows == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_an_event_has_as_many_executions_as_the_queue_gives_it(retries: int) -> None:
    asked = settings(write_capacity=1, burst_capacity_seconds=0, retry_policy=ONCE, async_retries=retries)
    outcome = run(burst(5, 20, row_bytes=400 * 1024), asked)
    assert outcome.retries_exhausted == outcome.arrived > 50
    assert outcome.executions == outcome.arrived * (retries + 1)


def test_the_function_tries_as_often_as_its_own_code_does_and_ends_before_its_time() -> None:
    seven = RetryPolicy(attempts=7)
    asked = settings(write_capacity=1, burst_capacity_seconds=0, async_retries=0, retry_policy=seven)
    outcome = run(burst(5, 20, row_bytes=400 * 1024), asked)
    assert outcome.refused_writes == outcome.arrived * 7
    short = run(
        burst(5, 20, row_bytes=400 * 1024), settings(write_capacity=1, burst_capacity_seconds=0, timeout_seconds=10)
    )
    assert short.billed_seconds / short.executions < 10
    assert short.refused_writes < short.executions * MAX_ATTEMPTS


def test_what_waits_for_longer_than_an_event_may_is_lost() -> None:
    asked = settings(account_concurrency=1, event_age_seconds=60)
    outcome = run(burst(200, 60), asked)
    assert outcome.too_old > 0
    assert outcome.retries_exhausted == 0
    assert max(outcome.delays) <= 60_000 + DELIVERY_MS + SERVICE_MS
    # one at a time, for as long as anything may wait
    assert outcome.rows <= 125_000 / SERVICE_MS


def test_no_more_environments_start_than_lambda_allows() -> None:
    slow = scenario.Latencies(delivery=(0, 0), head=(60_000, 60_000), write=(8, 8), init=(0, 0), cpu_ms=10)
    asked = settings(latencies=slow, account_concurrency=10_000, timeout_seconds=900, write_capacity=1000)
    outcome = Simulation(burst(2000, 10), asked).run(seconds=75)
    [at_the_end] = [step.running for step in outcome.steps if step.second == 70]
    # a thousand at once, and a hundred more each second
    assert at_the_end == pytest.approx(2000, rel=0.03)


# The machinery.


def test_the_same_seed_gives_the_same_outcome_and_another_gives_another() -> None:
    load, asked = burst(50, 20), StackSettings(write_capacity=20, burst_capacity_seconds=0)
    assert simulate(load, asked, seed=3) == simulate(load, asked, seed=3)
    assert simulate(load, asked, seed=3) != simulate(load, asked, seed=4)


def test_one_file_may_stand_for_several() -> None:
    load = burst(400, 20)
    asked = StackSettings(
        write_capacity=50, account_concurrency=250, burst_capacity_seconds=0, retry_policy=RetryPolicy(attempts=6)
    )
    whole, part = run(load, asked), run(load, asked, scale=5)
    assert part.scale == 5
    assert part.arrived == pytest.approx(whole.arrived, rel=0.06)
    assert part.lost / part.arrived == pytest.approx(whole.lost / whole.arrived, abs=0.03)
    assert part.billed_seconds == pytest.approx(whole.billed_seconds, rel=0.1)
    assert part.max_running == whole.max_running == 250


def test_it_stands_for_several_only_where_enough_is_left() -> None:
    much = burst(1000, 300)
    assert choose_scale(much, StackSettings()) == 10
    assert choose_scale(much, StackSettings(account_concurrency=10)) == 1
    assert choose_scale(much, StackSettings(write_capacity=15)) == 1
    assert choose_scale(burst(100, 60), StackSettings()) == 1


def test_a_simulation_that_is_cut_off_says_what_is_pending() -> None:
    outcome = Simulation(burst(100, 60), settings(), seed=1).run(seconds=90)
    assert outcome.pending > 0
    assert outcome.arrived == outcome.rows + outcome.pending


def test_the_first_loss_may_be_enough() -> None:
    asked = settings(write_capacity=50, burst_capacity_seconds=0, retry_policy=ONCE, async_retries=0)
    outcome = simulate(burst(200, 60), asked, until_lost=True)
    assert 1 <= outcome.lost < 10


def test_an_everyday_load_that_is_too_much_is_known_as_such() -> None:
    assert not overloaded(Load(per_day=86_400 * 99), settings())
    assert overloaded(Load(per_day=86_400 * 101), settings())
    assert overloaded(Load(per_day=86_400 * 99, row_bytes=2000), settings())
    assert overloaded(Load(per_day=86_400 * 99), settings(account_concurrency=4))
    assert service_seconds(settings()) == pytest.approx(SERVICE_MS / 1000)


def test_a_spread_has_its_median_and_its_one_in_a_hundred() -> None:
    spread = Distribution(100, 300)
    drawn = sorted(spread.draw(lambda each=each: each / 1000) for each in range(1000))  # type: ignore[misc]  # a loop's value
    assert drawn[500] == pytest.approx(100, abs=1)
    assert drawn[990] == pytest.approx(300, rel=0.05)
    assert min(drawn) > 0
    assert spread.mean == pytest.approx(sum(drawn) / 1000, rel=0.01)


def test_the_defaults_are_those_of_the_stack_and_of_the_function() -> None:
    args = tap_stack.TapStackArgs()
    asked = StackSettings()
    assert asked.write_capacity == args.write_capacity
    assert asked.max_capacity == args.max_capacity
    assert asked.memory_mb == args.memory_mb
    assert asked.timeout_seconds == args.timeout_seconds
    assert asked.reserved_concurrency == args.reserved_concurrency
    assert asked.async_retries == tap_stack.ASYNC_RETRIES == len(limits.RETRIES_AFTER_SECONDS)
    assert asked.event_age_seconds == tap_stack.ASYNC_EVENT_AGE_SECONDS
    assert tap_stack.AUTOSCALING_TARGET_PERCENT / 100 == limits.SCALING_TARGET
    assert asked.retry_policy == DEFAULT_POLICY
