"""Which tests run with which engine, and which options go together."""

from __future__ import annotations

from typing import Any

import pytest

from tests import conftest
from tests.support.selection import reason_against, summary

ONLY_PULUMI = pytest.mark.only_engine("pulumi").mark
UNSAFE = pytest.mark.not_in_a_live_account("it empties the bucket").mark
ONLY_CONTAINER = pytest.mark.only_emulator("container").mark
OTHER = pytest.mark.parametrize("x", [1]).mark


@pytest.mark.parametrize(
    ("marks", "engine", "reason"),
    [
        ([], "existing", None),
        ([OTHER], "pulumi", None),
        ([UNSAFE], "in-process", None),
        ([UNSAFE], "pulumi", None),
        ([UNSAFE], "existing", "not in a live account: it empties the bucket"),
        ([ONLY_PULUMI], "pulumi", None),
        ([ONLY_PULUMI], "in-process", "only for --engine pulumi"),
        ([OTHER, ONLY_PULUMI, UNSAFE], "existing", "only for --engine pulumi"),
    ],
)
def test_a_test_runs_unless_a_mark_of_its_own_is_against_it(
    marks: list[pytest.Mark], engine: str, reason: str | None
) -> None:
    assert reason_against(marks, engine, "embedded") == reason


@pytest.mark.parametrize(
    ("emulator", "reason"),
    [
        ("container", None),
        ("embedded", "only for --emulator container"),
        (None, "only for --emulator container"),
    ],
)
def test_a_test_about_one_kind_of_emulator_runs_with_no_other(emulator: str | None, reason: str | None) -> None:
    assert reason_against([OTHER, ONLY_CONTAINER], "in-process", emulator) == reason


def test_the_reasons_are_counted() -> None:
    assert summary(["b", "a", "b"]) == ["   1 a", "   2 b"]


class Config:
    """As much of pytest's configuration as the check looks at."""

    def __init__(self, **options: object) -> None:
        self._options = {
            "engine": "in-process",
            "emulator": "auto",
            "outputs": None,
            "install_pulumi": False,
            **options,
        }

    def getoption(self, name: str) -> object:
        return self._options[name.lstrip("-").replace("-", "_")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "x.json"}, "--outputs belongs to --engine existing, and the engine is in-process"),
        ({"install_pulumi": True}, "--install-pulumi belongs to --engine pulumi, and the engine is in-process"),
        ({"engine": "existing", "outputs": "x", "emulator": "embedded"}, "leave --emulator out"),
    ],
)
def test_an_option_that_would_do_nothing_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(pytest.UsageError, match=message):
        conftest._check_options(Config(**options))  # type: ignore[arg-type]  # it asks for nothing else


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"emulator": "embedded"},
        {"engine": "pulumi", "install_pulumi": True},
        {"engine": "existing", "outputs": "x"},
    ],
)
def test_options_that_belong_together_are_taken(options: dict[str, Any]) -> None:
    conftest._check_options(Config(**options))  # type: ignore[arg-type]  # likewise
