"""Compares the recorded baselines with the current code; `python -m tests.unit.baseline.record` accepts differences."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.baseline.record import FILES, compute, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = 20
CONTEXT = 60


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  JSON
    """Yield a line for each difference: path, recorded value, current value."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            if name not in after:
                yield f"{path}/{name}: missing, was {_shown(before[name])}"
            elif name not in before:
                yield f"{path}/{name}: new: {_shown(after[name])}"
            else:
                yield from differences(before[name], after[name], f"{path}/{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{path}[{number}]")
    elif type(before) is not type(after) or before != after:
        old, new = _shown(before), _shown(after)
        start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
        start = max(0, start - CONTEXT)
        yield f"{path}:\n  was {old[start : start + 4 * CONTEXT]}\n  is  {new[start : start + 4 * CONTEXT]}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


PARTS = [pytest.param(file, part, id=f"{file}-{part}") for file, parts in FILES.items() for part in parts]


@pytest.mark.parametrize(("file", "part"), PARTS)
def test_current_code_matches_the_recorded_baseline(file: str, part: str) -> None:
    found = list(islice(differences(recorded(file, part), compute(*FILES[file][part])), 1000))
    assert not found, f"{len(found)} differences, the first are:\n" + "\n".join(found[:SHOWN])


def test_differences_are_found_in_every_kind_of_value() -> None:
    before = {"same": [1, {"a": None}], "text": "abc", "gone": 1, "list": [1], "type": 1}
    after = {"same": [1, {"a": None}], "text": "abd", "new": 2, "list": [1, 2], "type": True}
    assert [line.split(":")[0] for line in differences(before, after)] == ["/gone", "/list", "/new", "/text", "/type"]
