"""Applies a function to a stream of items in a few threads, and yields the results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 8
"""Enough for some hundred calls a second at AWS's usual answering times, and few enough for a laptop."""

ITEMS_AHEAD = 8
"""Items per thread that may be taken from the stream before the first of them is done."""


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int = THREADS
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what `work` returned for it, in the order of the items.

    Items are taken in this thread, a bounded number ahead. An error of `work` is raised at its item's turn; then, and
    when the caller stops early, what was not begun is dropped and what was begun is waited for.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
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
