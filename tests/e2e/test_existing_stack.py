"""The tests against a stack that is already deployed, as after `pulumi up`, pass and leave no data in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = pytest.mark.not_in_a_live_account("runs these very tests, against a stack of its own")

ROOT = Path(__file__).parents[2]
LIMIT = 120.0
"""Seconds after which the run counts as stuck."""


def test_a_deployed_stack_can_be_tried_and_is_left_as_it_was(
    emulator: Emulator, outputs: Mapping[str, str], index: Index, tmp_path: Path
) -> None:
    """A sample of them: a presigned upload, a copy, a direct invocation, a log line."""
    theirs = index.key("existing/theirs.txt")
    index.put_indexed(theirs)
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(dict(outputs)), encoding="utf-8")
    some = "presigned_put or a_copy_becomes or bucket_and_key_are_enough or a_line_tells"
    command = [sys.executable, "-m", "pytest", "tests/e2e", "--engine", "existing", "--outputs", str(file), "-k", some]
    done = subprocess.run(  # noqa: S603  our own command, no shell
        command,
        cwd=ROOT,
        env={**os.environ, **emulator.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "engine: existing, where --outputs says: " in done.stdout
    assert "not in a live account: deploys stacks of its own" in done.stdout
    assert "4 passed" in done.stdout
    smoke = [address for address in index.versions() | index.row_ids() if "/tapstack-smoke-" in address[0]]
    assert smoke == []
    assert len(index.rows(theirs)) == 1
