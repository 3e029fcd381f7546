from __future__ import annotations

import io

from operations.output import Progress, count, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_with_how_many_are_done() -> None:
    terminal = Terminal()
    with Progress(terminal).step("events sent", 5000) as advance:
        advance(1200)
        advance(34)
    assert "events sent" in terminal.getvalue()
    assert "1,234 of 5,000" in terminal.getvalue()


def test_a_step_of_unknown_length_counts() -> None:
    terminal = Terminal()
    with Progress(terminal).step("listing") as advance:
        advance(1234)
    assert "1,234" in terminal.getvalue()


def test_anything_else_shows_nothing() -> None:
    file = io.StringIO()
    with Progress(file).step("listing", 3) as advance:
        advance(3)
    assert file.getvalue() == ""


def test_text_for_people() -> None:
    assert printable("a\x1b[2J\nb é 観") == "a\\x1b[2J\\nb é 観"
    assert (count(1, "row"), count(0, "row"), count(2000, "row")) == ("1 row", "0 rows", "2,000 rows")
