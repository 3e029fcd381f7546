from __future__ import annotations

import pytest

from operations.planning import limits
from operations.planning.table import Autoscaling, CapacityBucket, SimulatedTable, write_units

MINUTE = 60_000


def table(**changed: object) -> SimulatedTable:
    usual = {"write_capacity": 100, "max_capacity": None, "on_demand": False, "row_bytes": 600, "used_before": 0.0}
    return SimulatedTable(**{**usual, **changed})  # type: ignore[arg-type]  # the fields of one call


def writes(to: SimulatedTable, *, at: int, most: int = 100_000) -> int:
    """How many rows it takes at one moment."""
    return next((number for number in range(most) if not to.write(at)), most)


@pytest.mark.parametrize(("size", "units"), [(1, 1), (1024, 1), (1025, 2), (4096, 4)])
def test_a_row_costs_a_unit_for_each_kilobyte_begun(size: int, units: int) -> None:
    assert write_units(size) == units


def test_what_was_not_used_within_300_seconds_may_be_used_at_once_but_for_the_limit_of_a_partition() -> None:
    capacity = table()
    taken = [writes(capacity, at=second * 1000) for second in range(60)]
    assert taken[0] == limits.PARTITION_UNITS
    # 30,000 saved units and 100 more each second, of which a partition lets 1,000 pass each second
    assert sum(taken) == pytest.approx(100 * limits.BURST_SECONDS + 59 * 100, abs=1)
    assert taken[-1] == 100


def test_a_partition_saves_no_more_than_a_second() -> None:
    assert writes(table(), at=60_000) == limits.PARTITION_UNITS


@pytest.mark.parametrize(
    ("provisioned", "bear", "at"),
    [(2, 1000, [3, 6, 9]), (1000, 2, [2, 5, 8])],  # a partition begins with the units of a second
)
def test_a_row_of_more_units_than_come_in_a_second_waits_until_just_so_many_are_there(
    provisioned: float, bear: float, at: list[int]
) -> None:
    meter = CapacityBucket(provisioned, saved_seconds=0.0, partition_limit=bear, saved=0.0)
    written = []
    for second in range(1, 10):
        if meter.allows(second * 1000, 5):
            meter.consume(5)
            written.append(second)
    assert written == at


def test_what_the_everyday_load_uses_is_not_saved() -> None:
    capacity = table(used_before=80)
    taken = sum(writes(capacity, at=second * 1000) for second in range(30))
    assert taken == pytest.approx(20 * limits.BURST_SECONDS + 29 * 100, abs=1)


def test_without_savings_a_second_has_what_is_provisioned() -> None:
    capacity = table(saved_seconds=0.0)
    assert writes(capacity, at=0) == 0
    assert [writes(capacity, at=second * 1000) for second in range(1, 5)] == [100] * 4
    assert writes(capacity, at=60_000) == 100


def test_a_larger_row_uses_more_units() -> None:
    capacity = table(saved_seconds=0.0, row_bytes=3000)
    assert writes(capacity, at=1000) == 33


def test_a_row_of_more_units_than_are_provisioned_is_written_all_the_same() -> None:
    capacity = table(write_capacity=1, saved_seconds=0.0, row_bytes=10 * 1024)
    assert [capacity.write(second * 1000) for second in (5, 9, 10, 11, 20)] == [False, False, True, False, True]


def test_a_day_of_the_index_is_one_partition_however_much_is_provisioned() -> None:
    for capacity in (table(write_capacity=5000), table(on_demand=True)):
        taken = [writes(capacity, at=second * 1000) for second in range(5)]
        assert taken == [limits.PARTITION_UNITS] * 5


def test_a_table_that_stands_for_a_tenth_takes_a_tenth() -> None:
    whole, tenth = table(saved_seconds=0.0), table(saved_seconds=0.0, scale=10)
    assert writes(whole, at=1000) == 10 * writes(tenth, at=1000) == 100


class TestScaling:
    def meter(self) -> CapacityBucket:
        return CapacityBucket(100, saved_seconds=300, partition_limit=1000, saved=0)

    def after(self, scaling: Autoscaling, meter: CapacityBucket, used: list[float]) -> list[float]:
        """What is provisioned after each minute in which so many units a second were used."""
        provisioned = []
        for number, units in enumerate(used, 1):
            meter.used = units * 60
            scaling.end_minute(number * MINUTE)
            provisioned.append(meter.provisioned)
        return provisioned

    def test_two_minutes_above_the_target_raise_it_some_minutes_later(self) -> None:
        meter = self.meter()
        scaling = Autoscaling(meter, least=100, most=1000)
        assert self.after(scaling, meter, [100] * 5) == pytest.approx([100, 100, 100, 100 / 0.7, 100 / 0.7])

    def test_one_minute_above_the_target_does_not(self) -> None:
        meter = self.meter()
        assert self.after(Autoscaling(meter, least=100, most=1000), meter, [100, 50] * 5) == [100] * 10

    def test_it_never_leaves_its_bounds(self) -> None:
        meter = self.meter()
        scaling = Autoscaling(meter, least=100, most=300)
        assert max(self.after(scaling, meter, [900] * 20)) == 300
        assert min(self.after(scaling, meter, [0] * 60)) == 100

    def test_fifteen_quiet_minutes_lower_it(self) -> None:
        meter = self.meter()
        scaling = Autoscaling(meter, least=10, most=300)
        provisioned = self.after(scaling, meter, [35] * 20)
        assert provisioned[15] == 100
        assert provisioned[-1] == pytest.approx(50)
