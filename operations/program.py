"""Runs a command line as a program: its streams, its signals, and its exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn


def run(main: Callable[[Sequence[str]], int], *, broken_pipe_code: int) -> NoReturn:
    """Run `main` with the program's arguments and end with what it returns.

    SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does. `broken_pipe_code` is the exit code if the reader of the
    output has closed the pipe.
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
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's own flush does not fail too
        code = broken_pipe_code
    sys.exit(code)
