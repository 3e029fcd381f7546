"""Tests of the prose: words to avoid, docstring sections, and the length of the README.

CONTRIBUTING.md contains the complete style rules. ``python -m tools.prose`` draws a sample for human readers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePath

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
DOCUMENTED = (
    "tap_stack",
    "lambda_code",
    "inspector",
    "lambda_common",
    "operations",
    "localstack",
    "examples",
    "benchmarks",
    "tools",
)
MAX_README_LINES = 250
ANY_WORD = re.compile(rf"\b({'|'.join(AVOID)})\b", re.IGNORECASE)
FILES = sorted({*prose.files()} - {"CONTRIBUTING.md", *prose.GENERATED})


def folder_of(name: str) -> str:
    return str(PurePath(name).parent)


def words_to_avoid(text: str) -> list[str]:
    """Return each word to avoid in a text, with its replacement."""
    text = QUOTED.sub("", text.replace("_", " "))
    if not ANY_WORD.search(text):
        return []
    found = ((re.search(rf"\b({words})\b", text, re.IGNORECASE), instead) for words, instead in AVOID.items())
    return [f"{match[0]!r}: write {instead}" for match, instead in found if match]


@pytest.mark.parametrize("folder", sorted({*map(folder_of, FILES)}))
def test_prose_contains_no_words_to_avoid(folder: str) -> None:
    names = [name for name in FILES if folder_of(name) == folder]
    # Parsing is slow, so files that contain none of the words are not parsed.
    parsed = [name for name in names if ANY_WORD.search((ROOT / name).read_text().replace("_", " "))]
    pieces = [each for name in parsed for each in prose.pieces(name)]
    found = [f"{each.location}: {words}: {each.text[:120]}" for each in pieces for words in words_to_avoid(each.text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "kinds"),
    [
        ("README.md", {"docs"}),
        ("tap_stack.py", {"docstrings", "comments", "messages"}),
        ("tests/unit/test_prose.py", {"docstrings", "comments", "test names"}),
        ("pyproject.toml", {"comments"}),
    ],
)
def test_prose_of_a_file_contains_the_kinds_of_text_of_its_type(file: str, kinds: set[str]) -> None:
    assert file in FILES
    assert {piece.kind for piece in prose.pieces(file)} == kinds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The function told it", ["'told': write report, notify, print"]),
        ('`told` the "gone" rows', []),
        ("Look up the row that is gone", ["'gone': write deleted"]),
        ("It looks gone", ["'looks': write check, read, search", "'gone': write deleted"]),
    ],
)
def test_words_to_avoid_are_found_with_their_replacement(text: str, words: list[str]) -> None:
    assert words_to_avoid(text) == words


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


@pytest.mark.parametrize("package", DOCUMENTED)
def test_public_functions_document_their_arguments(package: str) -> None:
    public = ((module, each) for module in modules_of(package) for each in public_functions(module))
    missing = [f"{module}: {each.name}" for module, each in public if "Args:" not in (ast.get_docstring(each) or "")]
    assert not missing, "these docstrings have no section Args:\n" + "\n".join(missing)


def test_readme_does_not_exceed_the_length_limit() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES
