"""SVG line charts: panels, one below the other, with a common x axis. The module needs no drawing library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.sax.saxutils import escape

WIDTH, PANEL_HEIGHT, LEFT, RIGHT, TOP, PANEL_GAP, BOTTOM = 840, 150, 84, 24, 92, 58, 52
MAX_TICKS = 5

ToPixel: TypeAlias = Callable[[float], float]


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of a chart, as hexadecimal RGB."""

    background: str
    text: str
    small_text: str
    grid: str
    lines: tuple[str, ...]
    bar: str
    peer_bar: str


# The line colours are from the palette of Okabe and Ito, which colour-blind readers can distinguish.
LIGHT = Theme(
    background="#fff",
    text="#333",
    small_text="#666",
    grid="#ddd",
    lines=("#0072b2", "#d55e00", "#009e73"),
    bar="#0072b2",
    peer_bar="#8c8c8c",
)
DARK = Theme(
    background="#0d1117",  # This is the background of GitHub's dark theme.
    text="#e6edf3",
    small_text="#9198a1",
    grid="#30363d",
    lines=("#56b4e9", "#e69f00", "#009e73"),
    bar="#2f81c7",
    peer_bar="#6e7681",
)


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name in the legend, and its points (x, y)."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """A part of a chart with its own y axis, which begins at zero. It has at most one line per colour of the theme."""

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
    theme: Theme = LIGHT,
) -> str:
    """Return an SVG document with the panels, one below the other.

    Args:
        title: title of the chart.
        panels: one or more panels, each with one or more lines.
        about: subtitle in smaller letters, such as the settings of the simulation.
        axis: label of the x axis, with its unit.
        ticks: positions on the x axis and their labels; None for round numbers.
        theme: colours.
    """
    xs = [x for panel in panels for line in panel.lines for x, _ in line.points] or [0.0]
    first = min(xs)
    last = max(*xs, first + 1e-9)

    def to_x(x: float) -> float:
        return LEFT + (x - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    height = TOP + len(panels) * (PANEL_HEIGHT + PANEL_GAP) + BOTTOM - PANEL_GAP
    parts = head(title, about, height=height, theme=theme)
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (PANEL_HEIGHT + PANEL_GAP), to_x, theme)
    foot = height - BOTTOM
    marks = ticks if ticks is not None else [(x, f"{x:,g}") for x in axis_ticks(first, last)]
    for x, text in marks:
        parts.append(
            f'<text class="small" x="{to_x(x):.1f}" y="{foot + 18}" text-anchor="middle">{escape(text)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="small" x="{middle:.1f}" y="{foot + 38}" text-anchor="middle">{escape(axis)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def head(title: str, about: str, *, height: int, theme: Theme) -> list[str]:
    """Return the first SVG elements of a chart: style, background, title and subtitle.

    Args:
        title: title of the chart.
        about: subtitle in smaller letters.
        height: height of the chart in pixels.
        theme: colours.
    """
    style = (
        f"text{{font:13px system-ui,sans-serif;fill:{theme.text}}}.title{{font-size:17px;font-weight:600}}"
        f".panel{{font-weight:600}}.small{{font-size:12px;fill:{theme.small_text}}}"
    )
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="{theme.background}"/>',
        f'<text class="title" x="16" y="28">{escape(title)}</text>',
        f'<text class="small" x="16" y="50">{escape(about)}</text>',
    ]


def _panel(panel: Panel, top: int, to_x: ToPixel, theme: Theme) -> list[str]:
    highest = max((y for line in panel.lines for _, y in line.points), default=0.0) or 1.0
    marks = axis_ticks(0, highest)
    highest = max(highest, marks[-1])

    def to_y(y: float) -> float:
        return top + PANEL_HEIGHT - y / highest * PANEL_HEIGHT

    parts = [f'<text class="panel" x="{LEFT}" y="{top - 10}">{escape(panel.title)}</text>']
    for y in marks:
        text = f"{y:.0%}" if panel.percent else f"{y:,g}"
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{to_y(y):.1f}" y2="{to_y(y):.1f}" stroke="{theme.grid}"/>'
            f'<text class="small" x="{LEFT - 8}" y="{to_y(y) + 4:.1f}" text-anchor="end">{text}</text>'
        )
    x = WIDTH - RIGHT
    for line, colour in reversed(list(zip(panel.lines, theme.lines, strict=False))):
        path = " ".join(f"{to_x(px):.1f},{to_y(py):.1f}" for px, py in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        # The legend is built from right to left. A character is about 7.2 pixels wide.
        parts.append(f'<text x="{x}" y="{top - 10}" text-anchor="end">{escape(line.name)}</text>')
        x -= round(7.2 * len(line.name)) + 8
        parts.append(
            f'<line x1="{x - 16}" x2="{x}" y1="{top - 14}" y2="{top - 14}" stroke="{colour}" stroke-width="3"/>'
        )
        x -= 34
    return parts


def axis_ticks(first: float, last: float) -> list[float]:
    """Return at most `MAX_TICKS` + 1 equidistant round numbers within an interval.

    Args:
        first: lower end of the interval, included if it is round.
        last: upper end of the interval, included if it is round.
    """
    rough = (last - first) / MAX_TICKS
    power = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [number * step for number in range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)]
