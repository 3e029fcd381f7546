from __future__ import annotations

import io

import pytest

from operations.output import Progress, count, printable


@pytest.mark.parametrize(
    ("is_terminal", "total", "expected"),
    [(True, 5000, "1,234 of 5,000"), (True, None, "1,234"), (False, 5000, "")],
)
def test_progress_bar_is_displayed_only_on_a_terminal(*, is_terminal: bool, total: int | None, expected: str) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal  # type: ignore[method-assign]  # The test replaces the method.
    with Progress(stream).step("events sent", total) as advance:
        advance(1200)
        advance(34)
    assert expected in stream.getvalue()
    assert bool(stream.getvalue()) == ("events sent" in stream.getvalue()) == is_terminal


def test_output_escapes_control_characters_and_formats_counts() -> None:
    assert printable("a\x1b[2J\nb é 観 🚀\u202e\udce9") == "a\\x1b[2J\\nb é 観 🚀\\u202e\\udce9"
    assert (count(1, "row"), count(0, "row"), count(2000, "row")) == ("1 row", "0 rows", "2,000 rows")
