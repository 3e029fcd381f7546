"""Waiting for what happens later: by looking again and again until a deadline, never by sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds after which something has gone wrong: ten times what the slowest emulator was seen to take."""
INTERVAL = 0.02
"""Seconds between two looks."""
WAITER = {"Delay": INTERVAL, "MaxAttempts": round(PATIENCE / INTERVAL)}
"""The same for a waiter of boto3's, which by itself looks once a second or less."""


class NothingCameError(AssertionError):
    """What was waited for did not come before the deadline."""


def until(
    look: Callable[[], T | None],
    missing: str | Callable[[], str],
    *,
    patience: float = PATIENCE,
    interval: float = INTERVAL,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Look until there is something to see, and return it.

    Args:
        look: returns what was waited for, or None or another false value as long as it is not there.
        missing: says what is missing; a function is asked once, when time is up, so that it can tell the last state.
        patience: seconds until giving up. It looks at least once, and once more at the very end.
        interval: seconds between two looks.
        clock: tells the time, in seconds.
        sleep: waits, for so many seconds.

    Raises:
        NothingCameError: it was not there before the deadline; with what `missing` says.
    """
    deadline = clock() + patience
    while True:
        last_look = clock() >= deadline
        if seen := look():
            return seen
        if last_look:
            said = missing if isinstance(missing, str) else missing()
            raise NothingCameError(f"after {patience:g} s still missing: {said}")
        sleep(interval)
