from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console

from localstack.showcase.demo.progress import LINE_INTERVAL, Bars, Lines, steps
from tests.unit.demo.fakes import Clock


def console(*, terminal: bool, width: int = 60) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width, force_terminal=terminal, color_system=None, markup=False), file


def test_without_a_terminal_each_step_has_a_plain_line_where_it_begins_and_ends() -> None:
    out, file = console(terminal=False)
    clock = Clock()
    with steps(out, clock=clock) as shown:
        shown.start("stack")
        clock.sleep(1.5)
        shown.advance("stack", "uploads")
        shown.finish("stack", "1 resource")
        shown.start("rows", 2)
        shown.advance("rows")
        clock.sleep(0.25)
        shown.advance("rows")
    assert file.getvalue().splitlines() == [
        "stack: starting",
        "stack: 1 resource (1.50 s)",
        "rows: 2 of 2 (0.250 s)",
    ]


def test_a_long_step_has_a_plain_line_now_and_then_and_not_one_per_part() -> None:
    out, file = console(terminal=False)
    clock = Clock()
    shown = Lines(out, clock)
    shown.start("rows", 100)
    shown.start("stack")
    for _ in range(30):
        clock.sleep(LINE_INTERVAL / 10)
        shown.advance("rows")
    clock.sleep(LINE_INTERVAL)
    shown.advance("stack")
    lines = file.getvalue().splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        "stack: starting",
        "rows: 10 of 100",
        "rows: 20 of 100",
        "rows: 30 of 100",
        "stack: 1 so far",
    ]


def test_on_a_terminal_every_step_ends_as_a_line_with_what_came_of_it() -> None:
    out, file = console(terminal=True)
    with steps(out) as shown:
        assert isinstance(shown, Bars)
        shown.log("this takes long: \x1b")
        shown.start("stack")
        shown.advance("stack", "uploads")
        shown.finish("stack", "1 resource")
        shown.start("rows", 2)
        shown.advance("rows")
        shown.advance("rows")
    text = file.getvalue()
    assert r"this takes long: \x1b" in text
    last = text.rsplit("stack", 1)[1]
    assert "1 resource" in last
    assert "2 of 2" in last
    assert "✔" in last


def test_bars_stay_within_the_terminal() -> None:
    for width in (20, 40, 80):
        out, file = console(terminal=True, width=width)
        with steps(out) as shown:
            shown.start("stack")
            shown.advance("stack", "長い名前" * 20)
        last = file.getvalue().split("stack")[-1]
        assert cell_len(last.split("\n")[0]) + cell_len("x stack") <= width


def test_a_dumb_terminal_gets_plain_lines() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    with steps(out) as shown:
        assert isinstance(shown, Lines)
