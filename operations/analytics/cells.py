"""Formats values of the report, such as sizes and durations, for readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from operations.analytics.sections import ColumnKind
from operations.output import visible

NO_VALUE = "-"
"""Text for a missing value."""
KIB = 1024
SECOND_MS, MINUTE_MS = 1000, 60_000
CENT = 0.01
UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
SIZE_CLASSES = {
    0: "0 B",
    1: "1 B to 128 KiB",
    128 * KIB: "128 KiB to 1 MiB",
    KIB**2: "1 MiB to 16 MiB",
    16 * KIB**2: "16 MiB to 128 MiB",
    128 * KIB**2: "128 MiB to 1 GiB",
    KIB**3: "1 GiB to 5 GiB",
    5 * KIB**3 + 1: "more than 5 GiB",
}
"""Maps the smallest size in bytes of each size class to its title. A size of 5 GiB is in the class "1 GiB to 5 GiB"."""


def cell(value: Any, kind: ColumnKind) -> str:  # noqa: ANN401  a column may have any type
    """Return a value of the report as text. Unprintable characters in object keys and other strings are escaped.

    Args:
        value: a value in the result of a query; None for a missing value.
        kind: kind of the column, which determines the format.
    """
    if value is None:
        return NO_VALUE
    if kind in FORMATS:
        return FORMATS[kind](value)
    return visible(str(value)) or "(empty)"


def size(number: int) -> str:
    """Return a number of bytes with a binary unit and three digits, such as ``1.21 GiB``."""
    exponent = min(max(0, abs(number).bit_length() - 1) // 10, len(UNITS))
    if exponent == 0:
        return f"{number} B"
    amount = number / KIB**exponent
    digits = 2 - min(2, int(math.log10(abs(amount))))
    return f"{amount:,.{digits}f} {UNITS[exponent - 1]}"


def duration(milliseconds: int) -> str:
    """Return a duration with a unit, such as ``1.2 s`` or ``3 days, 4:05:06``."""
    if abs(milliseconds) < SECOND_MS:
        return f"{milliseconds} ms"
    if abs(milliseconds) < MINUTE_MS:
        return f"{milliseconds / SECOND_MS:.1f} s"
    return ("-" * (milliseconds < 0)) + str(timedelta(seconds=round(abs(milliseconds) / SECOND_MS)))


def dollars(amount: float) -> str:
    """Return an amount in US dollars with two decimal places. An amount below one cent is not rounded to zero."""
    return "< $0.01" if 0 < amount < CENT else f"${amount:,.2f}"


FORMATS: Mapping[ColumnKind, Callable[[Any], str]] = {
    ColumnKind.NUMBER: "{:,}".format,
    ColumnKind.BYTES: size,
    ColumnKind.SIZE_CLASS: SIZE_CLASSES.__getitem__,
    ColumnKind.MILLISECONDS: duration,
    ColumnKind.DOLLARS: dollars,
    ColumnKind.TIME: "{:%Y-%m-%d %H:%M:%S}".format,
    ColumnKind.DAY: "{:%Y-%m-%d}".format,
    ColumnKind.MONTH: "{:%Y-%m}".format,
}
"""Maps each kind of column, except text, to the function that formats its values."""
