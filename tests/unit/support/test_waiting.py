"""The e2e tests wait by looking, until a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.waiting import NothingCameError, until


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def answers(*values: str | None) -> Callable[[], str | None]:
    left: Iterator[str | None] = iter(values)
    return lambda: next(left)


def test_what_is_there_at_once_needs_no_sleep() -> None:
    time = Time()
    assert until(answers("here"), "it", clock=time.clock, sleep=time.sleep) == "here"
    assert time.now == 1000.0


def test_it_looks_again_until_it_is_there() -> None:
    time = Time()
    look = answers(None, "", "here")
    assert until(look, "it", interval=0.5, clock=time.clock, sleep=time.sleep) == "here"
    assert time.now == 1001.0


def test_what_comes_at_the_very_end_is_still_seen() -> None:
    time = Time()
    look = answers(None, None, "late")
    assert until(look, "it", patience=1.0, interval=0.5, clock=time.clock, sleep=time.sleep) == "late"


def test_what_never_comes_is_said_to_be_missing_as_it_was_at_the_end() -> None:
    time = Time()
    looks: list[float] = []

    def look() -> None:
        looks.append(time.now)

    with pytest.raises(NothingCameError, match=r"after 1 s still missing: seen 3 times"):
        until(look, lambda: f"seen {len(looks)} times", patience=1.0, interval=0.5, clock=time.clock, sleep=time.sleep)
    assert looks == [1000.0, 1000.5, 1001.0]
