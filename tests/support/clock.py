"""Fake clock for tests of code that sleeps or measures time."""

from __future__ import annotations


class FakeClock:
    """Fake monotonic clock that advances only when `sleep` or `advance` is called.

    Attributes:
        now: current time in seconds. Tests may set it.
        sleeps: duration of each sleep so far, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        """Return the current time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Record the sleep and advance the clock by its duration in seconds."""
        assert seconds >= 0, "time.sleep raises ValueError for a negative number"
        assert len(self.sleeps) < 10_000, "the code under test sleeps in an endless loop"
        self.sleeps.append(seconds)
        self.now += seconds

    def advance(self, seconds: float) -> None:
        """Advance the clock without recording a sleep."""
        self.now += seconds
