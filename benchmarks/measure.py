"""Measurements side by side: contestants take turns in one run, and each turn is compared, as a ratio.

The load of the machine affects all of them alike, and drift cancels out. pyperf, the usual tool for one measurement,
runs one benchmark after another: half a minute of another process's work would distort one side of the ratio.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OURS = "TapStack"


class Distribution(NamedTuple):
    """Median and quartiles."""

    low: float
    median: float
    high: float


def distribution(values: list[float]) -> Distribution:
    """Return the median and the quartiles of at least one value.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("nothing was measured")
    if len(values) == 1:
        return Distribution(values[0], values[0], values[0])
    return Distribution(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The values of each implementation, one per round; the goal applies to the first implementation."""

    what: str
    unit: str
    turns: Mapping[str, list[float]]  # contestant -> a value of each turn
    base: str  # the contestant that the others are divided by
    at_most: float  # the goal: a ratio
    below: tuple[str, ...] = ()  # and less than each of these
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """The contestant that the goal is about."""
        return next(iter(self.turns))

    def value(self, name: str) -> Distribution:
        """The values of a contestant, in `unit`."""
        return distribution(self.turns[name])

    def ratio(self, name: str) -> Distribution:
        """A contestant's value divided by that of the base in the same turn."""
        return distribution(
            [mine / theirs for mine, theirs in zip(self.turns[name], self.turns[self.base], strict=True)]
        )

    @property
    def goal(self) -> str:
        """The goal, in words."""
        return " and ".join([f"≤ {self.at_most:g} x {self.base}", *(f"below {each}" for each in self.below)])

    @property
    def met(self) -> bool:
        """Whether the median ratio is as low as the goal says."""
        ratio = self.ratio(self.first).median
        return ratio <= self.at_most and all(ratio < self.ratio(each).median for each in self.below)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """A duration that is not compared with another one."""

    what: str
    seconds: list[float]  # of each turn
    at_most: float  # the goal

    @property
    def value(self) -> Distribution:
        """Seconds."""
        return distribution(self.seconds)

    @property
    def goal(self) -> str:
        """The goal, in words."""
        return f"≤ {self.at_most:g} s"

    @property
    def met(self) -> bool:
        """Whether the median is as short as the goal says."""
        return self.value.median <= self.at_most


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: a name, then figures."""

    what: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def interleave(contestants: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Let each measure itself once a turn, after one turn that does not count; every other turn goes backwards."""
    turns: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            value = contestants[name]()
            if number:
                turns[name].append(value)
    return turns
