"""Signals of Ctrl-C and of a closed terminal in tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def default_signals() -> Iterator[None]:
    """Give SIGINT and SIGHUP Python's default handling in this process, and in the processes that it starts.

    The parent process of the tests may ignore these signals, and child processes inherit this: nohup ignores SIGHUP,
    and a shell without job control ignores SIGINT for a command in the background.
    """
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGHUP, hangup)
