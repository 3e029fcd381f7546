"""Tests that docs/sql.md describes all columns of the relation `objects`, and that its example queries run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from trino_sql_validator import validate

from inspector.facts import FACTS
from operations.analytics.athena_sql import translate
from operations.analytics.columns import COLUMNS
from operations.analytics.engine import Engine
from operations.analytics.snapshot import OBJECTS
from tests.support.export_folder import load, typed, write_export
from tests.unit.test_row_document import documented_attributes
from tools import sql

DOCUMENT = sql.DOCUMENT.read_text(encoding="utf-8")
QUERIES = re.findall(r"^\| [^|]+ \| `(SELECT [^`]+)` \|$", DOCUMENT, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fixture: table export with two versions of a PDF file that were uploaded today."""
    now = datetime.now(UTC)
    row = {
        "object_id": "uploads/a.pdf",
        "key": "a.pdf",
        "bucket": "uploads",
        "extension": "pdf",
        "content_type": "application/pdf",
        "user_metadata": {"project": "apollo"},
        "upload_day": f"{now:%Y-%m-%d}",
    }
    rows = [
        {**row, "version_id": f"v{each}", "size_bytes": each, "uploaded_at": f"{now:%Y-%m-%dT%H:%M}:0{each}.000Z"}
        for each in (1, 2)
    ]
    return write_export(tmp_path_factory.mktemp("document"), [typed(each) for each in rows])


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    with Engine(spill=folder / "spill") as opened:
        load(folder, opened)
        yield opened


def test_relation_has_a_column_for_each_documented_row_attribute_and_content_fact() -> None:
    paths = {each.path for each in COLUMNS if each.path}
    assert {path[0] for path in paths} == set(documented_attributes())
    assert {path[1] for path in paths if path[0] == "content"} == set(FACTS)
    assert {path[1] for path in paths if path[0] == "checksum"} == {"algorithm", "value", "type"}


def test_sql_document_lists_exactly_the_columns_of_the_relation() -> None:
    assert sql.document(DOCUMENT) == DOCUMENT, "run python -m tools.sql"


def test_queries_in_the_sql_document_return_the_expected_rows(engine: Engine) -> None:
    found = [list(engine.select(each).rows) for each in QUERIES]
    assert found == [[(2,)], [("application/pdf", 2)], [("uploads", "a.pdf", 2)], [(1, 1)], [("a.pdf",)]]


def test_queries_in_the_sql_document_are_translated_to_valid_athena_sql() -> None:
    results = [validate(translate(each)) for each in QUERIES]
    assert [each.error for each in results] == [None] * len(QUERIES)


def test_athena_statements_in_the_sql_document_are_valid_trino_sql() -> None:
    statements = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    assert [validate(each).error for each in statements] == [None] * 4


def test_python_example_in_the_sql_document_reads_the_exported_parquet_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder.parent / "example" / "objects"
    target.parent.mkdir()
    source = str(folder / OBJECTS)
    duckdb.execute(f"COPY (FROM read_parquet('{source}')) TO '{target}' (FORMAT parquet, PARTITION_BY (upload_day))")
    [example] = re.findall(r"```python\n(import duckdb\n.*?)```", DOCUMENT, re.DOTALL)
    monkeypatch.chdir(target.parent)
    exec(example, {})  # noqa: S102  the text is the documented example
    assert re.search(r"application/pdf\s*│\s*2", capsys.readouterr().out)
