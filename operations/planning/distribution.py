"""Draws random durations from a log-normal distribution. The distribution is approximated by 500 quantiles."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

QUANTILES = 500
Z_99 = NormalDist().inv_cdf(0.99)


class Distribution:
    """Distribution of durations in whole milliseconds, defined by its median and its 99th percentile.

    Attributes:
        mean: mean duration in milliseconds.
    """

    def __init__(self, median: float, p99: float) -> None:
        self._values = _quantiles(median, p99)
        self.mean = sum(self._values) / QUANTILES

    def draw(self, rng: Callable[[], float]) -> int:
        """Return a random duration in milliseconds; `rng` returns random numbers in [0, 1)."""
        return self._values[int(rng() * QUANTILES)]


@functools.cache
def _quantiles(median: float, p99: float) -> tuple[int, ...]:
    width = math.log(p99 / median) / Z_99 if median else 0.0
    normal = NormalDist()
    return tuple(
        round(median * math.exp(width * normal.inv_cdf((each + 0.5) / QUANTILES))) for each in range(QUANTILES)
    )
