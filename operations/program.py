"""Runs a command-line function as a process: sets up output streams and signals, and exits with its exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn


def run(main: Callable[[Sequence[str]], int], *, broken_pipe_code: int) -> NoReturn:
    """Run `main` with the arguments of the process, and exit with the code that it returns.

    SIGTERM and SIGHUP raise KeyboardInterrupt in `main`, as Ctrl-C does.

    Args:
        main: receives the arguments without the program name, and returns an exit code.
        broken_pipe_code: exit code if the reader of stdout closes the pipe, as `head` does.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # Print an escape for a character that the terminal does not support.
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout at exit. With the closed pipe, the flush would fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = broken_pipe_code
    sys.exit(code)
