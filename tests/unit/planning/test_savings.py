"""Tests of the cheaper configurations that `cost` and `capacity` print."""

from __future__ import annotations

import pytest

from operations.planning.bill import bill, total
from operations.planning.savings import savings
from operations.planning.scenario import Load, StackSettings
from tests.support.nonempty import nonempty

ON_DEMAND = StackSettings(billing="on-demand")


def changes(load: Load, stack: StackSettings) -> list[str]:
    return [saving.change for saving in savings(load, stack)]


def test_savings_contain_single_changes_and_the_best_combination_for_new_and_for_existing_tables() -> None:
    assert changes(Load(per_day=50_000), StackSettings()) == [
        "billing on-demand, tableClass infrequent-access, indexProjection keys-only",
        "billing on-demand, tableClass infrequent-access",
        "billing on-demand",
        "indexProjection keys-only",
    ]


def test_only_savings_that_change_the_projection_require_a_new_table() -> None:
    for saving in nonempty(savings(Load(per_day=50_000), StackSettings())):
        assert bool(saving.condition) == ("indexProjection" in saving.change)


def test_saving_contains_the_difference_between_the_present_bill_and_the_new_bill() -> None:
    load = Load(per_day=50_000)
    for saving in nonempty(savings(load, StackSettings(), months=3, free_tier=True)):
        assert saving.dollars == total(bill(load, saving.settings, months=3, free_tier=True))
        before = total(bill(load, StackSettings(), months=3, free_tier=True))
        assert saving.difference == pytest.approx(before - saving.dollars)


def test_saving_of_less_than_a_cent_is_omitted() -> None:
    assert changes(Load(per_day=1), ON_DEMAND) == []


def test_provisioned_billing_is_a_saving_only_if_its_capacity_suffices_for_the_load() -> None:
    def billing(load: Load, stack: StackSettings) -> set[str]:
        return {saving.settings.billing for saving in savings(load, stack)}

    assert "provisioned" in billing(Load(per_day=99 * 86_400), ON_DEMAND)
    assert billing(Load(per_day=101 * 86_400), ON_DEMAND) == {"on-demand"}


def test_saving_with_another_billing_mode_has_none_of_the_limits_of_the_present_mode() -> None:
    scaled = StackSettings(max_capacity=400)
    assert {s.settings.max_capacity for s in savings(Load(per_day=1000), scaled) if s.settings.on_demand} == {None}
    limited = StackSettings(billing="on-demand", max_on_demand_writes=500)
    found = savings(Load(per_day=5_000_000), limited)
    assert {s.settings.max_on_demand_writes for s in found if not s.settings.on_demand} == {None}
