"""Tests of the class `Engine`, which runs SQL in DuckDB: errors, rejected statements, and memory limits."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from operations.analytics.columns import COLUMNS
from operations.analytics.engine import Engine, translated_errors
from operations.errors import OperatorError
from tests.support.export_folder import load, typed, write_export
from tests.support.signals import default_signals


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"object_id": f"uploads/{each}", "version_id": "v1", "size_bytes": each} for each in range(5)]
    folder = write_export(tmp_path_factory.mktemp("engine"), [typed(each) for each in rows])
    with Engine(spill=folder / "spill") as engine:
        load(folder, engine)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    with Engine(spill=folder / "spill") as opened:
        opened.open([folder / "objects.parquet"])
        yield opened


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT siz_bytes FROM objects",
            r'"siz_bytes" not found(.|\n)*size_bytes(.|\n)*docs/sql.md lists the columns',
        ),
        ("SELECT * FROM object", r"object does not exist(.|\n)*objects(.|\n)*docs/sql.md lists the columns"),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("", "the SQL text has 0 statements: give exactly one SELECT statement"),
        ("SELECT 1; SELECT 2", "the SQL text has 2 statements"),
        ("INSERT INTO objects VALUES (1)", "INSERT statements are not allowed"),
        ("UPDATE objects SET key = ''", "UPDATE statements are not allowed"),
        ("DELETE FROM objects", "DELETE statements are not allowed"),
        ("DROP VIEW objects", "DROP statements are not allowed"),
        ("CREATE TABLE copies AS FROM objects", "CREATE statements are not allowed"),
        ("COPY objects TO 'file.csv'", "COPY statements are not allowed, .* use --format and --output"),
        ("COPY (SELECT 1) TO '/dev/stdout'", "COPY statements are not allowed"),
        ("EXPORT DATABASE 'folder'", "EXPORT statements are not allowed"),
        ("ATTACH 'file.db'", "ATTACH statements are not allowed"),
        ("SET memory_limit = '9GB'", "SET statements are not allowed"),
        ("INSTALL httpfs", "LOAD statements are not allowed"),
        ("PRAGMA version", "PRAGMA statements are not allowed"),
        ("CALL pragma_version()", "CALL statements are not allowed"),
        ("SELECT * FROM read_csv('/etc/passwd')", "A query can only read the relation objects"),
        ("SELECT * FROM read_text('/etc/passwd')", "A query can only read the relation objects"),
        ("SELECT * FROM glob('/etc/*')", "A query can only read the relation objects"),
        ("SELECT * FROM '/etc/passwd'", "does not exist"),
        ("SELECT * FROM 'https://example.com/a.parquet'", "does not exist|cannot read files or URLs"),
        ("SELECT * FROM sys", "sys does not exist"),
        ("SELECT * FROM objects WHERE key = ?", "parameter"),
        ("EXPLAIN ANALYZE COPY objects TO 'file.csv'", "COPY statements are not allowed"),
        ("EXPLAIN (ANALYZE) DROP VIEW objects", "DROP statements are not allowed"),
        ("-- comment\nexplain  ANALYZE DROP VIEW objects", "DROP statements are not allowed"),
        ("EXPLAIN CREATE TABLE copies AS FROM objects", "CREATE statements are not allowed"),
    ],
)
def test_invalid_or_writing_sql_statement_is_rejected_with_a_remedy(engine: Engine, sql: str, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        list(engine.select(sql).rows)
    assert engine.rows("SELECT count(*) FROM objects") == [(5,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM objects;",
        "WITH sizes AS (SELECT size_bytes FROM objects) SELECT count(*) FROM sizes -- comment",
        'SELECT count(*) AS "\';" FROM objects',
    ],
)
def test_sql_query_returns_column_types_and_rows(engine: Engine, sql: str) -> None:
    result = engine.select(sql)
    assert result.types == ("BIGINT",)
    assert list(result.rows) == [(5,)]


def test_explain_analyze_of_a_copy_statement_does_not_overwrite_the_cached_rows(folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "objects.parquet"
    shutil.copy(folder / "objects.parquet", rows)
    content = rows.read_bytes()
    with Engine(spill=tmp_path / "spill") as engine:
        engine.open([rows])
        with pytest.raises(OperatorError, match="COPY statements are not allowed"):
            engine.select(f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{rows}' (FORMAT parquet, USE_TMP_FILE false)")
        assert list(engine.select("EXPLAIN ANALYZE SELECT count(*) FROM objects").rows)
    assert rows.read_bytes() == content


def test_folder_names_in_hive_partition_format_do_not_replace_columns_of_the_file(folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "object_id=1" / "size_bytes=7" / "objects.parquet"
    rows.parent.mkdir(parents=True)
    shutil.copy(folder / "objects.parquet", rows)
    with Engine(spill=tmp_path / "spill") as engine:
        engine.open([rows])
        assert list(engine.select("SELECT max(object_id), sum(size_bytes) FROM objects").rows) == [("uploads/4", 10)]


def test_times_with_time_zone_in_results_are_utc_in_any_local_time_zone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    with Engine(spill=tmp_path / "spill") as engine:
        engine.open([folder / "objects.parquet"])
        sql = "SELECT TIMESTAMP '2026-07-01 12:00:00'::TIMESTAMPTZ, current_setting('TimeZone')"
        assert list(engine.select(sql).rows) == [(datetime(2026, 7, 1, 12, tzinfo=UTC), "UTC")]


def test_describe_objects_returns_the_columns_of_the_relation(engine: Engine) -> None:
    rows = list(engine.select("DESCRIBE objects").rows)
    assert [(each[0], each[1]) for each in rows] == [(each.name, each.type) for each in COLUMNS]


def test_query_result_can_be_written_only_to_the_permitted_parquet_file(folder: Path) -> None:
    path = folder / "result's.parquet"
    with Engine(spill=folder / "spill") as engine:
        engine.open([folder / "objects.parquet"], writable=path)
        assert engine.write_parquet("SELECT size_bytes FROM objects -- all; rows", path) == 5
        with pytest.raises(OperatorError, match="A query can only read the relation objects"):
            engine.write_parquet("SELECT 1", folder / "other.parquet")
        with pytest.raises(OperatorError, match="COPY statements are not allowed"):
            engine.write_parquet(f"COPY objects TO '{folder}/other.parquet'", path)
    with Engine(spill=folder / "spill") as engine:
        engine.open([path])
        assert engine.rows("SELECT sum(size_bytes) FROM objects") == [(10,)]


def test_parquet_result_has_exact_sums_and_keeps_the_order_of_the_rows(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "sums.parquet"
    path.touch()
    sql = (
        'SELECT number, 9007199254740992::HUGEINT + number AS "s""um", 1 AS a, 2::HUGEINT AS a '
        "FROM range(300000) AS numbers(number) ORDER BY number -- end"
    )
    with Engine(spill=tmp_path / "spill") as engine:
        engine.open([folder / "objects.parquet"], writable=path)
        assert engine.write_parquet(sql, path) == 300_000
    with duckdb.connect() as reader:
        source = f"read_parquet('{path}', file_row_number = true)"
        found = reader.execute(f"SELECT * FROM {source} LIMIT 1")  # noqa: S608  the SQL text contains only a path of the test
        assert [each[0] for each in found.description or ()][:4] == ["number", 's"um', "a", "a_1"]
        wrong = 'file_row_number <> number OR "s""um" <> 9007199254740992 + number OR a_1 <> 2'
        assert reader.execute(f"SELECT count(*) FROM {source} WHERE {wrong}").fetchall() == [(0,)]  # noqa: S608  the SQL text contains only a path of the test


def test_query_that_exceeds_the_memory_limit_writes_intermediate_results_to_disk(folder: Path) -> None:
    sql = "SELECT max(a), count(*) FROM (SELECT md5(i::VARCHAR) AS a FROM range(400000) t(i) ORDER BY a)"
    with Engine(memory="40MB", spill=folder / "spill") as engine:
        engine.open([folder / "objects.parquet"])
        assert next(engine.select(sql).rows)[1] == 400_000


@pytest.mark.parametrize(("memory", "threads"), [("40MB", 1), ("200MB", 2), ("800MB", 8), ("100GB", 64)])
def test_memory_limit_limits_the_threads_on_a_machine_with_64_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str, threads: int
) -> None:
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda path, config: connect(path, config={**config, "threads": 64}))
    with Engine(memory=memory, spill=tmp_path) as engine:
        assert engine.rows("SELECT current_setting('threads')") == [(threads,)]


def test_query_that_needs_too_much_memory_fails_with_a_remedy(folder: Path) -> None:
    with Engine(memory="10MB", spill=folder / "spill") as engine:
        engine.open([folder / "objects.parquet"])
        with pytest.raises(OperatorError, match=r"used\)\. Increase the limit with --memory, such as --memory 4GB"):
            list(engine.select("SELECT list(md5(i::VARCHAR)) FROM range(2000000) t(i)").rows)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT colour FROM objects", "docs/sql.md lists the columns of the relation objects"),
        ("SELECT 1 FROM object", 'Did you mean "objects"? The only table is objects; docs/sql.md lists'),
        ("SELEC 1", 'syntax error at or near "SELEC". The SQL dialect is that of DuckDB; docs/sql.md has examples'),
        (
            "SELECT sum(key) FROM objects",
            "'sum(VARCHAR)'. You might need to add explicit type casts. docs/sql.md lists",
        ),
        ("SELECT * FROM read_csv('/etc/passwd')", "A query can only read the relation objects"),
        ("PIVOT objects ON extension USING count(*)", "PIVOT requires a list of the values"),
        ("DELETE FROM objects", "DELETE statements are not allowed"),
    ],
)
def test_invalid_sql_statement_is_rejected_before_the_rows_are_read(tmp_path: Path, sql: str, message: str) -> None:
    with Engine(spill=tmp_path) as engine, pytest.raises(OperatorError) as raised:
        engine.check(sql)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT key, size_bytes FROM objects WHERE user_metadata['a'] = 'b' -- comment",
        "PIVOT objects ON extension IN ('pdf') USING count(*)",
        "DESCRIBE objects",
        "EXPLAIN SELECT key FROM objects",
        "WITH a AS (SELECT 1) SELECT * FROM a;",
    ],
)
def test_valid_sql_statement_passes_the_check_before_the_rows_are_read(tmp_path: Path, sql: str) -> None:
    with Engine(spill=tmp_path) as engine:
        engine.check(sql)


def test_full_disk_while_several_threads_write_fails_with_path_and_remedy(tmp_path: Path) -> None:
    """Each write to the device /dev/full fails as on a full disk."""
    with Engine(spill=tmp_path) as engine, pytest.raises(OperatorError) as raised, translated_errors("write the rows"):
        engine.execute("COPY (SELECT i FROM range(100) t(i)) TO '/dev/full' (FORMAT parquet, USE_TMP_FILE false)")
    assert str(raised.value) == (
        'cannot write the rows: Could not write file "/dev/full": No space left on device. The disk is full: delete '
        "files (`tapstack cache clear` deletes the cache), or set TAPSTACK_CACHE to a folder on another disk"
    )


def test_keyboard_interrupt_stops_a_running_duckdb_query(engine: Engine) -> None:
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def select() -> None:
        timer.start()  # The interruption must occur after the start of this function, even on a busy machine.
        engine.select("SELECT count(*) FROM range(1000000000) a(i), range(1000000) b(j) WHERE hash(i, j) = 3")

    timer = threading.Timer(0.2, signal.pthread_kill, (main_thread, signal.SIGINT))
    with default_signals():
        with pytest.raises(KeyboardInterrupt):
            select()
        timer.join()
    assert engine.rows("SELECT count(*) FROM objects") == [(5,)]


class ConnectionOfBusyMachine:
    """DuckDB connection whose statement starts after its first interruption."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._interrupted = threading.Event()
        self.errors: list[Exception] = []

    def execute(self, *statement: Any) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert self._interrupted.wait(30)
        try:
            self._connection.execute(*statement)
        except Exception as error:
            self.errors.append(error)
            raise

    def interrupt(self) -> None:
        self._connection.interrupt()
        self._interrupted.set()


def test_keyboard_interrupt_before_the_start_of_a_duckdb_query_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with default_signals(), Engine(spill=tmp_path) as engine, monkeypatch.context() as patch:
        connection = ConnectionOfBusyMachine(engine.connection)
        patch.setattr(engine, "connection", connection)
        with pytest.raises(KeyboardInterrupt):
            engine.execute("SELECT count(*) FROM range(1000000) a(i), range(3000) b(j) WHERE hash(i, j) = 3")
    assert len(connection.errors) == 1


def test_invalid_memory_limit_of_duckdb_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="Memory must have a number"):
        Engine(memory="much", spill=tmp_path)
