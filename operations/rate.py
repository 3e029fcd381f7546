"""Keeps work to so many units a second: events sent, or DynamoDB's capacity units."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

BURST_SECONDS = 1.0
"""What was not used within the last second may be used now; DynamoDB itself is more generous (300 s)."""


class Rate:
    """A token bucket for several threads, which may go into debt: what a read costs is known only after it.

    Attributes:
        per_second: units a second; None for no limit.
    """

    def __init__(
        self,
        per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paid_at = clock()  # when all that was taken so far is paid for

    def take(self, units: float) -> None:
        """Wait until all that was taken before is paid for, and take these; zero waits only."""
        if pause := self._book(units):
            self._sleep(pause)

    def paced(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, each a unit, no sooner than they may be worked on."""
        for item in items:
            self.take(1)
            yield item

    def charge(self, units: float) -> None:
        """Take these without waiting: whoever takes next will wait for it."""
        self._book(units)

    def _book(self, units: float) -> float:
        """Book the units; return the seconds until what was booked before is paid for."""
        if self.per_second is None:
            return 0.0
        with self._lock:
            now = self._clock()
            begin = max(self._paid_at, now - BURST_SECONDS)
            self._paid_at = begin + units / self.per_second
            return max(0.0, begin - now)
