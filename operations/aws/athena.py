"""AWS calls that run queries in Athena, and that change the location of a Glue table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from operations.aws.errors import translated_errors
from operations.errors import OperatorError

SUCCEEDED, QUERY_FAILED, CANCELLED = "SUCCEEDED", "FAILED", "CANCELLED"
"""States of a query in Athena that has ended."""
NO_ANALYTICS = (
    "Check the region, and that the configuration key analytics is true. If the Athena workgroup or the Glue database "
    "was deleted, `pulumi up --refresh` creates it again"
)
NO_WORKGROUP = (
    "the stack has no Athena workgroup: set the configuration key analytics to true and run `pulumi up`. Without "
    "the workgroup, you can use `sql` and `report` with --scan, and `export` with --scan --parquet"
)
TABLE_INPUT = (
    *("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters"),
    *("ViewOriginalText", "ViewExpandedText"),
)
"""Fields of a Glue table that UpdateTable accepts (Glue API Reference, TableInput). UpdateTable
deletes the values of fields that the request lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaQuery:
    """State of a query in Athena.

    Attributes:
        state: `QUEUED`, `RUNNING`, `SUCCEEDED`, `FAILED` or `CANCELLED`.
        reason: Athena's explanation of the state; empty if there is none.
        bytes_scanned: number of bytes that the query has read.
        has_header: whether the first row of the result contains the names of the columns.
    """

    state: str
    reason: str
    bytes_scanned: int
    has_header: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaPage:
    """Page of a query result in Athena: names and types of the columns, and rows whose values are strings or None."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


class AthenaCalls:
    """Part of `Aws` with the calls of Athena and Glue."""

    _athena: Any
    _glue: Any

    def start_query(self, sql: str, *, database: str, workgroup: str) -> str:
        """Start a query in Athena, and return its ID. The workgroup's settings contain the location of the result.

        Args:
            sql: the statement in Athena's dialect.
            database: name of the Glue database.
            workgroup: name of the Athena workgroup.
        """
        action = f"start a query in the Athena workgroup {workgroup!r}"
        with translated_errors(action, permission="athena:StartQueryExecution"):
            try:
                response = self._athena.start_query_execution(
                    QueryString=sql, WorkGroup=workgroup, QueryExecutionContext={"Database": database}
                )
            except ClientError as error:
                if "workgroup" in str(error).lower() and "not found" in str(error).lower():
                    raise OperatorError(f"{str(error).rstrip('.')}. {NO_ANALYTICS}.") from error
                raise
        return str(response["QueryExecutionId"])

    def query_state(self, query: str) -> AthenaQuery:
        """Return the state of a query in Athena.

        Args:
            query: ID of the query.
        """
        with translated_errors("read the state of a query in Athena", permission="athena:GetQueryExecution"):
            found = self._athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        return AthenaQuery(
            state=found["Status"]["State"],
            reason=found["Status"].get("StateChangeReason") or "",
            bytes_scanned=int(found.get("Statistics", {}).get("DataScannedInBytes", 0)),
            has_header=found.get("StatementType", "DML") == "DML",
        )

    def stop_query(self, query: str) -> None:
        """Stop a query in Athena. AWS bills the bytes that the query has read so far.

        Args:
            query: ID of the query.
        """
        with translated_errors("stop a query in Athena", permission="athena:StopQueryExecution"):
            self._athena.stop_query_execution(QueryExecutionId=query)

    def query_pages(self, query: str, *, has_header: bool) -> Iterator[AthenaPage]:
        """Yield the pages of a query result in Athena. There is at least one page.

        Args:
            query: ID of the query.
            has_header: whether the first row contains the column names, which are not yielded.
        """
        permission = "athena:GetQueryResults or s3:GetObject"
        with translated_errors("read the result of a query in Athena", permission=permission):
            pages = self._athena.get_paginator("get_query_results").paginate(QueryExecutionId=query)
            for number, page in enumerate(pages):
                described = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
                rows = page["ResultSet"]["Rows"][1 if has_header and number == 0 else 0 :]
                yield AthenaPage(
                    columns=tuple(each["Name"] for each in described),
                    types=tuple(each["Type"] for each in described),
                    rows=tuple(tuple(cell.get("VarCharValue") for cell in row.get("Data", ())) for row in rows),
                )

    def glue_table(self, database: str, table: str) -> Mapping[str, Any]:
        """Return the description of a Glue table.

        Args:
            database: name of the Glue database.
            table: name of the table.
        """
        action = f"read the Glue table {database}.{table}"
        with translated_errors(action, not_found=NO_ANALYTICS, permission="glue:GetTable"):
            found: Mapping[str, Any] = self._glue.get_table(DatabaseName=database, Name=table)["Table"]
        return found

    def point_glue_table(self, database: str, table: str, *, location: str, parameters: Mapping[str, str]) -> None:
        """Change the location and parameters of a Glue table, and keep its other fields.

        Args:
            database: name of the Glue database.
            table: name of the table.
            location: S3 URL of the folder with the files.
            parameters: parameters to add or to replace.
        """
        found = self.glue_table(database, table)
        values = {name: found[name] for name in TABLE_INPUT if found.get(name) not in (None, "")}
        values["StorageDescriptor"] = {**values["StorageDescriptor"], "Location": location}
        values["Parameters"] = {**values.get("Parameters", {}), **parameters}
        action = f"change the location of the Glue table {database}.{table}"
        with translated_errors(action, not_found=NO_ANALYTICS, permission="glue:UpdateTable"):
            self._glue.update_table(DatabaseName=database, TableInput=values, SkipArchive=True)
