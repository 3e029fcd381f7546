"""Check that a loop of a test has items."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


def nonempty(items: Iterable[T]) -> list[T]:
    """Return the items as a list.

    Raises:
        AssertionError: there are no items. A loop of assertions over them would check nothing and pass.
    """
    found = list(items)
    assert found, "a loop of assertions has no items, so that it would check nothing"
    return found
