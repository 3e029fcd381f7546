"""Tests of the prose: words to avoid, docstring sections, and the length of the README.

CONTRIBUTING.md contains the complete style rules. ``python -m tools.prose`` draws a sample for human readers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.unit.test_structure import ROOT, modules_of, nodes
from tools import prose

AVOID = {
    r"told|tells?": "report, notify, print",
    r"said|says?|saying": "report, state",
    r"ask(s|ed|ing)?": "request, query",
    r"hears?|heard": "receive",
    r"knows|knew": "has, supports",
    r"(no|some|any|every)(body|one)": "the role: the caller, the owner, the operator",
    r"answer(s|ed|ing)?": "response, respond",
    r"look(s|ed|ing)?(?! up)": "check, read, search",
    r"patien(ce|t)": "timeout, retry policy",
    r"wish(es|ed)?": "request",
    r"troubles?": "fault",
    r"awkward": "edge case",
    r"truth": "oracle",
    r"ledger": "cleanup stack",
    r"seams?": "interface, contract",
    r"anew|afresh": "again",
    r"mend(s|ed)?": "fix",
    r"land(s|ed|ing)?": "arrive",
    r"came|went": "arrived, was sent",
    r"gone": "deleted",
}
"""Maps a regular expression of words to avoid to their standard replacements."""
QUOTED = re.compile(r"(`+).+?\1|\"[^\"]*\"|\{[^}]*\}|\]\([^)]*\)|https?://\S+")
"""Matches code, quotations, placeholders and URLs, which may contain any words."""
DOCUMENTED = ("tap_stack", "lambda_code", "operations", "localstack", "examples", "benchmarks", "tools")
MAX_README_LINES = 250
PIECES = list(prose.pieces())


@pytest.mark.parametrize("name", sorted({piece.location.split(":")[0] for piece in PIECES} - {"CONTRIBUTING.md"}))
def test_prose_contains_no_words_to_avoid(name: str) -> None:
    found = [
        f"{piece.location}: {match[0]!r}: write {replacement}: {piece.text[:120]}"
        for piece in PIECES
        if piece.location.split(":")[0] == name
        for words, replacement in AVOID.items()
        if (match := re.search(rf"\b({words})\b", QUOTED.sub("", piece.text.replace("_", " ")), re.IGNORECASE))
    ]
    assert not found, "\n".join(found)


def public_functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield public functions and methods with several parameters, except for methods of derived classes.

    The base class may contain the documentation of such methods.
    """
    for node in ast.iter_child_nodes(nodes(module)[0]):
        derived = isinstance(node, ast.ClassDef) and bool(node.bases)
        members = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        for each in members:
            if (
                isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
                and not each.name.startswith("_")
                and not derived
            ):
                names = {each.arg for each in (*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs)}
                if len(names - {"self", "cls"}) > 1:
                    yield each


@pytest.mark.parametrize("module", modules_of(*DOCUMENTED))
def test_public_functions_document_their_arguments(module: str) -> None:
    missing = [each.name for each in public_functions(module) if "Args:" not in (ast.get_docstring(each) or "")]
    assert not missing, f"{module}: the docstrings of {', '.join(missing)} have no section Args:"


def test_readme_does_not_exceed_the_length_limit() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES
