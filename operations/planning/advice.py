"""The smallest change of one setting with which nothing is lost: found by simulating it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from operations.planning import limits
from operations.planning.estimates import simulate
from operations.planning.outcome import Outcome
from operations.planning.scenario import Load, Settings, overloaded, service_seconds
from operations.planning.table import write_units

CLOSE = 1.05  # a searched value is at most five per cent above the smallest that is enough
TIMEOUTS = (60, 120, 300, 600, 900)  # seconds
LARGEST_CONCURRENCY = 100_000  # "tens of thousands", as Lambda's quotas page says
# Reserved concurrency as multiples of what the table can keep busy. Fewer executions ask the table in vain less often;
# a few more than it needs keep it busy while one of them asks S3.
SHARES_OF_NEED = (2, 4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of one setting, and what comes of the load then."""

    name: str  # as it would be configured
    settings: Settings
    outcome: Outcome


Try = Callable[[Settings], Outcome | None]
"""What comes of the load with these settings; None if something is lost."""


def changes(load: Load, settings: Settings, *, seed: int, tried: Callable[[], None]) -> Iterator[Change]:
    """Yield the smallest change of each setting that loses nothing, those that cost nothing first.

    `tried` is called after each simulation.
    """
    attempt = _attempt(load, seed, tried)
    for search in (_reserved, _timeout, _write_capacity, _max_capacity, _on_demand, _concurrency):
        change = search(load, settings, attempt)
        if change is not None:
            yield change


def thrift(load: Load, settings: Settings, *, seed: int, tried: Callable[[], None]) -> Change | None:
    """The reserved concurrency with which fewer executions wait at Lambda's price, and nothing is lost."""
    return _reserved(load, settings, _attempt(load, seed, tried))


def _attempt(load: Load, seed: int, tried: Callable[[], None]) -> Try:
    def attempt(candidate: Settings) -> Outcome | None:
        if overloaded(load, candidate):
            return None
        outcome = simulate(load, candidate, seed=seed, until_lost=True)
        tried()
        return None if outcome.lost else outcome

    return attempt


def _reserved(load: Load, settings: Settings, attempt: Try) -> Change | None:
    need = math.ceil(settings.rows_per_second(load.row_bytes) * service_seconds(settings))
    for share in SHARES_OF_NEED:
        reserved = need * share
        if reserved > settings.account_concurrency - limits.UNRESERVED_CONCURRENCY or reserved >= settings.concurrency:
            return None
        changed = replace(settings, reserved_concurrency=reserved)
        if outcome := attempt(changed):
            return Change(name=f"reservedConcurrency {reserved}", settings=changed, outcome=outcome)
    return None


def _timeout(load: Load, settings: Settings, attempt: Try) -> Change | None:  # noqa: ARG001  one form for all
    for seconds in TIMEOUTS:
        if seconds > settings.timeout_seconds:
            changed = replace(settings, timeout_seconds=seconds)
            if outcome := attempt(changed):
                return Change(name=f"timeoutSeconds {seconds}", settings=changed, outcome=outcome)
    return None


def _write_capacity(load: Load, settings: Settings, attempt: Try) -> Change | None:
    if settings.on_demand:
        return None
    most = _most_units(load)
    ceiling = settings.max_capacity

    def changed(units: int) -> Settings:
        return replace(settings, write_capacity=units, max_capacity=ceiling and max(ceiling, units))

    found = _smallest(settings.write_capacity, most, lambda units: attempt(changed(units)))
    if found is None:
        return None
    units, outcome = found
    return Change(name=f"writeCapacity {units}", settings=changed(units), outcome=outcome)


def _max_capacity(load: Load, settings: Settings, attempt: Try) -> Change | None:
    if settings.on_demand:
        return None
    most = math.ceil(_most_units(load) / limits.SCALING_TARGET)

    def changed(units: int) -> Settings:
        return replace(settings, max_capacity=units)

    found = _smallest(settings.most_capacity, most, lambda units: attempt(changed(units)))
    if found is None:
        return None
    units, outcome = found
    return Change(name=f"maxCapacity {units}", settings=changed(units), outcome=outcome)


def _on_demand(load: Load, settings: Settings, attempt: Try) -> Change | None:  # noqa: ARG001  one form for all
    if settings.on_demand:
        return None
    changed = replace(settings, on_demand=True)
    outcome = attempt(changed)
    if outcome is None:
        return None
    return Change(name="on demand (no key of this stack)", settings=changed, outcome=outcome)


def _concurrency(load: Load, settings: Settings, attempt: Try) -> Change | None:  # noqa: ARG001  one form for all
    """More executions at once: what helps where events grow too old in Lambda's queue."""
    reserved = settings.reserved_concurrency

    def changed(executions: int) -> Settings:
        if reserved is not None:
            return replace(settings, reserved_concurrency=executions)
        return replace(settings, account_concurrency=executions)

    most = settings.account_concurrency if reserved is not None else LARGEST_CONCURRENCY
    executions = settings.concurrency
    while (executions := executions * 2) <= most:
        if outcome := attempt(changed(executions)):
            name = "reservedConcurrency" if reserved is not None else "the account's concurrency:"
            return Change(name=f"{name} {executions}", settings=changed(executions), outcome=outcome)
    return None


def _most_units(load: Load) -> int:
    """Units with which no write would ever wait, or all that a day's partition of the index can use."""
    units = math.ceil(2 * (load.per_second + load.burst_rate) * write_units(load.row_bytes))
    return min(limits.PARTITION_UNITS, units)


def _smallest(enough_not: int, most: int, attempt: Callable[[int], Outcome | None]) -> tuple[int, Outcome] | None:
    """The smallest number above one that is not enough, up to `most`, within five per cent; None if none is enough."""
    if most <= enough_not or (best := attempt(most)) is None:
        return None
    low, high = enough_not, most
    while high > max(low * CLOSE, low + 1):
        middle = round(math.sqrt(low * high))
        if outcome := attempt(middle):
            high, best = middle, outcome
        else:
            low = middle
    return high, best
