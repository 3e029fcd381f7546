from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operations.rate import BURST_SECONDS, RateLimiter

if TYPE_CHECKING:
    from tests.support.clock import FakeClock


@pytest.fixture
def limiter(clock: FakeClock) -> RateLimiter:
    return RateLimiter(10, clock=clock, sleep=clock.sleep)


def test_rate_limiter_permits_the_configured_units_per_second(limiter: RateLimiter, clock: FakeClock) -> None:
    for _ in range(101):
        limiter.acquire(1)
    assert clock.now == pytest.approx(10.0)


def test_rate_limiter_without_a_limit_never_waits(clock: FakeClock) -> None:
    limiter = RateLimiter(None, clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        limiter.acquire(1000)
        limiter.charge(1000)
    assert clock.sleeps == []


def test_rate_limiter_waits_after_charged_units_exceed_the_limit(limiter: RateLimiter, clock: FakeClock) -> None:
    limiter.acquire(0)
    limiter.charge(25)
    assert clock.sleeps == []
    limiter.acquire(0)
    assert clock.sleeps == [pytest.approx(2.5)]


def test_rate_limiter_keeps_unused_units_for_at_most_one_second(limiter: RateLimiter, clock: FakeClock) -> None:
    clock.advance(3600)
    for _ in range(10 * int(BURST_SECONDS) + 1):
        limiter.acquire(1)
    assert sum(clock.sleeps) == 0
    limiter.acquire(1)
    assert sum(clock.sleeps) == pytest.approx(0.1)
