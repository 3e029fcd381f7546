"""Tests that docs/security.md lists all security controls, and for each control the tests that verify it.

A test is marked with the controls that it verifies: `@pytest.mark.control("S3.5")`. `pytest -m control` runs all
marked tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.nonempty import nonempty
from tests.unit.test_docs import section

TESTS = Path(__file__).parents[1]
DOCUMENT = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")

MET, NOT_APPLICABLE, ACCEPTED = "met", "not applicable", "accepted risk"


def numbered(service: str, *numbers: int) -> set[str]:
    return {f"{service}.{number}" for number in numbers}


# Security Hub controls of the services that the stack uses, from the standard "AWS Foundational Security Best
# Practices" (v1.0.0; Security Hub User Guide).
FSBP = {
    *numbered("S3", 1, 2, 3, 5, 6, 8, 9, 12, 13, 19, 24, 25),
    *numbered("Lambda", 1, 2, 5),
    *numbered("DynamoDB", 1, 2, 3, 6, 7),
    *numbered("SQS", 1, 3),
    *numbered("SNS", 4),
    *numbered("IAM", 1, 2, 3, 4, 5, 6, 7, 8, 21),
    *numbered("KMS", 1, 2, 3, 5),
    *numbered("SSM", 1, 2, 3, 4, 6, 7),
    *numbered("Athena", 4),
}
# Security Hub controls of the same services from the "CIS AWS Foundations Benchmark" (v5.0.0; Security Hub User Guide).
CIS = {
    *numbered("S3", 1, 5, 8, 20, 22, 23),
    *numbered("IAM", 2, 3, 4, 5, 6, 9, 15, 16, 18, 22, 26, 27, 28),
    *numbered("KMS", 4),
}
# Security Hub controls of the same services that belong neither to the Foundational Security Best Practices nor to the
# CIS Benchmark (Security Hub User Guide, "Security Hub controls").
OTHERS = {
    *numbered("S3", 7, 10, 11, 14, 15, 17),
    *numbered("Lambda", 3, 6, 7),
    *numbered("DynamoDB", 4, 5),
    *numbered("SQS", 2),
    *numbered("SNS", 1, 3),
    *numbered("IAM", 10, 11, 12, 13, 14, 17, 19, 23, 24, 25),
    *numbered("CloudWatch", *range(1, 18)),
    *numbered("SSM", 5),
    *numbered("Athena", 2, 3),
}


@dataclass(frozen=True, kw_only=True)
class Control:
    """Security control: a row of the tables in docs/security.md."""

    id: str
    standard: str
    requirement: str
    state: str
    reason: str

    @property
    def tests(self) -> set[str]:
        """Names of the tests in the control's table row, as ``path::name``. The path is relative to tests/."""
        return set(re.findall(r"`([\w/]+\.py::\w+)`", self.reason))


@cache
def controls() -> tuple[Control, ...]:
    rows = re.findall(r"^\| (\w+\.\d+) \| (.*) \|$", section(DOCUMENT, "## Controls"), re.MULTILINE)
    cells = [(name, *(cell.strip() for cell in rest.split(" | "))) for name, rest in rows]
    assert {len(each) for each in cells} == {5}, [each for each in cells if len(each) != 5]
    return tuple(
        Control(id=name, standard=standard, requirement=requirement, state=state, reason=reason)
        for name, standard, requirement, state, reason in cells
    )


def of_the_account() -> list[str]:
    """Return the account-level controls, which docs/security.md lists without a table row."""
    return re.findall(r"\b[A-Z]\w+\.\d+\b", section(DOCUMENT, "### Of the account, not of the stack"))


def marked() -> Iterator[tuple[str, str]]:
    """Yield (control, test) of each control marker in the test files."""
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


def test_security_document_lists_each_control_exactly_once() -> None:
    listed = [*(each.id for each in controls()), *of_the_account()]
    assert [each for each in listed if listed.count(each) > 1] == []
    assert set(listed) == FSBP | CIS | OTHERS


@pytest.mark.parametrize("control", controls(), ids=lambda each: each.id)
def test_security_document_row_has_requirement_state_and_evidence(control: Control) -> None:
    standards = [name for name, ids in (("FSBP", FSBP), ("CIS", CIS)) if control.id in ids]
    assert control.standard == (", ".join(standards) or "none")
    assert control.requirement
    assert control.state in {MET, NOT_APPLICABLE, ACCEPTED}
    if control.state == MET:
        assert control.tests, "the row contains no test"
    else:
        assert re.sub(r"`[^`]*`", "", control.reason).strip(" ,;"), "the row contains no reason"


def test_security_document_lists_exactly_the_tests_marked_with_controls() -> None:
    documented = {(each.id, test) for each in controls() for test in each.tests}
    proved = set(marked())
    assert documented - proved == set(), "tests that do not exist or are not marked with the control"
    assert proved - documented == set(), "marked tests that are missing in docs/security.md"


def test_security_document_writes_test_names_in_the_expected_format() -> None:
    """Other tests of docs/security.md ignore test names that have a different format."""
    for each in nonempty(controls()):
        assert each.reason.count("::") == len(re.findall(r"`[\w/]+\.py::\w+`", each.reason)), each.id


def test_security_document_summary_contains_the_correct_counts() -> None:
    states = [each.state for each in controls()]
    head = DOCUMENT.split("## ", 1)[0].replace("\n", " ")
    for number, what in (
        (len(controls()) + len(of_the_account()), "controls"),
        *((states.count(state), state) for state in (MET, NOT_APPLICABLE)),
        (states.count(ACCEPTED), "accepted risks"),
        (len(of_the_account()), "of the account"),
    ):
        assert re.search(rf"\b{number} (are )?{what}", head), f"{number} {what}: not in {head!r}"
