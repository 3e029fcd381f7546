"""Tests that queries have the same results in the emulator's Athena and in DuckDB, and that exports are selected."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from operations.analytics.athena import Athena
from operations.analytics.columns import COLUMNS, TEXTS
from operations.analytics.engine import Engine
from operations.analytics.named_queries import named_query, query_names
from operations.analytics.report import Filters, create_report, query_of
from operations.command import main
from operations.discovery import from_settings
from operations.errors import OperatorError
from tests.support.athena import METADATA_NAMES, TranslatingAws, upload_export
from tests.support.attack_keys import ATTACK_KEYS
from tests.support.export_folder import load, typed, write_export
from tests.support.generated_bucket import GeneratedBucket

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.selection import DeployStack

pytestmark = [
    pytest.mark.not_in_a_live_account("deploys a stack of its own"),
    pytest.mark.only_emulator("embedded"),
    pytest.mark.slow,
]

CHECKSUM = ("CRC64NVME", "ynIoRb1s2ao=", "FULL_OBJECT")
NO_WAIT = 0.01
"""Seconds to wait between requests for the state of a query."""


def items() -> list[dict[str, Any]]:
    """Return rows with unusual object keys, deletions and delete markers, and one row with all attributes."""
    bucket = GeneratedBucket("uploads")
    for number, key in enumerate(ATTACK_KEYS):
        facts: dict[str, Any] = {"content": key, "mismatch": True} if number % 2 else {}
        bucket.upload(key, size=number * 10**11, content_type=key, checksum=CHECKSUM, **facts)
        if number % 3 == 0:
            bucket.upload(key, size=131_072, checksum=CHECKSUM, by_tool=number % 2 == 0)
        if number % 4 == 0:
            bucket.delete(key, by="AWS:AIDA1")
        if number % 5 == 0:
            bucket.delete_version(key, number, by=key)
    bucket.upload("null version", size=1, null=True)
    numbers = (
        "width",
        "height",
        "orientation",
        "pages",
        "sheets",
        "slides",
        "entries",
        "duration_ms",
        "rows",
        "columns",
    )
    full = {
        "object_id": "uploads/all",
        "version_id": "v1",
        "bucket": "uploads",
        "key": "all",
        "size_bytes": 5 * 1024**4,
        "encryption": "aws:kms",
        "user_metadata": {"project": "Zoë's", **{f"name{each}": str(each) for each in range(METADATA_NAMES)}},
        "uploaded_at": "2026-11-22T21:40:04.000Z",
        "upload_day": "2026-11-22",
        "deleted_at": "2026-11-23T08:15:30.125Z",
        "expires_at": 1803197730,
        "delete_marker": False,
        "content": {"type": "image/png", "encoding": "utf-8", "encrypted": True, "error": "limit"}
        | dict.fromkeys(numbers, 2**62),
    }
    return [*bucket.items, typed(full)]


@pytest.fixture(scope="module")
def outputs(emulator: Emulator, deploy_stack: DeployStack) -> Iterator[Mapping[str, str]]:
    """Fixture: outputs of a deployed stack with the configuration key `analytics`."""
    deployment = deploy_stack(emulator, config_overrides={"env": "athena", "analytics": "true"})
    yield deployment.outputs
    deployment.destroy()


@pytest.fixture(scope="module")
def aws(emulator: Emulator) -> Iterator[TranslatingAws]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment().items():
            patch.setenv(name, value)
        yield TranslatingAws.connect(emulator.region)


@pytest.fixture(scope="module")
def folder(outputs: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fixture: local folder with an export of the stack's table."""
    folder = tmp_path_factory.mktemp("export")
    write_export(folder, items(), prefix="exports/2026-01-31T12-00-00Z", tableArn=outputs["table_arn"])
    return folder


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Runs the operators' tools with the deployed stack.

    Attributes:
        capsys: captured output.
        aws: client for the AWS calls.
        function: name of the indexer.
        cache: the cache folder.
    """

    capsys: pytest.CaptureFixture[str]
    aws: TranslatingAws
    function: str
    cache: Path

    def __call__(self, *arguments: str) -> str:
        """Run a tool, assert that it succeeds, and return its output."""
        command = [*arguments, f"--function={self.function}"]
        code = main(command, connect=lambda _: self.aws, cache=self.cache)
        output, errors = self.capsys.readouterr()
        assert code == 0, errors
        return output


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], aws: TranslatingAws, outputs: Mapping[str, str], tmp_path: Path) -> Tools:
    return Tools(capsys=capsys, aws=aws, function=outputs["lambda_function_name"], cache=tmp_path / "cache")


@pytest.fixture(scope="module")
def location(outputs: Mapping[str, str], emulator: Emulator, folder: Path) -> str:
    """Fixture: S3 URL of the export. The test uploads it, because the emulator's DynamoDB writes no exports."""
    return upload_export(emulator.client("s3"), outputs["export_bucket_name"], folder)


@pytest.fixture(scope="module")
def athena(aws: TranslatingAws, outputs: Mapping[str, str], location: str) -> Athena:
    """Fixture: the stack's Athena workgroup, after the selection of the export."""
    _, expected = from_settings(outputs["lambda_function_name"], None, aws)
    athena = Athena(aws, expected, sleep=lambda _: time.sleep(NO_WAIT))
    with pytest.raises(OperatorError, match="no export is selected for Athena: run `tapstack export`"):
        athena.open()
    assert athena.point(location, table=outputs["table_arn"]).rows == len(items())
    return athena


@pytest.fixture(scope="module")
def engine(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    [summary] = folder.rglob("manifest-summary.json")
    with Engine(spill=tmp_path_factory.mktemp("spill")) as engine:
        load(summary.parent, engine)
        yield engine


def test_named_queries_have_equal_results_in_athena_and_in_duckdb(athena: Athena, engine: Engine) -> None:
    names = query_names()
    results = athena.map(lambda name: athena.run(named_query(name), {}), names)
    local = query_of(engine)
    assert dict(zip(names, results, strict=True)) == {name: local(named_query(name), {}) for name in names}
    assert len(names) == 19


def test_all_columns_have_equal_values_in_athena_and_in_duckdb(athena: Athena, engine: Engine) -> None:
    columns = [each.name for each in COLUMNS if each.type != TEXTS]
    values = ["user_metadata['project'] AS project", "user_metadata['no'] AS absent", *columns]
    sql = f"SELECT {', '.join(values)} FROM objects ORDER BY object_id, version_id"  # noqa: S608  the names are those of columns
    assert athena.run(sql, {}) == query_of(engine)(sql, {})


def test_filtered_report_has_equal_tables_in_athena_and_in_duckdb(athena: Athena, engine: Engine) -> None:
    filters = Filters(prefix="'; DROP", since=datetime.fromisoformat("2020-01-01T00:00:00Z"))
    options: dict[str, Any] = {"source": "test", "filters": filters, "top": 3}
    local = create_report(query_of(engine), **options)
    assert create_report(athena.run, relation="objects", apply=athena.map, **options) == local
    assert local.totals["index_rows"] > 0


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("WITH objects AS (SELECT * FROM objects WHERE key = 'all') SELECT count(*) FROM objects -- a; b", [(1,)]),
        ('SELECT o.size_bytes AS "Größe ;" FROM main AS o', None),
        ("WITH a AS (FROM objects) SELECT bucket FROM a ORDER BY key LIMIT 1", [("uploads",)]),
        ("SELECT DISTINCT objects.key FROM objects WHERE key = 'שלום.txt'", [("שלום.txt",)]),
        ("SELECT uploaded_at, upload_day, true, 1.5, NULL FROM objects WHERE key = 'all'", None),
    ],
)
def test_user_query_has_equal_results_in_athena_and_in_duckdb(
    athena: Athena, engine: Engine, sql: str, rows: list[tuple[Any, ...]] | None
) -> None:
    sql = sql.replace("FROM main AS o", "FROM objects AS o ORDER BY 1 LIMIT 3")
    result = athena.select(sql)
    found = list(result.rows)
    assert found == list(engine.select(sql).rows)
    assert rows is None or found == rows


def test_athena_result_of_several_pages_has_all_rows(athena: Athena) -> None:
    sql = "SELECT i FROM (SELECT count(*) AS n FROM objects) AS c, unnest(generate_series(1, 2500)) AS t(i) ORDER BY i"
    assert [row[0] for row in athena.select(sql).rows] == list(range(1, 2501))


def test_unknown_column_in_athena_is_an_error_that_names_the_column_documentation(athena: Athena) -> None:
    with pytest.raises(OperatorError, match=r"cannot run the query in Athena: .*sise.* docs/sql.md lists the columns"):
        athena.select("SELECT sise FROM objects")


@pytest.mark.usefixtures("athena")
def test_totals_over_exported_rows_are_equal_in_athena_and_in_duckdb(run: Tools, location: str) -> None:
    assert f"Athena reads {location}\n" in run("export", f"--from-export={location}")
    local = run("sql", "--name=totals", "--format=json", f"--from-export={location}")
    assert run("sql", "--name=totals", "--format=json", "--athena") == local


def test_selecting_an_export_changes_the_rows_but_not_the_glue_table_definition(
    athena: Athena, emulator: Emulator, outputs: Mapping[str, str], tmp_path: Path
) -> None:
    glue = emulator.client("glue")
    name = {"DatabaseName": outputs["glue_database_name"], "Name": "exported_rows"}
    before = glue.get_table(**name)["Table"]
    previous = athena.open()
    table = outputs["table_arn"]
    write_export(tmp_path, items()[1:], prefix="exports/other", tableArn=table)
    rows = athena.point(upload_export(emulator.client("s3"), outputs["export_bucket_name"], tmp_path), table=table)
    after = glue.get_table(**name)["Table"]
    assert (athena.open(), rows.rows) == (rows, previous.rows - 1)
    assert after["StorageDescriptor"] == {**before["StorageDescriptor"], "Location": f"{rows.source}/data/"}
    assert after["Parameters"]["EXTERNAL"] == "TRUE"
    assert after["Parameters"]["export_time"] == "2026-01-31T12:00:00.000Z"
    athena.point(previous.source, table=table)
    assert athena.open() == previous


def test_missing_glue_table_is_an_error_that_names_the_key_analytics(aws: TranslatingAws, athena: Athena) -> None:
    assert athena.open().rows > 0
    with pytest.raises(OperatorError, match="configuration key analytics is true") as raised:
        aws.glue_table("no_such_database", "exported_rows")
    assert isinstance(raised.value.__cause__, ClientError)
