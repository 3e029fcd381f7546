"""Runs a command line as a program: its streams, its signals, and its exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn


def run(main: Callable[[Sequence[str]], int], *, reader_gone: int) -> NoReturn:
    """Run `main` with the program's arguments and end with what it returns.

    SIGTERM and SIGHUP reach it as KeyboardInterrupt, so that it ends as it does at Ctrl-C. `reader_gone` is the exit
    code if nobody reads what it prints any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still shows every name
    for name in ("SIGTERM", "SIGHUP"):  # the latter is unknown to Windows
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's own flush does not fail too
        code = reader_gone
    sys.exit(code)
