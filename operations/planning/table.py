"""What DynamoDB lets be written, and when: provisioned, burst and partition capacity of the table and its index."""

from __future__ import annotations

import math

from operations.planning import limits

MINUTE_MS = 60_000


class Meter:
    """The write capacity of the table or of its index. Times in milliseconds, capacity in units a second.

    Two token buckets: what is provisioned, with up to 300 s of it saved up, and what a partition bears, with one
    second of it.
    """

    def __init__(self, provisioned: float, *, saved_seconds: float, partitions_bear: float, saved: float) -> None:
        self.provisioned = provisioned
        # without savings it still holds the units of a second
        self._seconds = max(1.0, saved_seconds)
        self._bear = partitions_bear
        self._tokens = saved
        self._partition_tokens = partitions_bear
        self._at = 0
        self.used = 0.0  # units in the minute that is under way

    def admits(self, now: int, units: float) -> bool:
        """Whether so much may be written now."""
        if now > self._at:
            passed = (now - self._at) / 1000
            # a bucket holds at least the units of the row that is to be written; min and max would take twice as long
            tokens, most = self._tokens + self.provisioned * passed, self.provisioned * self._seconds
            if tokens > most:
                tokens = most if most > units else min(units, tokens)
            self._tokens = tokens
            tokens, most = self._partition_tokens + self._bear * passed, self._bear
            if tokens > most:
                tokens = most if most > units else min(units, tokens)
            self._partition_tokens = tokens
            self._at = now
        return self._tokens >= units and self._partition_tokens >= units

    def take(self, units: float) -> None:
        """Write it."""
        self._tokens -= units
        self._partition_tokens -= units
        self.used += units


class Scaling:
    """Autoscaling of one meter: looks at each minute, decides, and acts some minutes later."""

    def __init__(self, meter: Meter, *, least: float, most: float) -> None:
        self._meter = meter
        self._least = least
        self._most = most
        self._above = self._below = 0
        self._coming: tuple[int, float] | None = None

    def minute(self, now: int) -> None:
        """Look at the minute that has just ended."""
        meter = self._meter
        used, meter.used = meter.used / 60, 0.0
        if self._coming is not None:
            at, units = self._coming
            if now >= at:
                meter.provisioned, self._coming = units, None
                self._above = self._below = 0
            return
        share = used / meter.provisioned
        self._above = self._above + 1 if share > limits.SCALING_TARGET else 0
        self._below = self._below + 1 if share <= limits.SCALING_TARGET - limits.SCALE_DOWN_BELOW else 0
        up, down = self._above >= limits.SCALE_UP_MINUTES, self._below >= limits.SCALE_DOWN_MINUTES
        if up or down:
            wanted = min(self._most, max(self._least, used / limits.SCALING_TARGET))
            if wanted != meter.provisioned and (wanted > meter.provisioned) == up:
                self._coming = (now + limits.SCALING_REACTION_SECONDS * 1000, wanted)


class Table:
    """The table with its index by day: a write needs room in both, because an index that throttles throttles its table.

    `one_for` says how many real writes a write stands for here.
    """

    def __init__(
        self,
        *,
        write_capacity: int,
        max_capacity: int | None,
        on_demand: bool,
        row_bytes: int,
        used_before: float,
        saved_seconds: float = limits.BURST_SECONDS,
        one_for: int = 1,
    ) -> None:
        self.units = write_units(row_bytes)
        provisioned = limits.ON_DEMAND_UNITS if on_demand else write_capacity
        if on_demand:
            saved_seconds = 1.0
        # what was left unused of the last 300 s, if it went on as it does without the burst
        saved = max(0.0, provisioned - used_before) * saved_seconds
        self.meters = []
        for partitions in (max(1, math.ceil(provisioned / limits.PARTITION_UNITS)), 1):
            self.meters.append(
                Meter(
                    provisioned / one_for,
                    saved_seconds=saved_seconds,
                    partitions_bear=partitions * limits.PARTITION_UNITS / one_for,
                    saved=saved / one_for,
                )
            )
        self._table, self._index = self.meters
        self.scalings = (
            [Scaling(each, least=write_capacity / one_for, most=max_capacity / one_for) for each in self.meters]
            if max_capacity is not None and not on_demand
            else []
        )

    def write(self, now: int) -> bool:
        """Write a row, or say that it was refused."""
        units = self.units
        if self._table.admits(now, units) and self._index.admits(now, units):
            self._table.take(units)
            self._index.take(units)
            return True
        return False


def write_units(row_bytes: int) -> int:
    """What writing a row costs the table, and again its index, which has all of the row's attributes.

    A new row and a changed one cost the same: the greater of the sizes before and after counts (DynamoDB Developer
    Guide, "DynamoDB read and write operations"), and the keys of the index do not change.
    """
    return math.ceil(row_bytes / limits.WRITE_UNIT_BYTES)
