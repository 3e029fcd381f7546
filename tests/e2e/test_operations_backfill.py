"""A backfill creates the rows of objects that are older than the notifications, even after an interruption."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.capabilities import Capability, gap

if TYPE_CHECKING:
    from tests.e2e.operations_stack import OperationsStack
    from tests.support.index import AwsTarget

pytestmark = pytest.mark.not_in_a_live_account("deploys a stack of its own")

ROOT = Path(__file__).parents[2]


def test_what_was_there_before_the_trigger_gets_its_rows(operations: OperationsStack) -> None:
    index = operations.index
    names = ["a b+c%20d.txt", "é/\u5831.txt", "a?b=c&d#e.txt", "plain.txt"]
    keys = [index.key(f"backfill/{name}") for name in names for _ in range(2)]
    other_prefix = index.key("backfill-not/a.txt")
    with operations.notifications_disabled():
        versions = [
            (key, index.put(key, f"{number}".encode(), Metadata={"body": "x"})) for number, key in enumerate(keys)
        ]
        marker = index.delete(keys[-1])
        index.put(other_prefix)

    result = operations.run("backfill", "--prefix", "backfill/")
    assert (result.code, result.document["chosen"], result.document["sent"]) == (0, 9, 0)
    assert [key for key in keys if index.rows(key)] == []  # without --invoke it changes nothing

    result = operations.run("backfill", "--prefix", "backfill/", "--invoke")
    assert (result.code, result.document["sent"]) == (0, 9)
    for key, version_id in versions:
        row = index.wait_for_row(key, version_id)
        index.assert_row_matches_head(row)
        assert "sequencer" not in row
    assert index.wait_for_row(keys[-1], marker)["delete_marker"] is True
    assert index.rows(other_prefix) == []
    assert operations.run("audit", "--prefix", "backfill/").code == 0


def test_only_what_came_since_a_time_is_sent(operations: OperationsStack) -> None:
    with operations.notifications_disabled():
        operations.index.put(operations.index.key("since/a.txt"))
    assert operations.run("backfill", "--prefix", "since/", "--since", "2001-01-01").document["chosen"] == 1
    result = operations.run("backfill", "--prefix", "since/", "--since", "2101-01-01T00:00:00Z")
    assert (result.document["chosen"], result.document["older"]) == (0, 1)


def test_an_interrupted_backfill_goes_on_where_it_stopped(target: AwsTarget, operations: OperationsStack) -> None:
    index = operations.index
    name = "plain-" if gap(target, Capability.LIST_FROM_ANY_KEY) else "it's "
    with operations.notifications_disabled():
        keys = [index.key(f"interrupted/{name}{number:02}.txt") for number in range(16)]
        versions = [(key, index.put(key)) for key in keys]
    arguments = ["--invoke", "--prefix", "interrupted/"]
    command = [sys.executable, "-m", "operations", "backfill", "--function", index.function, *arguments, "--rate", "4"]
    with subprocess.Popen(  # noqa: S603  our own program, no shell
        command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True
    ) as running:
        index.wait_for_row(*versions[3])
        running.send_signal(signal.SIGINT)
        errors = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    match = re.search(r"(\d+) events? sent; start it again (?:with (--start-after=.*)|from the start)$", errors.strip())
    assert match is not None, errors
    assert 0 < int(match[1]) < len(keys)
    start_after = shlex.split(match[2] or "")
    assert start_after  # at least the first key is done
    assert 0 < operations.run("backfill", *arguments, *start_after).document["sent"] < len(keys)
    for key, version_id in versions:
        index.wait_for_row(key, version_id)
    assert operations.run("audit", "--prefix", "interrupted/").code == 0
