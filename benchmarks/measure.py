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
class Goal:
    """What is asked of a ratio: at most so much of `base`, and below each of `below`."""

    base: str
    at_most: float
    below: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured of each contestant, turn by turn; the first is ours."""

    what: str
    unit: str
    turns: Mapping[str, list[float]]  # contestant -> a value of each turn
    goal: Goal
    notes: tuple[str, ...] = ()

    def value(self, name: str) -> Spread:
        """What was measured of a contestant, in `unit`."""
        return spread(self.turns[name])

    def ratio(self, name: str) -> Spread:
        """A contestant's value divided by that of the goal's base in the same turn."""
        base = self.turns[self.goal.base]
        return spread([mine / theirs for mine, theirs in zip(self.turns[name], base, strict=True)])

    @property
    def ours(self) -> str:
        """The contestant that the goal is about."""
        return next(iter(self.turns))

    @property
    def met(self) -> bool:
        """Whether our median ratio is as low as the goal says."""
        ratio = self.ratio(self.ours).median
        return ratio <= self.goal.at_most and all(ratio < self.ratio(each).median for each in self.goal.below)


def interleave(contestants: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Let each measure itself once a turn, after one turn that does not count; every other turn goes backwards."""
    turns: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name in sorted(contestants, key=list(contestants).index, reverse=bool(number % 2)):
            value = contestants[name]()
            if number:
                turns[name].append(value)
    return turns
