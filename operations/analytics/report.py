"""Data of the report: results of the named queries, with a limited number of rows for each table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from operations.analytics.named_queries import named_query
from operations.analytics.sections import PRICES, SECTIONS, TOTALS, Section
from operations.errors import OperatorError
from operations.output import time_text, visible

if TYPE_CHECKING:
    from operations.analytics.engine import Engine

LISTED_NAMES = 10
"""Number of names in an error message."""

Query: TypeAlias = Callable[[str, Mapping[str, object]], list[dict[str, Any]]]
"""Runs DuckDB SQL with values of its parameters `$name`, and returns the rows with the names of their columns."""


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

    def where(self, time: str) -> tuple[str, dict[str, object]]:
        """Return the SQL condition and its parameters.

        Args:
            time: name of the column with the time of a row.
        """
        conditions = {
            "since": (f"{time} >= $since", self.since and naive(self.since)),
            "until": (f"{time} < $until", self.until and naive(self.until)),
            "bucket": ("bucket = $bucket", self.bucket),
            "prefix": ("starts_with(key, $prefix)", self.prefix),
        }
        used = {name: each for name, each in conditions.items() if each[1]}
        return " AND ".join(sql for sql, _ in used.values()), {name: value for name, (_, value) in used.items()}

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

    def run(sql: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        result = engine.execute(sql, parameters)
        names = [each[0] for each in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return run


def create_report(
    run: Query,
    *,
    source: str,
    filters: Filters,
    top: int,
    relation: str = "main.objects",
    apply: Callable[[Callable[[Section], Table], Iterable[Section]], Iterable[Table]] = map,
) -> Report:
    """Run the named queries and return the report.

    Args:
        run: runs a query.
        source: description of the source of the rows.
        filters: selection of rows.
        top: number of rows in each table.
        relation: qualified name of the relation `objects`.
        apply: applies a function that runs queries to several sections, in the order of the sections.
    """
    selection, parameters = _selection(filters, relation, TOTALS)
    [totals] = run(f"{selection}{named_query(TOTALS.query)}", parameters)
    totals = {name: int(value) for name, value in totals.items()}

    def table(section: Section) -> Table:
        limit = max(top, section.least)
        selection, parameters = _selection(filters, relation, section)
        sql = named_query(section.query)
        rows = run(f"{selection}{sql}LIMIT $limit", {**parameters, "limit": limit})
        total = totals[section.total] if section.total else len(rows)
        if not section.total and len(rows) == limit:
            counting = f"{selection}SELECT count(*) AS total FROM (\n{sql}) AS counted"  # noqa: S608  contains no text of users
            [counted] = run(counting, parameters)
            total = counted["total"]
        return Table(section=section, rows=tuple(rows), more=total - len(rows))

    tables = tuple(apply(table, SECTIONS))
    return Report(source=source, filters=filters, totals=totals, tables=tables)


def check_filters(run: Query, filters: Filters, *, time: str, relation: str = "main.objects") -> None:
    """Raise an OperatorError if the filters can select no row. A report without rows would not show a misspelt name.

    A period without rows is valid, and so are all filters of a table without rows.

    Args:
        run: runs a query.
        filters: selection of rows.
        time: time of the rows, ISO 8601 in UTC.
        relation: qualified name of the relation `objects`.
    """
    found = run(
        f"SELECT bucket, count(*) FILTER (WHERE starts_with(key, $prefix)) AS selected FROM {relation} "  # noqa: S608  contains no text of users
        "GROUP BY bucket ORDER BY count(*) DESC, bucket",
        {"prefix": filters.prefix},
    )
    rows = {row["bucket"]: row["selected"] for row in found}
    bucket, prefix = visible(filters.bucket), visible(filters.prefix)
    if rows and filters.bucket and filters.bucket not in rows:
        raise OperatorError(f"--bucket {bucket}: no row has this bucket. The buckets with rows are: {_listed(rows)}")
    if rows and filters.prefix and not (rows[filters.bucket] if filters.bucket else sum(rows.values())):
        selection, parameters = _selection(Filters(bucket=filters.bucket), relation, TOTALS)
        prefixes = {row["prefix"]: None for row in run(f"{selection}{named_query('prefixes')}", parameters)}
        place = f" in the bucket {bucket}" if bucket else ""
        raise OperatorError(
            f"--prefix {prefix}: no object key{place} begins with this text. Top-level prefixes with objects are: "
            f"{_listed(filter(None, prefixes))}"
        )
    if filters.since and filters.since > datetime.fromisoformat(time):
        raise OperatorError(
            f"--since {time_text(filters.since)}: the rows are those of {time}, before this time. Give an earlier "
            "time, or read newer rows (--max-age 0)"
        )


def _listed(names: Iterable[str | None]) -> str:
    """Return the first names for an error message."""
    found = [visible(each or "") for each in names]
    more = len(found) - LISTED_NAMES
    return ", ".join(found[:LISTED_NAMES] or ["none"]) + (f" and {more:,} more" if more > 0 else "")


def naive(time: datetime) -> datetime:
    """Return a time in UTC without its time zone, as in the relation `objects`."""
    return time.astimezone(UTC).replace(tzinfo=None)


def _selection(filters: Filters, relation: str, section: Section) -> tuple[str, dict[str, object]]:
    """Return a WITH clause that limits the relation `objects` of a query to the selected rows, and its parameters.

    The queries contain no WITH clause of their own, so that this one can precede each of them.
    """
    where, parameters = filters.where(section.time)
    selected = f"SELECT * FROM {relation}" + f" WHERE {where}" * bool(where)  # noqa: S608  contains no text of users
    return f"WITH objects AS ({selected})\n", parameters


def _json(value: Any) -> Any:  # noqa: ANN401  a value of any column
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value
