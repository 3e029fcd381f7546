"""The simulation against the function's own code, with an emulator whose table takes so many writes a second.

What is compared is what the two have in common: the function's retries against a table that is busy. Lambda's queue is
not: emulators have other rules for it (a throttled invocation counts as a try, waits are shortened). No clock decides:
both sides are asked how often a row was refused before it was written.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config

from lambda_code.indexer import Indexer
from lambda_code.storage import CLIENT_CONFIG, Storage
from operations.planning.scenario import Latencies, Load, StackSettings
from operations.planning.simulation import Simulation
from tests.e2e.events import as_s3_sent_it, event
from tests.e2e.faults import UPDATE, Fault, faulty
from tests.support.fakes import RecordingTelemetry

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = pytest.mark.not_in_a_live_account("runs the function's code here, through a proxy in front of an emulator")

UPLOADS, EVENTS, WRITES_PER_SECOND, SECONDS = 2, 32, 8, 60
TOLERANCE = 3.0  # times more or less: chance, and a machine that is slow to begin so many calls at once
SEEDS = 20


def simulated() -> float:
    """Refused writes for each row, on average of some simulations of as many events at once."""
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


def test_a_busy_table_refuses_about_as_many_writes_as_are_simulated(
    emulator: Emulator, index: Index, region: str
) -> None:
    keys = [index.key(f"capacity/{number}.txt") for number in range(UPLOADS)]
    rows = [index.wait_for_row(key, index.put(key)) for key in keys]
    with faulty(emulator.endpoint, writes_per_second=WRITES_PER_SECOND) as proxy:
        session = botocore.session.get_session()
        config = CLIENT_CONFIG.merge(Config(max_pool_connections=EVENTS))

        def client(service: str) -> Any:  # noqa: ANN401 - botocore makes its classes while it runs
            return session.create_client(service, region_name=region, endpoint_url=proxy.endpoint, config=config)

        indexer = Indexer(
            bucket_name=index.bucket,
            deleted_retention_days=90,
            storage=Storage(
                s3=client("s3"),
                dynamodb=client("dynamodb"),
                bucket_name=index.bucket,
                table_name=index.table,
            ),
            telemetry=RecordingTelemetry(),
        )

        def execute(number: int) -> dict[str, int]:
            told = event(as_s3_sent_it(rows[number % UPLOADS]))
            return indexer.handle(told, request_id="r", deadline=indexer.clock() + SECONDS)

        started = time.monotonic()
        with ThreadPoolExecutor(EVENTS) as executions:
            results = list(executions.map(execute, range(EVENTS)))
        took = time.monotonic() - started

    writes = [call.fault for call in proxy.calls if call.operation == UPDATE]
    assert results == [{"duplicate": 1}] * EVENTS  # all of them in the end, each a write of a row that was there
    assert writes.count(None) == EVENTS
    refused, expected = writes.count(Fault.THROTTLED) / EVENTS, simulated()
    assert expected / TOLERANCE <= refused <= expected * TOLERANCE, (
        f"{refused:.1f} for each row, and {expected:.1f} were simulated"
    )
    assert WRITES_PER_SECOND * (took + 1) >= EVENTS  # the proxy is what made them wait
