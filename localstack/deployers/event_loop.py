"""An asyncio event loop for one execution of a Pulumi program."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor


class EventLoop:
    """Context manager for an asyncio event loop and its worker threads; stops both on exit."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loops_of_threads: list[asyncio.AbstractEventLoop] = []
        self._executor = ThreadPoolExecutor(thread_name_prefix="pulumi", initializer=self._start_thread)

    def _start_thread(self) -> None:
        # Create the event loop of the worker thread here, because Pulumi would create one and never close it.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._loops_of_threads.append(loop)

    def __enter__(self) -> asyncio.AbstractEventLoop:
        self._loop.set_default_executor(self._executor)
        asyncio.set_event_loop(self._loop)
        return self._loop

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        if error_type is not None:
            # Log no errors of other tasks, because the exception that is already being raised caused them.
            self._loop.set_exception_handler(lambda _loop, _context: None)
        self._loop.run_until_complete(_cancel_other_tasks())
        asyncio.set_event_loop(None)
        for loop in (*self._loops_of_threads, self._loop):
            loop.close()


async def _cancel_other_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
