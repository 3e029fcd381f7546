"""The tool `cost`: estimates the monthly bill of a stack before its deployment."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from operations.output import columns
from operations.planning import prices
from operations.planning.bill import BillingAssumptions, BillItem, bill, cheaper_when_provisioned, s3_metadata, total
from operations.planning.scenario import Load, StackSettings
from operations.tool import OK

if TYPE_CHECKING:
    import argparse

    from operations.output import Progress


class CostTool:
    """Tool for `cost --per-day N`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._load = Load(per_day=options.per_day, row_bytes=options.row_bytes)
        self._settings = StackSettings(
            write_capacity=options.write_capacity, on_demand=options.on_demand, memory_mb=options.memory_mb
        )
        self._assumptions = BillingAssumptions(read_capacity=options.read_capacity, months=options.months)
        self._free_tier: bool = options.free_tier
        self._items = self._bill(self._settings)

    def run(self, progress: Progress) -> int:  # noqa: ARG002  The calculation is too fast for a progress bar.
        return OK

    def lines(self) -> list[str]:
        return columns([(item.name, f"{item.dollars:>10,.2f} $", item.quantity) for item in self._items])

    def summary(self) -> str:
        other = "provisioned" if self._settings.on_demand else "on-demand"
        dollars = f"{total(self._items):,.2f} $ a month in {prices.REGION}"
        return (
            f"cost: {dollars} for {self._load.per_day:,.0f} files a day, including the "
            f"storage of {self._assumptions.months} months of rows (with {other} capacity: {self._other_mode:,.2f} $; "
            f"provisioned capacity is cheaper above {self._break_even:,.0f} files a day); "
            f"S3 Metadata tables instead of this stack: {self._s3_metadata:,.2f} $ plus their storage"
        )

    def document(self) -> dict[str, Any]:
        return {
            "region": prices.REGION,
            "total": round(total(self._items), 2),
            "other_capacity_mode_total": round(self._other_mode, 2),
            "provisioned_is_cheaper_from_files_a_day": round(self._break_even),
            "s3_metadata": round(self._s3_metadata, 2),
            "items": [
                {"name": item.name, "dollars": round(item.dollars, 4), "of": item.quantity} for item in self._items
            ],
        }

    def resume_hint(self) -> str:
        return "nothing was changed; start the tool again"

    def _bill(self, settings: StackSettings) -> list[BillItem]:
        return bill(self._load, settings, self._assumptions, free_tier=self._free_tier)

    @property
    def _other_mode(self) -> float:
        return total(self._bill(replace(self._settings, on_demand=not self._settings.on_demand)))

    @property
    def _break_even(self) -> float:
        return cheaper_when_provisioned(self._load, self._settings, self._assumptions)

    @property
    def _s3_metadata(self) -> float:
        return s3_metadata(self._load, self._assumptions)
