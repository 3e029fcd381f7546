"""Bar chart of docs/benchmarks.md: the ratio of each implementation, with a dashed line at the goal."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from operations.planning.chart import DARK, LIGHT, WIDTH, Theme, head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.measure import Comparison

LEFT, RIGHT, TOP, BAR, GAP, BETWEEN = 190, 90, 76, 18, 6, 52


def write_themes(path: Path, draw_in: Callable[[Theme], str]) -> None:
    """Write a chart twice: in light colours, and in dark colours with ``-dark`` at the end of the file name.

    Args:
        path: file of the light chart.
        draw_in: function that returns the SVG document in the colours of a theme.
    """
    path.write_text(draw_in(LIGHT), encoding="utf-8")
    path.with_stem(f"{path.stem}-dark").write_text(draw_in(DARK), encoding="utf-8")


def draw(comparisons: Sequence[Comparison], *, about: str, theme: Theme = LIGHT) -> str:
    """Draw the comparisons below each other and return the SVG document.

    Args:
        comparisons: at least one comparison.
        about: subtitle, such as the date of the measurement.
        theme: colours.
    """
    highest = max(max(each.ratio(name).high for name in each.turns) for each in comparisons)
    highest = max(highest, *(each.at_most for each in comparisons)) * 1.02
    scale = (WIDTH - LEFT - RIGHT) / highest
    height = TOP + sum(len(each.turns) * (BAR + GAP) + BETWEEN for each in comparisons)
    parts = head("TapStack compared with alternative implementations", about, height=height, theme=theme)
    goal_style = f'stroke="{theme.lines[1]}" stroke-dasharray="4 3"'
    y = TOP
    for each in comparisons:
        parts.append(f'<text class="panel" x="16" y="{y + 14}">{escape(each.what)}</text>')
        y += 24
        top = y
        for name in each.turns:
            ratio = each.ratio(name)
            middle = y + BAR / 2
            low, median, high = (LEFT + ratio_of * scale for ratio_of in ratio)
            colour = theme.bar if name == each.first else theme.peer_bar
            parts += [
                f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{median - LEFT:.1f}" height="{BAR}" fill="{colour}"/>',
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="{theme.text}"/>',
                f'<text class="small" x="{high + 8:.1f}" y="{y + 14}">{ratio.median:.2f}</text>',
            ]
            y += BAR + GAP
        goal = LEFT + each.at_most * scale
        parts += [
            f'<line x1="{goal:.1f}" x2="{goal:.1f}" y1="{top - 4}" y2="{y}" {goal_style}/>',
            f'<text class="small" x="{goal:.1f}" y="{top - 8}" text-anchor="middle">goal {each.at_most:g}</text>',
        ]
        y += BETWEEN - 24
    return "\n".join([*parts, "</svg>\n"])
