"""The controls in docs/security.md and the tests that prove them are in step, both ways.

A test says which controls it proves: `@pytest.mark.control("S3.5")`. `pytest -m control` runs those alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.unit.test_docs import section

TESTS = Path(__file__).parents[1]
DOCUMENT = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")

MET, NOT_APPLICABLE, ACCEPTED = "met", "not applicable", "accepted risk"


def numbered(service: str, *numbers: int) -> set[str]:
    return {f"{service}.{number}" for number in numbers}


# As AWS lists them for S3, Lambda, DynamoDB, SQS, SNS, IAM, KMS and CloudWatch (which is in neither).
# Security Hub User Guide, "AWS Foundational Security Best Practices standard" (v1.0.0)
FSBP = {
    *numbered("S3", 1, 2, 3, 5, 6, 8, 9, 12, 13, 19, 24, 25),
    *numbered("Lambda", 1, 2, 5),
    *numbered("DynamoDB", 1, 2, 3, 6, 7),
    *numbered("SQS", 1, 3),
    *numbered("SNS", 4),
    *numbered("IAM", 1, 2, 3, 4, 5, 6, 7, 8, 21),
    *numbered("KMS", 1, 2, 3, 5),
}
# the same, "CIS AWS Foundations Benchmark" (v5.0.0, the newest of those that it has)
CIS = {
    *numbered("S3", 1, 5, 8, 20, 22, 23),
    *numbered("IAM", 2, 3, 4, 5, 6, 9, 15, 16, 18, 22, 26, 27, 28),
    *numbered("KMS", 4),
}
# the same, "Security Hub controls for" each service: those that are in neither standard
OTHERS = {
    *numbered("S3", 7, 10, 11, 14, 15, 17),
    *numbered("Lambda", 3, 6, 7),
    *numbered("DynamoDB", 4, 5),
    *numbered("SQS", 2),
    *numbered("SNS", 1, 3),
    *numbered("IAM", 10, 11, 12, 13, 14, 17, 19, 23, 24, 25),
    *numbered("CloudWatch", *range(1, 18)),
}


@dataclass(frozen=True, kw_only=True)
class Control:
    """A row of the document's tables."""

    id: str
    standard: str
    asks: str
    state: str
    why: str

    @property
    def tests(self) -> set[str]:
        """The tests that it names, as path::name below tests/."""
        return set(re.findall(r"`([\w/]+\.py::\w+)`", self.why))


@cache
def controls() -> tuple[Control, ...]:
    rows = re.findall(r"^\| (\w+\.\d+) \| (.*) \|$", section(DOCUMENT, "## Controls"), re.MULTILINE)
    cells = [(name, *(cell.strip() for cell in rest.split(" | "))) for name, rest in rows]
    assert {len(each) for each in cells} == {5}, [each for each in cells if len(each) != 5]
    return tuple(
        Control(id=name, standard=standard, asks=asks, state=state, why=why)
        for name, standard, asks, state, why in cells
    )


def of_the_account() -> list[str]:
    """The controls that are listed without a row."""
    return re.findall(r"\b[A-Z]\w+\.\d+\b", section(DOCUMENT, "### Of the account, not of the stack"))


def marked() -> Iterator[tuple[str, str]]:
    """Every control that a test says it proves, and the test."""
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.control(" not in text:
            continue
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                for mark in function.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.control":
                        for each in mark.args:
                            yield ast.literal_eval(each), f"{path.relative_to(TESTS).as_posix()}::{function.name}"


def test_each_control_is_listed_exactly_once() -> None:
    listed = [*(each.id for each in controls()), *of_the_account()]
    assert [each for each in listed if listed.count(each) > 1] == []
    assert set(listed) == FSBP | CIS | OTHERS


@pytest.mark.parametrize("control", controls(), ids=lambda each: each.id)
def test_each_row_says_what_is_asked_and_how_it_stands(control: Control) -> None:
    standards = [name for name, ids in (("FSBP", FSBP), ("CIS", CIS)) if control.id in ids]
    assert control.standard == (", ".join(standards) or "neither")
    assert control.asks
    assert control.state in {MET, NOT_APPLICABLE, ACCEPTED}
    if control.state == MET:
        assert control.tests, "no test shows it"
    else:
        assert re.sub(r"`[^`]*`", "", control.why).strip(" ,;"), "no reason"


def test_the_tables_name_exactly_the_tests_that_say_they_prove_a_control() -> None:
    documented = {(each.id, test) for each in controls() for test in each.tests}
    proved = set(marked())
    assert documented - proved == set(), "tests without the mark, or that do not exist"
    assert proved - documented == set(), "marks that docs/security.md does not know of"


def test_every_row_that_names_a_test_names_it_as_one() -> None:
    """A name in another form would be a proof that nobody checks."""
    for each in controls():
        assert each.why.count("::") == len(re.findall(r"`[\w/]+\.py::\w+`", each.why)), each.id


def test_the_numbers_at_the_top_are_right() -> None:
    states = [each.state for each in controls()]
    head = DOCUMENT.split("## ", 1)[0].replace("\n", " ")
    for number, what in (
        (len(controls()) + len(of_the_account()), "controls"),
        *((states.count(state), state) for state in (MET, NOT_APPLICABLE)),
        (states.count(ACCEPTED), "accepted risks"),
        (len(of_the_account()), "of the account"),
    ):
        assert re.search(rf"\b{number} (are )?{what}", head), f"{number} {what}: not in {head!r}"
