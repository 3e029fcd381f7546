"""Fake of `operations.aws.Aws` with Athena. DuckDB runs the queries over the files in a fake export bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from operations.analytics.columns import item_type
from operations.aws.athena import AthenaPage, AthenaQuery
from operations.errors import OperatorError
from tests.support.athena import to_duckdb
from tests.support.export_fakes import EXPORT_BUCKET, ExportingAws

SCANNED = 25 * 1024**2
"""Number of bytes that the fake Athena reports as scanned by each query."""
TYPES = {"HUGEINT": "bigint", "DOUBLE": "double", "TIMESTAMP": "timestamp"}
"""Maps names of DuckDB types to Athena's names, if these differ."""


class AthenaAws(ExportingAws):
    """Fake of `Aws` with a Glue table and Athena queries over the fake export bucket.

    Attributes:
        queries: texts of the started queries, in Athena's dialect.
        states: states that `query_state` returns before the final state. The state `interrupt` raises
            KeyboardInterrupt.
        final: final state and reason of each query that contains the text `failing`; None for real results.
        running: queries that contain this text run until they are stopped; empty for no query.
        stopped: IDs of the stopped queries.
    """

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(folder, rows)
        assert isinstance(self.settings, dict)
        self.settings |= {"glue_database": "tapstack_dev", "athena_workgroup": "tapstack-dev-analytics"}
        self.glue: dict[str, Any] = {"StorageDescriptor": {"Location": f"s3://{EXPORT_BUCKET}/exports/none/"}}
        self.queries: list[str] = []
        self.states: list[str] = []
        self.final: tuple[str, str] | None = None
        self.failing = ""
        self.running = ""
        self.stopped: list[str] = []
        self._results: dict[str, AthenaPage | Exception] = {}
        self._lock = Lock()
        self.connections: dict[str, duckdb.DuckDBPyConnection] = {}

    def start_query(self, sql: str, *, database: str, workgroup: str) -> str:
        assert (database, workgroup) == ("tapstack_dev", "tapstack-dev-analytics")
        with self._lock:
            query = f"query-{len(self.queries)}"
            self.queries.append(sql)
        try:
            self._results[query] = self._page(sql)
        except duckdb.Error as error:
            self._results[query] = error
        return query

    def query_state(self, query: str) -> AthenaQuery:
        sql = self.queries[int(query.rpartition("-")[2])]
        if self.states or (self.running and self.running in sql):
            state, reason = self.states.pop(0) if self.states else "RUNNING", ""
            if state == "interrupt":
                raise KeyboardInterrupt
        else:
            failed = self._results[query]
            outcome = ("FAILED", str(failed)) if isinstance(failed, Exception) else ("SUCCEEDED", "")
            state, reason = self.final if self.final and self.failing in sql else outcome
        view = sql.startswith("CREATE")
        return AthenaQuery(state=state, reason=reason, bytes_scanned=0 if view else SCANNED, has_header=not view)

    def stop_query(self, query: str) -> None:
        self.stopped.append(query)

    def query_pages(self, query: str, *, has_header: bool) -> Iterator[AthenaPage]:
        assert has_header
        page = self._results[query]
        assert isinstance(page, AthenaPage)
        yield page

    def glue_table(self, database: str, table: str) -> Mapping[str, Any]:
        assert (database, table) == ("tapstack_dev", "exported_rows")
        return self.glue

    def point_glue_table(self, database: str, table: str, *, location: str, parameters: Mapping[str, str]) -> None:
        assert (database, table) == ("tapstack_dev", "exported_rows")
        self.glue = {"StorageDescriptor": {"Location": location}, "Parameters": dict(parameters)}

    def read_file(self, bucket: str, key: str) -> bytes:
        if not (self.folder / bucket / key).exists():
            raise OperatorError(f"cannot read s3://{bucket}/{key}: the key does not exist.")
        return super().read_file(bucket, key)

    def _page(self, sql: str) -> AthenaPage:
        """Run a query, and return the result in Athena's format: all values are texts, and NULL is None."""
        if sql.startswith("CREATE"):  # The fake accepts CREATE VIEW, but does not execute it.
            return AthenaPage(columns=(), types=(), rows=())
        cursor = self._connection().cursor().execute(to_duckdb(sql))
        described = cursor.description or []
        kinds = [str(each[1]) for each in described]
        rows = tuple(tuple(None if cell is None else _text(cell) for cell in row) for row in cursor.fetchall())
        return AthenaPage(
            columns=tuple(each[0] for each in described),
            types=tuple(TYPES.get(each, each.lower()) for each in kinds),
            rows=rows,
        )

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """Return a DuckDB connection with the rows of the Glue table. The rows of each location are read once."""
        location = self.glue["StorageDescriptor"]["Location"].removeprefix("s3://")
        with self._lock:
            if location not in self.connections:
                connection = duckdb.connect(config={"threads": "1"})
                files = f"{self.folder}/{location}*.json.gz"
                source = f"read_json('{files}', columns = {{'Item': '{item_type()}'}})"
                connection.execute(f"CREATE TABLE exported_rows AS SELECT Item FROM {source}")  # noqa: S608  the SQL text contains only paths of the test
                self.connections[location] = connection
            return self.connections[location]


def _text(value: Any) -> str:  # noqa: ANN401  a column may have any type
    return str(value).lower() if isinstance(value, bool) else str(value)
