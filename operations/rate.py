"""Limits the rate of work: events a second, or DynamoDB's capacity units a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

BURST_SECONDS = 1.0
"""Units that were not used within the last second may be used now; DynamoDB itself saves up 300 s."""

CAPACITY_SHARE = 0.5
"""Share of the table's capacity that a tool uses by default: the other half is for the events that arrive meanwhile."""

ON_DEMAND_EVENT_RATE = 100.0
"""Events a second for an on-demand table, which accepts far more; Lambda's concurrency serves other events too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Provisioned units a second of a table; None: it is billed per request and has no such limit.

    `write` is the least of the table and its indexes, since each row is written to all of them.
    """

    read: float | None
    write: float | None


def default_read_rate(capacity: Capacity) -> float | None:
    """Return read units a second; None: no limit."""
    return None if capacity.read is None else CAPACITY_SHARE * capacity.read


def default_event_rate(capacity: Capacity) -> float:
    """Return events a second: each costs the table, and each of its indexes, one write unit (a row is below 1 KB)."""
    return ON_DEMAND_EVENT_RATE if capacity.write is None else CAPACITY_SHARE * capacity.write


class RateLimiter:
    """A token bucket for several threads, which may go into debt: the cost of a read is known only afterwards.

    Args:
        per_second: units a second; None for no limit.
    """

    def __init__(
        self,
        per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paid_at = clock()  # the time at which all units acquired so far are paid for

    def acquire(self, units: float) -> None:
        """Wait until all units acquired before are paid for, then acquire these; zero only waits."""
        if pause := self._book(units):
            self._sleep(pause)

    def charge(self, units: float) -> None:
        """Acquire units without waiting: the next `acquire` waits for them."""
        self._book(units)

    def paced(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, each of which costs one unit, at the limited rate."""
        for item in items:
            self.acquire(1)
            yield item

    def _book(self, units: float) -> float:
        """Book the units; return the seconds until those booked before are paid for."""
        if self._per_second is None:
            return 0.0
        with self._lock:
            now = self._clock()
            begin = max(self._paid_at, now - BURST_SECONDS)
            self._paid_at = begin + units / self._per_second
            return max(0.0, begin - now)
