from __future__ import annotations

import pytest

from tests.support.clock import FakeClock
from tests.support.waiting import WaitTimeoutError, wait_until


@pytest.mark.parametrize(
    ("results", "elapsed"),
    [
        pytest.param(["result"], 0.0, id="immediate result without sleep"),
        pytest.param([None, "", "result"], 1.0, id="new poll after a false result"),
        pytest.param([None, None, "result"], 1.0, id="last poll at the deadline"),
    ],
)
def test_wait_until_returns_the_first_true_result(results: list[str | None], elapsed: float) -> None:
    clock = FakeClock()
    remaining = iter(results)
    found = wait_until(lambda: next(remaining), "it", timeout=1.0, interval=0.5, clock=clock, sleep=clock.sleep)
    assert (found, clock.now) == ("result", elapsed)


def test_wait_until_timeout_error_describes_the_last_state() -> None:
    clock = FakeClock()
    polls: list[float] = []
    with pytest.raises(WaitTimeoutError, match=r"after 1 s still missing: polled 3 times"):
        wait_until(
            lambda: polls.append(clock.now),
            lambda: f"polled {len(polls)} times",
            timeout=1.0,
            interval=0.5,
            clock=clock,
            sleep=clock.sleep,
        )
    assert polls == [0.0, 0.5, 1.0]


def test_interval_between_polls_grows_up_to_the_longest_interval() -> None:
    clock = FakeClock()
    results = iter([None] * 6 + ["result"])
    wait_until(lambda: next(results), "it", timeout=5.0, interval=0.04, clock=clock, sleep=clock.sleep)
    assert clock.sleeps == pytest.approx([0.04, 0.06, 0.09, 0.135, 0.2, 0.2])
