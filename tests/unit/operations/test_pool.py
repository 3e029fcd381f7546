from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from operations import pool
from operations.pool import ITEMS_AHEAD, map_in_order
from tests.support.waiting import until


def test_results_come_in_the_order_of_the_items_whoever_is_done_first() -> None:
    last_is_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert last_is_done.wait(10)
        if number == 3:
            last_is_done.set()
        return number * number

    assert list(map_in_order(work, range(4), threads=4)) == [(0, 0), (1, 1), (2, 4), (3, 9)]


def test_only_so_many_items_are_taken_ahead() -> None:
    taken: list[int] = []
    enough_are_taken = threading.Event()

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            if len(taken) == 2 * ITEMS_AHEAD:
                enough_are_taken.set()
            yield number

    def work(number: int) -> int:
        assert enough_are_taken.wait(10)  # nothing is done before
        return number

    results = map_in_order(work, items(), threads=2)
    next(results)
    assert len(taken) == 2 * ITEMS_AHEAD
    results.close()  # type: ignore[attr-defined]  # it is a generator, which its type does not promise


def test_what_is_done_is_told_before_the_next_item_is_there() -> None:
    told: list[int] = []

    def slow_items() -> Iterator[int]:
        for number in range(4):
            yield number
            done[number].wait(10)  # until its work is, as it would be at a low rate
            time.sleep(0.01)

    def work(number: int) -> int:
        done[number].set()
        return number

    done = [threading.Event() for _ in range(4)]
    for number, _ in map_in_order(work, slow_items(), threads=2):
        told.append(number)
        assert sum(each.is_set() for each in done) <= len(told) + 1
    assert told == [0, 1, 2, 3]


def test_an_error_is_raised_at_its_turn_and_drops_what_was_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    submitted: list[Future[int]] = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *work: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  as it is called here
            submitted.append(super().submit(*work))
            return submitted[-1]

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            until(lambda: len(submitted) > 4, "some that wait", interval=0.001)
        if number == 2:
            raise ValueError("of number 2")
        if number == 3:
            until(lambda: all(each.cancelled() for each in submitted[4:]), "the end of what waits", interval=0.001)
        return number

    monkeypatch.setattr(pool, "ThreadPoolExecutor", Pool)
    results = map_in_order(work, range(1000), threads=1)
    assert [next(results), next(results)] == [(0, 0), (1, 1)]  # the results before the error
    with pytest.raises(ValueError, match="of number 2"):
        next(results)
    assert begun in ([0, 1, 2], [0, 1, 2, 3])  # the thread may have gone on to the next already
