"""The capacity simulation compared with the indexer's own code and a throttled table of an emulator.

The comparison covers the indexer's retries against a busy table. It does not cover Lambda's queue: emulators have
other rules for it (a throttled invocation counts as an attempt, waits are shorter). It does not depend on a clock: both
sides count how often a write of a row was throttled before it succeeded.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from operations.planning.scenario import Latencies, Load, StackSettings
from operations.planning.simulation import Simulation
from tests.e2e.events import creation_record
from tests.e2e.faults import UPDATE, Fault, fault_proxy
from tests.support.strategies import s3_event

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = pytest.mark.not_in_a_live_account("runs the function's code here, through a proxy in front of an emulator")

UPLOADS, EVENTS, WRITES_PER_SECOND, SECONDS = 2, 32, 8, 60
TOLERANCE = 3.0  # a factor: for chance, and for a machine that is slow to start so many calls at once
SEEDS = 20


def simulated_throttles_per_row() -> float:
    """The mean over several simulations of the same number of concurrent events."""
    none = (0.0, 0.0)
    latencies = Latencies(delivery=none, head=(20, 100), write=(10, 50), init=none)
    settings = StackSettings(
        write_capacity=WRITES_PER_SECOND,
        account_concurrency=10 * EVENTS,
        burst_capacity_seconds=0,
        timeout_seconds=SECONDS,
        latencies=latencies,
    )
    load = Load(per_day=0, burst_rate=EVENTS * 20, burst_seconds=0.05)
    outcomes = [Simulation(load, settings, seed=seed).run() for seed in range(SEEDS)]
    assert {outcome.lost for outcome in outcomes} == {0}
    return sum(outcome.refused_writes for outcome in outcomes) / sum(outcome.rows for outcome in outcomes)


def test_a_busy_table_refuses_about_as_many_writes_as_are_simulated(emulator: Emulator, index: Index) -> None:
    rows = [index.put_indexed(index.key(f"capacity/{number}.txt")) for number in range(UPLOADS)]
    with fault_proxy(emulator.endpoint, writes_per_second=WRITES_PER_SECOND) as proxy:
        indexer = proxy.indexer(index, max_pool_connections=EVENTS)

        def handle(number: int) -> dict[str, int]:
            repeated = s3_event(creation_record(rows[number % UPLOADS]))
            return indexer.handle(repeated, request_id="r", deadline=indexer.clock() + SECONDS)

        started = time.monotonic()
        with ThreadPoolExecutor(EVENTS) as executions:
            results = list(executions.map(handle, range(EVENTS)))
        elapsed = time.monotonic() - started

    writes = [call.fault for call in proxy.calls if call.operation == UPDATE]
    assert results == [{"duplicate": 1}] * EVENTS  # all succeed in the end, each with a write of an existing row
    assert writes.count(None) == EVENTS
    measured, expected = writes.count(Fault.THROTTLED) / EVENTS, simulated_throttles_per_row()
    assert expected / TOLERANCE <= measured <= expected * TOLERANCE, (
        f"{measured:.1f} for each row, and {expected:.1f} were simulated"
    )
    assert WRITES_PER_SECOND * (elapsed + 1) >= EVENTS  # the proxy is the reason for their wait
