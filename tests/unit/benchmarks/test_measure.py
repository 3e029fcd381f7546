"""Comparisons: turn by turn, and only met where the median says so."""

from __future__ import annotations

import pytest

from benchmarks.measure import Comparison, Distribution, Timing, distribution, interleave


def comparison(*, ours: list[float], peer: list[float], base: list[float], below: tuple[str, ...] = ()) -> Comparison:
    turns = {"ours": ours, "peer": peer, "base": base}
    return Comparison(what="something", unit="ms", turns=turns, base="base", at_most=1.3, below=below)


def test_contestants_take_turns_forwards_and_backwards_and_the_first_turn_does_not_count() -> None:
    called: list[str] = []

    def contestant(name: str) -> float:
        called.append(name)
        return float(len(called))

    turns = interleave({"a": lambda: contestant("a"), "b": lambda: contestant("b")}, rounds=2)
    assert called == ["a", "b", "b", "a", "a", "b"]
    assert turns == {"a": [4.0, 5.0], "b": [3.0, 6.0]}


def test_a_ratio_is_of_values_of_the_same_turn_so_that_drift_cancels_out() -> None:
    drifting = comparison(ours=[1.2, 12.0, 120.0], peer=[2.0, 20.0, 200.0], base=[1.0, 10.0, 100.0])
    assert drifting.ratio("ours") == pytest.approx(Distribution(1.2, 1.2, 1.2))
    assert drifting.ratio("peer") == pytest.approx(Distribution(2, 2, 2))
    assert drifting.value("base").median == 10


@pytest.mark.parametrize(
    ("ours", "below", "met"),
    [
        pytest.param([1.3, 1.3, 1.3], (), True, id="at the goal"),
        pytest.param([1.31, 1.31, 1.0], (), False, id="above it in most turns"),
        pytest.param([1.2, 1.2, 1.2], ("peer",), False, id="as high as what it must be below"),
        pytest.param([1.1, 1.1, 1.1], ("peer",), True, id="below that too"),
    ],
)
def test_a_goal_is_met_by_the_median_alone(ours: list[float], below: tuple[str, ...], met: object) -> None:
    assert comparison(ours=ours, peer=[1.2] * 3, base=[1.0] * 3, below=below).met is met


@pytest.mark.parametrize(("seconds", "met"), [([1.9, 2.0, 9.0], True), ([1.0, 2.1, 2.2], False)])
def test_a_time_is_met_by_its_median(seconds: list[float], met: object) -> None:
    assert Timing(what="something", seconds=seconds, at_most=2).met is met


def test_quartiles() -> None:
    assert distribution([5.0, 1.0, 3.0, 2.0, 4.0]) == Distribution(2, 3, 4)
    assert distribution([7.0]) == Distribution(7, 7, 7)
    with pytest.raises(ValueError, match="nothing was measured"):
        distribution([])
