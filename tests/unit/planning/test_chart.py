from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from operations.planning.chart import DARK, LIGHT, PANEL_HEIGHT, Line, Panel, Theme, axis_ticks, draw
from tests.support.nonempty import nonempty

SVG = "{http://www.w3.org/2000/svg}"
MIN_TEXT_CONTRAST, MIN_LINE_CONTRAST = 4.5, 3
"""Minimum contrast ratios of WCAG 2.2, level AA."""


def drawn(*panels: Panel, **more: str) -> ET.Element:
    text = draw("A & B", panels, about="<about>", axis="minutes", **more)  # type: ignore[arg-type]  # strings only
    return ET.fromstring(text)  # noqa: S314  the test generates the document


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, from 0 to 1, by the formula of WCAG 2.2."""
    digits = colour.removeprefix("#")
    channels = [
        int(digit * 2 if len(digits) == 3 else digit, 16) / 255
        for digit in re.findall("." * (len(digits) // 3), digits)
    ]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(colour: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21, by the formula of WCAG 2.2."""
    darker, lighter = sorted((luminance(colour), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_chart_colours_contrast_with_the_background(theme: Theme) -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    text = [contrast(each, theme.background) for each in (theme.text, theme.small_text)]
    assert min(text) >= MIN_TEXT_CONTRAST
    lines = [contrast(each, theme.background) for each in (*theme.lines, theme.bar, theme.peer_bar)]
    assert min(lines) >= MIN_LINE_CONTRAST


def test_dark_chart_differs_from_the_light_chart_only_in_colours() -> None:
    panels = [Panel("rows", [Line("a", [(0, 0), (1, 5)]), Line("b", [(0, 1), (1, 2)])])]
    light, dark = (draw("title", panels, about="about", axis="minutes", theme=theme) for theme in (LIGHT, DARK))
    colour = re.compile(r"#[0-9a-f]{3,6}\b")
    assert set(colour.findall(dark)) <= {DARK.background, DARK.text, DARK.small_text, DARK.grid, *DARK.lines}
    assert colour.sub("", light) == colour.sub("", dark)


def test_chart_contains_each_line_with_its_label() -> None:
    svg = drawn(
        Panel("rows", [Line("a", [(0, 0), (1, 5)]), Line("b", [(0, 1), (1, 2)])]),
        Panel("waiting", [Line("c", [(0, 0)])]),
    )
    texts = [each.text for each in svg.iter(f"{SVG}text")]
    assert {"A & B", "<about>", "rows", "waiting", "a", "b", "c", "minutes"} <= set(texts)
    assert len(list(svg.iter(f"{SVG}polyline"))) == 3


def test_legend_of_a_chart_marks_each_label_with_the_colour_of_its_line() -> None:
    svg = drawn(Panel("rows", [Line("first", [(0, 0), (1, 5)]), Line("second", [(0, 1), (1, 2)])]))
    labels = {each.text: each.attrib for each in svg.iter(f"{SVG}text") if each.text in {"first", "second"}}
    marks = {each.get("stroke"): each.attrib for each in svg.iter(f"{SVG}line")}
    places = []
    for label, colour in nonempty(zip(("first", "second"), LIGHT.lines, strict=False)):
        mark, end = marks[colour], float(labels[label]["x"])
        # The mark is a horizontal line in the lower half of the label's line of text.
        assert mark["y1"] == mark["y2"]
        assert 0 < float(labels[label]["y"]) - float(mark["y1"]) < 10
        places += [float(mark["x1"]), float(mark["x2"]), end - 7 * len(label), end]
    assert places == sorted(places)
    assert places[1] - places[0] == pytest.approx(places[5] - places[4])


def test_chart_scales_a_line_to_the_height_of_its_panel() -> None:
    svg = drawn(Panel("rows", [Line("a", [(0, 0), (1, 7), (2, 3.5)])]))
    [line] = svg.iter(f"{SVG}polyline")
    ys = [float(y) for y in re.findall(r",([\d.]+)", line.attrib["points"])]
    assert ys[0] - ys[1] <= PANEL_HEIGHT
    assert ys[0] - ys[2] == pytest.approx((ys[0] - ys[1]) / 2, abs=0.1)


def test_chart_axes_have_tick_labels_and_grid_lines() -> None:
    line = Line("a", [(0, 0), (4, 0.5)])
    svg = drawn(Panel("files", [line]), Panel("share", [line], percent=True))
    labels = [each for each in svg.iter(f"{SVG}text") if each.get("class") == "small"][1:]
    numbers, shares = ["0", "0.1", "0.2", "0.3", "0.4", "0.5"], ["0%", "10%", "20%", "30%", "40%", "50%"]
    assert [each.text for each in labels] == [*numbers, *shares, "0", "1", "2", "3", "4", "minutes"]
    grid = [float(each.attrib["y1"]) for each in svg.iter(f"{SVG}line") if each.get("stroke") == LIGHT.grid]
    assert [float(each.attrib["y"]) - 4 for each in labels[:12]] == pytest.approx(grid)


def test_chart_of_a_line_without_points_is_valid() -> None:
    assert list(drawn(Panel("rows", [Line("a", [])])).iter(f"{SVG}polyline"))


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [(0, 1000, [0, 200, 400, 600, 800, 1000]), (0, 0.4, [0, 0.1, 0.2, 0.3, 0.4]), (3, 17, [5, 10, 15]), (0, 0, [0])],
)
def test_chart_axis_ticks_are_round_numbers(first: float, last: float, numbers: list[float]) -> None:
    assert axis_ticks(first, last) == pytest.approx(numbers)
