"""The tool `cost`: estimates the monthly bill of a stack before its deployment."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from operations.output import columns
from operations.planning import prices
from operations.planning.bill import BillItem, bill, cheaper_when_provisioned, s3_metadata, total
from operations.planning.configuration import JSON_KEYS, KEYS, PRESENCE
from operations.planning.savings import describe_savings, savings, savings_as_json
from operations.planning.scenario import ON_DEMAND, PROVISIONED, Load, overloaded
from operations.planning.stack_settings import stack_from_options
from operations.tool import OK

if TYPE_CHECKING:
    import argparse

    from operations.output import Progress
    from operations.planning.scenario import StackSettings

PRICES_NOTE = (
    f"the list prices were read between {min(prices.MONTHS_READ)} and {max(prices.MONTHS_READ)}, and not compared with "
    "AWS's live price list"
)
PEAKS_NOTE = (
    "provisioned capacity was compared for a constant load: check your peaks with `tapstack capacity --burst N/s`"
)


class CostTool:
    """Tool for `cost --per-day N [--stack FILE …]`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._load = Load(per_day=options.per_day, row_bytes=options.row_bytes)
        self._settings, notes = stack_from_options(options)
        self._months: int = options.months
        self._free_tier: bool = options.free_tier
        self._items = self._bill(self._settings)
        self._savings = savings(self._load, self._settings, months=self._months, free_tier=self._free_tier)
        self._notes = [*notes, PRICES_NOTE]
        if self._settings.on_demand and any(not saving.settings.on_demand for saving in self._savings):
            self._notes.append(PEAKS_NOTE)
        if overloaded(self._load, self._settings):
            self._notes.insert(0, "the stack cannot process this load with these settings: `capacity` suggests changes")

    def run(self, progress: Progress) -> int:  # noqa: ARG002  The calculation is too fast for a progress bar.
        return OK

    def lines(self) -> list[str]:
        items = columns([(item.name, f"${item.dollars:,.2f}".rjust(11), item.quantity) for item in self._items])
        return [*items, *(f"note: {note}" for note in self._notes), *describe_savings(self._savings)]

    def summary(self) -> str:
        other = PROVISIONED if self._settings.on_demand else ON_DEMAND
        dollars = f"${total(self._items):,.2f} a month in {prices.REGION}"
        cheaper = f"; for a constant load, provisioned capacity is cheaper above {self._break_even:,.0f} files a day"
        at_break_even = replace(self._load, per_day=self._break_even)
        if overloaded(at_break_even, replace(self._settings, billing=PROVISIONED, max_capacity=None)):
            cheaper = ""
        return (
            f"cost: {dollars} for {self._load.per_day:,.0f} files a day, including the "
            f"storage of {self._months} months of rows (with {other} capacity: ${self._other_mode:,.2f}{cheaper}); "
            f"S3 Metadata tables instead of this stack: ${self._s3_metadata:,.2f} plus their storage"
        )

    def document(self) -> dict[str, Any]:
        return {
            "region": prices.REGION,
            "total": round(total(self._items), 2),
            "other_capacity_mode_total": round(self._other_mode, 2),
            "provisioned_is_cheaper_from_files_a_day": round(self._break_even),
            "s3_metadata": round(self._s3_metadata, 2),
            "settings": {
                **{key.name: getattr(self._settings, attribute) for attribute, key in KEYS.items()},
                **{key: getattr(self._settings, attribute) for key, attribute in (PRESENCE | JSON_KEYS).items()},
            },
            "items": [
                {
                    "part": item.part,
                    "name": item.name,
                    "dollars": round(item.dollars, 4),
                    "quantity": item.quantity,
                    "price": item.price and asdict(item.price),
                }
                for item in self._items
            ],
            "savings": savings_as_json(self._savings),
            "notes": self._notes,
        }

    def resume_hint(self) -> str:
        return "nothing was changed; start the tool again"

    def _bill(self, settings: StackSettings) -> list[BillItem]:
        return bill(self._load, settings, months=self._months, free_tier=self._free_tier)

    @property
    def _other_mode(self) -> float:
        other = PROVISIONED if self._settings.on_demand else ON_DEMAND
        return total(self._bill(replace(self._settings, billing=other, max_capacity=None)))

    @property
    def _break_even(self) -> float:
        return cheaper_when_provisioned(self._load, self._settings)

    @property
    def _s3_metadata(self) -> float:
        return s3_metadata(self._load, months=self._months)
