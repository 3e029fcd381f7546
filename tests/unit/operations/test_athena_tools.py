"""Tests of the tools `sql`, `report` and `export` with Athena: results, costs, selected exports, and interruptions."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from operations.analytics.source import Source
from operations.command import main
from tests.support.athena_fakes import AthenaAws
from tests.support.attack_keys import ATTACK_KEYS
from tests.support.export_fakes import EXPORT_BUCKET
from tests.support.export_folder import ID, TABLE_ARN, write_export
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import SETTINGS

DAY = {"upload_day": "2026-01-31", "uploaded_at": "2026-01-31T12:00:00.000Z"}
ROWS: list[dict[str, Any]] = [
    {"object_id": f"uploads/{key}", "version_id": "v1", "bucket": "uploads", "key": key, "size_bytes": 5, **DAY}
    for key in ATTACK_KEYS
]
COUNT = "SELECT count(*) AS number, sum(size_bytes) AS bytes FROM objects"
NUMBER = len(ATTACK_KEYS)
EARLIER = f"s3://{EXPORT_BUCKET}/exports/earlier/AWSDynamoDB/{ID}"


class Tools:
    """Runs the operators' tools with a fake Athena and an own cache folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.aws = AthenaAws(folder / "s3", ROWS)
        self.cache = folder / "cache"
        self.output = self.errors = ""

    def __call__(self, *arguments: str) -> int:
        code = main([*arguments, "--function=indexer"], connect=lambda _: self.aws, cache=self.cache)
        self.output, self.errors = self.capsys.readouterr()
        return code

    def document(self, *arguments: str) -> dict[str, Any]:
        assert self(*arguments, "--json") == 0, self.errors
        document: dict[str, Any] = json.loads(self.output)
        return document


@pytest.fixture
def tools(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setattr("operations.analytics.athena.DELAYS", (0.001,))
    monkeypatch.setitem(Source.__init__.__kwdefaults__ or {}, "sleep", lambda _: None)
    return Tools(tmp_path, capsys)


@pytest.fixture
def ready(tools: Tools) -> Tools:
    """Fixture: runs tools after `tapstack export`, so that Athena has rows."""
    tools.aws.add_export("exports/earlier")
    assert tools("export") == 0, tools.errors
    return tools


def test_tool_export_without_parquet_exports_the_table_and_makes_athena_read_the_export(tools: Tools) -> None:
    document = tools.document("export")
    [started] = tools.aws.started
    location = f"s3://{EXPORT_BUCKET}/{started['prefix']}/AWSDynamoDB/{ID}"
    assert tools.aws.glue["StorageDescriptor"]["Location"] == f"{location}/data/"
    assert tools.aws.glue["Parameters"] == {"export_arn": f"{TABLE_ARN}/export/{ID}", "export_time": document["time"]}
    assert (document["athena"], document["source"], document["table_rows"]) == (location, location, NUMBER)
    assert (document["folder"], document["files"]) == (None, 0)
    [view] = tools.aws.queries
    assert view.startswith("CREATE OR REPLACE VIEW objects AS SELECT")
    assert "about $0.30 in us-east-1" in tools.errors


def test_tool_export_reuses_an_export_that_is_younger_than_the_option_max_age(tools: Tools) -> None:
    tools.aws.add_export("exports/earlier", age=timedelta(minutes=30))
    assert tools("export") == 0
    assert tools.aws.started == []
    assert tools.output.splitlines() == [f"Athena reads {EARLIER}", f"export: {NUMBER} rows"]
    assert tools("export", "--max-age=0") == 0
    assert len(tools.aws.started) == 1


def test_tool_export_with_parquet_updates_athena_after_an_export_but_not_after_a_scan(
    tools: Tools, tmp_path: Path
) -> None:
    tools.aws.add_export("exports/earlier")
    assert tools.document("export", "--export", f"--parquet={tmp_path / 'a'}")["athena"] == EARLIER
    assert tools.document("export", "--scan", "--max-age=0", f"--parquet={tmp_path / 'b'}")["athena"] is None
    assert tools.aws.glue["StorageDescriptor"]["Location"] == f"{EARLIER}/data/"


def test_tool_export_keeps_its_parquet_files_if_athena_cannot_be_updated(tools: Tools, tmp_path: Path) -> None:
    tools.aws.add_export("exports/earlier")
    tools.aws.final = ("FAILED", "Access denied")
    assert tools("export", "--export", f"--parquet={tmp_path / 'a'}") == 2
    assert "the view objects for the Athena console was not created; start export again without" in tools.errors
    assert tools.output == f"Athena reads {EARLIER}\n"
    assert list((tmp_path / "a").rglob("*.parquet"))


def test_option_from_export_makes_athena_read_an_existing_export(tools: Tools) -> None:
    tools.aws.add_export("exports/earlier")
    assert tools("export", f"--from-export={EARLIER}/manifest-summary.json") == 0
    assert tools.aws.glue["StorageDescriptor"]["Location"] == f"{EARLIER}/data/"


def test_export_outside_the_stack_cannot_be_selected_for_athena(tools: Tools, tmp_path: Path) -> None:
    before = tools.aws.glue
    for arguments, message in nonempty(
        [
            (["--scan"], "--scan requires --parquet, because Athena can only read an export"),
            ([f"--from-export={tmp_path}"], f"{tmp_path} is not in the export bucket of the stack, {EXPORT_BUCKET}"),
            (["--from-export=s3://other/a"], "s3://other/a is not in the export bucket of the stack"),
            ([f"--from-export={EARLIER}"], f"cannot read {EARLIER}/manifest-summary.json"),
        ]
    ):
        if "--scan" in arguments:
            with pytest.raises(SystemExit):
                tools("export", *arguments)
            tools.errors = tools.capsys.readouterr().err
        else:
            assert tools("export", *arguments) == 2
        assert message in tools.errors
    write_export(tools.aws.folder / EXPORT_BUCKET, [], prefix="exports/earlier", tableArn=f"{TABLE_ARN}-other")
    assert tools("export", f"--from-export={EARLIER}") == 2
    assert f"is an export of the table {TABLE_ARN}-other, but the table of the stack is {TABLE_ARN}" in tools.errors
    assert (tools.aws.glue, tools.aws.queries) == (before, [])
    assert tools.errors.endswith("Athena was not updated; start export again\n")


@pytest.mark.parametrize("arguments", [("sql", COUNT, "--athena"), ("report", "--athena"), ("export",)])
def test_athena_tools_without_the_key_analytics_fail_and_name_the_key(tools: Tools, arguments: tuple[str, ...]) -> None:
    tools.aws.settings = dict(SETTINGS)
    assert tools(*arguments) == 2
    assert "the stack has no Athena workgroup: set the configuration key analytics to true" in tools.errors


def test_sql_tool_prints_the_same_result_with_athena_and_with_duckdb(ready: Tools) -> None:
    for arguments in nonempty(
        [
            (COUNT,),
            ("--name=totals",),
            ("--name=largest", "--format=csv"),
            ("WITH a AS (SELECT key, upload_day FROM objects) SELECT * FROM a ORDER BY key", "--format=json"),
        ]
    ):
        assert ready("sql", *arguments, f"--from-export={EARLIER}") == 0
        local = ready.output
        assert ready("sql", *arguments, "--athena") == 0, ready.errors
        assert ready.output == local


def test_sql_tool_with_athena_prints_scanned_bytes_price_and_export_time(ready: Tools) -> None:
    document = ready.document("sql", COUNT, "--athena")
    assert (document["table"], document["source"], document["table_rows"]) == (TABLE_ARN, EARLIER, NUMBER)
    assert document["bytes_scanned"] == 25 * 1024**2
    assert document["price"] == pytest.approx(5 * 25 / 1024**2)
    assert document["columns"] == [{"name": "number", "type": "BIGINT"}, {"name": "bytes", "type": "BIGINT"}]
    assert document["rows"] == [[NUMBER, 5 * NUMBER]]
    assert ready("sql", COUNT, "--athena") == 0
    assert "Athena scanned 26,214,400 bytes, which costs about $0.00012 in us-east-1" in ready.errors
    assert f"1 row, from the rows of the table at {document['time']}" in ready.errors


def test_price_of_a_small_athena_query_is_the_minimum_price(ready: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.athena_fakes.SCANNED", 1)
    assert ready.document("sql", COUNT, "--athena")["price"] == pytest.approx(5 * 10 / 1024**2)


def test_sql_tool_with_athena_writes_the_result_to_a_new_file(ready: Tools, tmp_path: Path) -> None:
    file = tmp_path / "result.csv"
    assert ready("sql", COUNT, "--athena", "--format=csv", f"--output={file}") == 0
    assert file.read_bytes() == f"number,bytes\r\n{NUMBER},{5 * NUMBER}\r\n".encode()
    started = len(ready.aws.queries)
    assert ready("sql", COUNT, "--athena", "--format=csv", f"--output={file}") == 2
    assert "the file exists; give the name of a new file" in ready.errors
    assert len(ready.aws.queries) == started
    with pytest.raises(SystemExit):
        ready("sql", COUNT, "--athena", "--format=parquet", f"--output={file}.parquet")
    assert "--format parquet is not possible with --athena" in ready.capsys.readouterr().err


@pytest.mark.slow
def test_report_tool_creates_the_same_report_with_athena_and_with_duckdb(ready: Tools) -> None:
    options = ("--prefix='", "--since=2026-01-01", "--top=2")
    local = ready.document("report", f"--from-export={EARLIER}", *options)
    document = ready.document("report", "--athena", *options)
    assert document.pop("bytes_scanned") >= 18 * 25 * 1024**2
    assert document.pop("price") > 0
    assert document == local
    assert document["totals"]["objects"] > 2


@pytest.mark.slow
def test_athena_report_of_an_export_with_deleted_files_is_an_error(ready: Tools) -> None:
    part, *_ = (ready.aws.folder / EXPORT_BUCKET).rglob("*.json.gz")
    part.unlink()
    ready.aws.connections.clear()
    assert ready("report", "--athena") == 2
    assert f"but the manifest of {EARLIER} states {NUMBER}: a lifecycle rule or a user may" in ready.errors


@pytest.mark.parametrize("arguments", [("sql", COUNT), pytest.param(("report",), marks=pytest.mark.slow)])
def test_athena_query_fails_if_another_export_is_selected_meanwhile(ready: Tools, arguments: tuple[str, ...]) -> None:
    selected = [ready.aws.glue, {**ready.aws.glue, "StorageDescriptor": {"Location": "s3://export-bucket/other/data/"}}]
    ready.aws.glue_table = lambda *_: selected.pop(0)  # type: ignore[method-assign]  # the second request follows the query
    assert ready(*arguments, "--athena") == 2
    assert "selected another export during the query, so the result" in ready.errors
    assert ready.output == ""


def test_athena_query_before_the_first_export_is_an_error_with_a_remedy(tools: Tools) -> None:
    assert tools("sql", COUNT, "--athena") == 2
    assert "no export is selected for Athena: run `tapstack export`" in tools.errors
    assert tools.aws.queries == []


def test_athena_query_of_an_expired_export_is_an_error_with_a_remedy(ready: Tools) -> None:
    for each in (ready.aws.folder / EXPORT_BUCKET).rglob("manifest-summary.json"):
        each.unlink()
    assert ready("sql", COUNT, "--athena") == 2
    assert "If the export has expired (configuration key exportRetentionDays), run `tapstack export`" in ready.errors


def test_sql_tool_waits_until_the_athena_query_has_ended(ready: Tools) -> None:
    ready.aws.states = ["QUEUED", "RUNNING", "RUNNING"]
    assert ready("sql", COUNT, "--athena") == 0
    assert ready.aws.states == []


def test_interrupted_sql_tool_stops_its_query_in_athena(ready: Tools) -> None:
    ready.aws.states = ["RUNNING", "interrupt"]
    assert ready("sql", COUNT, "--athena") == 130
    assert ready.aws.stopped == ["query-1"]


@pytest.mark.slow
def test_failed_athena_query_of_a_report_stops_its_other_queries(ready: Tools) -> None:
    ready.aws.final, ready.aws.failing = ("FAILED", "EXCEEDED_LOCAL_MEMORY_LIMIT"), "AS declared_type"
    ready.aws.running = "AS upload_month"
    assert ready("report", "--athena") == 2
    assert "cannot run the query in Athena: EXCEEDED_LOCAL_MEMORY_LIMIT" in ready.errors
    [stopped] = [ready.aws.queries[int(each.rpartition("-")[2])] for each in ready.aws.stopped]
    assert "AS upload_month" in stopped
    assert len(ready.aws.queries) < 18


@pytest.mark.parametrize(
    ("final", "message"),
    [
        (
            ("CANCELLED", "Query cancelled! : Bytes scanned limit was exceeded"),
            "Bytes scanned limit was exceeded. Increase the configuration key queryScanLimitGb",
        ),
        (
            ("FAILED", "COLUMN_NOT_FOUND: line 1:8: Column 'sise' cannot be resolved or requester is not authorized"),
            "requester is not authorized. docs/sql.md lists the columns of the relation objects",
        ),
        (("FAILED", "FUNCTION_NOT_FOUND: line 1:8: Function 'f' not registered"), "Use a function of Trino"),
        (("FAILED", "TYPE_MISMATCH: line 1:8: Cannot apply operator: timestamp(3) < varchar(4)"), "write TIMESTAMP"),
        (("FAILED", "SYNTAX_ERROR: line 1:8"), "SYNTAX_ERROR: line 1:8. Athena lacks some of the SQL syntax of DuckDB"),
        (
            ("FAILED", "Permission denied on S3 path: s3://export-bucket/exports/a"),
            "Use credentials with the permissions for Athena in docs/security.md",
        ),
        (("CANCELLED", ""), "cannot run the query in Athena: the query has the state CANCELLED"),
    ],
)
def test_athena_error_is_printed_with_a_remedy(ready: Tools, final: tuple[str, str], message: str) -> None:
    ready.aws.final = final
    assert ready("sql", COUNT, "--athena") == 2
    assert message in ready.errors
    assert ("scanned 26,214,400 bytes" in ready.errors) == (final[0] == "CANCELLED")


def test_unknown_column_error_names_the_column_documentation_in_athena_and_duckdb(ready: Tools) -> None:
    for source in nonempty(["--athena", f"--from-export={EARLIER}"]):
        assert ready("sql", "SELECT sise FROM objects", source) == 2
        assert "docs/sql.md lists the columns of the relation objects" in ready.errors


def test_sql_that_reads_another_table_is_not_sent_to_athena(ready: Tools) -> None:
    started = len(ready.aws.queries)
    assert ready("sql", "SELECT * FROM exported_rows", "--athena") == 2
    assert "with --athena, a query can only read the relation objects" in ready.errors
    assert len(ready.aws.queries) == started
