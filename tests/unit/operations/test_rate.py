from __future__ import annotations

import pytest

from operations.rate import BURST_SECONDS, RateLimiter
from tests.unit.operations.fakes import Clock


def test_so_many_units_a_second_and_no_more() -> None:
    clock = Clock()
    rate = RateLimiter(10, clock=clock, sleep=clock.sleep)
    for _ in range(101):
        rate.acquire(1)
    assert clock.seconds - 100 == pytest.approx(10.0)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    rate = RateLimiter(None, clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        rate.acquire(1000)
        rate.charge(1000)
    assert clock.slept == []


def test_what_is_charged_afterwards_is_waited_for_by_who_takes_next() -> None:
    clock = Clock()
    rate = RateLimiter(10, clock=clock, sleep=clock.sleep)
    rate.acquire(0)
    rate.charge(25)
    assert clock.slept == []
    rate.acquire(0)
    assert clock.slept == [pytest.approx(2.5)]


def test_idle_time_is_made_up_for_by_a_second_at_most() -> None:
    clock = Clock()
    rate = RateLimiter(10, clock=clock, sleep=clock.sleep)
    clock.seconds += 3600
    for _ in range(10 * int(BURST_SECONDS) + 1):
        rate.acquire(1)
    assert sum(clock.slept) == 0
    rate.acquire(1)
    assert sum(clock.slept) == pytest.approx(0.1)
