"""Finds changes of billing mode, table class and index projection that reduce the monthly bill of a stack."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from operations.output import columns
from operations.planning.bill import MONTHS, bill, total
from operations.planning.prices import INFREQUENT_ACCESS, STANDARD
from operations.planning.scenario import ON_DEMAND, PROVISIONED, Load, StackSettings, overloaded
from operations.planning.table import ALL, KEYS_ONLY

MIN_SAVING = 0.01
"""Smallest reported difference, in dollars per month."""
NEW_TABLE = "new tables only"
"""Condition of a change of the index projection: the stack refuses to change the projection of an existing index."""


@dataclass(frozen=True, kw_only=True)
class Saving:
    """A change of the configuration with a lower monthly bill.

    Attributes:
        change: the configuration keys with their new values, such as `billing on-demand, tableClass infrequent-access`.
        settings: all settings after the change.
        dollars: the monthly bill after the change.
        difference: the bill before the change minus the bill after it, in dollars per month.
        condition: a restriction of the change; empty if there is none.
    """

    change: str
    settings: StackSettings
    dollars: float
    difference: float
    condition: str = ""


def savings(load: Load, settings: StackSettings, *, months: int = MONTHS, free_tier: bool = False) -> list[Saving]:
    """Return configurations with a lower bill, sorted by the bill.

    The result has the best configuration, the best configuration that is possible for an existing table, and each
    change of a single key.

    A change to provisioned capacity is excluded if the capacity is too low for the load without its burst. A burst has
    no effect on the compared bills.

    Args:
        load: the uploaded files.
        settings: the present settings of the stack.
        months: number of months for which rows have been collected.
        free_tier: whether to subtract the permanent free tier of AWS.
    """
    before = total(bill(load, settings, months=months, free_tier=free_tier))
    found = [
        Saving(
            change=", ".join(f"{key} {value}" for key, value, _ in changed),
            settings=candidate,
            dollars=after,
            difference=before - after,
            condition=NEW_TABLE if candidate.index_projection != settings.index_projection else "",
        )
        for candidate in _candidates(settings)
        if candidate == settings or not overloaded(load, candidate)
        for changed in [_changed(settings, candidate)]
        for after in [total(bill(load, candidate, months=months, free_tier=free_tier))]
        if before - after >= MIN_SAVING
    ]
    found.sort(key=lambda saving: saving.dollars)
    best = [*found[:1], *[saving for saving in found if not saving.condition][:1]]
    return [saving for saving in found if saving in best or len(_changed(settings, saving.settings)) == 1]


def signed_dollars(amount: float) -> str:
    """Return an amount in US dollars with its sign, such as `-$116.13`."""
    return f"{'-' if amount < 0 else '+'}${abs(amount):,.2f}"


def describe_savings(found: list[Saving]) -> list[str]:
    """Return the savings as lines of a table; no lines if there are none."""
    if not found:
        return []
    rows = [
        (
            each.change + f" ({each.condition})" * bool(each.condition),
            f"${each.dollars:,.2f}",
            signed_dollars(-each.difference),
        )
        for each in found
    ]
    lines = ["", *columns([("cheaper configuration", "a month", "difference"), *rows])]
    if any(f"billing {ON_DEMAND}" in each.change for each in found):
        lines.append(
            "note: before billing on-demand, run `pulumi config rm` for readCapacity, writeCapacity and maxCapacity"
        )
    return lines


def savings_as_json(found: list[Saving]) -> list[dict[str, Any]]:
    """Return the savings as JSON objects."""
    return [
        {
            "change": each.change,
            "total": round(each.dollars, 2),
            "difference": round(-each.difference, 2),
            "only_new_tables": bool(each.condition),
        }
        for each in found
    ]


def _candidates(settings: StackSettings) -> list[StackSettings]:
    return [
        replace(
            settings,
            billing=billing,
            max_capacity=settings.max_capacity if billing == PROVISIONED else None,
            max_on_demand_writes=settings.max_on_demand_writes if billing == ON_DEMAND else None,
            table_class=table_class,
            index_projection=projection,
        )
        for billing, table_class, projection in itertools.product(
            (PROVISIONED, ON_DEMAND), (STANDARD, INFREQUENT_ACCESS), (ALL, KEYS_ONLY)
        )
    ]


def _changed(before: StackSettings, after: StackSettings) -> list[tuple[str, str, str]]:
    """Return the changed keys, each with its value after and before the change."""
    pairs = (
        ("billing", after.billing, before.billing),
        ("tableClass", after.table_class, before.table_class),
        ("indexProjection", after.index_projection, before.index_projection),
    )
    return [each for each in pairs if each[1] != each[2]]
