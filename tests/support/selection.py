"""Which tests run with which engine and emulator. What does not is deselected, and the end of the report says why.

* A test marked `only_engine(name)` is about that engine, one marked `only_emulator(kind)` about that kind of emulator:
  it runs with no other.
* A test marked `not_in_a_live_account(why)` never runs with `--engine existing`, where the stack, and the account with
  it, belong to somebody who uses them. What is left writes and reads below one folder of its own, and takes it away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from localstack.deployers.deploy import PROGRAM

if TYPE_CHECKING:
    import pytest

    from localstack.deployers.deployment import Deployment
    from localstack.emulators.emulator import Emulator

IN_PROCESS, PULUMI, EXISTING = "in-process", "pulumi", "existing"

MARKERS = {
    "only_engine(name)": "the test is about this engine, and runs with no other",
    "only_emulator(kind)": "the test is about this kind of emulator, and runs with no other",
    "not_in_a_live_account(why)": "the test does not run with --engine existing",
}


class Deploys(Protocol):
    """`localstack.deployers.deploy.deploy`, with the engine that was asked for."""

    def __call__(
        self,
        emulator: Emulator,
        /,
        *,
        config_overrides: Mapping[str, str] = MappingProxyType({}),
        program: Path = PROGRAM,
    ) -> Deployment:
        """Deploy the program as its Pulumi.localstack.yaml configures it, with these values on top."""


def reason_against(marks: Iterable[pytest.Mark], engine: str, emulator: str | None) -> str | None:
    """Why a test with these marks does not run with this engine and kind of emulator; None if it does."""
    for mark in marks:
        for name, chosen in (("engine", engine), ("emulator", emulator)):
            if mark.name == f"only_{name}" and chosen not in mark.args:
                return f"only for --{name} {' or '.join(mark.args)}"
        if mark.name == "not_in_a_live_account" and engine == EXISTING:
            [why] = mark.args
            return f"not in a live account: {why}"
    return None


def summary(reasons: Sequence[str]) -> list[str]:
    """One line for each reason, with the number of tests that it keeps from running."""
    return [f"{count:4} {reason}" for reason, count in sorted(Counter(reasons).items())]
