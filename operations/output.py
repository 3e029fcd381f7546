"""Progress bars, and formatting of text for a terminal."""

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
    """Progress bars on a stream. They are displayed only if the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        # Without `force_terminal`, rich would write bars into files if the variable FORCE_COLOR is set.
        self._console = Console(file=stream, force_terminal=stream.isatty())

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Context manager that displays the progress of a step.

        Args:
            name: label of the progress bar.
            total: number of parts of the step; None if unknown.

        Yields:
            A function that advances the progress by a number of parts.
        """
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
                bars.update(task, total=done or 1, completed=done or 1)


def printable(text: str) -> str:
    r"""Return the text with escapes for unprintable characters, for example ``\n`` for a line feed.

    Object keys and file names can contain control characters, which a terminal would execute.
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def quoted(text: str) -> str:
    r"""Return the text quoted for a shell. Text with unprintable characters uses bash's syntax, such as ``$'\t'``."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(
        each if each.isprintable() and each not in "\\'" else "".join(f"\\x{byte:02x}" for byte in each.encode())
        for each in text
    )
    return f"$'{escaped}'"


def count(number: int, noun: str) -> str:
    """Return a number with a noun in singular or plural, such as ``1 row`` and ``2,000 rows``.

    Args:
        number: the number.
        noun: the noun in singular, with a plural in -s.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Format rows of cells as lines with aligned columns."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(word.ljust(width) for word, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def print_lines(lines: list[str], stream: TextIO) -> None:
    """Print lines with escapes for unprintable characters.

    Args:
        lines: the lines, without line feeds at their ends.
        stream: the output stream, which is flushed.
    """
    stream.writelines(printable(line) + "\n" for line in lines)
    stream.flush()
