"""Applies a function to a stream of items in several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 8
"""Default number of threads, which permits several hundred AWS calls per second at usual latencies."""

ITEMS_AHEAD = 8
"""Maximum number of unfinished items per thread."""


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int = THREADS
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the result of `work`, in the order of the items.

    The calling thread reads the items, at most `threads * ITEMS_AHEAD` before the oldest unfinished one. If `work`
    raises an error for an item, or if the items raise an error, it is raised after the results of the items before.
    After an error of `work`, after an interruption, or if the caller closes the iterator, items that have not been
    started are discarded, and running ones are completed.

    Args:
        work: the function to apply; called in several threads.
        items: the items, in any number.
        threads: number of threads.
    """
    source = iter(items)
    failure: Exception | None = None
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as error:  # noqa: BLE001  Any error is raised after the results.
                    failure = error
                    break
                waiting.append((item, pool.submit(work, item)))
                while waiting and (waiting[0][1].done() or len(waiting) >= threads * ITEMS_AHEAD):
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
    if failure is not None:
        raise failure
