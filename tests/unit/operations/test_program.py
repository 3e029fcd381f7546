"""Tests of commands that run as processes: output that cannot be written, and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.signals import default_signals

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from operations import program
def main(arguments):
    sys.stderr.write("a message\\n")
    for number in range(100_000):
        print(number)
    return 1
program.run(main, name="tool", failure_code=2)
"""
WAITING = """
import sys
from operations import program
def main(arguments):
    try:
        print("started", flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        return 130
    return 0
program.run(main, name="tool", failure_code=2)
"""
INTERRUPTED = WAITING.replace("except KeyboardInterrupt:", "except ZeroDivisionError:")
FAILED = "tool: cannot write the results to stdout: {}. Write them to another place, and start again\n"
COST = '"$TOOL" -m operations cost --per-day 1000'
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FULL = "cannot write the results to stdout: No space left on device"


def shell(command: str, *, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """Run a shell command, in which `"$TOOL" -c "$SCRIPT"` runs the script, and return its exit code and output."""
    return subprocess.run(  # noqa: S603  The test controls the command.
        ["/bin/bash", "-c", command],
        env={**os.environ, "TOOL": sys.executable, "SCRIPT": SCRIPT, "PYTHONUNBUFFERED": unbuffered},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("redirection", "code", "errors"),
    [
        ("> /dev/null", 1, "a message\n"),
        ("> /dev/full", 2, "a message\n" + FAILED.format("No space left on device")),
        (">&-", 2, "tool: stdout is closed: redirect it to a file, or to /dev/null\n"),
        # If stderr is closed, the exit code is still that of the program.
        ("> /dev/null 2> /dev/full", 1, ""),
        ("> /dev/null 2>&-", 1, ""),
        ("> /dev/full 2> /dev/full", 2, ""),
        ("> /dev/full 2>&-", 2, ""),
        ("<&- >&- 2>&-", 2, ""),
    ],
)
def test_program_whose_output_fails_exits_with_its_failure_code_and_one_line(
    redirection: str, code: int, errors: str
) -> None:
    ended = shell(f'"$TOOL" -c "$SCRIPT" {redirection}')
    assert (ended.returncode, ended.stderr) == (code, errors)


def test_program_whose_reader_closes_the_pipe_exits_with_its_failure_code_without_a_message() -> None:
    ended = shell('"$TOOL" -c "$SCRIPT" | head -1; exit ${PIPESTATUS[0]}')
    assert (ended.returncode, ended.stdout) == (2, "0\n")
    assert ended.stderr == "a message\n"


@pytest.mark.parametrize(
    ("option", "unbuffered"),
    [
        pytest.param("", "", id="text"),
        pytest.param("--json", "", id="JSON"),
        pytest.param("--help", "", id="help"),
        pytest.param("--help", "1", id="unbuffered help"),
    ],
)
def test_tool_whose_disk_is_full_exits_with_2_and_one_line(option: str, unbuffered: str) -> None:
    ended = shell(f"{COST} {option} > /dev/full", unbuffered=unbuffered)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert FULL in ended.stderr


def test_failed_tool_whose_disk_is_full_still_prints_the_reason() -> None:
    ended = shell('"$TOOL" -m operations audit --json --stack-outputs /nowhere > /dev/full')
    reason, output = ended.stderr.splitlines()
    assert (ended.returncode, "/nowhere: No such file" in reason, FULL in output) == (2, True, True)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize(
    ("script", "errors"),
    [
        pytest.param(WAITING, "", id="caught by the program"),
        pytest.param(INTERRUPTED, "tool: interrupted\n", id="not caught"),
    ],
)
@pytest.mark.usefixtures("default_signals")
def test_termination_signal_ends_a_program_in_the_same_way_as_ctrl_c(
    number: signal.Signals, script: str, errors: str
) -> None:
    with start(script) as process:
        process.send_signal(number)
        assert process.communicate(timeout=120) == ("", errors)
    assert process.returncode == 130


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.usefixtures("default_signals")
def test_program_continues_after_a_signal_that_its_parent_ignores(number: signal.Signals) -> None:
    """The command nohup ignores SIGHUP, and a shell ignores SIGINT for a job in the background."""
    with start(WAITING, ignored=number) as process:
        process.send_signal(number)
        assert process.communicate("\n", timeout=120) == ("", "")
    assert process.returncode == 0


def start(script: str, *, ignored: signal.Signals | None = None) -> subprocess.Popen[str]:
    """Start a script as a process that ignores a signal, and wait until its function `main` runs."""
    trap = f"trap '' {ignored.value}; " if ignored else ""
    with default_signals():
        process = subprocess.Popen(  # noqa: S603  The test controls the command.
            ["/bin/bash", "-c", f'{trap}exec "$TOOL" -c "$SCRIPT"'],
            env={**os.environ, "TOOL": sys.executable, "SCRIPT": script},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process
