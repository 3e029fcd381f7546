"""Draws line charts as SVG without a library. The panels of a chart are stacked over a common x axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.sax.saxutils import escape

WIDTH, PANEL_HEIGHT, LEFT, RIGHT, TOP, PANEL_GAP, BOTTOM = 840, 150, 84, 24, 92, 58, 52
# These colours of Okabe and Ito are distinguishable for people with colour blindness.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.title{font-size:17px;font-weight:600}.panel{font-weight:600}"
    ".small{font-size:12px;fill:#666}"
)
MAX_TICKS = 5

ToPixel: TypeAlias = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: label in the legend.
        points: pairs (x, y).
    """

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """A part of a chart with its own y axis, which begins at zero."""

    title: str
    lines: Sequence[Line]
    percent: bool = False


def draw(
    title: str,
    panels: Sequence[Panel],
    *,
    about: str,
    axis: str,
    ticks: Sequence[tuple[float, str]] | None = None,
) -> str:
    """Return a chart as SVG text.

    Args:
        title: title of the chart.
        panels: at least one panel, each with at least one line; the first is at the top.
        about: subtitle in a smaller font.
        axis: label of the x axis.
        ticks: positions and labels on the x axis; None selects round numbers.
    """
    xs = [x for panel in panels for line in panel.lines for x, _ in line.points] or [0.0]
    first = min(xs)
    last = max(*xs, first + 1e-9)

    def to_x(x: float) -> float:
        return LEFT + (x - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    height = TOP + len(panels) * (PANEL_HEIGHT + PANEL_GAP) + BOTTOM - PANEL_GAP
    parts = head(title, about, height=height)
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (PANEL_HEIGHT + PANEL_GAP), to_x)
    foot = height - BOTTOM
    marks = ticks if ticks is not None else [(x, f"{x:,g}") for x in axis_ticks(first, last)]
    for x, text in marks:
        parts.append(
            f'<text class="small" x="{to_x(x):.1f}" y="{foot + 18}" text-anchor="middle">{escape(text)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="small" x="{middle:.1f}" y="{foot + 38}" text-anchor="middle">{escape(axis)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def head(title: str, about: str, *, height: int) -> list[str]:
    """Return the SVG elements at the beginning of a chart: size, style, background, title and subtitle.

    Args:
        title: title of the chart.
        about: subtitle in a smaller font.
        height: height of the chart in pixels.
    """
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="16" y="28">{escape(title)}</text>',
        f'<text class="small" x="16" y="50">{escape(about)}</text>',
    ]


def _panel(panel: Panel, top: int, to_x: ToPixel) -> list[str]:
    highest = max((y for line in panel.lines for _, y in line.points), default=0.0) or 1.0
    marks = axis_ticks(0, highest)
    highest = max(highest, marks[-1])

    def to_y(y: float) -> float:
        return top + PANEL_HEIGHT - y / highest * PANEL_HEIGHT

    parts = [f'<text class="panel" x="{LEFT}" y="{top - 10}">{escape(panel.title)}</text>']
    for y in marks:
        text = f"{y:.0%}" if panel.percent else f"{y:,g}"
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{to_y(y):.1f}" y2="{to_y(y):.1f}" stroke="#ddd"/>'
            f'<text class="small" x="{LEFT - 8}" y="{to_y(y) + 4:.1f}" text-anchor="end">{text}</text>'
        )
    x = WIDTH - RIGHT
    for line, colour in reversed(list(zip(panel.lines, COLOURS, strict=False))):
        path = " ".join(f"{to_x(px):.1f},{to_y(py):.1f}" for px, py in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        # The legend is drawn from right to left above the panel, with about 7 pixels per character.
        parts.append(f'<text x="{x}" y="{top - 10}" text-anchor="end">{escape(line.name)}</text>')
        x -= round(7.2 * len(line.name)) + 8
        parts.append(
            f'<line x1="{x - 16}" x2="{x}" y1="{top - 14}" y2="{top - 14}" stroke="{colour}" stroke-width="3"/>'
        )
        x -= 34
    return parts


def axis_ticks(first: float, last: float) -> list[float]:
    """Return round numbers in the interval [first, last], with at most `MAX_TICKS` steps between them.

    Args:
        first: beginning of the interval.
        last: end of the interval, not less than `first`.
    """
    rough = (last - first) / MAX_TICKS
    power = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [number * step for number in range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)]
