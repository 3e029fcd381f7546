"""Data of the report: results of the named queries, with a limited number of rows for each table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from operations.analytics.named_queries import named_query
from operations.analytics.sections import PRICES, SECTIONS, TOTALS, Section
from operations.output import visible

if TYPE_CHECKING:
    from operations.analytics.engine import Engine

Query: TypeAlias = Callable[[str, Sequence[object]], list[dict[str, Any]]]
"""Runs DuckDB SQL with parameters for `?`, and returns the rows of the result with the names of their columns."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Selection of rows.

    Attributes:
        since: first time of the rows; None for no limit.
        until: time before which the rows end; None for no limit.
        bucket: name of the bucket; empty for all buckets.
        prefix: prefix of the object keys.
    """

    since: datetime | None = None
    until: datetime | None = None
    bucket: str = ""
    prefix: str = ""

    def where(self, time: str) -> tuple[str, list[object]]:
        """Return the SQL condition and its parameters.

        Args:
            time: name of the column with the time of a row.
        """
        conditions: list[tuple[str, object]] = []
        if self.since:
            conditions.append((f"{time} >= ?", naive(self.since)))
        if self.until:
            conditions.append((f"{time} < ?", naive(self.until)))
        if self.bucket:
            conditions.append(("bucket = ?", self.bucket))
        if self.prefix:
            conditions.append(("starts_with(key, ?)", self.prefix))
        return " AND ".join(sql for sql, _ in conditions), [value for _, value in conditions]

    def lines(self) -> list[str]:
        """Return a description of the filters for readers."""
        values = (
            ("since", self.since and naive(self.since)),
            ("until", self.until and naive(self.until)),
            ("bucket", visible(self.bucket)),
            ("prefix", visible(self.prefix)),
        )
        return [f"{name} {value}" + " UTC" * isinstance(value, datetime) for name, value in values if value]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one section, with the number of further rows that the report does not contain."""

    section: Section
    rows: tuple[dict[str, Any], ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report.

    Attributes:
        source: description of the source of the rows.
        filters: the selection of rows.
        totals: the row of the query `totals`.
        tables: the tables in their order.
    """

    source: str
    filters: Filters
    totals: dict[str, int]
    tables: tuple[Table, ...]

    @property
    def noncurrent_price(self) -> float:
        """List price of the noncurrent versions and delete markers in US dollars per month."""
        [rows] = [table.rows for table in self.tables if table.section.query == PRICES]
        return math.fsum(row["dollars_per_month"] or 0 for row in rows)

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON object. Times are ISO 8601 in UTC."""
        return {
            "since": self.filters.since and _json(naive(self.filters.since)),
            "until": self.filters.until and _json(naive(self.filters.until)),
            "bucket": self.filters.bucket or None,
            "prefix": self.filters.prefix,
            "totals": self.totals,
            "noncurrent_dollars_per_month": self.noncurrent_price,
            "tables": {
                table.section.query: {
                    "more": table.more,
                    "rows": [{name: _json(value) for name, value in row.items()} for row in table.rows],
                }
                for table in self.tables
            },
        }


def query_of(engine: Engine) -> Query:
    """Return a function that runs queries in DuckDB.

    Args:
        engine: an engine with the relation `objects`.
    """

    def run(sql: str, parameters: Sequence[object]) -> list[dict[str, Any]]:
        result = engine.execute(sql, parameters)
        names = [each[0] for each in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return run


def create_report(run: Query, *, source: str, filters: Filters, top: int, relation: str = "main.objects") -> Report:
    """Run the named queries and return the report.

    Args:
        run: runs a query.
        source: description of the source of the rows.
        filters: selection of rows.
        top: number of rows in each table.
        relation: qualified name of the relation `objects`.
    """
    selection, parameters = _selection(filters, relation, TOTALS)
    [totals] = run(f"{selection}{named_query(TOTALS.query)}", parameters)
    totals = {name: int(value) for name, value in totals.items()}
    tables = []
    for section in SECTIONS:
        limit = max(top, section.least)
        selection, parameters = _selection(filters, relation, section)
        sql = named_query(section.query)
        rows = run(f"{selection}{sql}LIMIT ?", [*parameters, limit])
        total = totals[section.total] if section.total else len(rows)
        if not section.total and len(rows) == limit:
            counting = f"{selection}SELECT count(*) AS total FROM (\n{sql}) AS counted"  # noqa: S608  contains no text of users
            [counted] = run(counting, parameters)
            total = counted["total"]
        tables.append(Table(section=section, rows=tuple(rows), more=total - len(rows)))
    return Report(source=source, filters=filters, totals=totals, tables=tuple(tables))


def naive(time: datetime) -> datetime:
    """Return a time in UTC without its time zone, as in the relation `objects`."""
    return time.astimezone(UTC).replace(tzinfo=None)


def _selection(filters: Filters, relation: str, section: Section) -> tuple[str, list[object]]:
    """Return the beginning of a query that selects the rows for its relation `objects`, and the parameters.

    The queries contain no WITH clause of their own, so that this one can precede each of them.
    """
    where, parameters = filters.where(section.time)
    selected = f"SELECT * FROM {relation}" + f" WHERE {where}" * bool(where)  # noqa: S608  contains no text of users
    return f"WITH objects AS ({selected})\n", parameters


def _json(value: Any) -> Any:  # noqa: ANN401  a value of any column
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value
