"""Summary of the model test at the end of a pytest run, with counts over all histories."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the total counts from the reports of all pytest workers, with faults last."""
    if counts := _counts(terminalreporter, "histories"):
        histories = counts.pop("histories")
        terminalreporter.section("histories of the model test")
        # A lost or duplicated version fails its test, and failed tests are not counted, so both numbers are always 0.
        _write(terminalreporter, f"{histories:,} histories, 0 versions lost, 0 duplicated", counts)
    if counts := _counts(terminalreporter, "losses"):
        losses, checked = counts.pop("losses"), counts.pop("deletions checked", 0)
        terminalreporter.section("losses of the table in the model test")
        # A wrong row or a missing deletion fails its test, so both numbers are always 0.
        result = f"{losses:,} losses, 0 wrong rows, 0 of {checked:,} recorded deletions missing"
        _write(terminalreporter, result, counts)
    if counts := _counts(terminalreporter, "adoptions"):
        configurations = counts.pop("configurations")
        terminalreporter.section("configurations of existing buckets")
        # A changed configuration fails its test, so this number is always 0.
        result = f"{configurations:,} configurations, 0 entries of other owners changed"
        _write(terminalreporter, result, counts)

    if counts := _counts(terminalreporter, "inventories"):
        buckets, findings = counts.pop("buckets"), counts.pop("findings")
        terminalreporter.section("audits from an inventory")
        # A difference between the findings of the two audits fails its test, so this number is always 0.
        result = f"{buckets:,} buckets, {findings:,} findings, 0 differences between the audits"
        _write(terminalreporter, result, counts)


def _counts(terminalreporter: pytest.TerminalReporter, name: str) -> Counter[str]:
    """Return the sum of the counts that tests have recorded as a user property of this name."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        counts.update(dict(report.user_properties).get(name, {}))
    return counts


def _write(terminalreporter: pytest.TerminalReporter, result: str, counts: Counter[str]) -> None:
    faults = {name: counts.pop(name) for name in list(counts) if name.startswith("fault: ")}
    terminalreporter.line(f"{result}: {_listed(counts)}")
    terminalreporter.line(f"{sum(faults.values()):,} faults: {_listed(faults).replace('fault: ', '')}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
