"""Summary of the model test at the end of a pytest run, with counts over all histories."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the total counts from the reports of all pytest workers, with faults last."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        counts.update(dict(report.user_properties).get("histories", {}))
    if counts:
        histories = counts.pop("histories")
        faults = {name: counts.pop(name) for name in list(counts) if name.startswith("fault: ")}
        terminalreporter.section("histories of the model test")
        # A lost or duplicated version fails its test, and failed tests are not counted, so both numbers are always 0.
        terminalreporter.line(f"{histories:,} histories, 0 versions lost, 0 duplicated: {_listed(counts)}")
        terminalreporter.line(f"{sum(faults.values()):,} faults: {_listed(faults).replace('fault: ', '')}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
