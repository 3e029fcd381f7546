"""Runs SQL queries in Amazon Athena, which reads an export of the DynamoDB table in the stack's export bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, repeat
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from operations.analytics.athena_sql import EXPORTED_ROWS, translate, view
from operations.analytics.engine import QueryResult
from operations.analytics.engine_errors import COLUMNS_DOCUMENT
from operations.analytics.export_files import DATA, FILES, SUMMARY, Export
from operations.aws.athena import CANCELLED, NO_WORKGROUP, QUERY_FAILED, SUCCEEDED
from operations.errors import OperatorError
from operations.planning.prices import ATHENA_BYTES, ATHENA_MINIMUM_BYTES
from operations.s3_url import split_s3_url

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.aws.athena import AthenaQuery
    from operations.settings_document import ExpectedSettings

Item = TypeVar("Item")
Result = TypeVar("Result")

QUERIES_AT_ONCE = 4
"""Maximum number of queries that the tool runs at the same time. Athena's default limit is at least 20 per account."""
DELAYS = (0.25, 0.5, 1.0, 2.0)
"""Seconds to wait between the requests for the state of a query. The last value is repeated."""
PRICE_DIGITS = 5
"""Number of decimal places in printed prices. The cheapest query in Athena costs $0.00005."""
REMEDIES = (
    (("bytes scanned limit",), "Increase the configuration key queryScanLimitGb, or run the query without --athena"),
    (("column_not_found", "referenced column"), f"{COLUMNS_DOCUMENT}. Write texts in single quotes"),
    (
        ("function_not_found", "not registered", "scalar function with name"),
        "Athena lacks some functions of DuckDB. Use a function of Trino instead, or run the query without --athena",
    ),
    (
        ("type_mismatch", "cannot be applied to"),
        "Athena does not convert strings to other types: write TIMESTAMP '2026-01-31 12:00:00' or CAST('1' AS BIGINT)",
    ),
    (
        ("syntax_error", "mismatched input"),
        "Athena lacks some of the SQL syntax of DuckDB: run the query without --athena",
    ),
    (
        ("access denied", "accessdenied", "not authorized", "permission"),
        "Use credentials with the permissions for Athena in docs/security.md",
    ),
)
"""Substrings of Athena's error messages in lower case, and the remedy to print. The first match is used."""


@dataclass(frozen=True, kw_only=True)
class AthenaRows:
    """Description of the export of the DynamoDB table that Athena reads.

    Attributes:
        table: ARN of the DynamoDB table.
        time: point in time of the exported rows, ISO 8601 in UTC.
        source: S3 URL of the export.
        rows: number of exported rows.
    """

    table: str
    time: str
    source: str
    rows: int


class Athena:
    """Runs queries in a stack's Athena workgroup over its Glue table. Several threads may call the methods.

    Args:
        aws: client for the AWS calls.
        expected: settings document of the stack; None if it does not exist.
        sleep: function that waits for a number of seconds. The default also returns when the queries are stopped.

    Raises:
        OperatorError: the stack has no Athena workgroup.
    """

    def __init__(
        self, aws: Aws, expected: ExpectedSettings | None, *, sleep: Callable[[float], object] | None = None
    ) -> None:
        if expected is None or not (expected.athena_workgroup and expected.glue_database and expected.export_bucket):
            raise OperatorError(NO_WORKGROUP)
        self._aws = aws
        self._database, self._workgroup = expected.glue_database, expected.athena_workgroup
        self._bucket = expected.export_bucket
        self._stopped = Event()
        self._sleep = sleep or self._stopped.wait
        self._scanned: list[int] = []

    def open(self) -> AthenaRows:
        """Check that the selected export is complete and still exists, and return its description.

        Raises:
            OperatorError: no export was selected, or the export has expired.
        """
        source = self._selected()
        if not source:
            raise OperatorError(
                "no export is selected for Athena: run `tapstack export`, which exports the table and selects the "
                "export"
            )
        try:
            export = self._manifests(source)
        except OperatorError as error:
            raise OperatorError(
                f"{error} If the export has expired (configuration key exportRetentionDays), run `tapstack export`"
            ) from error
        return AthenaRows(table=export.table, time=export.time, source=source, rows=export.items)

    def check(self, rows: AthenaRows) -> None:
        """Raise an OperatorError if another export was selected after the call of `open`.

        Args:
            rows: the description that `open` returned.
        """
        if self._selected() != rows.source:
            raise OperatorError(
                "`tapstack export` selected another export during the query, so the result can contain rows of both "
                "exports: start the tool again"
            )

    def point(self, source: str, *, table: str) -> AthenaRows:
        """Select the export that Athena reads.

        Args:
            source: S3 URL of an export in the stack's bucket.
            table: ARN of the stack's DynamoDB table.

        Raises:
            OperatorError: the export is not complete, is in another bucket, or belongs to another table.
        """
        if not self.has(source):
            raise OperatorError(
                f"{source} is not in the export bucket of the stack, {self._bucket}: Athena can only read an export in "
                "this bucket. Run `tapstack export` without --from-export"
            )
        export = self._manifests(source)
        if export.table != table:
            raise OperatorError(
                f"{source} is an export of the table {export.table}, but the table of the stack is {table}: use "
                "an export of the stack's table"
            )
        parameters = {"export_arn": f"{table}/export/{source.rpartition('/')[2]}", "export_time": export.time}
        location = f"{source}/{DATA}/"
        self._aws.point_glue_table(self._database, EXPORTED_ROWS, location=location, parameters=parameters)
        return AthenaRows(table=table, time=export.time, source=source, rows=export.items)

    def create_view(self) -> None:
        """Create the view `objects` in Athena, which users query in the Athena console."""
        self._finish(self._start(view()))

    def has(self, source: str) -> bool:
        """Return whether an S3 URL is in the export bucket of the stack."""
        return source.startswith(f"s3://{self._bucket}/")

    def select(self, sql: str, parameters: Mapping[str, object] | None = None) -> QueryResult:
        """Run a query, and return its result.

        Args:
            sql: one SELECT statement that reads the relation `objects`, in DuckDB's SQL dialect.
            parameters: values of the parameters `$name` in the statement.

        Raises:
            OperatorError: the statement writes, or reads something other than `objects`, or the query failed.
            KeyboardInterrupt: the user interrupted the tool. The query has been stopped in Athena.
        """
        query = self._start(translate(sql, parameters))
        state = self._finish(query)
        pages = self._aws.query_pages(query, has_header=state.has_header)
        first = next(pages)
        types = tuple(each.partition("(")[0] for each in first.types)
        rows = (row for page in chain([first], pages) for row in page.rows)
        return QueryResult(
            columns=first.columns,
            types=tuple(each.upper() for each in first.types),
            rows=(tuple(map(_value, row, types)) for row in rows),
        )

    def run(self, sql: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """Run a query of the report, and return each row as a dictionary with the column names as keys.

        Args:
            sql: the query.
            parameters: values of the parameters `$name` in the query.
        """
        result = self.select(sql, parameters)
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Sequence[Result]:
        """Call a function once for each item, in several threads, and return the results.

        The function runs queries. If a call fails or the tool is interrupted, the other queries are stopped.

        Args:
            work: the function.
            items: arguments of the calls, one for each call.
        """
        with ThreadPoolExecutor(QUERIES_AT_ONCE) as pool:
            try:
                futures = [pool.submit(work, each) for each in items]
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                failed = [each for each in done if each.exception() is not None]
                return [each.result() for each in failed or futures]
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def costs(self) -> str:
        """Return a message with the number of bytes that all queries have scanned, and with the price."""
        price = f"${self.price:,.{PRICE_DIGITS}f}"
        return f"Athena scanned {self.bytes_scanned:,} bytes, which costs about {price} in us-east-1"

    @property
    def bytes_scanned(self) -> int:
        """Number of bytes that all queries have scanned."""
        return sum(self._scanned)

    @property
    def price(self) -> float:
        """List price of all queries in US dollars."""
        return ATHENA_BYTES.cost(sum(max(each, ATHENA_MINIMUM_BYTES) for each in self._scanned))

    def document(self) -> dict[str, Any]:
        """Return the scanned bytes and the price as fields of the tool's JSON output."""
        return {"bytes_scanned": self.bytes_scanned, "price": self.price}

    def _selected(self) -> str:
        """Return the S3 URL of the export that Athena reads, or an empty string if no export was selected."""
        table = self._aws.glue_table(self._database, EXPORTED_ROWS)
        if not table.get("Parameters", {}).get("export_arn"):
            return ""
        return str(table["StorageDescriptor"]["Location"]).removesuffix(f"{DATA}/").rstrip("/")

    def _manifests(self, source: str) -> Export:
        bucket, base = split_s3_url(source)
        summary, files = (self._aws.read_file(bucket, f"{base}/{name}") for name in (SUMMARY, FILES))
        return Export.parse(summary, files, place=source)

    def _start(self, statement: str) -> str:
        return self._aws.start_query(statement, database=self._database, workgroup=self._workgroup)

    def _finish(self, query: str) -> AthenaQuery:
        """Wait until a query in Athena has ended, and return its final state.

        Raises:
            OperatorError: the query failed or exceeded the limit of scanned bytes.
            KeyboardInterrupt: the tool was interrupted, or another query failed. This query has been stopped.
        """
        try:
            state = self._final_state(query)
        except KeyboardInterrupt:
            self._aws.stop_query(query)
            raise
        if state.state != QUERY_FAILED and state.has_header:
            self._scanned.append(state.bytes_scanned)
        if state.state != SUCCEEDED:
            raise OperatorError(_message(state))
        return state

    def _final_state(self, query: str) -> AthenaQuery:
        for seconds in chain(DELAYS, repeat(DELAYS[-1])):
            state = self._aws.query_state(query)
            if state.state in (SUCCEEDED, QUERY_FAILED, CANCELLED):
                return state
            self._sleep(seconds)
            if self._stopped.is_set():
                break
        raise KeyboardInterrupt


def _message(state: AthenaQuery) -> str:
    reason = " ".join(state.reason.split()).rstrip(".") or f"the query has the state {state.state}"
    remedy = next((text for words, text in REMEDIES if any(each in reason.lower() for each in words)), "")
    return f"cannot run the query in Athena: {reason}. {remedy}".rstrip(". ")


def _value(text: str | None, kind: str) -> Any:  # noqa: ANN401  a column may have any type
    """Convert a string in a query result of Athena to a Python value of the column's type."""
    if text is None:
        return None
    convert = CONVERSIONS.get(kind, str)
    try:
        return convert(text)
    except ValueError:  # Python supports no dates after the year 9999, so a later date remains a string.
        return text


CONVERSIONS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("real", "float", "double"), float),
    "boolean": lambda text: text == "true",
    "decimal": Decimal,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}
"""Maps names of Athena's types to functions that convert a string. Values of other types remain strings."""
