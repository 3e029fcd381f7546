"""Pure functions that format text: sizes, durations, shortened names, aligned columns and percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len

ELLIPSIS = "…"


def shorten(text: str, width: int) -> str:
    """Shorten a text to at most `width` terminal cells by replacing its middle with an ellipsis.

    The end is kept, because the end of a file name shows the file type.

    Args:
        text: text without line breaks. A wide character, such as a Japanese one, takes two cells.
        width: maximum number of terminal cells.
    """
    if cell_len(text) <= width:
        return text
    available = max(width - 1, 0)
    end = _within(text[::-1], available - available // 2)[::-1]
    return f"{_within(text, available - cell_len(end))}{ELLIPSIS}{end}"


def size(count: int) -> str:
    """Format a number of bytes with decimal units, such as ``508 B`` or ``64.0 kB``."""
    if count < 1000:  # noqa: PLR2004  bytes per kB
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:  # noqa: PLR2004  larger amounts would be rounded to 1000.0
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def seconds(amount: float) -> str:
    """Format a duration in seconds with about three significant digits, such as ``0.125 s`` or ``12.5 s``."""
    digits = 3 if amount < 1 else 2 if amount < 10 else 1  # noqa: PLR2004  three significant digits
    return f"{amount:.{digits}f} s"


def count(number: int, noun: str) -> str:
    """Return a number with a noun in singular or plural, such as ``1 row`` or ``2 rows``.

    Args:
        number: number of things.
        noun: noun in singular, with a plural in -s.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: the smallest value that at least `percent` % of the values do not exceed.

    Args:
        values: at least one value, in any order.
        percent: above 0 and at most 100.

    Raises:
        ValueError: `values` is empty.
    """
    if not values:
        raise ValueError("a percentile requires at least one value")
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]


def columns(lines: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Format rows of cells as lines with aligned columns, two spaces apart.

    Args:
        lines: rows with the same number of cells.
        right: indexes of the columns that are aligned right.
    """
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(_padded(cell, widths[at], at in right) for at, cell in enumerate(line)).rstrip() for line in lines
    ]


def _padded(cell: str, width: int, right_aligned: bool) -> str:  # noqa: FBT001  called once, above
    blank = " " * (width - cell_len(cell))
    return blank + cell if right_aligned else cell + blank


def _within(text: str, width: int) -> str:
    """Return as many leading characters of a text as fit into `width` terminal cells."""
    taken = 0
    for at, each in enumerate(text):
        taken += cell_len(each)
        if taken > width:
            return text[:at]
    return text
