"""Tests of the selection of end-to-end tests by deployer and emulator, and of invalid options."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.selection import check_options, count_reasons, deselection_reason

ONLY_PULUMI = pytest.mark.only_engine("pulumi").mark
UNSAFE = pytest.mark.not_in_a_live_account("it empties the bucket").mark
ONLY_CONTAINER = pytest.mark.only_emulator("container").mark
OTHER = pytest.mark.parametrize("x", [1]).mark


@pytest.mark.parametrize(
    ("marks", "engine", "emulator", "reason"),
    [
        ([], "existing", None, None),
        ([OTHER], "pulumi", "embedded", None),
        ([UNSAFE], "in-process", "embedded", None),
        ([UNSAFE], "pulumi", "embedded", None),
        ([UNSAFE], "existing", "embedded", "not in a live account: it empties the bucket"),
        ([ONLY_PULUMI], "pulumi", "embedded", None),
        ([ONLY_PULUMI], "in-process", "embedded", "only for --engine pulumi"),
        ([OTHER, ONLY_PULUMI, UNSAFE], "existing", "embedded", "only for --engine pulumi"),
        ([OTHER, ONLY_CONTAINER], "in-process", "container", None),
        ([OTHER, ONLY_CONTAINER], "in-process", "embedded", "only for --emulator container"),
        ([OTHER, ONLY_CONTAINER], "in-process", None, "only for --emulator container"),
    ],
)
def test_reason_to_deselect_a_test_depends_on_marks_and_options(
    marks: list[pytest.Mark], engine: str, emulator: str | None, reason: str | None
) -> None:
    assert deselection_reason(marks, engine, emulator) == reason


def test_pytest_report_counts_deselected_tests_by_reason() -> None:
    assert count_reasons(["b", "a", "b"]) == ["   1 a", "   2 b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, None),
        ({"emulator": "embedded"}, None),
        ({"engine": "pulumi", "install_pulumi": True}, None),
        ({"engine": "existing", "outputs": "x"}, None),
        ({"outputs": "x.json"}, "--outputs belongs to --engine existing, and the engine is in-process"),
        ({"install_pulumi": True}, "--install-pulumi belongs to --engine pulumi, and the engine is in-process"),
        ({"engine": "existing", "outputs": "x", "emulator": "embedded"}, "omit --emulator"),
    ],
)
def test_end_to_end_test_options_without_effect_are_rejected(options: dict[str, Any], message: str | None) -> None:
    defaults = {"engine": "in-process", "emulator": "auto", "outputs": None, "install_pulumi": False}
    values = {f"--{name.replace('_', '-')}": value for name, value in (defaults | options).items()}
    config: Any = SimpleNamespace(getoption=values.__getitem__)
    with pytest.raises(pytest.UsageError, match=message) if message else nullcontext():
        check_options(config)
