"""What happened in all histories of a run, added up and shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

TALLY = "tally of the model"  # the property of a test's report that carries its share


def total(properties: Iterable[tuple[str, object]]) -> Counter[str]:
    """The sum over the properties of all reports."""
    counts: Counter[str] = Counter()
    for name, value in properties:
        if name == TALLY and isinstance(value, dict):
            counts.update(value)
    return counts


def lines(counts: Counter[str]) -> list[str]:
    """The tally as text, faults last. Only a history at whose end nothing was lost or doubled is in it."""
    faults = {name.removeprefix("fault: "): number for name, number in counts.items() if name.startswith("fault: ")}
    others = {name: number for name, number in counts.items() if not name.startswith("fault: ")}
    return [
        f"{others.pop('histories', 0):,} histories, 0 versions lost, 0 doubled: " + _listed(others),
        f"{sum(faults.values()):,} faults: " + _listed(faults),
    ]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
