"""Tests of the AWS calls of Athena and Glue, with stubbed responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from operations.aws.athena import AthenaPage, AthenaQuery
from operations.errors import OperatorError

if TYPE_CHECKING:
    from operations.aws import Aws

ADDRESS = {"database": "tapstack_dev", "workgroup": "tapstack-dev-analytics"}
COLUMNS = [{"Name": "key", "Type": "varchar"}, {"Name": "size", "Type": "bigint"}]


@pytest.fixture
def athena(clients: dict[str, Any]) -> Iterator[Stubber]:
    """Fixture: stub for responses of Athena."""
    with Stubber(clients["athena"]) as stubber:
        yield stubber


@pytest.fixture
def glue(clients: dict[str, Any]) -> Iterator[Stubber]:
    """Fixture: stub for responses of Glue."""
    with Stubber(clients["glue"]) as stubber:
        yield stubber


STORAGE: dict[str, Any] = {
    "Columns": [{"Name": "item", "Type": "struct<key:struct<s:string>>"}],
    "Location": "s3://exports/exports/none/",
    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
}
TABLE_INPUT: dict[str, Any] = {
    "Name": "exported_rows",
    "Description": "rows",
    "TableType": "EXTERNAL_TABLE",
    "PartitionKeys": [],
    "Parameters": {"EXTERNAL": "TRUE", "export_time": "earlier"},
    "StorageDescriptor": STORAGE,
}
TABLE = {**TABLE_INPUT, "DatabaseName": "tapstack_dev", "CatalogId": "123456789012", "VersionId": "3"}
"""Glue's description of a table, with fields that UpdateTable rejects."""


def rows(*values: str | None) -> list[dict[str, Any]]:
    """Return query result rows with two columns in the format of Athena's API."""
    return [{"Data": [{} if each is None else {"VarCharValue": each} for each in (value, "1")]} for value in values]


def test_athena_query_is_started_in_the_given_workgroup_and_database(aws: Aws, athena: Stubber) -> None:
    expected = {
        "QueryString": "SELECT 1",
        "WorkGroup": "tapstack-dev-analytics",
        "QueryExecutionContext": {"Database": "tapstack_dev"},
    }
    athena.add_response("start_query_execution", {"QueryExecutionId": "q"}, expected)
    assert aws.start_query("SELECT 1", **ADDRESS) == "q"


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("InvalidRequestException", "WorkGroup x is not found.", "the configuration key analytics is true"),
        ("InvalidRequestException", "line 1:8: mismatched input", r"line 1:8: mismatched input\.$"),
        ("AccessDeniedException", "denied", "The permission athena:StartQueryExecution is missing"),
    ],
)
def test_athena_query_that_cannot_be_started_is_an_error_with_a_remedy(
    aws: Aws, athena: Stubber, code: str, message: str, expected: str
) -> None:
    athena.add_client_error("start_query_execution", code, message)
    with pytest.raises(OperatorError, match=expected):
        aws.start_query("SELECT 1", **ADDRESS)


def test_state_of_an_athena_query_contains_reason_and_scanned_bytes(aws: Aws, athena: Stubber) -> None:
    found = {
        "Status": {"State": "FAILED", "StateChangeReason": "reason"},
        "Statistics": {"DataScannedInBytes": 5},
        "StatementType": "DML",
    }
    athena.add_response("get_query_execution", {"QueryExecution": found}, {"QueryExecutionId": "q"})
    assert aws.query_state("q") == AthenaQuery(state="FAILED", reason="reason", bytes_scanned=5, has_header=True)
    found = {"Status": {"State": "QUEUED"}, "StatementType": "DDL"}
    athena.add_response("get_query_execution", {"QueryExecution": found}, {"QueryExecutionId": "q"})
    assert aws.query_state("q") == AthenaQuery(state="QUEUED", reason="", bytes_scanned=0, has_header=False)


def test_athena_result_pages_omit_the_header_row_and_contain_none_for_null(aws: Aws, athena: Stubber) -> None:
    results: list[tuple[list[str | None], str | None]] = [(["key", "a", None], "t"), (["", "key"], None)]
    for number, (values, token) in enumerate(results):
        page = {"Rows": rows(*values), "ResultSetMetadata": {"ColumnInfo": COLUMNS}}
        response = {"ResultSet": page, **({"NextToken": token} if token else {})}
        expected = {"QueryExecutionId": "q", **({"NextToken": "t"} if number else {})}
        athena.add_response("get_query_results", response, expected)
    pages = list(aws.query_pages("q", has_header=True))
    assert pages[0] == AthenaPage(columns=("key", "size"), types=("varchar", "bigint"), rows=(("a", "1"), (None, "1")))
    assert pages[1].rows == (("", "1"), ("key", "1"))


def test_running_athena_query_is_stopped(aws: Aws, athena: Stubber) -> None:
    athena.add_response("stop_query_execution", {}, {"QueryExecutionId": "q"})
    aws.stop_query("q")
    athena.assert_no_pending_responses()


def test_selecting_an_export_changes_only_location_and_parameters_of_the_glue_table(aws: Aws, glue: Stubber) -> None:
    parameters = {"export_arn": "arn", "export_time": "now"}
    storage = {**STORAGE, "Location": "s3://exports/exports/a/data/"}
    expected = {**TABLE_INPUT, "StorageDescriptor": storage, "Parameters": {"EXTERNAL": "TRUE", **parameters}}
    glue.add_response("get_table", {"Table": TABLE}, {"DatabaseName": "tapstack_dev", "Name": "exported_rows"})
    glue.add_response("update_table", {}, {"DatabaseName": "tapstack_dev", "TableInput": expected, "SkipArchive": True})
    aws.point_glue_table("tapstack_dev", "exported_rows", location=storage["Location"], parameters=parameters)
    glue.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("EntityNotFoundException", "Check the region, and that the configuration key analytics is true"),
        ("AccessDeniedException", "The permission glue:GetTable is missing"),
    ],
)
def test_unreadable_glue_table_is_an_error_with_a_remedy(aws: Aws, glue: Stubber, code: str, message: str) -> None:
    glue.add_client_error("get_table", code, "message")
    with pytest.raises(OperatorError, match=message):
        aws.glue_table("tapstack_dev", "exported_rows")


def test_denied_update_of_the_glue_table_is_an_error_with_the_missing_permission(aws: Aws, glue: Stubber) -> None:
    glue.add_response("get_table", {"Table": TABLE})
    glue.add_client_error("update_table", "AccessDeniedException", "denied")
    with pytest.raises(OperatorError, match=r"The permission glue:UpdateTable is missing"):
        aws.point_glue_table("tapstack_dev", "exported_rows", location="s3://a/", parameters={})
