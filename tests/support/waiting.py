"""Polling with a timeout, which replaces fixed sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 20.0
"""Default timeout in seconds: ten times the longest delay measured on the slowest emulator."""
POLL_INTERVAL = 0.02
"""Seconds between the first two polls."""
LONGEST_INTERVAL = 0.2
"""Longest interval between two polls. A poll of the emulator takes 4 ms of CPU time of the machine, which delays the
expected result."""
WAITER_CONFIG = {"Delay": POLL_INTERVAL, "MaxAttempts": round(TIMEOUT / POLL_INTERVAL)}
"""Settings of boto3 waiters for TIMEOUT and POLL_INTERVAL. The default interval of boto3 is at least 1 second."""


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
    """Poll until the result is true, and return the result.

    Args:
        poll: returns the expected result, or a false value if it does not exist yet. It is called at least once, and
            a last time at the deadline.
        missing: description of the expected result for the error message. A function is called after the timeout, so
            that it can describe the last state.
        timeout: longest wait, in seconds.
        interval: seconds between the first two polls. Each further interval is longer by half, up to LONGEST_INTERVAL.
        clock: monotonic clock, in seconds.
        sleep: waits for a number of seconds.

    Raises:
        WaitTimeoutError: the timeout expired. The message contains `missing`.
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
        interval = max(interval, min(interval * 1.5, LONGEST_INTERVAL))
