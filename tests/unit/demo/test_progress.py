from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress

from localstack.showcase.demo.progress import LINE_INTERVAL, Bars, Lines, Seconds, steps
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    from localstack.showcase.demo.progress import Steps


def run_two_steps(shown: Steps, clock: FakeClock) -> None:
    shown.start("stack")
    clock.sleep(1.5)
    shown.advance("stack", "uploads")
    shown.finish("stack", "1 resource")
    shown.start("rows", 2)
    shown.advance("rows")
    clock.sleep(0.25)
    shown.advance("rows")


def test_demo_progress_without_terminal_prints_start_and_end_of_each_step() -> None:
    file, clock = io.StringIO(), FakeClock(1000)
    with steps(Console(file=file, width=60), clock=clock) as shown:
        run_two_steps(shown, clock)
    assert file.getvalue().splitlines() == ["stack: starting", "stack: 1 resource (1.50 s)", "rows: 2 of 2 (0.250 s)"]


def test_demo_progress_without_terminal_prints_a_line_per_interval() -> None:
    file, clock = io.StringIO(), FakeClock(1000)
    shown = Lines(Console(file=file, width=60), clock)
    shown.start("rows", 100)
    shown.start("stack")
    for _ in range(30):
        clock.sleep(LINE_INTERVAL / 10)
        shown.advance("rows")
    clock.sleep(LINE_INTERVAL)
    shown.advance("stack")
    lines = [line.split(" (")[0] for line in file.getvalue().splitlines()]
    assert lines == ["stack: starting", "rows: 10 of 100", "rows: 20 of 100", "rows: 30 of 100", "stack: 1 so far"]


def test_demo_progress_on_a_terminal_shows_the_result_of_each_step() -> None:
    file = io.StringIO()
    with steps(Console(file=file, width=60, force_terminal=True, color_system=None)) as shown:
        assert isinstance(shown, Bars)
        shown.log("this takes long: \x1b")
        run_two_steps(shown, FakeClock())
    assert r"this takes long: \x1b" in file.getvalue()
    last = file.getvalue().rsplit("stack", 1)[1]
    assert [each for each in ("1 resource", "2 of 2", "✔") if each not in last] == []


def test_demo_progress_bar_shows_a_known_total_from_its_start() -> None:
    file = io.StringIO()
    with steps(Console(file=file, width=60, force_terminal=True, color_system=None)) as shown:
        shown.start("stack")
        shown.start("rows", 3)
    assert "0 of 3" in file.getvalue()
    assert "None" not in file.getvalue()


def test_demo_progress_bar_shows_the_elapsed_time_until_the_end_of_a_step_and_then_its_duration() -> None:
    clock = FakeClock(1000)
    progress = Progress(get_time=clock)
    step = progress.add_task("rows", total=1)
    clock.sleep(2.5)
    assert str(Seconds().render(progress.tasks[0])) == "  2.5 s"
    progress.advance(step)
    clock.sleep(4)
    assert str(Seconds().render(progress.tasks[0])) == "  2.5 s"


@pytest.mark.parametrize("width", [20, 40, 80])
def test_demo_progress_bars_fit_the_width_of_the_terminal(width: int) -> None:
    file = io.StringIO()
    with steps(Console(file=file, width=width, force_terminal=True, color_system=None)) as shown:
        shown.start("stack")
        shown.advance("stack", "長い名前" * 20)
    last = file.getvalue().split("stack")[-1]
    assert cell_len(last.split("\n")[0]) + cell_len("x stack") <= width


def test_demo_progress_on_a_dumb_terminal_uses_plain_lines() -> None:
    with steps(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})) as shown:
        assert isinstance(shown, Lines)
