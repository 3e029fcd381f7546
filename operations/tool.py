"""Common interface and exit codes of the tools on the operators' command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from operations.output import Progress

OK = 0
FINDINGS = 1
"""Exit code for differences, for messages in the failure queue, and for events that would be lost."""
FAILED = 2
"""Exit code after an error; argparse uses it for invalid arguments."""
INTERRUPTED = 130


class Tool(Protocol):
    """One run of a tool. `run` does the work; the other methods report its results so far, even after it has failed."""

    def run(self, progress: Progress) -> int:
        """Run the tool and return the exit code."""

    def lines(self) -> list[str]:
        """Return the tool's detailed results as lines of text."""

    def summary(self) -> str:
        """Return the summary of the tool's results in one line."""

    def document(self) -> dict[str, Any]:
        """Return the tool's results as a JSON object."""

    def resume_hint(self) -> str:
        """Return how to continue after an interruption or an error, as one line of text; empty if there is no hint."""
