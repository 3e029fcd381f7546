"""The outcome of a simulation. Counts are of real files, executions and calls, not of simulated ones."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass
class SimulationStep:
    """A point of the chart: counts since the last one, and the state. Files, not simulated ones."""

    second: float
    arrived: int = 0
    rows: int = 0
    failed: int = 0
    waiting: int = 0  # files without a row
    running: int = 0  # executions


@dataclass
class SimulationOutcome:
    """The outcome of a simulation. Counts are of real files, executions and calls, not of simulated ones."""

    scale: int = 1  # files that each simulated one stands for
    arrived: int = 0
    rows: int = 0
    retries_exhausted: int = 0  # events whose last retry failed: in the failure queue
    too_old: int = 0  # events older than the event age: likewise
    pending: int = 0  # only of a simulation that was stopped early
    executions: int = 0
    refused_writes: int = 0  # that the table throttled: each is a retry in the function, or a failed execution
    failed_executions: int = 0  # of which Lambda made another try, or gave up
    requeued: int = 0  # invocations for which there was no concurrency
    billed_seconds: float = 0.0
    useful_seconds: float = 0.0
    max_running: int = 0
    settled_seconds: float = 0.0  # from the start of the burst until its last file had its row or was lost
    delays: array[int] = field(default_factory=lambda: array("q"))  # milliseconds from upload to row, sorted
    steps: list[SimulationStep] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Events in the failure queue."""
        return self.retries_exhausted + self.too_old

    @property
    def wasted_share(self) -> float:
        """Share of the billed time that was not needed for a row."""
        return 1 - self.useful_seconds / self.billed_seconds if self.billed_seconds else 0.0

    def delay(self, quantile: float) -> float | None:
        """Return a quantile of the seconds from upload to row; None without rows."""
        if not self.delays:
            return None
        return self.delays[min(len(self.delays) - 1, int(quantile * len(self.delays)))] / 1000
