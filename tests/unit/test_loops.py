"""Tests that no loop of assertions passes without items."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.nonempty import nonempty

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]
# The items of property tests are random, so that they can be empty.
FOLDERS = ("unit", "e2e", "content", "browser", "audit")
# Tests without `nonempty`, because they assert after the loop that it processed an item.
OTHER = {"test_thread_pool_yields_a_result_before_the_next_item_is_available"}


def unchecked(source: str) -> list[str]:
    """Return the iterables of loops of assertions, and of `assert all(…)`, in tests, that could be empty."""
    functions = (
        each
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_") and each.name not in OTHER
    )
    return [ast.unparse(each) for function in functions for each in iterables(function) if not has_items(each)]


def iterables(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the iterables of the outermost loops of assertions below a node."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.For(iter=iterable) if any(map(asserts, ast.walk(child))):
                yield iterable
            case ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp(generators=[first, *_])]) if isinstance(
                node, ast.Assert | ast.BoolOp
            ):
                yield first.iter
            case _:
                yield from iterables(child)


def asserts(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.Call(func=ast.Attribute(value=ast.Name(id="pytest"), attr="raises")):
            return True
        case _:
            return False


def has_items(iterable: ast.expr) -> bool:
    match iterable:
        case ast.Tuple(elts=[_, *_]) | ast.List(elts=[_, *_]) | ast.Set(elts=[_, *_]):
            return True
        case ast.Call(func=ast.Name(id="range" | "nonempty")):
            return True
        case _:
            return False


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_loop_with_assertions_fails_if_it_has_no_items(folder: str) -> None:
    """An empty collection would pass each assertion of a loop, for example after a renamed key of the collection."""
    found = {
        path.relative_to(TESTS).as_posix(): missing
        for path in nonempty((TESTS / folder).rglob("test_*.py"))
        if (missing := unchecked(path.read_text(encoding="utf-8")))
    }
    assert found == {}, "use tests.support.nonempty.nonempty"


def test_search_for_loops_finds_loops_that_could_be_empty() -> None:
    body = [
        *("for a in items: assert a", "for a in items:\n  with pytest.raises(X): f(a)", "assert all(a for a in items)"),
        *("assert items and all(a for a in items)", "for a in nonempty(items): assert a", "for a in (1, 2): assert a"),
        *("for a in (): assert a", "for a in range(2): assert a", "for a in items: f(a)"),
    ]
    source = "def test_x():\n" + "\n".join(f"  {line}".replace("\n", "\n  ") for line in body)
    assert unchecked(source) == ["items", "items", "items", "items", "()"]


def test_nonempty_returns_all_items_and_fails_without_items() -> None:
    assert nonempty(iter("ab")) == ["a", "b"]
    with pytest.raises(AssertionError, match="would check nothing"):
        nonempty(())
