from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from localstack.showcase.demo.text import columns, percentile, seconds, shorten, size


@pytest.mark.parametrize(
    ("width", "shown"),
    [(13, "abcdefghi.txt"), (12, "abcde…hi.txt"), (5, "ab…xt"), (2, "…t"), (1, "…")],
)
def test_shorten_removes_the_middle_of_a_long_name(width: int, shown: str) -> None:
    assert shorten("abcdefghi.txt", width) == shown


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=60), st.integers(1, 70))
def test_shortened_name_never_exceeds_the_maximum_width(text: str, width: int) -> None:
    shown = shorten(text, width)
    assert cell_len(shown) <= width
    assert shown == text or "…" in shown


def test_demo_formats_sizes_in_units_of_1000() -> None:
    numbers = (0, 999, 1000, 999_949, 999_950, 5 * 1024**3, 10**13)
    assert [size(number) for number in numbers] == ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "5.4 GB", "10.0 TB"]


def test_demo_formats_durations_with_three_digits() -> None:
    assert [seconds(amount) for amount in (0.0123, 1.234, 12.34)] == ["0.012 s", "1.23 s", "12.3 s"]


def test_demo_percentile_uses_the_nearest_rank() -> None:
    values = [0.3, 0.1, 0.2, 0.4]
    assert [percentile(values, percent) for percent in (0, 25, 26, 50, 95, 100)] == [0.1, 0.1, 0.2, 0.2, 0.4, 0.4]
    assert percentile([7.0], 50) == 7.0
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 50)


def test_demo_columns_align_wide_characters() -> None:
    assert columns([("key", "size"), ("観測.txt", "1 B"), ("a", "64.0 kB")], right=frozenset({1})) == [
        "key          size",
        "観測.txt      1 B",
        "a         64.0 kB",
    ]
