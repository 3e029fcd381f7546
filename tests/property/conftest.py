"""The report at the end of a run: the sums over all histories of the model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up the counts in the reports, which reach this process from every worker; faults are listed last."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        counts.update(dict(report.user_properties).get("histories", {}))
    if counts:
        histories = counts.pop("histories")
        faults = {name: counts.pop(name) for name in list(counts) if name.startswith("fault: ")}
        terminalreporter.section("the histories of the model")
        # a history in which a version was lost or doubled fails, and so is not counted
        terminalreporter.line(f"{histories:,} histories, 0 versions lost, 0 doubled: {_listed(counts)}")
        terminalreporter.line(f"{sum(faults.values()):,} faults: {_listed(faults).replace('fault: ', '')}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
