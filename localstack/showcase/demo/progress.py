"""Progress of the demo: bars on a terminal, plain lines elsewhere."""

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
"""Seconds between two plain lines about the same step."""


class Steps:
    """The steps of a run, each started, advanced and ended by its name; several may be under way.

    This base class shows nothing.
    """

    def start(self, step: str, total: int | None = None) -> None:
        """Start a step of `total` equal parts; None if the number is unknown."""

    def advance(self, step: str, note: str = "") -> None:
        """Count one more part of the step as done; `note` names the part."""

    def finish(self, step: str, note: str) -> None:
        """Finish a step of unknown total, with its result in `note`. Other steps finish by themselves."""

    def log(self, message: str) -> None:
        """Show a message."""


@contextmanager
def steps(console: Console, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Steps]:
    """Show the steps of the block on the console: as bars on a terminal, as plain lines elsewhere."""
    if console.is_terminal and not console.is_dumb_terminal:
        with Progress(
            SpinnerColumn(finished_text=Text("✔", style="green")),
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_CELLS),
            _Seconds(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        ) as progress:
            # what the other columns leave of a line
            yield Bars(progress, note_cells=max(0, console.width - NAME_CELLS - BAR_CELLS - 14))
    else:
        yield Lines(console, clock)


class Bars(Steps):
    """One bar per step."""

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
    """A line at the start and at the end of each step, and one every two seconds between."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._steps: dict[str, _Step] = {}

    def start(self, step: str, total: int | None = None) -> None:  # noqa: D102  see Steps
        now = self._clock()
        self._steps[step] = _Step(total=total, started=now, reported=now)
        if total is None:
            self.log(f"{step}: starting")

    def advance(self, step: str, note: str = "") -> None:  # noqa: D102, ARG002  see Steps; each note a line would be too much
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
    """State of a step: parts done, and the times of its start and of its last line."""

    def __init__(self, *, total: int | None, started: float, reported: float) -> None:
        self.total = total
        self.started = started
        self.reported = reported
        self.done = 0


class _Seconds(ProgressColumn):
    """Elapsed time of a step; constant after its end."""

    def render(self, task: Task) -> Text:
        """Return the seconds in seven cells."""
        elapsed = task.finished_time if task.finished else task.elapsed
        return Text(f"{elapsed or 0:5.1f} s", style="cyan")
