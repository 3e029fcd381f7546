"""Tests of the tools `sql`, `export` and `cache`: sources of the rows, output formats, errors, and the cache."""

from __future__ import annotations

import csv
import io
import json
import shutil
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

from operations.analytics import formats, scan
from operations.analytics.source import Source
from operations.command import main
from operations.errors import OperatorError
from operations.program import OutputError
from tests.support.export_fakes import ExportingAws
from tests.support.export_folder import TABLE_ARN, write_export
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import SETTINGS

DAY = {"upload_day": "2026-01-31", "uploaded_at": "2026-01-31T12:00:00.000Z"}
ROWS: list[dict[str, Any]] = [
    {"object_id": "uploads/a", "version_id": "v1", "key": "a", "size_bytes": 5, **DAY},
    {"object_id": "uploads/=1+1", "version_id": "v1", "key": "=1+1", "size_bytes": 7, "user_metadata": {"a": "Zoë"}},
    {"object_id": "uploads/\x1b[31m", "version_id": "m1", "key": "\x1b[31m", "delete_marker": True},
]
SUM = "SELECT count(*) AS number, sum(size_bytes) AS bytes FROM objects"
KEYS = "SELECT key, size_bytes, uploaded_at, user_metadata FROM objects ORDER BY key"


class Rows:
    """Runs the operators' tools with a fake table and an own cache folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], sleeps: list[float]) -> None:
        self.capsys = capsys
        self.aws = ExportingAws(folder / "s3", ROWS)
        self.cache = folder / "cache"
        self.sleeps = sleeps
        self.regions: list[str | None] = []

    def __call__(self, *arguments: str, stack: bool = True) -> int:
        def connect(region: str | None) -> ExportingAws:
            self.regions.append(region)
            return self.aws

        code = main([*arguments, *["--function=indexer"] * stack], connect=connect, cache=self.cache)
        self.output, self.errors = self.capsys.readouterr()
        return code

    def json(self, *arguments: str) -> Any:  # noqa: ANN401  JSON values have any type
        assert self("sql", SUM, "--format", "json", *arguments) == 0
        return json.loads(self.output)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Rows:
    sleeps: list[float] = []
    defaults = Source.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "sleep", sleeps.append)
    return Rows(tmp_path, capsys, sleeps)


RESULT = [{"number": 3, "bytes": 12}]


def test_scan_is_repeated_only_if_the_cached_rows_are_older_than_the_option_max_age(run: Rows) -> None:
    assert run.json("--scan") == RESULT
    run.aws.table = run.aws.table[:1]
    assert run.json("--scan") == RESULT
    assert run.json() == RESULT
    assert run.aws.scans == 1
    assert "from the cache (source: scan); --max-age 0 reads the table again" in run.errors
    assert run.json("--scan", "--max-age", "0") == [{"number": 1, "bytes": 5}]
    assert run.aws.scans == 2


def test_scan_of_a_large_table_is_rejected_without_the_option_force(run: Rows) -> None:
    run.aws.counted = 1_000_001
    assert run("sql", SUM, "--scan") == 2
    assert (
        "'objects' has about 1,000,001 rows, and the limit is 1,000,000: use --export, which costs less" in run.errors
    )
    assert run.aws.scans == 0
    assert run.json("--scan", "--force") == RESULT


def test_scan_stops_at_the_row_limit_if_dynamodb_reported_too_few_rows(
    run: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.analytics.source.MAX_ROWS", 2)
    assert scan.MAX_ROWS == 1_000_000
    run.aws.counted = 0
    assert run("sql", SUM, "--scan") == 2
    assert "the table 'objects' has more than 2 rows" in run.errors
    assert list(run.cache.iterdir()) == []


def test_scan_uses_half_of_the_read_capacity_by_default(run: Rows) -> None:
    run.json("--scan")
    assert "scanning about 3 rows with at most 50000 read units per second" in run.errors
    run.json("--scan", "--max-age=0", "--rate=7000")
    assert "at most 7000 read units per second" in run.errors


def test_sql_tool_with_option_export_prints_the_price_and_stores_the_export_in_the_cache(run: Rows) -> None:
    assert run.json("--export") == RESULT
    assert "exporting 3.00 GB, which costs about $0.30 in us-east-1" in run.errors
    [started] = run.aws.started
    assert started["prefix"].startswith("exports/20")
    assert (started["table"], started["bucket"]) == (TABLE_ARN, "export-bucket")
    assert started["owner"] == "123456789012"
    assert run.sleeps == [10.0, 10.0]
    assert run.json("--export") == RESULT
    assert len(run.aws.started) == 1


@pytest.mark.parametrize(
    ("age", "arguments", "started"),
    [
        (timedelta(minutes=59), [], 0),
        (timedelta(minutes=61), [], 1),
        (timedelta(minutes=61), ["--max-age=2h"], 0),
        (timedelta(minutes=1), ["--max-age=0"], 1),
    ],
)
def test_export_in_s3_is_reused_if_it_is_younger_than_the_option_max_age(
    run: Rows, age: timedelta, arguments: list[str], started: int
) -> None:
    run.aws.add_export("exports/earlier", age=age)
    assert run.json("--export", *arguments) == RESULT
    assert len(run.aws.started) == started


def test_export_that_is_still_in_progress_is_reused(run: Rows) -> None:
    run.aws.add_export("exports/earlier", status="IN_PROGRESS")
    assert run.json("--export") == RESULT
    assert run.aws.started == []


def test_export_in_another_bucket_is_not_reused(run: Rows) -> None:
    run.aws.add_export("exports/earlier", bucket="another-bucket")
    assert run.json("--export") == RESULT
    assert len(run.aws.started) == 1


def test_failed_table_export_is_an_error_with_its_cause(run: Rows) -> None:
    run.aws.outcome = "FAILED"
    assert run("sql", SUM, "--export") == 2
    assert "failed: S3AccessDenied: no permission. Correct the cause and start again" in run.errors


def without_bucket(run: Rows) -> None:
    run.aws.settings = dict(SETTINGS)


def without_recovery(run: Rows) -> None:
    run.aws.recovery = False


def small_table(run: Rows) -> None:
    run.aws.size_bytes = 7_000


def nothing(_: Rows) -> None:
    return None


@pytest.mark.parametrize(
    ("arguments", "change", "message"),
    [
        (
            ["--export"],
            without_bucket,
            "set the configuration key analytics to true and run `pulumi up`, or use --scan",
        ),
        (["--export"], without_recovery, "An export needs point-in-time recovery"),
        ([], nothing, "add --export (costs about $0.30), --scan or --from-export PATH"),
        ([], small_table, "add --export (costs less than $0.01), --scan or --from-export PATH"),
        ([], without_bucket, "that are younger than --max-age: add --scan or --from-export PATH"),
        (["--from-export", "/nowhere"], nothing, "/nowhere does not exist: give the folder of an export"),
        (["--from-export", str(Path(__file__).parent)], nothing, " has no export: give the folder of an export"),
        (["--from-export", "s3://nowhere/prefix"], nothing, "cannot read s3://nowhere/prefix/manifest-summary.json"),
        (["--scan", "--name", "nothing"], nothing, "--name 'nothing': there is no query with this name"),
    ],
)
def test_sql_tool_without_readable_rows_prints_an_error_with_a_remedy(
    run: Rows, arguments: list[str], change: Callable[[Rows], None], message: str
) -> None:
    change(run)
    query = [] if "--name" in arguments else [SUM]
    assert run("sql", *query, *arguments) == 2
    assert message in run.errors
    assert run.output == ""


def test_sql_tool_rejects_an_export_of_another_table(run: Rows, tmp_path: Path) -> None:
    other = "arn:aws:dynamodb:eu-west-1:123456789012:table/other"
    export = write_export(tmp_path / "other", run.aws.table, tableArn=other)
    assert run("sql", SUM, "--from-export", str(export)) == 2
    assert f"{export}/manifest-summary.json is the manifest of an export of the table {other}" in run.errors
    assert run("sql", SUM, "--from-export", str(export), stack=False) == 0


@pytest.mark.parametrize("part", ["", "AWSDynamoDB/01693685827463-2d8752fd/manifest-summary.json"])
def test_sql_over_a_local_export_sends_no_aws_requests(run: Rows, tmp_path: Path, part: str) -> None:
    write_export(tmp_path / "local", run.aws.table)
    assert run("sql", SUM, "--from-export", str(tmp_path / "local" / part), stack=False) == 0
    assert run.regions == []


def test_folder_with_two_table_exports_is_an_error_that_names_one_export(run: Rows, tmp_path: Path) -> None:
    for each in ("a", "b"):
        write_export(tmp_path / "local" / each, run.aws.table)
    assert run("sql", SUM, "--from-export", str(tmp_path / "local"), stack=False) == 2
    assert "has 2 exports: give the path of one, such as" in run.errors


def test_existing_export_in_s3_is_downloaded(run: Rows) -> None:
    run.aws.add_export("exports/earlier")
    url = "s3://export-bucket/exports/earlier/AWSDynamoDB/01693685827463-2d8752fd/"
    assert run("sql", SUM, "--from-export", url, stack=False) == 0
    assert run("sql", SUM, "--from-export", f"{url}manifest-summary.json", "--format=csv") == 0
    assert run.output == "number,bytes\r\n3,12\r\n"


def test_csv_result_escapes_formulas_and_quotation_marks(run: Rows) -> None:
    assert run("sql", KEYS, "--scan", "--format=csv") == 0
    rows = list(csv.reader(io.StringIO(run.output)))
    assert rows[0] == ["key", "size_bytes", "uploaded_at", "user_metadata"]
    assert rows[2:] == [["'=1+1", "7", "", '{"a": "Zoë"}'], ["a", "5", "2026-01-31T12:00:00.000Z", ""]]
    assert run("sql", "SELECT -5 AS \"=a\", '-5' AS b, '\t' AS c, 'a=b' AS d", "--format=csv") == 0
    assert run.output == "'=a,b,c,d\r\n-5,'-5,'\t,a=b\r\n"


def test_printed_table_escapes_control_characters(run: Rows) -> None:
    assert run("sql", KEYS, "--scan") == 0
    assert "\x1b" not in run.output
    assert r"'\x1b[31m'" in run.output
    assert run("sql", "SELECT '[red]x[/red]' AS \"[b]\"") == 0
    assert run.output.split() == ["[b]", "[red]x[/red]"]


def test_sql_option_name_runs_a_named_query_and_rejects_an_unknown_name(
    run: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.analytics.named_queries.QUERIES", tmp_path)
    (tmp_path / "bytes.sql").write_text("-- One row with the bytes.\nSELECT sum(size_bytes) AS bytes FROM objects;\n")
    (tmp_path / "keys.sql").write_text(KEYS)
    assert run("sql", "--scan", "--name=bytes", "--format=csv") == 0
    assert run.output == "bytes\r\n12\r\n"
    assert run("sql", "--name=../bytes") == 2
    assert "there is no query with this name. The names are: bytes, keys" in run.errors


@pytest.mark.parametrize("kept", [None, 0, 100])
def test_cached_rows_with_a_missing_or_truncated_file_are_read_again(
    run: Rows, tmp_path: Path, kept: int | None
) -> None:
    export = str(write_export(tmp_path / "local", run.aws.table))
    assert run("sql", SUM, "--from-export", export) == 0
    [path] = run.cache.rglob("objects.parquet")
    content = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(content[:kept])
    assert run.json("--from-export", export) == RESULT


def test_damaged_file_in_the_cache_is_an_error_with_a_remedy(run: Rows) -> None:
    assert run.json("--scan") == RESULT
    [path] = run.cache.rglob("objects.parquet")
    path.write_bytes(b"\0" * path.stat().st_size)
    assert run("sql", SUM, "--scan") == 2
    assert (
        "A file in the cache may be damaged: delete the cache with `tapstack cache clear`, and start the tool"
        in run.errors
    )


def test_invalid_sql_is_an_error_before_the_table_is_exported(run: Rows) -> None:
    assert run("sql", "SELECT nothing FROM objects", "--export") == 2
    assert run.aws.started == []
    [line] = run.errors.splitlines()
    assert line.startswith("sql: cannot run the SQL statement: Binder Error: Referenced column")


def test_failed_sql_query_prints_that_the_rows_are_in_the_cache(run: Rows) -> None:
    assert run("sql", "SELECT key::INT FROM objects", "--scan") == 2
    assert (
        run.errors.splitlines()[-1]
        == "sql: the rows of the table are in the cache, and the next run can use them (--max-age)"
    )


def test_failed_sql_query_without_cached_rows_does_not_print_that_the_rows_are_in_the_cache(run: Rows) -> None:
    def delete(*_: object) -> None:
        shutil.rmtree(run.cache)
        raise OperatorError("deleted")

    with mock.patch("operations.tools.sql.Engine.select", delete):
        assert run("sql", SUM, "--scan") == 2
    assert run.errors.splitlines()[-1] == "sql: deleted"


def test_unusable_output_path_of_the_sql_tool_is_an_error_before_the_table_is_read(run: Rows, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    messages = {
        "file": "the file exists; give the name",
        "new/a.csv": f"there is no folder {tmp_path / 'new'}. Create it",
    }
    for name, message in nonempty(messages.items()):
        assert run("sql", SUM, "--scan", "--format=csv", "--output", str(tmp_path / name)) == 2
        assert f"sql: --output {tmp_path / name}: {message}" in run.errors
    assert run.aws.scans == 0


def test_name_of_a_query_in_place_of_sql_is_an_error_with_the_option_name(run: Rows) -> None:
    assert run("sql", "totals", "--scan") == 2
    assert run.errors == "sql: 'totals' is the name of a query, not an SQL statement: use --name totals\n"


def test_closed_pipe_of_the_sql_tool_raises_an_output_error(run: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function `operations.program.run` catches the error, prints its message, and exits."""
    monkeypatch.setattr("operations.tools.sql.WRITERS", {"csv": mock.Mock(side_effect=OutputError("closed"))})
    with pytest.raises(OutputError):
        run("sql", SUM, "--scan", "--format=csv")


def test_table_in_a_pipe_has_one_line_for_each_row(run: Rows) -> None:
    assert run("sql", "SELECT repeat('a', 500) AS a, 'b' AS b, 'c' AS c", "--scan") == 0
    assert run.output.splitlines() == [f"{'a':500}  b  c", f"{'a' * 500}  b  c"]


def test_printed_table_has_a_limited_number_of_rows(run: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats.MAX_TABLE_ROWS == 1000
    monkeypatch.setattr(formats, "MAX_TABLE_ROWS", 10)  # The library Rich needs 0.3 s to print 1,000 rows.
    assert run("sql", "SELECT * FROM range(15)", "--scan") == 0
    assert len(run.output.splitlines()) == 12
    assert "… and more rows: use LIMIT, or --format csv, which has no limit of 10 rows" in run.output


def test_format_json_is_an_array_of_rows_and_option_json_is_one_document(run: Rows) -> None:
    assert run("sql", KEYS, "--scan", "--format=json") == 0
    rows = json.loads(run.output)
    assert rows[-1] == {"key": "a", "size_bytes": 5, "uploaded_at": "2026-01-31T12:00:00.000Z", "user_metadata": None}
    assert run("sql", "SELECT 1.5::DECIMAL(9,1) AS a, 'NaN'::DOUBLE AS b, [1] AS c", "--json") == 0
    document = json.loads(run.output)
    assert document["rows"] == [[1.5, None, [1]]]
    assert [each["name"] for each in document["columns"]] == ["a", "b", "c"]
    assert (document["table"], document["source"], document["table_rows"]) == (TABLE_ARN, "scan", 3)


def test_json_document_of_the_sql_tool_with_too_many_rows_is_an_error_with_the_remedy(
    run: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.tools.sql.MAX_DOCUMENT_ROWS", 2)
    assert run("sql", "SELECT i FROM range(2) AS t(i)", "--scan", "--json") == 0
    assert json.loads(run.output)["rows"] == [[0], [1]]
    assert run("sql", "SELECT i FROM range(3) AS t(i)", "--scan", "--json") == 2
    message = "--json: the result has more than 2 rows: use --format json, which has no limit"
    assert json.loads(run.output)["error"] == message


def test_output_file_of_the_sql_tool_is_complete_and_readable_only_by_the_user(run: Rows, tmp_path: Path) -> None:
    for kind in nonempty(["csv", "json", "parquet"]):
        path = tmp_path / f"result.{kind}"
        assert run("sql", KEYS, "--scan", f"--format={kind}", "--output", str(path)) == 0
        assert run.output == ""
        assert duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall() == [(3,)]  # noqa: S608  the SQL text contains only a path of the test
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert run("sql", KEYS, "--scan", f"--format={kind}", "--output", str(path)) == 2
        assert f"--output {path}: the file exists; give the name of a new file" in run.errors


def test_failed_sql_query_leaves_no_output_file(run: Rows, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    assert (
        run("sql", "SELECT nothing FROM objects", "--scan", "--format=csv", "--output", str(tmp_path / "new" / "a.csv"))
        == 2
    )
    assert 'column "nothing" not found in FROM clause' in run.errors
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sql", SUM], "one of the arguments --function --stack-outputs --from-export is required"),
        (["sql", "--scan", "--function=f"], "one of the arguments SQL --name is required"),
        (["sql", SUM, "--function=f", "--force"], "--force and --rate require --scan"),
        (["sql", SUM, "--function=f", "--format=parquet"], "--format parquet requires --output FILE"),
        (["sql", SUM, "--function=f", "--output=a"], "--output requires --format csv, json or parquet"),
        (["sql", SUM, "--function=f", "--json", "--format=csv"], "--json cannot be used with --format and --output"),
        (["sql", SUM, "--function=f", "--memory=much"], "'much' is not an amount of memory, such as 500MB"),
        (["sql", SUM, "--function=f", "--memory=399MB"], "'399MB' is too little memory: give 400MB or more"),
        (["sql", SUM, "--from-export="], "the path is empty: give an export folder or s3://BUCKET/PREFIX"),
        (["sql", SUM, "--function=f", "--max-age=1"], "'1' is not a duration, such as 30m, 12h or 7d"),
        (["sql", SUM, "--from-export=s3://x"], "'s3://x' is not the URL of an export folder"),
        (["cache", "fill"], "invalid choice: 'fill'"),
        (["report", "--function=f", "--since=2026-02-01", "--until=2026-02-01"], "--until must be later than --since"),
    ],
)
def test_contradictory_options_of_sql_report_or_cache_are_an_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.startswith(f"usage: tapstack {arguments[0]} ")


def test_cached_files_are_readable_only_by_the_user_and_deleted_by_cache_clear(run: Rows) -> None:
    run.json("--scan")
    paths = [run.cache, *run.cache.rglob("*")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert [mode for name, mode in modes.items() if "." in name] == [0o600, 0o600]
    assert {mode for name, mode in modes.items() if "." not in name} == {0o700}
    (run.cache / "notes.txt").write_text("a file of the user")
    assert main(["cache", "clear"], cache=run.cache) == 0
    assert run.capsys.readouterr().out.startswith("cache: deleted 1 snapshot (")
    assert [path.name for path in run.cache.iterdir()] == ["notes.txt"]


def test_exported_parquet_folder_is_partitioned_by_upload_day(run: Rows, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "it's"
    assert run("export", "--parquet", str(folder), "--scan") == 0
    assert run.output == f"export: 3 rows in 2 files in {folder}, partitioned by upload_day\n"
    assert sorted(each.name for each in folder.iterdir()) == [
        "upload_day=2026-01-31",
        "upload_day=__HIVE_DEFAULT_PARTITION__",
    ]
    source = f"read_parquet('{folder}/*/*.parquet', hive_partitioning = true)".replace("it's", "it''s")
    sql = f"SELECT object_id FROM {source} WHERE upload_day = DATE '2026-01-31'"  # noqa: S608  the SQL text contains only a path of the test
    assert duckdb.execute(sql).fetchall() == [("uploads/a",)]
    assert run("export", "--parquet", str(folder), "--scan") == 2
    assert "the folder is not empty; give a new folder" in run.errors


def test_cache_folder_that_cannot_be_created_is_an_error(run: Rows, tmp_path: Path) -> None:
    run.cache = tmp_path / "file"
    run.cache.write_text("")
    assert run("sql", SUM, "--scan") == 2
    assert "cannot be used: File exists. Set TAPSTACK_CACHE to a folder that you can write to" in run.errors


def test_full_disk_during_a_download_is_an_error_with_the_cache_folder_and_a_remedy(
    run: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ExportingAws, "download_file", fail)
    assert run("sql", SUM, "--export") == 2
    assert f"cannot write to the cache folder {run.cache}: No space left on device. Delete files" in run.errors
    assert list(run.cache.iterdir()) == []
