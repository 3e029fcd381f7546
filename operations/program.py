"""Runs a command-line function as a process: sets up output streams and signals, and exits with its exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, Self

from operations.tool import INTERRUPTED


class OutputError(Exception):
    """Error for results that cannot be written to stdout. The message contains the cause and the remedy."""


def run(main: Callable[[Sequence[str]], int], *, name: str, failure_code: int) -> NoReturn:
    """Run `main` with the arguments of the process, and exit with the code that it returns.

    SIGTERM and SIGHUP raise KeyboardInterrupt in `main`, as Ctrl-C does. A signal that the process ignores since its
    start remains ignored: nohup ignores SIGHUP.

    Args:
        main: receives the arguments without the program name, and returns an exit code.
        name: the program's name, for error messages.
        failure_code: exit code if stdout is closed, if its disk is full, or if the reader of a pipe has closed it. A
            closed pipe causes no message, because programs such as `head` close it when they need no more lines.
    """
    sys.stderr = _Diagnostics.replacing(sys.stderr)
    if sys.stdout is None:
        sys.stderr.write(f"{name}: stdout is closed: redirect it to a file, or to {os.devnull}\n")
        sys.exit(failure_code)
    sys.stdout = _Results.replacing(sys.stdout)
    for signal_name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, signal_name, None)  # Windows has no SIGHUP.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        code = _exit_code(main)
        sys.stdout.flush()
    except OutputError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            sys.stderr.write(f"{name}: {error}\n")
        code = failure_code
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted\n")
        code = INTERRUPTED
    sys.exit(code)


def _exit_code(main: Callable[[Sequence[str]], int]) -> int:
    try:
        return main(sys.argv[1:])
    except SystemExit as ended:  # argparse exits after --help and after invalid arguments.
        return int(ended.code or 0)


class _Stream(io.TextIOWrapper):
    """Text stream that discards its output after the first error, so that the flush at the end of the process works.

    It prints an escape for a character that the terminal does not support.
    """

    @classmethod
    def replacing(cls, stream: object) -> Self:
        """Return a stream that writes to the same file as `stream`; None is a stream that the caller has closed."""
        if not isinstance(stream, io.TextIOWrapper):
            return cls(Path(os.devnull).open("wb"), encoding="utf-8")
        return cls(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._fail(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, _: OSError) -> None:
        with Path(os.devnull).open("wb") as null:
            os.dup2(null.fileno(), self.fileno())


class _Results(_Stream):
    """The stream for stdout, whose errors end the program, because its results would be incomplete."""

    def _fail(self, error: OSError) -> None:
        super()._fail(error)
        message = f"cannot write the results to stdout: {error.strerror}. Write them to another place, and start again"
        raise OutputError(message) from error


class _Diagnostics(_Stream):
    """The stream for stderr, whose errors are ignored, because progress and messages must not end a run."""
