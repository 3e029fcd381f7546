"""Tests that a damaged table export is an error with the path of the file, and that no Parquet file is written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from operations.analytics.engine import Engine
from operations.analytics.export_files import LONGEST_LINE
from operations.analytics.snapshot import OBJECTS
from operations.errors import OperatorError
from tests.support.export_folder import checksum, load, read_manifest, typed, write_export, write_manifest

ROWS = [typed({"object_id": f"uploads/{number}", "version_id": "v1", "schema_version": 1}) for number in range(5)]
FIRST = f"data/{0:032x}.json.gz"


def change_summary(**changes: Any) -> Callable[[Path], None]:
    def change(export: Path) -> None:
        path = export / "manifest-summary.json"
        write_manifest(path, [read_manifest(path)[0] | changes])

    return change


def change_part(**changes: Any) -> Callable[[Path], None]:
    """Return a function that damages an export: it changes the first line of manifest-files.json."""

    def change(export: Path) -> None:
        path = export / "manifest-files.json"
        first, *others = read_manifest(path)
        write_manifest(path, [first | changes, *others])

    return change


def replace_part(content: bytes, **changes: Any) -> Callable[[Path], None]:
    """Return a function that damages an export: it replaces the first data file, but its checksum is correct."""

    def change(export: Path) -> None:
        (export / FIRST).write_bytes(content)
        change_part(md5Checksum=checksum(content), **changes)(export)

    return change


def truncate(export: Path) -> None:
    content = (export / FIRST).read_bytes()
    replace_part(content[:-12])(export)


def one_count_too_many(export: Path) -> None:
    change_part(itemCount=4)(export)
    change_summary(itemCount=6)(export)


def packed(*lines: str) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


ROW = '{"Item":{"object_id":{"S":"a"},"version_id":{"S":"v"}}}'


def repeated(object_id: str) -> str:
    """Return the line of a row that another data file of the export also contains."""
    return json.dumps({"Item": typed({"object_id": object_id, "version_id": "v1"})})


@pytest.mark.parametrize(
    ("damage", "file", "message"),
    [
        (lambda export: (export / FIRST).unlink(), FIRST, "is missing, but manifest-files.json lists it"),
        (lambda export: (export / FIRST).write_bytes(b"x"), FIRST, "is damaged: its MD5 checksum is not"),
        (truncate, FIRST, "is damaged: Compressed file ended before the end-of-stream marker was reached"),
        (replace_part(b"x"), FIRST, "is damaged: Not a gzipped file"),
        (replace_part(packed(ROW, *[""] * 9)), FIRST, "has more than the 3 rows that manifest-files.json states"),
        (replace_part(gzip.compress(bytes(LONGEST_LINE + 2**20))), FIRST, "a line has more than 4,194,304 bytes"),
        (one_count_too_many, FIRST, "has 3 rows, but manifest-files.json states 4"),
        (
            change_part(itemCount=4),
            "manifest-files.json",
            "lists files with 6 rows, but manifest-summary.json states 5",
        ),
        (
            change_part(md5Checksum=None),
            "manifest-files.json",
            "has a line without a valid dataFileS3Key, itemCount or",
        ),
        *(
            (change_part(dataFileS3Key=f"data/{name}"), "manifest-files.json", "has a line without a valid dataFileS3K")
            for name in ("", ".", "..", "*.json.gz", "a?[b].json.gz", "a\0b", ".json.gz")
        ),
        (
            change_part(dataFileS3Key=f"data/{1:032x}.json.gz"),
            "manifest-files.json",
            "lists the file 0*1.json.gz several times",
        ),
        (change_summary(exportTime="yesterday"), "manifest-summary.json", "no valid tableArn, exportTime or itemCount"),
        (
            change_summary(exportTime="0001-01-01T00:00:00+05:00"),
            "manifest-summary.json",
            "no valid tableArn, exportTime",
        ),
        (change_summary(exportTime="2026-01-31T12:00:00"), "manifest-summary.json", "no valid tableArn, exportTime or"),
        (lambda export: (export / "manifest-files.json").unlink(), "manifest-files.json", "is missing"),
        (lambda export: (export / "manifest-files.json").write_text("{"), "manifest-files.json", "is damaged: "),
        (lambda export: (export / "manifest-summary.json").write_text("[]"), "manifest-summary.json", "is not the man"),
        (change_summary(itemCount="5"), "manifest-summary.json", "has no valid tableArn, exportTime or itemCount"),
        (change_summary(outputFormat="ION"), "manifest-summary.json", "in the format 'ION': export the table as DYNA"),
        (change_summary(exportType="INCREMENTAL_EXPORT"), "manifest-summary.json", "the type 'INCREMENTAL_EXPORT'"),
        (lambda export: (export / "manifest-summary.json").unlink(), "_started", "is in progress or has failed"),
        (replace_part(packed(ROW, ROW, "{")), "data", "cannot read the rows"),
        (replace_part(packed(ROW, ROW, '{"Item":{"name":{"S":"x"}}}')), "", "rows without object_id or version_id"),
        (replace_part(packed(ROW, ROW, ROW.replace('"a"', '"b"'))), FIRST, r"contains the row a\?versionId=v 2 times"),
        (
            replace_part(packed(repeated("uploads/1"), ROW, repeated("uploads/4"))),
            FIRST,
            rf"contains the row uploads/1\?versionId=v1 2 times, in {FIRST} and data/{1:032x}.json.gz:",
        ),
        (
            replace_part(packed(ROW, ROW, ROW.replace('"a"}', '"a"},"schema_version":{"N":"2"}'))),
            "",
            "rows with the schema_version 2, but this tool reads versions up to 1",
        ),
        (
            replace_part(packed(ROW, ROW, ROW.replace('"a"}', '"a"},"uploaded_at":{"S":"yesterday"}'))),
            "",
            'timestamp field value out of range: "yesterday"|yesterday',
        ),
    ],
)
def test_damaged_table_export_is_an_error_with_the_path_and_leaves_no_parquet_file(
    tmp_path: Path, damage: Callable[[Path], None], file: str, message: str
) -> None:
    export = write_export(tmp_path, ROWS)
    damage(export)
    with Engine(spill=tmp_path / "spill") as engine, pytest.raises(OperatorError, match=message) as caught:
        load(export, engine)
    assert str(export) in str(caught.value)
    assert file in str(caught.value)
    assert not (export / OBJECTS).exists()


def test_table_export_with_empty_data_files_is_loaded(tmp_path: Path) -> None:
    export = write_export(tmp_path, ROWS[:1], parts=3)
    empty = export / f"data/{1:032x}.json.gz"
    empty.write_bytes(b"")
    path = export / "manifest-files.json"
    files = read_manifest(path)
    write_manifest(path, [files[0], files[1] | {"md5Checksum": checksum(b"")}, files[2]])
    with Engine(spill=tmp_path / "spill") as engine:
        load(export, engine)
        assert engine.rows("SELECT count(*) FROM objects") == [(1,)]


def test_export_of_an_empty_table_is_loaded_with_no_rows(tmp_path: Path) -> None:
    with Engine(spill=tmp_path / "spill") as engine:
        load(write_export(tmp_path, [], parts=1), engine)
        assert engine.rows("SELECT count(*), count(is_current), max(user_metadata['a']) FROM objects") == [(0, 0, None)]


def test_rows_that_share_only_object_id_or_only_version_id_are_not_reported_as_repeated(tmp_path: Path) -> None:
    names = [("uploads/a", "null"), ("uploads/a", "v1"), ("uploads/b", "null"), ("uploads/a?versionId=v1", "null")]
    rows = [typed({"object_id": object_id, "version_id": version_id}) for object_id, version_id in names]
    with Engine(spill=tmp_path / "spill") as engine:
        load(write_export(tmp_path, rows), engine)
        assert engine.rows("SELECT count(*) FROM objects") == [(4,)]


class CollidingEngine(Engine):
    """DuckDB engine in which all primary keys have the same hash value."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return super().rows(sql.replace("hash(object_id, version_id)", "hash(1)"), parameters)


def test_exported_rows_whose_hash_values_collide_are_not_repeated_rows(tmp_path: Path) -> None:
    with CollidingEngine(spill=tmp_path / "spill") as engine:
        load(write_export(tmp_path, ROWS), engine)
        assert engine.rows("SELECT count(*) FROM objects") == [(len(ROWS),)]


def test_export_folder_with_quotation_marks_in_its_path_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "it's a [folder] *"
    with Engine(spill=tmp_path / "spill") as engine:
        load(write_export(folder, ROWS), engine)
        assert engine.rows("SELECT count(*) FROM objects") == [(5,)]
