"""The demo, and the tests against an existing stack, as a user starts them: in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = pytest.mark.not_in_a_live_account("has an emulator or a stack of its own")

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(ROOT.joinpath("samples").iterdir())
TIMEOUT = 120.0
"""Seconds; the first run of the demo also creates the emulator's environment."""


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo with pipes, and kill it at the end of the block or after the timeout."""
    command = [sys.executable, "-m", "localstack.showcase.demo", *arguments]
    with subprocess.Popen(  # noqa: S603  our own command, no shell
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        watchdog = threading.Timer(TIMEOUT, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def test_the_samples_become_right_rows_and_a_kept_emulator_runs_until_ctrl_c() -> None:
    with demo("--keep") as process:
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if line.startswith("Running until"):
                break
        assert process.poll() is None, f"it ended early:\n{output}\n{process.communicate()}"
        endpoint = re.findall(r"^endpoint: (http://127\.0\.0\.1:\d+)$", output, re.MULTILINE)[0]
        health = f"{endpoint}/_localstack/health"
        with urllib.request.urlopen(health, timeout=10) as response:  # noqa: S310  the endpoint above, which is http
            assert response.status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(health, timeout=10)  # noqa: S310  as above
    assert f"correct     {len(SAMPLES)} of {len(SAMPLES)}" in output
    assert [path.name for path in SAMPLES if f"samples/{path.name}" not in output] == []


def test_a_bad_path_is_named_with_exit_code_2_and_the_good_ones_are_uploaded(tmp_path: Path) -> None:
    good, missing = tmp_path / "a b+c.txt", tmp_path / "nope"
    good.write_text("content")
    with demo(str(good), str(missing), "--json") as process:
        output, errors = process.communicate()
    assert process.returncode == 2, errors
    document = json.loads(output)
    assert [(row["item"]["key"], row["differences_from_head"]) for row in document["rows"]] == [("a b+c.txt", [])]
    assert document["problems"] == [{"file": str(missing), "reason": "does not exist"}]
    assert f"{missing} does not exist" in errors


def test_a_deployed_stack_can_be_tried_and_is_left_as_it_was(
    emulator: Emulator, outputs: Mapping[str, str], index: Index, tmp_path: Path
) -> None:
    """With a sample of the tests: a presigned upload, a copy, a direct invocation, a log line."""
    theirs = index.key("existing/theirs.txt")
    index.put_indexed(theirs)
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(dict(outputs)), encoding="utf-8")
    sample = "presigned_put or a_copy_becomes or bucket_and_key_are_enough or a_line_tells"
    options = ["--engine", "existing", "--outputs", str(file), "-k", sample]
    done = subprocess.run(  # noqa: S603  our own command, no shell
        [sys.executable, "-m", "pytest", "tests/e2e", *options],
        cwd=ROOT,
        env={**os.environ, **emulator.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "engine: existing, where --outputs says: " in done.stdout
    assert "not in a live account: deploys stacks of its own" in done.stdout
    assert "4 passed" in done.stdout
    assert [object_id for object_id, _ in index.versions() | index.row_ids() if "/tapstack-smoke-" in object_id] == []
    assert len(index.rows(theirs)) == 1
