"""Tests of the command `restore-rows`, with fake AWS calls."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from operations.errors import OperatorError
from tests.support.operations_fakes import item, marker, version

if TYPE_CHECKING:
    from operations.restored_row import Address
    from tests.unit.operations.conftest import Command

ROWS = [item(version("a")), item(version("b"), deleted_at="2026-01-31T13:00:00.000Z"), item(marker("c"))]
READ = "restore-rows: 3 rows read from 'restored':"
COUNTS = "3 missing, 0 incomplete; 1 with a deletion"
NONE = "0 present, 0 expired, 0 with the ID 'null'"


@pytest.fixture
def run(run: Command) -> Command:
    """Fixture: runs `restore-rows` with a restored table that contains rows of two versions and of a delete marker."""
    run.aws.restored = list(ROWS)
    return run


def test_restore_rows_without_apply_counts_the_rows_to_copy_and_exits_with_1(run: Command) -> None:
    assert run("restore-rows", "--from", "restored", "--rate", "1") == 1
    [line] = run.lines
    assert line == (
        f"{READ} 3 to copy ({COUNTS}), not copied: {NONE}; duration at least 0:00:03 at 1 write units per second; "
        "dry run: --apply copies them"
    )
    assert run.aws.log == []


def test_restore_rows_with_apply_copies_the_rows_once_and_exits_with_0(run: Command) -> None:
    assert run("restore-rows", "--from", "restored", "--apply") == 0
    [line] = run.lines
    assert line == f"{READ} 3 copied ({COUNTS}), not copied: {NONE}; next: run redrive, backfill and audit"
    assert len(run.aws.log) == 3
    assert run("restore-rows", "--from", "restored") == 0
    assert "0 to copy (0 missing, 0 incomplete; 0 with a deletion), not copied: 3 present" in run.lines[-1]
    assert run.lines[-1].endswith("; no row is missing")


def test_restore_rows_prints_the_backfill_command_for_existing_null_versions(run: Command) -> None:
    run.aws.restored = [item(version("a", "null"))]
    assert run("restore-rows", "--from", "restored", "--apply") == 0
    assert run.lines[0].startswith("note: not copied: 1 row with the version ID 'null' and without a deletion")
    assert "run backfill with --invoke next" in run.lines[0]
    assert "1 with the ID 'null'" in run.lines[1]


def test_json_output_of_restore_rows_contains_all_counts(run: Command) -> None:
    assert run("restore-rows", "--from", "restored", "--json") == 1
    assert run.document["summary"].startswith("restore-rows: 3 rows read")
    assert {name: value for name, value in run.document.items() if name != "summary"} == {
        "tool": "restore-rows",
        "schema": 1,
        "read": 3,
        "missing": 3,
        "incomplete": 0,
        "deletions": 1,
        "present": 0,
        "expired": 0,
        "null_versions": 0,
        "other_buckets": 0,
        "copied": 0,
        "resume_after": "",
        "source": "restored",
        "table": "objects",
        "rate": 50.0,
        "apply": False,
    }


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [(KeyboardInterrupt(), 130, "interrupted"), (OperatorError("cannot write"), 2, "cannot write")],
)
def test_interrupted_restore_rows_prints_a_shell_quoted_row_for_the_next_run(
    run: Command, error: BaseException, code: int, reason: str
) -> None:
    key = "it's\ta?versionId=x"
    run.aws.restored = [item(version(key)), item(version("z"))]

    def before_update(address: Address) -> None:
        if address[0] == "uploads/z":
            raise error

    run.aws.before_update = before_update
    assert run("restore-rows", "--from", "restored", "--apply") == code
    assert run.errors[0] == f"restore-rows: {reason}"
    text, _, hint = run.errors[1].rpartition(" ")
    assert text == "restore-rows: 1 row copied; start restore-rows again with"
    pasted = subprocess.run(["/bin/bash", "-c", f"printf %s {hint}"], capture_output=True, text=True, check=True)  # noqa: S603  The test controls the command.
    assert pasted.stdout == f"--start-after=uploads/{key}?versionId=v1"
    run.aws.before_update = lambda _: None
    assert run("restore-rows", "--from", "restored", "--apply", pasted.stdout) == 0
    assert run.lines[-1].startswith("restore-rows: 1 row read from 'restored': 1 copied")


def test_restore_rows_from_a_table_that_does_not_exist_exits_with_2(run: Command) -> None:
    run.aws.source_status = None
    assert run("restore-rows", "--from", "restored") == 2
    assert run.errors[0].startswith("restore-rows: the table 'restored' does not exist: check --from")
    assert (run("restore-rows", "--from", "restored", "--json"), run.document["tool"]) == (2, "restore-rows")
