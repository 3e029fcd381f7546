"""Loads the report's named queries: SQL files in DuckDB's dialect that read the relation `objects`."""

from __future__ import annotations

from pathlib import Path

from operations.errors import OperatorError

QUERIES = Path(__file__).with_name("queries")
"""Folder with the SQL files of the named queries."""


def query_names() -> list[str]:
    """Return the names of all named queries."""
    return sorted(each.stem for each in QUERIES.glob("*.sql"))


def named_query(name: str) -> str:
    """Return the SQL text of a named query.

    Raises:
        OperatorError: there is no query with this name.
    """
    names = query_names()
    if name not in names:
        raise OperatorError(f"--name {name!r}: there is no query with this name. The names are: {', '.join(names)}")
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
