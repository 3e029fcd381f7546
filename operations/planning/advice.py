"""Searches for the smallest change of one setting that prevents event loss, by simulating candidates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from operations.planning import limits
from operations.planning.estimates import simulate
from operations.planning.scenario import ON_DEMAND, Load, StackSettings, overloaded, service_seconds
from operations.planning.table import write_units

if TYPE_CHECKING:
    from operations.planning.outcome import SimulationOutcome

SEARCH_TOLERANCE = 1.05
"""Tolerance of the search for a setting: its result is at most 5 % above the smallest sufficient value."""
MAX_SEARCH_FILES = 20_000
"""Maximum number of simulated files of one candidate, if the concurrency permits it."""
MAX_SEARCH_EVENTS = 6_000_000
"""Maximum number of simulated events of all candidates together, which take about 20 seconds."""
TIMEOUTS = (60, 120, 300, 600, 900)
"""Simulated timeouts of the indexer, in seconds."""
MAX_ACCOUNT_CONCURRENCY = 100_000
"""Highest simulated concurrency of an account. AWS increases the quota to "tens of thousands" on request."""
RESERVED_MULTIPLES = (2, 4, 8, 16)
"""Simulated values of the reserved concurrency, as multiples of the concurrency that uses the full write capacity.

A higher concurrency causes more throttled writes. A lower one leaves write capacity unused.
"""


@dataclass(frozen=True, kw_only=True)
class SettingChange:
    """A change of one setting, and the outcome of its simulation.

    Attributes:
        name: the configuration key and its new value, such as `writeCapacity 200`.
        settings: all settings after the change.
        outcome: the outcome of the load with these settings.
    """

    name: str
    settings: StackSettings
    outcome: SimulationOutcome


Candidate = tuple[str, StackSettings]
"""A setting with its new value, such as `writeCapacity 200`, and all settings of the stack after this change."""


class Advisor:
    """Searches for changes of the stack's settings that prevent the loss of events under a load.

    Args:
        load: the uploaded files.
        settings: the settings before the change.
        seed: seed of the random numbers of every simulation.
        on_events: called with the number of simulated events since its last call.

    Attributes:
        stopped: whether the search was stopped at its maximum number of simulated events. Its changes then prevent
            event loss, but can be larger than necessary, and further changes can exist.
    """

    def __init__(
        self, load: Load, settings: StackSettings, *, seed: int, on_events: Callable[[int], None] = lambda _: None
    ) -> None:
        self.stopped = False
        self._events_left = MAX_SEARCH_EVENTS
        self._load = load
        self._settings = settings
        self._seed = seed
        self._on_events = on_events

    def changes(self) -> Iterator[SettingChange]:
        """Yield the smallest change of each setting that prevents event loss. Changes without extra cost are first."""
        for search in (
            self.reserved_concurrency,
            self._timeout,
            self._write_capacity,
            self._max_capacity,
            self._on_demand,
            self._max_on_demand,
            self._concurrency,
        ):
            if change := search():
                yield change

    def reserved_concurrency(self) -> SettingChange | None:
        """Return the smallest reserved concurrency that prevents event loss, or None if there is none."""
        settings = self._settings
        needed = math.ceil(settings.rows_per_second(self._load.row_bytes) * service_seconds(settings))
        limit = min(settings.account_concurrency - limits.UNRESERVED_CONCURRENCY, settings.concurrency - 1)
        return self._first(
            (f"reservedConcurrency {reserved}", replace(settings, reserved_concurrency=reserved))
            for reserved in (needed * multiple for multiple in RESERVED_MULTIPLES)
            if reserved <= limit
        )

    def _timeout(self) -> SettingChange | None:
        return self._first(
            (f"timeoutSeconds {seconds}", replace(self._settings, timeout_seconds=seconds))
            for seconds in TIMEOUTS
            if seconds > self._settings.timeout_seconds
        )

    def _on_demand(self) -> SettingChange | None:
        if self._settings.on_demand:
            return None
        return self._simulate((f"billing {ON_DEMAND}", replace(self._settings, billing=ON_DEMAND, max_capacity=None)))

    def loses_no_event(self, settings: StackSettings) -> bool:
        """Return whether no event is lost with other settings, provided that none is lost with the present settings.

        Only a change of the billing mode can lose events. A change to on-demand billing needs no simulation if the new
        table accepts at least as many writes, which is the case for at most 4,000 provisioned write units.
        """
        present = self._settings
        higher = settings.on_demand and present.max_write_capacity <= settings.max_write_capacity
        return settings.billing == present.billing or higher or self._simulate(("", settings)) is not None

    def _concurrency(self) -> SettingChange | None:
        """Return the smallest concurrency with which no event exceeds its maximum age, or None if there is none."""
        settings = self._settings
        name, field, limit = "account concurrency", "account_concurrency", MAX_ACCOUNT_CONCURRENCY
        if settings.reserved_concurrency is not None:
            name, field, limit = "reservedConcurrency", "reserved_concurrency", settings.account_concurrency
        powers = (2**power for power in itertools.count(1))
        doubled = itertools.takewhile(lambda value: value <= limit, (settings.concurrency * power for power in powers))
        return self._first((f"{name} {value}", replace(settings, **{field: value})) for value in doubled)

    def _write_capacity(self) -> SettingChange | None:
        if self._settings.on_demand:
            return None
        ceiling = self._settings.max_capacity

        def candidate(units: int) -> Candidate:
            changed = replace(
                self._settings, write_capacity=units, max_capacity=None if ceiling is None else max(ceiling, units)
            )
            return f"writeCapacity {units}", changed

        return self._smallest(candidate, above=self._settings.write_capacity, highest=self._max_useful_units())

    def _max_capacity(self) -> SettingChange | None:
        if self._settings.on_demand:
            return None

        def candidate(units: int) -> Candidate:
            return f"maxCapacity {units}", replace(self._settings, max_capacity=units)

        highest = math.ceil(self._max_useful_units() / limits.SCALING_TARGET)
        return self._smallest(candidate, above=self._settings.max_write_capacity, highest=highest)

    def _max_on_demand(self) -> SettingChange | None:
        """Return the smallest limit of the on-demand write units that prevents event loss, if the stack has a limit."""
        present = self._settings.max_on_demand_writes
        if present is None:
            return None

        def candidate(units: int) -> Candidate:
            return f"maxOnDemandWrites {units}", replace(self._settings, max_on_demand_writes=units)

        return self._smallest(candidate, above=present, highest=self._max_useful_units())

    def _max_useful_units(self) -> int:
        """Return the highest number of write units to simulate. More units have no effect under this load."""
        load = self._load
        units = math.ceil(2 * (load.per_second + load.burst_rate) * write_units(load.row_bytes))
        return min(limits.PARTITION_UNITS, units)

    def _first(self, candidates: Iterable[Candidate]) -> SettingChange | None:
        return next((change for candidate in candidates if (change := self._simulate(candidate))), None)

    def _smallest(self, candidate: Callable[[int], Candidate], *, above: int, highest: int) -> SettingChange | None:
        """Return the change to the fewest units (more than `above`, at most `highest`) that prevents event loss."""
        if highest <= above or (best := self._simulate(candidate(highest))) is None:
            return None
        low, high = above, highest
        while high > max(low * SEARCH_TOLERANCE, low + 1):
            middle = round(math.sqrt(low * high))
            if change := self._simulate(candidate(middle)):
                high, best = middle, change
            else:
                low = middle
        return best

    def _simulate(self, candidate: Candidate) -> SettingChange | None:
        """Simulate the load with changed settings.

        Returns:
            The change; None if an event is lost, or if the search has used its simulated events.
        """
        name, settings = candidate
        if self.stopped or overloaded(self._load, settings):
            return None
        outcome = simulate(
            self._load,
            settings,
            seed=self._seed,
            until_lost=True,
            max_files=MAX_SEARCH_FILES,
            max_events=self._events_left,
            on_events=self._on_events,
        )
        self._events_left -= outcome.events
        self.stopped = self._events_left <= 0
        # If no event is lost but files are pending, the simulation stopped early, at its maximum number of events.
        return None if outcome.lost or outcome.pending else SettingChange(name=name, settings=settings, outcome=outcome)
