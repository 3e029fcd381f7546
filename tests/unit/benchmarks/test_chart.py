from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import chart
from benchmarks.__main__ import DOCUMENT
from benchmarks.measure import Comparison
from operations.planning.chart import DARK, Theme

COMPARISON = Comparison(
    what="cold start", unit="ms", turns={"TapStack": [12.0], "peer": [10.0]}, base="peer", at_most=1.3
)
COLOUR = re.compile(r"#[0-9a-f]{3,6}\b")


def test_benchmark_chart_is_written_in_light_and_dark_colours(tmp_path: Path) -> None:
    def draw(theme: Theme) -> str:
        return chart.draw([COMPARISON], about="some day", theme=theme)

    chart.write_themes(tmp_path / "chart.svg", draw)
    light, dark = ((tmp_path / name).read_text(encoding="utf-8") for name in ("chart.svg", "chart-dark.svg"))
    colours = {DARK.background, DARK.text, DARK.small_text, DARK.bar, DARK.peer_bar, DARK.lines[1]}
    assert set(COLOUR.findall(dark)) == colours
    assert COLOUR.sub("", light) == COLOUR.sub("", dark)


@pytest.mark.parametrize("name", ["benchmarks", "capacity"])
def test_benchmarks_and_capacity_documents_embed_charts_in_both_colour_schemes(name: str) -> None:
    text = DOCUMENT.with_name(f"{name}.md").read_text(encoding="utf-8")
    assert f'<source media="(prefers-color-scheme: dark)" srcset="{name}-dark.svg">' in text
    assert f'src="{name}.svg"' in text
    light, dark = (DOCUMENT.with_name(f"{name}{each}.svg").read_text(encoding="utf-8") for each in ("", "-dark"))
    assert COLOUR.sub("", light) == COLOUR.sub("", dark)
