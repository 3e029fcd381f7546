"""Asks the simulation: with as many simulated files as are enough, and about what can be held for good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from operations.planning import limits
from operations.planning.scenario import Load, Settings, bearable
from operations.planning.simulation import LEAD_SECONDS, QUIET_SECONDS, STEP_MS, Simulation

if TYPE_CHECKING:
    from operations.planning.outcome import Outcome

ENOUGH_FILES = 30_000
ENOUGH_EXECUTIONS = 50
ENOUGH_UNITS = 10


def files_of(load: Load) -> float:
    """About how many files a simulation of this load has."""
    return load.burst_files + load.per_second * (LEAD_SECONDS + load.burst_seconds + QUIET_SECONDS)


def scale_for(load: Load, settings: Settings) -> int:
    """How many files one simulated file may stand for, so that it takes seconds and is still the same question."""
    files = files_of(load)
    units = limits.PARTITION_UNITS if settings.on_demand else settings.write_capacity
    return max(
        1,
        min(int(files / ENOUGH_FILES), settings.concurrency // ENOUGH_EXECUTIONS, units // ENOUGH_UNITS),
    )


def simulate(load: Load, settings: Settings, *, seed: int = 0, until_lost: bool = False) -> Outcome:
    """What comes of this load with these settings."""
    simulation = Simulation(load, settings, seed=seed, scale=scale_for(load, settings))
    return simulation.run(until_lost=until_lost)


SATURATED_SECONDS, WARM_UP_SECONDS = 600, 120
OFFERED = 1.5  # times what can be carried


def sustained(load: Load, settings: Settings, *, seed: int = 0) -> float:
    """Rows a second that are held for good: measured while more arrives than can be carried, with nothing saved up."""
    settings = replace(settings, burst_capacity_seconds=0.0, max_capacity=None, write_capacity=settings.most_capacity)
    offered = OFFERED * bearable(load, settings)
    load = Load(per_day=0, burst_rate=offered, burst_seconds=SATURATED_SECONDS, row_bytes=load.row_bytes)
    outcome = Simulation(load, settings, seed=seed, scale=scale_for(load, settings)).run(
        seconds=LEAD_SECONDS + SATURATED_SECONDS
    )
    steps = [step for step in outcome.steps if step.second > LEAD_SECONDS + WARM_UP_SECONDS]
    return sum(step.rows for step in steps) / (len(steps) * STEP_MS / 1000)
