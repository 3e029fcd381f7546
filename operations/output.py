"""Progress bars, and text that is safe to print on a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

NAME_WIDTH = 16


class Progress:
    """Bars on standard error where that is a terminal, and nothing anywhere else."""

    def __init__(self, stream: TextIO) -> None:
        # only the stream decides whether it is a terminal: FORCE_COLOR would put bars into files
        self._console = Console(file=stream, force_terminal=stream.isatty())

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a step of `total` parts (None: unknown); yields a function that advances it by a number of parts."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,.0f}" if total is None else "{task.completed:,.0f} of {task.total:,.0f}"),
            TimeElapsedColumn(),
        )
        if not self._console.is_terminal:
            yield lambda _: None
            return
        with Bars(*columns, console=self._console, transient=False) as bars:
            task = bars.add_task(name.ljust(NAME_WIDTH), total=total)
            yield lambda parts: bars.advance(task, parts)
            if total is None:
                done = bars.tasks[0].completed
                bars.update(task, total=done or 1, completed=done or 1)  # a full bar: this step is over


def printable(text: str) -> str:
    r"""Return the text with all that would not show as itself written as an escape, a line feed as ``\n``.

    A key or a file name may hold anything, and must not steer the terminal.
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def quoted(text: str) -> str:
    r"""Return the text as a word of the shell: one that a terminal would not show as itself as bash's ``$'\t'``."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(
        each if each.isprintable() and each not in "\\'" else "".join(f"\\x{byte:02x}" for byte in each.encode())
        for each in text
    )
    return f"$'{escaped}'"


def count(number: int, noun: str) -> str:
    """Return ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines with aligned columns; the last cell of a row may be of any length."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(word.ljust(width) for word, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def print_lines(lines: list[str], stream: TextIO) -> None:
    """Print lines, each whole and escaped."""
    stream.writelines(printable(line) + "\n" for line in lines)
    stream.flush()
