from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from operations import pool
from operations.pool import ITEMS_AHEAD, map_in_order
from tests.support.waiting import wait_until


def test_thread_pool_yields_results_in_the_order_of_the_items() -> None:
    last_is_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert last_is_done.wait(60)
        if number == 3:
            last_is_done.set()
        return number * number

    assert list(map_in_order(work, range(4), threads=4)) == [(0, 0), (1, 1), (2, 4), (3, 9)]


def test_thread_pool_limits_the_number_of_unfinished_items() -> None:
    taken: list[int] = []
    enough_are_taken = threading.Event()

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            if len(taken) == 2 * ITEMS_AHEAD:
                enough_are_taken.set()
            yield number

    def work(number: int) -> int:
        # The first item is completed only after the pool has read its maximum number of items.
        assert enough_are_taken.wait(60)
        return number

    results = map_in_order(work, items(), threads=2)
    next(results)
    assert len(taken) == 2 * ITEMS_AHEAD
    results.close()  # type: ignore[attr-defined]  # The iterator is a generator.


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[Future[int]]:
    """The work of all items that were submitted to a thread."""
    submitted: list[Future[int]] = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *work: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  The types of the base class are generic.
            submitted.append(super().submit(*work))
            return submitted[-1]

    monkeypatch.setattr(pool, "ThreadPoolExecutor", Pool)
    return submitted


def test_thread_pool_yields_a_result_before_the_next_item_is_available(submitted: list[Future[int]]) -> None:
    yielded: list[int] = []

    def slow_items() -> Iterator[int]:
        for number in range(4):
            yield number
            # The next item becomes available only after the pool has completed the work for this item.
            submitted[number].result(60)

    for number, _ in map_in_order(str, slow_items(), threads=2):
        yielded.append(number)
        assert len(submitted) <= len(yielded) + 1
    assert yielded == [0, 1, 2, 3]


def test_thread_pool_raises_an_error_of_the_item_iterator_after_the_previous_results() -> None:
    failed = threading.Event()

    def items() -> Iterator[int]:
        yield from range(3)
        failed.set()
        raise ValueError("no more items")

    def work(number: int) -> int:
        assert failed.wait(60)
        return number

    results: list[int] = []
    with pytest.raises(ValueError, match="no more items"):
        results.extend(number for number, _ in map_in_order(work, items(), threads=2))
    assert results == [0, 1, 2]


def test_thread_pool_raises_the_error_of_an_item_in_order_and_cancels_later_items(
    submitted: list[Future[int]],
) -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            wait_until(lambda: len(submitted) > 4, "waiting items", interval=0.001)
        if number == 2:
            raise ValueError("of number 2")
        if number == 3:
            wait_until(lambda: all(each.cancelled() for each in submitted[4:]), "cancelled items", interval=0.001)
        return number

    results = map_in_order(work, range(1000), threads=1)
    # The pool first yields the results of the items before the failed item.
    assert [next(results), next(results)] == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="of number 2"):
        next(results)
    assert begun in ([0, 1, 2], [0, 1, 2, 3])  # The thread of the pool may have started the item after the failed item.
