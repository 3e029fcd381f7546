"""The interface of a tool, and the exit codes of the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from operations.output import Progress

OK = 0
FINDINGS = 1  # differences, messages in the failure queue, or events that would be lost
FAILED = 2  # argparse uses the same code for invalid arguments
INTERRUPTED = 130


class Tool(Protocol):
    """One run of a tool. Every method but `run` reports the state at that moment, also after an error in `run`."""

    def run(self, progress: Progress) -> int:
        """Run the tool and return the exit code."""

    def lines(self) -> list[str]:
        """Return the findings as text."""

    def summary(self) -> str:
        """Return the result in one line."""

    def document(self) -> dict[str, Any]:
        """Return the results as a JSON object."""

    def resume_hint(self) -> str:
        """Return how to start again after an interruption."""
