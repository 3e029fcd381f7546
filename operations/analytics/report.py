"""Creates the data of the report: results of the named queries, with a limited number of rows per table."""

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
    from operations.analytics.sections import Heading

LISTED_NAMES = 10
"""Maximum number of names in an error message."""

Query: TypeAlias = Callable[[str, Mapping[str, object]], list[dict[str, Any]]]
"""Type of a function that runs DuckDB SQL with parameters, and returns each row as a dictionary by column name."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Filters that select the rows of the report.

    Attributes:
        since: the report contains rows of this time and later; None for no limit.
        until: the report contains rows before this time; None for no limit.
        bucket: name of the bucket; empty for all buckets.
        prefix: prefix of the object keys; empty for all keys.
    """

    since: datetime | None = None
    until: datetime | None = None
    bucket: str = ""
    prefix: str = ""

    def where(self, time: str) -> tuple[str, dict[str, object]]:
        """Return the filters as an SQL condition for a WHERE clause, and the values of its parameters.

        Args:
            time: name of the column to which `since` and `until` apply.
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
        """Return the active filters as strings for readers, such as "bucket photos"."""
        values = (
            ("since", self.since and naive(self.since)),
            ("until", self.until and naive(self.until)),
            ("bucket", visible(self.bucket)),
            ("prefix", visible(self.prefix)),
        )
        return [f"{name} {value}" + " UTC" * isinstance(value, datetime) for name, value in values if value]


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of the report: its section, its rows, and the number of rows that were omitted."""

    section: Section
    rows: tuple[dict[str, Any], ...]
    more: int

    @property
    def bucket(self) -> str | None:
        """Name of the bucket that all rows have; None if they have several buckets, or if there is no such column."""
        buckets = {row["bucket"] for row in self.rows if "bucket" in row}
        return buckets.pop() if len(buckets) == 1 else None

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Displayed columns. The column of the bucket is omitted if all rows have the same bucket."""
        return tuple(each for each in self.section.headings if each.name != "bucket" or self.bucket is None)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Data of the report, which the text, HTML and JSON formats contain.

    Attributes:
        source: description of the source of the rows, such as a scan.
        filters: filters that select the rows.
        totals: the row of the query `totals`.
        tables: the tables in the order of the report.
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
        """Return the report as a JSON object. Times are ISO 8601 strings in UTC."""
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
    """Return a function of the type `Query` that runs queries in DuckDB.

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
        run: function that runs a query.
        source: description of the source of the rows, such as a scan.
        filters: filters that select the rows.
        top: maximum number of rows in each table.
        relation: qualified name of the relation `objects`.
        apply: function like `map` that calls a function for each section. It may run the calls concurrently.
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
            counting = f"{selection}SELECT count(*) AS total FROM (\n{sql}) AS counted"  # noqa: S608  the SQL text contains no values of users
            [counted] = run(counting, parameters)
            total = counted["total"]
        return Table(section=section, rows=tuple(rows), more=total - len(rows))

    tables = tuple(apply(table, SECTIONS))
    return Report(source=source, filters=filters, totals=totals, tables=tables)


def check_filters(run: Query, filters: Filters, *, time: str, relation: str = "main.objects") -> None:
    """Raise an OperatorError if no row matches the bucket or the prefix, or if all rows are older than `since`.

    A report without rows would hide a misspelled name. A period without rows is valid, and so are all filters of an
    empty table.

    Args:
        run: function that runs a query.
        filters: filters that select the rows.
        time: time of the rows, ISO 8601 in UTC.
        relation: qualified name of the relation `objects`.
    """
    found = run(
        f"SELECT bucket, count(*) FILTER (WHERE starts_with(key, $prefix)) AS selected FROM {relation} "  # noqa: S608  the SQL text contains no values of users
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
            f"--since {time_text(filters.since)}: this time is later than the time of the rows, {time}. Use an earlier "
            "time, or read newer rows with --max-age 0"
        )


def _listed(names: Iterable[str | None]) -> str:
    """Return the first names, and the number of further names, as a text for an error message."""
    found = [visible(each or "") for each in names]
    more = len(found) - LISTED_NAMES
    return ", ".join(found[:LISTED_NAMES] or ["none"]) + (f" and {more:,} more" if more > 0 else "")


def naive(time: datetime) -> datetime:
    """Convert a time to UTC and remove its time zone, because times in the relation `objects` have none."""
    return time.astimezone(UTC).replace(tzinfo=None)


def _selection(filters: Filters, relation: str, section: Section) -> tuple[str, dict[str, object]]:
    """Return a WITH clause that applies the filters to the relation `objects`, and the values of its parameters.

    The clause is prepended to a named query. Therefore, the named queries have no WITH clauses.
    """
    where, parameters = filters.where(section.time)
    selected = f"SELECT * FROM {relation}" + f" WHERE {where}" * bool(where)  # noqa: S608  the SQL text contains no values of users
    return f"WITH objects AS ({selected})\n", parameters


def _json(value: Any) -> Any:  # noqa: ANN401  a column may have any type
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value
