"""What was in the bucket before the function was told gets its rows by a backfill, even by one that is interrupted."""

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
from tests.support.rows import FROM_THE_EVENT, told_by_s3

if TYPE_CHECKING:
    from tests.e2e.operated import Operated
    from tests.support.index import Place

pytestmark = pytest.mark.not_in_a_live_account("deploys a stack of its own")

ROOT = Path(__file__).parents[2]


def test_what_was_there_before_the_trigger_gets_its_rows(operated: Operated) -> None:
    index = operated.index
    names = ["a b+c%20d.txt", "é/\u5831.txt", "a?b=c&d#e.txt", "plain.txt"]
    with operated.trigger_off():
        puts = [(index.key(f"backfill/{name}"), version) for name in names for version in ("first", "the second")]
        versions = [(key, index.put(key, body.encode(), Metadata={"body": "x"})) for key, body in puts]
        marker = operated.delete(versions[-1][0])
        elsewhere = index.key("backfill-not/a.txt")
        index.put(elsewhere)

    said = operated.run("backfill", "--prefix", "backfill/")
    assert (said.code, said.document["chosen"], said.document["sent"]) == (0, 9, 0)
    assert [key for key, _ in versions if index.rows(key)] == []  # it only counted

    said = operated.run("backfill", "--prefix", "backfill/", "--invoke")
    assert (said.code, said.document["sent"]) == (0, 9)
    for key, version_id in versions:
        row = index.wait_for_row(key, version_id)
        told = told_by_s3(index.bucket, key, index.head(key, version_id))
        assert {name: value for name, value in row.items() if name not in FROM_THE_EVENT} == told
        assert "sequencer" not in row
    assert index.wait_for_row(versions[-1][0], marker)["delete_marker"] is True
    assert index.rows(elsewhere) == []
    assert operated.run("audit", "--prefix", "backfill/").code == 0


def test_only_what_came_since_a_time_is_sent(operated: Operated) -> None:
    index = operated.index
    with operated.trigger_off():
        index.put(index.key("since/a.txt"))
    assert operated.run("backfill", "--prefix", "since/", "--since", "2001-01-01").document["chosen"] == 1
    said = operated.run("backfill", "--prefix", "since/", "--since", "2101-01-01T00:00:00Z")
    assert (said.document["chosen"], said.document["older"]) == (0, 1)


def test_an_interrupted_backfill_goes_on_where_it_stopped(place: Place, operated: Operated) -> None:
    index = operated.index
    name = "plain-" if gap(place, Capability.LIST_FROM_ANY_KEY) else "it's "
    with operated.trigger_off():
        keys = [index.key(f"interrupted/{name}{number:02}.txt") for number in range(16)]
        versions = [(key, index.put(key)) for key in keys]
    command = [sys.executable, "-m", "operations", "backfill", "--function", index.function, "--invoke"]
    command += ["--prefix", "interrupted/"]
    with subprocess.Popen(  # noqa: S603  our own program, no shell
        [*command, "--rate", "4"], cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True
    ) as running:
        index.wait_for_row(*versions[3])
        running.send_signal(signal.SIGINT)
        errors = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    said = re.search(r"(\d+) events? sent; start it again (?:with (--start-after=.*)|from the start)$", errors.strip())
    assert said is not None, errors
    assert 0 < int(said[1]) < len(keys)
    go_on = shlex.split(said[2] or "")
    assert go_on  # at least the first key was done
    told = operated.run("backfill", "--invoke", "--prefix", "interrupted/", *go_on)
    assert 0 < told.document["sent"] < len(keys)
    for key, version_id in versions:
        index.wait_for_row(key, version_id)
    assert operated.run("audit", "--prefix", "interrupted/").code == 0
