"""The main job as a user runs it: a process of its own, with an emulator of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.not_in_a_live_account("has an emulator of its own")

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(ROOT.joinpath("samples").iterdir())
LIMIT = 120.0
"""Seconds after which a run counts as stuck; the first one also makes the emulator's environment."""


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process with pipes, ended by force if it is stuck or the block is left before its end."""
    command = [sys.executable, "-m", "localstack.showcase.demo", *arguments]
    with subprocess.Popen(  # noqa: S603  our own command, no shell
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def test_the_samples_become_right_rows_and_a_kept_emulator_runs_until_ctrl_c() -> None:
    with demo("--keep") as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Running until"):
                break
        assert process.poll() is None, f"it ended early:\n{said}\n{process.communicate()}"
        endpoint = re.findall(r"^endpoint: (http://127\.0\.0\.1:\d+)$", said, re.MULTILINE)[0]
        health = f"{endpoint}/_localstack/health"
        with urllib.request.urlopen(health, timeout=10) as answer:  # noqa: S310  the endpoint above, which is http
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(health, timeout=10)  # noqa: S310  as above
    assert f"rows right  {len(SAMPLES)} of {len(SAMPLES)}" in said
    for path in SAMPLES:
        assert f"samples/{path.name}" in said


def test_a_bad_path_is_named_with_exit_code_2_and_the_good_ones_are_uploaded(tmp_path: Path) -> None:
    good = tmp_path / "a b+c.txt"
    good.write_text("content")
    with demo(str(good), str(tmp_path / "nope"), "--json") as process:
        printed, errors = process.communicate()
    assert process.returncode == 2, errors
    document = json.loads(printed)
    assert [row["item"]["key"] for row in document["rows"]] == ["a b+c.txt"]
    assert [row["differences_from_head"] for row in document["rows"]] == [[]]
    assert document["problems"] == [{"file": str(tmp_path / "nope"), "reason": "does not exist"}]
    assert f"{tmp_path / 'nope'} does not exist" in errors
