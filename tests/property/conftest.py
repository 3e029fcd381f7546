"""At the end of a run: what the histories of the model came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.property.model import tally

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Reports reach this process from every worker, so their sum is the run's."""
    passed = terminalreporter.stats.get("passed", [])
    if counts := tally.total(each for report in passed for each in report.user_properties):
        terminalreporter.section("the histories of the model")
        for line in tally.lines(counts):
            terminalreporter.line(line)
