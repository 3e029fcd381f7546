"""Rate limits for events and for DynamoDB's capacity units."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")

BURST_SECONDS = 1.0
"""Seconds for which a rate limiter keeps unused units available."""

CAPACITY_SHARE = 0.5
"""Default share of the table's capacity that a tool uses; the rest remains available for new uploads."""

ON_DEMAND_EVENT_RATE = 100.0
"""Default events per second for an on-demand table. A higher rate would use Lambda concurrency that uploads need."""

ON_DEMAND_WRITE_RATE = 500.0
"""Default write units per second for an on-demand table: half of the maximum of one partition.

The rows of one upload day are one partition of the index.
"""


ON_DEMAND_READ_RATE = 6000.0
"""Default read units per second of a complete scan of an on-demand table: half of the throughput of a new table.

DynamoDB Developer Guide, initial throughput for on-demand capacity mode: 12,000 read units per second.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Provisioned or maximum throughput of a table, in units per second. None for an on-demand table without maximum.

    Attributes:
        read: read capacity of the table.
        write: lowest write capacity among the table and its indexes, because each row is written to all of them.
    """

    read: float | None
    write: float | None

    @classmethod
    def of_table(cls, description: Mapping[str, Any]) -> Capacity:
        """Return the capacity of a table from its description in the response of DescribeTable."""

        def units(part: Mapping[str, Any], kind: str) -> int | None:
            # DynamoDB returns no capacity or 0 for an on-demand table, and no value for a maximum that is not set.
            provisioned: int = part.get("ProvisionedThroughput", {}).get(f"{kind}CapacityUnits", 0)
            maximum: int = part.get("OnDemandThroughput", {}).get(f"Max{kind}RequestUnits", 0)
            return provisioned or max(maximum, 0) or None

        parts = (description, *description.get("GlobalSecondaryIndexes", ()))
        writes = [limit for limit in (units(part, "Write") for part in parts) if limit is not None]
        return cls(read=units(description, "Read"), write=min(writes, default=None))


def default_read_rate(capacity: Capacity) -> float | None:
    """Return the default limit of a tool in read units per second; None for no limit."""
    return None if capacity.read is None else CAPACITY_SHARE * capacity.read


def default_scan_rate(capacity: Capacity) -> float:
    """Return the default limit of a complete scan in read units per second."""
    return ON_DEMAND_READ_RATE if capacity.read is None else CAPACITY_SHARE * capacity.read


def default_event_rate(capacity: Capacity) -> float:
    """Return the default limit of a tool in events per second, assuming that a row is smaller than 1 KB."""
    return ON_DEMAND_EVENT_RATE if capacity.write is None else CAPACITY_SHARE * capacity.write


def default_write_rate(capacity: Capacity) -> float:
    """Return the default limit of a tool in write units per second."""
    return ON_DEMAND_WRITE_RATE if capacity.write is None else CAPACITY_SHARE * capacity.write


class RateLimiter:
    """Thread-safe token bucket. Its balance can become negative, because the cost of a read is known only after it.

    Args:
        per_second: units per second; None for no limit.
        clock: returns the current time in seconds.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paid_at = clock()  # `_paid_at` is the time at which the balance of units is zero.

    def acquire(self, units: float) -> None:
        """Wait until the balance of units is not negative, then subtract `units`, which can be 0."""
        if pause := self._book(units):
            self._sleep(pause)

    def charge(self, units: float) -> None:
        """Subtract units from the balance without waiting. The next call of `acquire` waits if it became negative."""
        self._book(units)

    def paced(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items at the limited rate, one unit per item."""
        for item in items:
            self.acquire(1)
            yield item

    def _book(self, units: float) -> float:
        """Subtract units from the balance, and return the seconds that `acquire` has to wait."""
        if self.per_second is None:
            return 0.0
        with self._lock:
            now = self._clock()
            begin = max(self._paid_at, now - BURST_SECONDS)
            self._paid_at = begin + units / self.per_second
            return max(0.0, begin - now)
