"""Polling with a deadline, in place of a fixed sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 20.0
"""Seconds. Ten times the longest delay seen on the slowest emulator."""
POLL_INTERVAL = 0.02
"""Seconds between two polls."""
WAITER_CONFIG = {"Delay": POLL_INTERVAL, "MaxAttempts": round(TIMEOUT / POLL_INTERVAL)}
"""The same for a waiter of boto3, which polls once a second or less by default."""


class WaitTimeoutError(AssertionError):
    """A condition was not met before the deadline."""


def wait_until(
    poll: Callable[[], T | None],
    missing: str | Callable[[], str],
    *,
    timeout: float = TIMEOUT,
    interval: float = POLL_INTERVAL,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Poll until the result is true, and return it.

    Args:
        poll: returns the expected result, or None or another false value if there is none yet. It is called at least
            once, and once more at the deadline.
        missing: describes what is missing. A function is called once, after the timeout, and can report the last state.
        timeout: seconds.
        interval: seconds between two polls.
        clock: a monotonic clock, in seconds.
        sleep: pauses, for a number of seconds.

    Raises:
        WaitTimeoutError: with `missing`, after the timeout.
    """
    deadline = clock() + timeout
    while True:
        is_last_poll = clock() >= deadline
        if result := poll():
            return result
        if is_last_poll:
            raise WaitTimeoutError(
                f"after {timeout:g} s still missing: {missing if isinstance(missing, str) else missing()}"
            )
        sleep(interval)
