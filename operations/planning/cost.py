"""The tool `cost`: a month's bill, before deploying."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from operations.output import columns
from operations.planning import prices
from operations.planning.bill import Owned, bill, cheaper_when_provisioned, s3_metadata, total
from operations.planning.scenario import Load, Settings

if TYPE_CHECKING:
    import argparse

    from operations.output import Progress


class CostTool:
    """`cost --per-day N`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._load = Load(per_day=options.per_day, row_bytes=options.row_bytes)
        self._settings = Settings(
            write_capacity=options.write_capacity, on_demand=options.on_demand, memory_mb=options.memory_mb
        )
        self._owned = Owned(read_capacity=options.read_capacity, months=options.months)
        self._free_tier: bool = options.free_tier
        self._items = self._bill(self._settings)

    def run(self, progress: Progress) -> int:  # noqa: ARG002, D102  see Tool; nothing takes time
        return 0

    def lines(self) -> list[str]:  # noqa: D102  see Tool
        return columns([(item.name, f"{item.dollars:>10,.2f} $", item.of) for item in self._items])

    def summary(self) -> str:  # noqa: D102  see Tool
        other = "provisioned" if self._settings.on_demand else "on demand"
        dollars = f"{total(self._items):,.2f} $ a month in {prices.REGION}"
        return (
            f"cost: {dollars} for {self._load.per_day:,.0f} files a day and the "
            f"rows of {self._owned.months} months ({other}: {self._other:,.2f} $; provisioned capacity is cheaper from "
            f"{self._turn:,.0f} files a day on); S3 Metadata tables: {self._tables:,.2f} $ and their storage"
        )

    def document(self) -> dict[str, Any]:  # noqa: D102  see Tool
        return {
            "region": prices.REGION,
            "total": round(total(self._items), 2),
            "other_capacity_mode_total": round(self._other, 2),
            "provisioned_is_cheaper_from_files_a_day": round(self._turn),
            "s3_metadata": round(self._tables, 2),
            "items": [{**asdict(item), "dollars": round(item.dollars, 4)} for item in self._items],
        }

    def go_on(self) -> str:  # noqa: D102  see Tool
        return "nothing was changed; start it again"

    def _bill(self, settings: Settings) -> list[Any]:
        return bill(self._load, settings, self._owned, free_tier=self._free_tier)

    @property
    def _other(self) -> float:
        return total(self._bill(replace(self._settings, on_demand=not self._settings.on_demand)))

    @property
    def _turn(self) -> float:
        return cheaper_when_provisioned(self._load, self._settings, self._owned)

    @property
    def _tables(self) -> float:
        return s3_metadata(self._load, self._owned)
