"""Draws the charts of the HTML report as SVG elements without scripts. The page's style sheet defines their colors."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import leather

from operations.analytics.cells import cell, size
from operations.analytics.sections import CHART_DAYS, CHART_MONTHS, ColumnKind, Heading

if TYPE_CHECKING:
    from operations.analytics.report import Table

WIDTH, BAR_HEIGHT, COLUMNS_HEIGHT, MARGINS = 340, 26, 220, 62
"""Dimensions of a chart in SVG units. On a phone, which is about 360 pixels wide, a unit is about one pixel."""
BARS, LABEL, TICKS, LABELS = 8, 18, 3, 4
"""Maximum number of bars in a chart, of characters in a bar's label, of axis ticks above 0, and of dates on an axis."""
CHARTS = {
    "uploads_by_day": ("upload_day", "versions", "Uploaded versions by day"),
    "uploads_by_month": ("upload_month", "bytes", "Uploaded bytes by month"),
    "detected_types": ("detected_type", "bytes", "Bytes by detected type"),
    "extensions": ("extension", "bytes", "Bytes by extension"),
    "prefixes": ("prefix", "bytes", "Bytes by prefix"),
    "size_classes": ("from_bytes", "objects", "Objects by size"),
}
"""Maps each table that has a chart to the column with the labels, the column with the values, and the chart's title."""


def title(table: Table) -> str:
    """Return the title of a table's chart, or an empty string if the table has no chart."""
    return CHARTS[table.section.query][2] if table.rows and table.section.query in CHARTS else ""


def chart(table: Table) -> str:
    """Return the chart of a table as an SVG element.

    The element is hidden from screen readers, because the report's table contains the same values.

    Args:
        table: a table of the report that has rows and an entry in `CHARTS`.
    """
    columns = {each.name: each for each in table.section.headings}
    label, value = (columns[name] for name in CHARTS[table.section.query][:2])
    if label.kind in {ColumnKind.DAY, ColumnKind.MONTH}:
        return _columns(table.rows, label, value)
    return _bars(table.rows[:BARS], label, value)


def _columns(rows: Sequence[dict[str, Any]], label: Heading, value: Heading) -> str:
    """Draw a column chart of the last days or months, including those without uploads."""
    values = {row[label.name]: row[value.name] for row in rows}
    periods = last_days(max(values)) if label.kind is ColumnKind.DAY else last_months(max(values))
    drawn = [each for each in periods if each >= min(values)]
    step = math.ceil(len(drawn) / LABELS)
    texts = [f"{each:%d %b}" if label.kind is ColumnKind.DAY else f"{each:%b %Y}" for each in drawn]
    figure = leather.Chart()
    figure.add_columns([(text, values.get(each, 0)) for text, each in zip(texts, drawn, strict=True)])
    figure.add_x_axis(tick_formatter=lambda text, place, _: text if (len(drawn) - 1 - place) % step == 0 else "")
    top = max(values.get(each, 0) for each in drawn)
    figure.add_y_axis(ticks=ticks(top, value.kind), tick_formatter=_formatter(value.kind))
    figure.add_y_scale(0, max(ticks(top, value.kind)))
    return _svg(figure, COLUMNS_HEIGHT)


def _bars(rows: Sequence[dict[str, Any]], label: Heading, value: Heading) -> str:
    """Draw one horizontal bar for each row of a table."""
    figure = leather.Chart()
    # Leather, the chart library, draws bars with equal labels at the same position. Therefore, each bar gets a unique
    # number as its label, and the axis replaces the number by the text.
    texts = {str(place): shortened(cell(row[label.name], label.kind)) for place, row in enumerate(rows)}
    figure.add_bars([(row[value.name], str(place)) for place, row in enumerate(rows)])
    width = max(map(len, texts.values()))
    figure.add_y_axis(tick_formatter=lambda place, *_: texts[place].rjust(width))
    top = max(row[value.name] for row in rows)
    figure.add_x_axis(ticks=ticks(top, value.kind), tick_formatter=_formatter(value.kind))
    figure.add_x_scale(0, max(ticks(top, value.kind)))
    return _svg(figure, MARGINS + BAR_HEIGHT * len(rows))


def ticks(top: int, kind: ColumnKind) -> list[int]:
    """Return round numbers for the ticks of an axis, from 0 to at least `top`. For bytes, the step is a power of two.

    Args:
        top: largest value in the chart.
        kind: kind of the values, such as bytes.
    """
    rough = max(top, 1) / TICKS
    if kind is ColumnKind.BYTES:
        step = 2 ** max(0, math.ceil(math.log2(rough)))
    else:
        base = 10 ** max(0, math.floor(math.log10(rough)))
        step = next(factor * base for factor in (1, 2, 5, 10) if factor * base >= rough)
    return [step * number for number in range(math.ceil(max(top, 1) / step) + 1)]


def last_days(last: date) -> list[date]:
    """Return the last `CHART_DAYS` days up to `last`, in ascending order."""
    return [last - timedelta(days=age) for age in reversed(range(CHART_DAYS)) if last.toordinal() > age]


def last_months(last: date) -> list[date]:
    """Return the first day of each of the last `CHART_MONTHS` months up to the month of `last`, in ascending order."""
    number = last.year * 12 + last.month - 1
    months = (number - age for age in reversed(range(CHART_MONTHS)))
    return [date(each // 12, each % 12 + 1, 1) for each in months if each >= 12]  # noqa: PLR2004  a year has 12 months


def shortened(text: str) -> str:
    """Shorten a long string to its last characters, because media types and paths often differ only at their ends."""
    return text if len(text) <= LABEL else "…" + text[1 - LABEL :]


def _formatter(kind: ColumnKind) -> Callable[[int, int, int], str]:
    return lambda value, *_: size(int(value)).replace(".00", "") if kind is ColumnKind.BYTES else f"{int(value):,}"


def _svg(figure: leather.Chart, height: int) -> str:
    root = ET.Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "aria-hidden": "true", "focusable": "false"})
    root.append(figure.to_svg_group(WIDTH, height))
    return ET.tostring(root, encoding="unicode")
