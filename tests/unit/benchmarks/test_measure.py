"""Tests of benchmark comparisons, which alternate the subjects and compare medians with goals."""

from __future__ import annotations

import pytest

from benchmarks.measure import Comparison, Distribution, Timing, distribution, interleave


def comparison(*, ours: list[float], peer: list[float], base: list[float], below: tuple[str, ...] = ()) -> Comparison:
    turns = {"ours": ours, "peer": peer, "base": base}
    return Comparison(what="something", unit="ms", turns=turns, base="base", at_most=1.3, below=below)


def test_benchmark_alternates_the_order_and_discards_the_first_round() -> None:
    called: list[str] = []

    def contestant(name: str) -> float:
        called.append(name)
        return float(len(called))

    turns = interleave({"a": lambda: contestant("a"), "b": lambda: contestant("b")}, rounds=2)
    assert called == ["a", "b", "b", "a", "a", "b"]
    assert turns == {"a": [4.0, 5.0], "b": [3.0, 6.0]}


def test_benchmark_ratio_compares_values_of_the_same_round() -> None:
    drifting = comparison(ours=[1.2, 12.0, 120.0], peer=[2.0, 20.0, 200.0], base=[1.0, 10.0, 100.0])
    assert drifting.ratio("ours") == pytest.approx(Distribution(1.2, 1.2, 1.2))
    assert drifting.ratio("peer") == pytest.approx(Distribution(2, 2, 2))
    assert drifting.value("base").median == 10


@pytest.mark.parametrize(
    ("ours", "below", "met"),
    [
        pytest.param([1.3, 1.3, 1.3], (), True, id="at the goal"),
        pytest.param([1.31, 1.31, 1.0], (), False, id="above the goal in most rounds"),
        pytest.param([1.2, 1.2, 1.2], ("peer",), False, id="equal to the peer that it must be below"),
        pytest.param([1.1, 1.1, 1.1], ("peer",), True, id="below the goal and the peer"),
    ],
)
def test_benchmark_goal_is_compared_with_the_median_ratio(
    ours: list[float], below: tuple[str, ...], met: object
) -> None:
    assert comparison(ours=ours, peer=[1.2] * 3, base=[1.0] * 3, below=below).met is met


@pytest.mark.parametrize(("seconds", "met"), [([1.9, 2.0, 9.0], True), ([1.0, 2.1, 2.2], False)])
def test_benchmark_time_limit_is_compared_with_the_median_duration(seconds: list[float], met: object) -> None:
    assert Timing(what="something", seconds=seconds, at_most=2).met is met


def test_benchmark_distribution_has_quartiles_and_rejects_an_empty_list() -> None:
    assert distribution([5.0, 1.0, 3.0, 2.0, 4.0]) == Distribution(2, 3, 4)
    assert distribution([7.0]) == Distribution(7, 7, 7)
    with pytest.raises(ValueError, match="nothing was measured"):
        distribution([])
