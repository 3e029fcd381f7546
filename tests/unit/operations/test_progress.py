"""Tests that the tools report the progress of each step completely and without repetition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from operations import command
from operations.tool import FAILED
from tests.support.operations_fakes import failure, item, row
from tests.unit.operations.conftest import LISTED

if TYPE_CHECKING:
    from tests.unit.operations.conftest import Command

Steps = dict[str, tuple[int | None, int]]


class RecordingProgress:
    """Fake progress display that records the total and the reported number of parts of each step."""

    def __init__(self) -> None:
        self.steps: Steps = {}

    @contextmanager
    def step(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        assert name not in self.steps
        parts: list[int] = []
        yield parts.append
        self.steps[name] = (total, sum(parts))

    def note(self, _: str) -> None:
        """Ignore lines that are not the progress of a step."""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("backfill", {"listing": (None, 3)}),
        ("backfill --invoke", {"events sent": (None, 3)}),
        (
            "audit --repair",
            {
                "compare keys with rows": (None, 3),
                "scan the table": (None, 1),
                "recheck": (1, 1),  # The audit compares one key, which has two versions, again.
                "events sent": (2, 2),
            },
        ),
        (
            "audit --heads-sample 1",
            {
                "compare keys with rows": (None, 3),
                "scan the table": (None, 1),
                "HEAD requests": (1, 1),
                "recheck": (1, 1),  # The audit compares one key, which has two versions, again.
            },
        ),
        ("redrive", {"messages read": (None, 3)}),
        ("redrive --replay", {"messages read": (None, 3), "messages replayed": (3, 3)}),
        ("redrive --export {file} --delete", {"messages read": (None, 3), "messages deleted": (3, 3)}),
        ("restore-rows --from restored", {"rows read": (None, 3)}),
        ("restore-rows --from restored --apply", {"rows read": (None, 3)}),
    ],
)
def test_tool_reports_the_progress_of_each_step_completely(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, expected: Steps
) -> None:
    progress = RecordingProgress()
    monkeypatch.setattr(command, "Progress", lambda _: progress)
    run.aws.rows = [row(LISTED[0])]
    run.aws.restored = [item(each) for each in LISTED]
    for key in ("a", "b", "c"):
        run.aws.put(failure(key))
    assert run(*arguments.format(file=tmp_path / "messages.jsonl").split()) != FAILED, run.errors
    assert progress.steps == expected
