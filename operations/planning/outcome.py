"""What came of a simulated load. Counts are of files, executions and calls as they are, not as they were simulated."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass
class Step:
    """A point of the chart: what happened since the last one, and how things stand. Files, not simulated ones."""

    second: float
    arrived: int = 0
    rows: int = 0
    failed: int = 0
    waiting: int = 0  # files without a row
    running: int = 0  # executions


@dataclass
class Outcome:
    """What came of it. Counts are of files, executions and calls as they are, not as they were simulated."""

    scale: int = 1  # files that each simulated one stands for
    arrived: int = 0
    rows: int = 0
    gave_up: int = 0  # failed so often that Lambda gave up: in the failure queue
    too_old: int = 0  # waited for longer than the event age: likewise
    pending: int = 0  # only of a simulation that was stopped early
    executions: int = 0
    refused_writes: int = 0  # that the table throttled: each is a retry in the function, or a failed execution
    failed_executions: int = 0  # of which Lambda made another try, or gave up
    requeued: int = 0  # invocations for which there was no concurrency
    billed_seconds: float = 0.0
    useful_seconds: float = 0.0
    most_running: int = 0
    settled_seconds: float = 0.0  # from the start of the burst until its last file had come to an end
    delays: array[int] = field(default_factory=lambda: array("q"))  # milliseconds from upload to row, sorted
    steps: list[Step] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Events that ended in the failure queue."""
        return self.gave_up + self.too_old

    @property
    def wasted(self) -> float:
        """Share of the billed time that was not needed for a row."""
        return 1 - self.useful_seconds / self.billed_seconds if self.billed_seconds else 0.0

    def delay(self, share: float) -> float | None:
        """Seconds from upload to row that this share of the rows did not exceed; None without rows."""
        if not self.delays:
            return None
        return self.delays[min(len(self.delays) - 1, int(share * len(self.delays)))] / 1000
