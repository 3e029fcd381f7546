from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from operations.planning.chart import PANEL_HEIGHT, Line, Panel, axis_ticks, draw

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*panels: Panel, **more: str) -> ET.Element:
    text = draw("A & B", panels, about="<about>", axis="minutes", **more)  # type: ignore[arg-type]  # The tests pass only texts.
    return ET.fromstring(text)  # noqa: S314  The chart module created the text.


def test_chart_contains_each_line_with_its_label() -> None:
    svg = drawn(
        Panel("rows", [Line("a", [(0, 0), (1, 5)]), Line("b", [(0, 1), (1, 2)])]),
        Panel("waiting", [Line("c", [(0, 0)])]),
    )
    texts = [each.text for each in svg.iter(f"{SVG}text")]
    assert {"A & B", "<about>", "rows", "waiting", "a", "b", "c", "minutes"} <= set(texts)
    assert len(list(svg.iter(f"{SVG}polyline"))) == 3


def test_chart_scales_a_line_to_the_height_of_its_panel() -> None:
    svg = drawn(Panel("rows", [Line("a", [(0, 0), (1, 7), (2, 3.5)])]))
    [line] = svg.iter(f"{SVG}polyline")
    ys = [float(y) for y in re.findall(r",([\d.]+)", line.attrib["points"])]
    assert ys[0] - ys[1] <= PANEL_HEIGHT
    assert ys[0] - ys[2] == pytest.approx((ys[0] - ys[1]) / 2, abs=0.1)


def test_chart_axes_have_tick_labels_and_grid_lines() -> None:
    line = Line("a", [(0, 0), (4, 0.5)])
    svg = drawn(Panel("files", [line]), Panel("share", [line], percent=True))
    labels = [each for each in svg.iter(f"{SVG}text") if each.get("class") == "small"][
        1:
    ]  # Skip the subtitle, which has the same class.
    numbers, shares = ["0", "0.1", "0.2", "0.3", "0.4", "0.5"], ["0%", "10%", "20%", "30%", "40%", "50%"]
    assert [each.text for each in labels] == [*numbers, *shares, "0", "1", "2", "3", "4", "minutes"]
    grid = [float(each.attrib["y1"]) for each in svg.iter(f"{SVG}line") if each.get("stroke") == "#ddd"]
    assert [float(each.attrib["y"]) - 4 for each in labels[:12]] == pytest.approx(grid)


def test_chart_of_a_line_without_points_is_valid() -> None:
    assert list(drawn(Panel("rows", [Line("a", [])])).iter(f"{SVG}polyline"))


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [(0, 1000, [0, 200, 400, 600, 800, 1000]), (0, 0.4, [0, 0.1, 0.2, 0.3, 0.4]), (3, 17, [5, 10, 15]), (0, 0, [0])],
)
def test_chart_axis_ticks_are_round_numbers(first: float, last: float, numbers: list[float]) -> None:
    assert axis_ticks(first, last) == pytest.approx(numbers)
