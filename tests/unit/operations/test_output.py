from __future__ import annotations

import io
import re
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING

import pytest

from operations.output import Progress, count, printable, quoted, visible

if TYPE_CHECKING:
    from tests.support.clock import FakeClock


class Terminal(io.StringIO):
    """Fake terminal that records its output."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal()


@pytest.mark.parametrize(("no_color", "has_colors"), [("1", False), (None, True)])
def test_progress_bar_has_no_colors_if_the_variable_no_color_is_set(
    terminal: Terminal, *, no_color: str | None, has_colors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    with Progress(terminal).step("events sent", 2) as advance:
        advance(2)
    assert "2 of 2" in terminal.getvalue()
    assert (re.search(r"\x1b\[[\d;]*3\d[;m]", terminal.getvalue()) is not None) == has_colors


def test_progress_bar_is_not_displayed_on_a_terminal_without_cursor_movement(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with Progress(terminal).step("events sent", 2) as advance:
        advance(2)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(("total", "expected"), [(5000, "1,234 of 5,000"), (None, "1,234")])
def test_progress_bar_is_displayed_on_a_terminal(terminal: Terminal, total: int | None, expected: str) -> None:
    stream = terminal
    with Progress(stream).step("events sent", total) as advance:
        advance(1200)
        advance(34)
    assert expected in stream.getvalue()
    assert "events sent" in stream.getvalue()


def test_progress_bar_of_a_step_that_counts_nothing_has_no_number(terminal: Terminal) -> None:
    with Progress(terminal).step("run queries"):
        pass
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.getvalue())
    assert text.splitlines()
    assert not re.search(r"[━╸╺] +\d+ ", text)


@pytest.mark.parametrize("parts", [0, 5])
def test_progress_bar_of_a_step_with_an_unknown_total_is_full_at_its_end(
    monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def last_line(total: int | None) -> list[str]:
        stream = io.StringIO()
        stream.isatty = lambda: True  # type: ignore[method-assign]  # The test replaces the method.
        with Progress(stream).step("rows", total) as advance:
            advance(parts)
        # The regular expression removes the terminal codes that hide the cursor.
        lines = re.sub(r"\x1b\[\?\d+[hl]", "", stream.getvalue())
        return re.split(r"[\r\n]", lines.strip())[-1].split()

    name, bar, number, *_ = last_line(None)
    assert name.endswith("rows")
    assert bar == last_line(parts)[1]  # The bar is full: its color is that of a full bar.
    assert re.sub(r"\x1b\[[\d;]*m", "", number) == str(parts)


class Intervals:
    """Fake wait function of the class Progress. An interval of ten seconds ends when the test calls `pass_interval`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._ends: SimpleQueue[bool] = SimpleQueue()
        self._begun: SimpleQueue[float] = SimpleQueue()

    def __call__(self, ended: Event, seconds: float) -> bool:
        self._begun.put(seconds)
        return self._ends.get() or ended.is_set()

    def pass_interval(self, *, last: bool = False) -> None:
        self._clock.advance(self._begun.get())
        self._ends.put(last)


@pytest.mark.parametrize(
    ("total", "lines"),
    [
        (5000, ["events sent: 1,200 of 5,000, 10 s", "events sent: 1,234 of 5,000, 20 s"]),
        (None, ["events sent: 1,200, 10 s", "events sent: 1,234, 20 s"]),
    ],
)
def test_progress_in_a_file_is_one_line_every_ten_seconds(
    clock: FakeClock, total: int | None, lines: list[str]
) -> None:
    stream, intervals = io.StringIO(), Intervals(clock)
    with Progress(stream, clock=clock, wait=intervals).step("events sent", total) as advance:
        advance(1200)
        intervals.pass_interval()
        intervals._begun.put(intervals._begun.get())  # Wait until the progress line of the first interval is printed.
        advance(34)
        intervals.pass_interval()
        intervals.pass_interval(last=True)
    assert stream.getvalue().splitlines() == lines


def test_progress_line_of_a_step_that_counts_nothing_contains_only_the_duration(clock: FakeClock) -> None:
    stream, intervals = io.StringIO(), Intervals(clock)
    with Progress(stream, clock=clock, wait=intervals).step("read the export"):
        intervals.pass_interval()
        intervals.pass_interval(last=True)
    assert stream.getvalue() == "read the export: 10 s\n"


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_short_step_writes_no_progress_to_a_file(error: type[BaseException] | None) -> None:
    stream = io.StringIO()

    def step() -> None:
        with Progress(stream).step("events sent") as advance:
            advance(1)
            if error:
                raise error

    if error:
        with pytest.raises(error):
            step()
    else:
        step()
    assert stream.getvalue() == ""


def test_output_escapes_control_characters_and_formats_counts() -> None:
    assert printable("a\x1b[2J\nb é 観 🚀\u202e\udce9") == "a\\x1b[2J\\nb é 観 🚀\\u202e\\udce9"
    assert (count(1, "row"), count(0, "row"), count(2000, "row")) == ("1 row", "0 rows", "2,000 rows")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("reports/field notes + é観🚀.txt", "reports/field notes + é観🚀.txt"),
        (r"dir\file", r"dir\file"),
        ("it's", "it's"),
        ("a ", "'a '"),
        (" a", "' a'"),
        ("a\n", r"'a\n'"),
        ("a\tb", r"'a\tb'"),
        ("a\xa0", r"'a\xa0'"),
        ("a\u200b", r"'a\u200b'"),
        ("\udce9", r"'\udce9'"),
        ("'a '", "\"'a '\""),  # Without quotation marks, this key would be printed like the key "a ".
    ],
)
def test_printed_object_key_shows_surrounding_spaces_and_control_characters(key: str, text: str) -> None:
    assert visible(key) == text
    assert printable(text) == text


@pytest.mark.parametrize(("function", "key"), [(quoted, "a "), (visible, "a ")])
def test_printed_object_key_with_a_trailing_space_is_quoted(function: Callable[[str], str], key: str) -> None:
    assert function(key) == "'a '"
