"""Measuring things side by side: turn by turn in one run, compared turn by turn, reported as a ratio with its spread.

Whatever else the machine does meets all of them alike, and what drifts cancels out. pyperf, which is the usual tool for
one thing, runs one benchmark after another: half a minute of somebody else's work would go into one side of the ratio.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OURS = "TapStack"


class Spread(NamedTuple):
    """Median and quartiles."""

    low: float
    median: float
    high: float


def spread(values: list[float]) -> Spread:
    """Median and quartiles of one value or more.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("nothing was measured")
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured of each contestant, turn by turn; the first is the one that the goal is about."""

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

    def value(self, name: str) -> Spread:
        """What was measured of a contestant, in `unit`."""
        return spread(self.turns[name])

    def ratio(self, name: str) -> Spread:
        """A contestant's value divided by that of the base in the same turn."""
        return spread([mine / theirs for mine, theirs in zip(self.turns[name], self.turns[self.base], strict=True)])

    @property
    def goal(self) -> str:
        """What is asked, in words."""
        return " and ".join([f"≤ {self.at_most:g} x {self.base}", *(f"below {each}" for each in self.below)])

    @property
    def met(self) -> bool:
        """Whether the median ratio is as low as the goal says."""
        ratio = self.ratio(self.first).median
        return ratio <= self.at_most and all(ratio < self.ratio(each).median for each in self.below)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Something that takes its time, which nothing else can be compared with."""

    what: str
    seconds: list[float]  # of each turn
    at_most: float  # the goal

    @property
    def value(self) -> Spread:
        """Seconds."""
        return spread(self.seconds)

    @property
    def goal(self) -> str:
        """What is asked, in words."""
        return f"≤ {self.at_most:g} s"

    @property
    def met(self) -> bool:
        """Whether the median is as short as the goal says."""
        return self.value.median <= self.at_most


@dataclass(frozen=True, kw_only=True)
class Table:
    """Something that is listed: in front a name, then figures."""

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
