from __future__ import annotations

from typing import Any

import pytest

from operations.planning import limits
from operations.planning.table import (
    KEYS_BYTES,
    Autoscaling,
    CapacityBucket,
    OnDemandScaling,
    SimulatedTable,
    index_bytes,
    write_units,
)

MINUTE = 60_000
DEFAULTS = {"write_capacity": 100, "max_capacity": None, "on_demand": False, "row_bytes": 600, "used_before": 0.0}


def table(**changed: Any) -> SimulatedTable:
    return SimulatedTable(**{**DEFAULTS, **changed})


def writes(to: SimulatedTable, *, at: int, limit: int = 100_000) -> int:
    """Write rows at one point of simulated time until the table throttles, and return their number."""
    return next((number for number in range(limit) if not to.write(at)), limit)


@pytest.mark.parametrize(("size", "units"), [(1, 1), (1024, 1), (1025, 2), (4096, 4)])
def test_row_costs_one_write_unit_per_started_kilobyte(size: int, units: int) -> None:
    assert write_units(size) == units


def test_simulated_burst_capacity_is_limited_by_the_partition() -> None:
    capacity = table()
    written = [writes(capacity, at=second * 1000) for second in range(60)]
    assert written[0] == limits.PARTITION_UNITS
    # The table has 30,000 units of burst capacity and 100 provisioned units per second. One partition limits the writes
    # to 1,000 units per second.
    assert sum(written) == pytest.approx(100 * limits.BURST_SECONDS + 59 * 100, abs=1)
    assert written[-1] == 100


@pytest.mark.parametrize(
    ("provisioned", "partition_limit", "expected"),
    # Initially, the partition has the units of one second, and the provisioned capacity has none.
    [(2, 1000, [3, 6, 9]), (1000, 2, [2, 5, 8])],
)
def test_simulated_write_of_a_large_row_waits_for_enough_units(
    provisioned: float, partition_limit: float, expected: list[int]
) -> None:
    bucket = CapacityBucket(provisioned, saved_seconds=0.0, partition_limit=partition_limit, saved=0.0)
    written = []
    for second in range(1, 10):
        if bucket.allows(second * 1000, 5):
            bucket.consume(5)
            written.append(second)
    assert written == expected


@pytest.mark.parametrize(("provisioned", "partition_limit"), [(1000, 10_000), (10_000, 1000)])
def test_simulated_table_regains_used_capacity_in_proportion_to_time(provisioned: int, partition_limit: int) -> None:
    bucket = CapacityBucket(provisioned, saved_seconds=1.0, partition_limit=partition_limit, saved=provisioned)
    bucket.consume(1000)
    assert [bucket.allows(500, units) for units in (500, 501)] == [True, False]


def test_everyday_load_reduces_the_simulated_burst_capacity() -> None:
    capacity = table(used_before=80)
    written = sum(writes(capacity, at=second * 1000) for second in range(30))
    assert written == pytest.approx(20 * limits.BURST_SECONDS + 29 * 100, abs=1)


def test_everyday_load_of_large_rows_reduces_the_burst_capacity_by_their_units() -> None:
    capacity = table(used_before=20, row_bytes=3000)
    written = sum(writes(capacity, at=second * 1000) for second in range(30))
    assert written == pytest.approx((40 * limits.BURST_SECONDS + 29 * 100) / 3, abs=1)


@pytest.mark.parametrize(
    ("changed", "at", "expected"),
    [
        # Without burst capacity, the table keeps unused units for one second.
        ({"saved_seconds": 0.0}, [0, 1, 2, 3, 4, 60], [0, 100, 100, 100, 100, 100]),
        # A partition keeps unused units for one second, even with burst capacity.
        ({}, [60], [limits.PARTITION_UNITS]),
        ({"saved_seconds": 0.0, "row_bytes": 3000}, [1], [33]),
        ({"saved_seconds": 0.0, "scale": 10}, [1], [10]),
        # A row of ten write units is written every ten seconds if one write unit per second is provisioned.
        (
            {"write_capacity": 1, "saved_seconds": 0.0, "row_bytes": 10 * 1024},
            [5, 9, 10, 11, 20],
            [0, 0, 1, 0, 1],
        ),
        # All rows of one day are in one partition of the index.
        ({"write_capacity": 5000}, range(5), [limits.PARTITION_UNITS] * 5),
        ({"on_demand": True, "write_capacity": 4000}, range(5), [limits.PARTITION_UNITS] * 5),
        # The configured maximum of an on-demand table is lower than the limit of the partition.
        ({"on_demand": True, "write_capacity": 50}, [1, 2, 60], [50] * 3),
        # A row of 4 KB has 200 bytes in an index with only the keys, so only the units of the table are the limit.
        ({"write_capacity": 5000, "row_bytes": 4096, "saved_seconds": 0.0}, [1, 2], [250] * 2),
        (
            {"write_capacity": 2000, "row_bytes": 4096, "saved_seconds": 0.0, "index_projection": "keys-only"},
            [1, 2],
            [500] * 2,
        ),
    ],
)
def test_simulated_table_writes_as_many_rows_as_its_capacity_permits(
    changed: dict[str, Any], at: list[int], expected: list[int]
) -> None:
    capacity = table(**changed)
    assert [writes(capacity, at=second * 1000) for second in at] == expected


@pytest.mark.parametrize(
    ("least", "most", "used", "expected"),
    [
        # Auto scaling adds capacity after two minutes above the target.
        (100, 1000, [100] * 5, {0: 100, 1: 100, 2: 100, 3: 100 / 0.7, 4: 100 / 0.7}),
        # Auto scaling adds no capacity after a single minute above the target.
        (100, 1000, [100, 50] * 5, dict.fromkeys(range(10), 100)),
        # Auto scaling removes capacity after fifteen minutes of low utilization.
        (10, 300, [35] * 20, {15: 100, 19: 50}),
    ],
)
def test_simulated_auto_scaling_follows_the_utilization(
    least: float, most: float, used: list[float], expected: dict[int, float]
) -> None:
    provisioned = autoscaled(used, least=least, most=most)
    assert {minute: provisioned[minute] for minute in expected} == pytest.approx(expected)


def test_simulated_auto_scaling_stays_within_its_limits() -> None:
    provisioned = autoscaled([900.0] * 20 + [0.0] * 60, least=100, most=300)
    assert (max(provisioned), min(provisioned[20:])) == (300, 100)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        # The peak of a new table doubles after 30 minutes, not before.
        ([3000.0] * 31, {28: 4000, 29: 6000, 30: 6000}),
        # A lower peak does not reduce the capacity.
        ([100.0] * 60, {29: 4000, 59: 4000}),
        # The second doubling follows 30 minutes later. The quota of the table limits the capacity.
        ([3000.0] * 30 + [6000.0] * 30 + [12_000.0] * 30 + [24_000.0] * 30, {59: 12_000, 89: 24_000, 119: 40_000}),
    ],
)
def test_simulated_on_demand_capacity_is_twice_the_peak_of_the_previous_30_minutes(
    used: list[float], expected: dict[int, float]
) -> None:
    bucket = CapacityBucket(4000, saved_seconds=1, partition_limit=4000, saved=0)
    scaling = OnDemandScaling(bucket, most=limits.MAX_ON_DEMAND_UNITS)
    provisioned = []
    for number, units in enumerate(used, 1):
        bucket.used = units * 60
        scaling.end_minute(number * MINUTE)
        provisioned.append(bucket.provisioned)
    assert {minute: provisioned[minute] for minute in expected} == expected
    # The table has enough partitions to use the increased capacity within a second.
    assert bucket.allows(200 * MINUTE, 1)
    bucket.consume(max(expected.values()) - 1)
    assert bucket.allows(200 * MINUTE, 1)
    assert not bucket.allows(200 * MINUTE, 2)


def test_on_demand_table_has_a_growing_capacity_and_provisioned_table_a_constant_one() -> None:
    assert table().scalings == []
    [growth] = table(write_capacity=4000, max_capacity=40_000, on_demand=True).scalings
    assert isinstance(growth, OnDemandScaling)


def test_index_with_only_the_keys_has_smaller_rows_but_never_larger_ones_than_the_table() -> None:
    assert [index_bytes(size, "all") for size in (100, 600)] == [100, 600]
    assert [index_bytes(size, "keys-only") for size in (100, 600)] == [100, KEYS_BYTES]


def autoscaled(used: list[float], *, least: float, most: float) -> list[float]:
    """Simulate auto scaling of a capacity of 100 units, and return the provisioned units after each minute.

    Args:
        used: used units per second in each minute.
        least: lower limit of auto scaling.
        most: upper limit of auto scaling.
    """
    bucket = CapacityBucket(100, saved_seconds=300, partition_limit=1000, saved=0)
    scaling = Autoscaling(bucket, least=least, most=most)
    provisioned = []
    for number, units in enumerate(used, 1):
        bucket.used = units * 60
        scaling.end_minute(number * MINUTE)
        provisioned.append(bucket.provisioned)
    return provisioned
