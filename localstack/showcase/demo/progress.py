"""Shows the progress of the demo: as bars on a terminal, otherwise as plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from localstack.showcase.demo.text import seconds, shorten
from operations.output import printable

if TYPE_CHECKING:
    from rich.console import Console

BAR_CELLS = 16
NAME_CELLS = 8
LINE_INTERVAL = 2.0
"""Minimum seconds between two progress lines of the same step."""


class Steps:
    """Base class for displays of the demo's progress. Its methods display nothing.

    Each step has a name. Several steps may be in progress at the same time.
    """

    def start(self, step: str, total: int | None = None) -> None:
        """Display the start of a step.

        Args:
            step: name of the step.
            total: number of parts of the step; None if unknown.
        """

    def advance(self, step: str, note: str = "") -> None:
        """Display that one more part of a step, such as one more upload, is complete.

        Args:
            step: name of the step.
            note: name of the part.
        """

    def finish(self, step: str, note: str) -> None:
        """Display the end of a step that was started without a number of parts.

        Args:
            step: name of the step.
            note: result of the step.
        """

    def log(self, message: str) -> None:
        """Display a message."""


@contextmanager
def steps(console: Console, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Steps]:
    """Context manager that yields the display of progress for a console: bars on a terminal, otherwise plain lines.

    Args:
        console: destination.
        clock: monotonic clock, in seconds.
    """
    if console.is_terminal and not console.is_dumb_terminal:
        with Progress(
            SpinnerColumn(finished_text=Text("✔", style="green")),
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_CELLS),
            Seconds(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        ) as progress:
            # The spinner, the elapsed time and the spaces between the columns take 14 terminal cells.
            yield Bars(progress, note_cells=max(0, console.width - NAME_CELLS - BAR_CELLS - 14))
    else:
        yield Lines(console, clock)


class Bars(Steps):
    """Displays one progress bar per step."""

    def __init__(self, progress: Progress, note_cells: int) -> None:
        self._progress = progress
        self._note_cells = note_cells
        self._tasks: dict[str, TaskID] = {}

    def start(self, step: str, total: int | None = None) -> None:  # noqa: D102  see Steps
        note = "" if total is None else f"0 of {total}"
        self._tasks[step] = self._progress.add_task(f"{step:<{NAME_CELLS}}", total=total, note=note)

    def advance(self, step: str, note: str = "") -> None:  # noqa: D102  see Steps
        task = self._progress.tasks[self._tasks[step]]
        parts = f"{task.completed + 1:.0f}" if task.total is None else f"{task.completed + 1:.0f} of {task.total:.0f}"
        note = shorten(f"{parts}  {note}".rstrip(), self._note_cells)
        self._progress.update(task.id, advance=1, note=note)

    def finish(self, step: str, note: str) -> None:  # noqa: D102  see Steps
        self._progress.update(self._tasks[step], total=1, completed=1, note=shorten(note, self._note_cells))

    def log(self, message: str) -> None:  # noqa: D102  see Steps
        self._progress.console.print(Text(printable(message), style="dim"), soft_wrap=True)


class Lines(Steps):
    """Prints a line at the start and at the end of each step, and at most every two seconds in between."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._steps: dict[str, _Step] = {}

    def start(self, step: str, total: int | None = None) -> None:  # noqa: D102  see Steps
        now = self._clock()
        self._steps[step] = _Step(total=total, started=now, reported=now)
        if total is None:
            self.log(f"{step}: starting")

    def advance(self, step: str, note: str = "") -> None:  # noqa: D102, ARG002  see Steps; notes are not printed
        state, now = self._steps[step], self._clock()
        state.done += 1
        if state.done == state.total or now - state.reported >= LINE_INTERVAL:
            state.reported = now
            of = " so far" if state.total is None else f" of {state.total}"
            self.log(f"{step}: {state.done}{of} ({seconds(now - state.started)})")

    def finish(self, step: str, note: str) -> None:  # noqa: D102  see Steps
        self.log(f"{step}: {note} ({seconds(self._clock() - self._steps[step].started)})")

    def log(self, message: str) -> None:  # noqa: D102  see Steps
        self._console.print(Text(printable(message)), soft_wrap=True)


class _Step:
    """State of a step: number of complete parts, start time, and time of its last printed line."""

    def __init__(self, *, total: int | None, started: float, reported: float) -> None:
        self.total = total
        self.started = started
        self.reported = reported
        self.done = 0


class Seconds(ProgressColumn):
    """Column of a progress bar with the seconds since the start of a step or, after its end, with its duration."""

    def render(self, task: Task) -> Text:
        """Return the elapsed seconds as text with one decimal place."""
        elapsed = task.finished_time if task.finished else task.elapsed
        return Text(f"{elapsed or 0:5.1f} s", style="cyan")
