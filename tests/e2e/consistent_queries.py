"""Asking README's queries about one object, until DynamoDB has caught up with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations import queries

if TYPE_CHECKING:
    from tests.support.index import Index


def soon(index: Index, table: queries.Table, key: str, *, latest: str | None, current: str | None) -> None:
    """The answers are these version ids at once, or after the moment by which DynamoDB's queries lag behind."""
    s3 = index.clients.s3

    def answers() -> list[Any]:
        rows = [ask(table, s3, index.bucket, key) for ask in (queries.latest, queries.current)]
        return [row and row["version_id"] for row in rows]

    index.until(lambda: answers() == [latest, current], lambda: f"{[latest, current]}; it is {answers()}")
