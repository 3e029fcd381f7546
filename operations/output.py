"""Display of progress, and formatting of text for a terminal."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

NAME_WIDTH = 16


LOG_INTERVAL_SECONDS = 10.0
"""Seconds between two lines of progress in a file or pipe."""


class Progress:
    """Display of progress on a stream: bars on a terminal, and otherwise one line every ten seconds.

    Args:
        stream: the stream, usually stderr.
        clock: returns a monotonic time in seconds.
        wait: waits until the event is set or the timeout in seconds has passed, and returns whether the event is set.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[Event, float], bool] = Event.wait,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._wait = wait
        # Without `force_terminal`, rich would write bars into files if the variable FORCE_COLOR is set.
        self._console = Console(file=stream, force_terminal=stream.isatty())
        # Bars need cursor movements, which a terminal with TERM=dumb does not support.
        self._has_bars = self._console.is_terminal and not self._console.is_dumb_terminal

    def note(self, text: str) -> None:
        """Print a line between two steps."""
        print_lines([text], self._stream)

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Context manager that displays the progress of a step.

        Args:
            name: label of the progress bar or of the lines.
            total: number of parts of the step; None if unknown.

        Yields:
            A function that advances the progress by a number of parts.
        """
        with (self._bar if self._has_bars else self._log)(name, total) as advance:
            yield advance

    @contextmanager
    def _bar(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[number]}" if total is None else "{task.completed:,.0f} of {task.total:,.0f}"),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=self._console, transient=False) as bars:
            task = bars.add_task(name.ljust(NAME_WIDTH), total=total, number="")

            def advance(parts: int) -> None:
                bars.advance(task, parts)  # Several threads can call this method at the same time.
                bars.update(task, number=f"{bars.tasks[0].completed:,.0f}")  # Other steps show no number.

            yield advance
            if total is None:
                bars.update(task, total=bars.tasks[0].completed)  # A bar without a total would never be full.

    @contextmanager
    def _log(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Print a line at each interval from a thread, because a step can wait for AWS without any advance."""
        ended, began, done = Event(), self._clock(), 0

        def advance(parts: int) -> None:
            nonlocal done
            done += parts

        def print_lines_until_end() -> None:
            while not self._wait(ended, LOG_INTERVAL_SECONDS):
                parts = [f"{done:,} of {total:,}"] if total is not None else [f"{done:,}"] if done else []
                print_lines([f"{name}: {', '.join([*parts, f'{self._clock() - began:,.0f} s'])}"], self._stream)

        thread = Thread(target=print_lines_until_end, daemon=True)
        thread.start()
        try:
            yield advance
        finally:
            ended.set()
            thread.join()


def time_text(time: datetime) -> str:
    """Return a time in UTC in ISO 8601 format, in whole seconds."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def printable(text: str) -> str:
    r"""Return the text with escapes for unprintable characters, for example ``\n`` for a line feed.

    Object keys and file names can contain control characters, which a terminal would execute.
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def json_text(value: Any, *, indent: int | None = None) -> str:  # noqa: ANN401  a JSON value
    """Return a JSON text with escapes for unprintable characters, such as C1 and bidirectional control characters.

    Args:
        value: the value.
        indent: number of spaces of each level; None for one line.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


def visible(key: str) -> str:
    r"""Return an object key for a line of text.

    A key is printed as a Python string, such as ``'a b '``, if it begins or ends with a space, begins with a quotation
    mark, or contains unprintable characters. Otherwise, it is printed unchanged.
    """
    unchanged = key.isprintable() and key == key.strip() and not key.startswith(("'", '"'))
    return key if unchanged else repr(key)


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
