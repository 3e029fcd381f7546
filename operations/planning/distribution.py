"""Durations that vary: drawn from a few hundred quantiles of a log-normal distribution."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

QUANTILES = 500
ONE_IN_A_HUNDRED = NormalDist().inv_cdf(0.99)


class Spread:
    """A duration in whole milliseconds with this median, which one in a hundred exceeds by far.

    Attributes:
        mean: of what is drawn, in milliseconds.
    """

    def __init__(self, median: float, exceeded_by_one_percent: float) -> None:
        self._values = _quantiles(median, exceeded_by_one_percent)
        self.mean = sum(self._values) / QUANTILES

    def draw(self, rng: Callable[[], float]) -> int:
        """One duration; `rng` draws from [0, 1)."""
        return self._values[int(rng() * QUANTILES)]


@functools.cache
def _quantiles(median: float, exceeded_by_one_percent: float) -> tuple[int, ...]:
    width = math.log(exceeded_by_one_percent / median) / ONE_IN_A_HUNDRED if median else 0.0
    normal = NormalDist()
    return tuple(
        round(median * math.exp(width * normal.inv_cdf((each + 0.5) / QUANTILES))) for each in range(QUANTILES)
    )
