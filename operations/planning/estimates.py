"""Runs simulations of a load, and measures how many rows per second a stack can sustain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from operations.planning import limits
from operations.planning.scenario import Load, StackSettings, sustainable_rate
from operations.planning.simulation import LEAD_SECONDS, QUIET_SECONDS, STEP_MS, Simulation

if TYPE_CHECKING:
    from operations.planning.outcome import SimulationOutcome

MAX_SIMULATED_FILES = 60_000
"""Maximum number of simulated files, if the concurrency permits it. A file can have more than 100 simulated events."""
MIN_SIMULATED_FILES = 30_000
MIN_SIMULATED_EXECUTIONS = 50
MIN_SIMULATED_UNITS = 10


def estimated_files(load: Load) -> float:
    """Return the approximate number of files in a simulation of this load."""
    return load.burst_files + load.per_second * (LEAD_SECONDS + load.burst_seconds + QUIET_SECONDS)


def choose_scale(load: Load, settings: StackSettings, *, max_files: int = MAX_SIMULATED_FILES) -> int:
    """Return the number of files that one simulated file represents, so that a simulation takes only seconds.

    At least one execution must be simulated, so a simulated file represents at most as many files as the concurrency.
    Within this limit, the number of simulated files has priority over the minimum numbers of executions and units.

    Args:
        load: the uploaded files.
        settings: the settings of the stack.
        max_files: maximum number of simulated files.
    """
    files = estimated_files(load)
    units = min(limits.PARTITION_UNITS, settings.max_write_capacity) if settings.on_demand else settings.write_capacity
    precise = min(
        int(files / MIN_SIMULATED_FILES),
        settings.concurrency // MIN_SIMULATED_EXECUTIONS,
        units // MIN_SIMULATED_UNITS,
    )
    # The simulated executions must represent the whole concurrency: with a concurrency of 10 and a scale of 6, one
    # simulated execution would represent only 6 executions.
    executions = max(1, settings.concurrency // math.ceil(files / max_files))
    return max(1, precise, settings.concurrency // executions)


def simulate(
    load: Load,
    settings: StackSettings,
    *,
    seed: int = 0,
    until_lost: bool = False,
    max_files: int = MAX_SIMULATED_FILES,
    max_events: float = math.inf,
    on_events: Callable[[int], None] = lambda _: None,
) -> SimulationOutcome:
    """Simulate a load on a stack.

    Args:
        load: the uploaded files.
        settings: the settings of the stack.
        seed: seed of the random numbers.
        until_lost: whether to stop at the first lost event.
        max_files: maximum number of simulated files, see `choose_scale`.
        max_events: stop after about this number of simulated events; files without a row are then counted as pending.
        on_events: called with the number of simulated events since its last call.
    """
    simulation = Simulation(load, settings, seed=seed, scale=choose_scale(load, settings, max_files=max_files))
    return simulation.run(until_lost=until_lost, max_events=max_events, on_events=on_events)


SATURATED_SECONDS, WARM_UP_SECONDS = 600, 120
OVERLOAD_FACTOR = 1.5
"""Load with which `measure_sustained_rate` overloads the stack, as a multiple of the `sustainable_rate`."""


def measure_sustained_rate(
    load: Load, settings: StackSettings, *, seed: int = 0, on_events: Callable[[int], None] = lambda _: None
) -> float:
    """Measure the rows per second that a simulated stack writes under constant overload, without burst capacity.

    Args:
        load: the size of a row.
        settings: the settings of the stack.
        seed: seed of the random numbers.
        on_events: called with the number of simulated events since its last call.
    """
    settings = replace(
        settings, burst_capacity_seconds=0.0, max_capacity=None, write_capacity=settings.max_write_capacity
    )
    offered = OVERLOAD_FACTOR * sustainable_rate(load, settings)
    load = Load(per_day=0, burst_rate=offered, burst_seconds=SATURATED_SECONDS, row_bytes=load.row_bytes)
    outcome = Simulation(load, settings, seed=seed, scale=choose_scale(load, settings)).run(
        seconds=LEAD_SECONDS + SATURATED_SECONDS, on_events=on_events
    )
    steps = [step for step in outcome.steps if step.second > LEAD_SECONDS + WARM_UP_SECONDS]
    return sum(step.rows for step in steps) / (len(steps) * STEP_MS / 1000)
