"""The fake clock of all tests."""

from __future__ import annotations


class FakeClock:
    """A monotonic clock whose time passes only in `sleep` and `advance`.

    Attributes:
        now: the current time, in seconds; tests may set it.
        sleeps: the length of every sleep so far, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        """Return the current time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Record the sleep and advance the clock by its length."""
        assert seconds >= 0, "time.sleep raises ValueError for a negative number"
        assert len(self.sleeps) < 10_000, "the code under test sleeps in an endless loop"
        self.sleeps.append(seconds)
        self.now += seconds

    def advance(self, seconds: float) -> None:
        """Advance the clock without a sleep."""
        self.now += seconds
