"""The demo, and the tests against an existing stack, run as separate processes as a user starts them."""

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

from localstack.showcase.demo import command
from tests.support.nonempty import nonempty
from tests.support.signals import default_signals

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = [pytest.mark.not_in_a_live_account("starts its own emulator or stack"), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(ROOT.joinpath("samples").iterdir())
UNUSED_PROXY = "http://127.0.0.1:9"
"""URL of a proxy that does not exist; port 9 is reserved for the discard protocol."""
TIMEOUT = 120.0
"""Timeout of a process in seconds; the first run of the demo also creates the emulator's environment."""


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Context manager: run the demo, and kill it at the end of the block or after the timeout."""
    program = [sys.executable, "-m", "localstack.showcase.demo", *arguments]
    with (
        default_signals(),
        subprocess.Popen(  # noqa: S603  our own command, no shell
            program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        ) as process,
    ):
        watchdog = threading.Timer(TIMEOUT, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def read_until_kept(process: subprocess.Popen[str]) -> str:
    """Return the output of the demo, to the line that it prints when it starts to wait for Ctrl-C."""
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if line.startswith("Running until"):
            break
    assert process.poll() is None, f"it ended early:\n{output}\n{process.communicate()}"
    return output


@pytest.mark.usefixtures("default_signals")
def test_demo_indexes_the_samples_and_keeps_its_emulator_until_ctrl_c(tmp_path: Path) -> None:
    with demo("--keep") as process:
        output = read_until_kept(process)
        endpoint = re.findall(r"^endpoint: (http://127\.0\.0\.1:\d+)$", output, re.MULTILINE)[0]
        health = f"{endpoint}/_localstack/health"
        with urllib.request.urlopen(health, timeout=10) as response:  # noqa: S310  the endpoint above, which is http
            assert response.status == 200
        # The same demo is used for both checks, because it takes several seconds of CPU time.
        check_printed_commands(output.splitlines(), tmp_path / "cache")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(health, timeout=10)  # noqa: S310  as above
    assert f"correct     {len(SAMPLES)} of {len(SAMPLES)}" in output
    assert [path.name for path in SAMPLES if f"samples/{path.name}" not in output] == []


def check_printed_commands(lines: list[str], cache: Path) -> None:
    """Check that the commands that the demo prints work behind a proxy, and after the deletion of an object.

    Args:
        lines: the output of the demo.
        cache: new folder for the cache of the operators' tools.
    """
    exports = [line for line in lines if line.startswith("  export ")]
    bucket = next(line.split()[-1] for line in lines if line.startswith("  bucket_name"))
    delete = f"import boto3; boto3.client('s3').delete_object(Bucket='{bucket}', Key='samples/empty.txt')"
    commands = [f'{sys.executable} -c "{delete}"']
    commands += [line for line in lines if line.startswith("  ") and sys.executable in line]
    assert len(commands) == 7
    proxies = {"HTTP_PROXY": UNUSED_PROXY, "http_proxy": UNUSED_PROXY}
    for each in nonempty(commands):
        done = subprocess.run(  # noqa: S603  the demo's own commands
            ["/bin/sh", "-c", "\n".join([*exports, each])],
            cwd="/",
            env={"PATH": os.environ["PATH"], "TAPSTACK_CACHE": str(cache), **proxies},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        # `backfill` and `audit` exit with 1 if there is something to report.
        assert done.returncode in ({0, 1} if "operations" in each else {0}), (each, done)
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the child processes in /proc")
def test_demo_ends_with_an_error_if_its_emulator_is_killed() -> None:
    with demo(str(SAMPLES[0]), "--keep") as process:
        read_until_kept(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        [emulator_pid] = map(int, children.split())
        os.kill(emulator_pid, signal.SIGKILL)
        _, errors = process.communicate()
    assert process.returncode == 1
    assert re.match(r"demo: the emulator MiniStack \S+ exited with exit code -9 ", errors), errors


def test_demo_reports_a_missing_file_and_uploads_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, missing = tmp_path / "a b+c.txt", tmp_path / "nope"
    good.write_text("content")
    code = command.main([str(good), str(missing), "--json"])
    output, errors = capsys.readouterr()
    assert code == 2, errors
    document = json.loads(output)
    assert [(row["item"]["key"], row["differences_from_head"]) for row in document["rows"]] == [("a b+c.txt", [])]
    assert document["problems"] == [{"file": str(missing), "reason": "the path does not exist"}]
    assert f"{missing}: the path does not exist" in errors


def test_e2e_tests_of_an_existing_stack_pass_and_leave_it_unchanged(
    emulator: Emulator, outputs: Mapping[str, str], index: Index, tmp_path: Path
) -> None:
    """Four end-to-end tests are sufficient here: a presigned upload, a copy, a direct invocation, and a log line."""
    users_key = index.key("existing/users.txt")
    index.put_indexed(users_key)
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(dict(outputs)), encoding="utf-8")
    sample = "presigned_put or test_copy_creates or only_bucket_and_key or log_line_of_an_upload"
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
    assert "engine: existing stack of --outputs: " in done.stdout
    assert "not in a live account: deploys stacks of its own" in done.stdout
    assert "4 passed" in done.stdout
    assert [object_id for object_id, _ in index.versions() | index.row_ids() if "/tapstack-smoke-" in object_id] == []
    assert len(index.rows(users_key)) == 1
