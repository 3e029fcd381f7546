"""Runs inside the emulator's own environment: MiniStack, which ends when the process that started it ends.

Standard input is a pipe whose other end only the parent holds. It closes when the parent lets go of it and also when
the parent is killed, so neither an orphan nor its files stay behind.
"""

from __future__ import annotations

import importlib
import os
import runpy
import shutil
import signal
import sys
import threading


def end_with_parent() -> None:
    """Wait until the pipe closes, then remove the state and end this process with the functions it runs."""
    os.read(0, 1)  # not by sys.stdin, whose lock would make Python abort should MiniStack end by itself
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # the parent made this process the leader of a group of its own


def wait_for_late_log_lines() -> None:
    """Make MiniStack wait for what a function logged: 2 s for the first line, 20 ms for another after each.

    It waits 50 ms and 5 ms. On a busy machine lines come later, and it would log them with the next call, or never.
    """
    worker = importlib.import_module("ministack.core.lambda_runtime").Worker
    worker._drain_stderr_bounded.__defaults__ = (2.0, 0.02, 2.0)  # noqa: SLF001 - it has no setting for these


if __name__ == "__main__":
    if sys.argv[1] == "ministack":  # tests put another program in its place
        wait_for_late_log_lines()
    threading.Thread(target=end_with_parent, daemon=True).start()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
