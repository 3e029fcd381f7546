"""Selection of tests by deployer and emulator. The others are deselected, and the end of the report says why.

* A test marked `only_engine(name)` is about that deployer, one marked `only_emulator(kind)` about that kind of
  emulator: it runs with no other.
* A test marked `not_in_a_live_account(why)` never runs with `--engine existing`, where the stack and its account are
  in use. All other tests write and read below one folder of their own, and delete it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment

IN_PROCESS, PULUMI, EXISTING = "in-process", "pulumi", "existing"

MARKERS = {
    "only_engine(name)": "the test is about this engine, and runs with no other",
    "only_emulator(kind)": "the test is about this kind of emulator, and runs with no other",
    "not_in_a_live_account(why)": "the test does not run with --engine existing",
}

DeployStack: TypeAlias = "Callable[..., Deployment]"
"""`localstack.deployers.deploy.deploy` with the deployer that `--engine` names."""


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options of the end-to-end tests."""
    group.addoption(
        "--emulator",
        choices=("auto", "embedded", "container"),
        default="auto",
        help="the AWS that the e2e tests run against (default: auto, and the tests say what it chose)",
    )
    group.addoption(
        "--engine",
        choices=("in-process", "pulumi", "existing"),
        default="in-process",
        help="what deploys the stack for the e2e tests (default: in-process); existing: it is there, see --outputs",
    )
    group.addoption(
        "--install-pulumi",
        action="store_true",
        help="with --engine pulumi: download the Pulumi CLI into .cache/pulumi instead of taking the one on the path",
    )
    group.addoption(
        "--outputs",
        metavar="FILE",
        help="with --engine existing: what `pulumi stack output --json` says about the stack",
    )
    group.addoption(
        "--emulator-log",
        type=Path,
        metavar="FILE",
        help="keep the log of the emulator that the stack is deployed to in this file (default: only show its end)",
    )


def check_options(config: pytest.Config) -> None:
    """Reject an option that has no effect.

    Raises:
        pytest.UsageError: names the option and the deployer that it belongs to.
    """
    engine = config.getoption("--engine")
    for option, needed in (("--install-pulumi", "pulumi"), ("--outputs", "existing")):
        if config.getoption(option) and engine != needed:
            raise pytest.UsageError(f"{option} belongs to --engine {needed}, and the engine is {engine}")
    if engine == "existing" and config.getoption("--emulator") != "auto":
        raise pytest.UsageError("--engine existing takes the stack that --outputs tells of: leave --emulator out")


def deselection_reason(marks: Iterable[pytest.Mark], engine: str, emulator: str | None) -> str | None:
    """Why a test with these marks does not run with this deployer and kind of emulator; None if it does."""
    for mark in marks:
        for name, chosen in (("engine", engine), ("emulator", emulator)):
            if mark.name == f"only_{name}" and chosen not in mark.args:
                return f"only for --{name} {' or '.join(mark.args)}"
        if mark.name == "not_in_a_live_account" and engine == EXISTING:
            [why] = mark.args
            return f"not in a live account: {why}"
    return None


def count_reasons(reasons: Sequence[str]) -> list[str]:
    """One line for each reason, with the number of tests that it deselects."""
    return [f"{count:4} {reason}" for reason, count in sorted(Counter(reasons).items())]
