"""Assertions on query results, which are retried because DynamoDB queries are eventually consistent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3

from operations import queries

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index, Response


class SmallPages:
    """Wrapper of a DynamoDB table that returns three rows per page; the real page limit is 1 MB."""

    def __init__(self, table: queries.Table) -> None:
        self._table = table
        self.requests = 0

    def query(self, **parameters: Any) -> Response:
        self.requests += 1
        return self._table.query(Limit=3, **parameters)


def table_of(emulator: Emulator, name: str) -> queries.Table:
    """Return a DynamoDB table on an emulator as a boto3 resource, as `operations.queries` requires."""
    shell = emulator.environment()
    session = boto3.Session(shell["AWS_ACCESS_KEY_ID"], shell["AWS_SECRET_ACCESS_KEY"], region_name=shell["AWS_REGION"])
    return session.resource("dynamodb", endpoint_url=shell["AWS_ENDPOINT_URL"]).Table(name)


def wait_for_result(index: Index, query: Callable[[], object], expected: object) -> None:
    """Wait until a query returns the expected result."""
    index.wait_until(lambda: query() == expected, lambda: f"the result {expected}; it was {query()}")


def latest_version(index: Index, table: queries.Table, key: str) -> str | None:
    """Return the version ID of the row that `queries.latest` returns, or None if it returns no row."""
    row = queries.latest(table, index.clients.s3, index.bucket, key)
    return row["version_id"] if row else None


def wait_for_versions(index: Index, table: queries.Table, key: str, *, latest: str | None, current: str | None) -> None:
    """Wait until `queries.latest` and `queries.current` return rows with these version IDs."""

    def version_ids() -> list[str | None]:
        row = queries.current(table, index.clients.s3, index.bucket, key)
        return [latest_version(index, table, key), row["version_id"] if row else None]

    wait_for_result(index, version_ids, [latest, current])
