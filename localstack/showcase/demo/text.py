"""Small pieces of text: sizes, shortened names, columns that line up, percentiles. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len

ELLIPSIS = "…"


def shorten(text: str, width: int) -> str:
    """Return the text in at most `width` terminal cells. What is too much is cut out of its middle.

    The end of a file's name stays, because it shows the type. A wide character (Japanese, for example) takes two cells.
    """
    if cell_len(text) <= width:
        return text
    available = max(width - 1, 0)
    end = _within(text[::-1], available - available // 2)[::-1]
    return f"{_within(text, available - cell_len(end))}{ELLIPSIS}{end}"


def size(count: int) -> str:
    """Return a number of bytes as people read it, in units of 1000: ``508 B``, ``64.0 kB``."""
    if count < 1000:  # noqa: PLR2004  the SI prefix that the loop below starts with
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:  # noqa: PLR2004  rounds to 1000.0, which is 1.0 of the next unit
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def seconds(amount: float) -> str:
    """Return a duration in seconds: to the millisecond below one, to the hundredth below ten, else to the tenth."""
    digits = 3 if amount < 1 else 2 if amount < 10 else 1  # noqa: PLR2004  three digits suffice
    return f"{amount:.{digits}f} s"


def count(number: int, noun: str) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: the smallest value that at least `percent` % of the values do not exceed.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]


def columns(lines: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Return one line per row with its cells aligned, two spaces apart; the columns in `right` end in line."""
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(_padded(cell, widths[at], at in right) for at, cell in enumerate(line)).rstrip() for line in lines
    ]


def _padded(cell: str, width: int, right_aligned: bool) -> str:  # noqa: FBT001  called once, above
    blank = " " * (width - cell_len(cell))
    return blank + cell if right_aligned else cell + blank


def _within(text: str, width: int) -> str:
    """Return the longest beginning of the text that fits into `width` cells."""
    taken = 0
    for at, each in enumerate(text):
        taken += cell_len(each)
        if taken > width:
            return text[:at]
    return text
