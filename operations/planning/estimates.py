"""Runs simulations of a load, and measures how many rows per second a stack can sustain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from operations.planning import limits
from operations.planning.scenario import Load, StackSettings, sustainable_rate
from operations.planning.simulation import LEAD_SECONDS, QUIET_SECONDS, STEP_MS, Simulation

if TYPE_CHECKING:
    from operations.planning.outcome import SimulationOutcome

MIN_SIMULATED_FILES = 30_000
MIN_SIMULATED_EXECUTIONS = 50
MIN_SIMULATED_UNITS = 10


def estimated_files(load: Load) -> float:
    """Return the approximate number of files in a simulation of this load."""
    return load.burst_files + load.per_second * (LEAD_SECONDS + load.burst_seconds + QUIET_SECONDS)


def choose_scale(load: Load, settings: StackSettings) -> int:
    """Return the number of files that one simulated file represents, so that a simulation takes only seconds.

    Args:
        load: the uploaded files.
        settings: the settings of the stack.
    """
    files = estimated_files(load)
    units = limits.PARTITION_UNITS if settings.on_demand else settings.write_capacity
    return max(
        1,
        min(
            int(files / MIN_SIMULATED_FILES),
            settings.concurrency // MIN_SIMULATED_EXECUTIONS,
            units // MIN_SIMULATED_UNITS,
        ),
    )


def simulate(load: Load, settings: StackSettings, *, seed: int = 0, until_lost: bool = False) -> SimulationOutcome:
    """Simulate a load on a stack.

    Args:
        load: the uploaded files.
        settings: the settings of the stack.
        seed: seed of the random numbers.
        until_lost: whether to stop at the first lost event.
    """
    simulation = Simulation(load, settings, seed=seed, scale=choose_scale(load, settings))
    return simulation.run(until_lost=until_lost)


SATURATED_SECONDS, WARM_UP_SECONDS = 600, 120
OVERLOAD_FACTOR = 1.5
"""Load with which `measure_sustained_rate` overloads the stack, as a multiple of the `sustainable_rate`."""


def measure_sustained_rate(load: Load, settings: StackSettings, *, seed: int = 0) -> float:
    """Measure the rows per second that a simulated stack writes under constant overload, without burst capacity.

    Args:
        load: the size of a row.
        settings: the settings of the stack.
        seed: seed of the random numbers.
    """
    settings = replace(
        settings, burst_capacity_seconds=0.0, max_capacity=None, write_capacity=settings.max_write_capacity
    )
    offered = OVERLOAD_FACTOR * sustainable_rate(load, settings)
    load = Load(per_day=0, burst_rate=offered, burst_seconds=SATURATED_SECONDS, row_bytes=load.row_bytes)
    outcome = Simulation(load, settings, seed=seed, scale=choose_scale(load, settings)).run(
        seconds=LEAD_SECONDS + SATURATED_SECONDS
    )
    steps = [step for step in outcome.steps if step.second > LEAD_SECONDS + WARM_UP_SECONDS]
    return sum(step.rows for step in steps) / (len(steps) * STEP_MS / 1000)
