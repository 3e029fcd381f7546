"""Tests that an S3 Inventory is read completely, and that a damaged inventory is an error with the path of the file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from operations.analytics.engine import Engine
from operations.errors import OperatorError
from operations.inventory.files import COLUMNS, CSV, PARQUET, verify
from operations.inventory.load import load
from operations.inventory.places import LocalPlace
from tests.support.attack_keys import ATTACK_KEYS
from tests.support.inventory_folder import (
    BUCKET,
    CREATED,
    FIELDS,
    VERSION_FIELDS,
    WrittenInventory,
    write_inventory,
)
from tests.support.operations_fakes import START, marker, version

if TYPE_CHECKING:
    from operations.listing import Version

KEYS = ("a b+c%20d", 'quote"quote', "comma,", "Zoë/🎉", "a+b", "a%2Bb", "~*'()!", "folder/", "k" * 1024, *ATTACK_KEYS)
VERSIONS = [
    *(version(key, "v1", size=5 * 1024**4, etag="e-2", storage_class="GLACIER") for key in sorted(set(KEYS))),
    marker("old.txt", "m2", seconds=3),
    version("old.txt", "null", seconds=1),
]
ENCRYPTION = {("a+b", "v1"): "SSE-KMS"}
Damage = Callable[[WrittenInventory], object]


def read(path: Path, spill: Path, *, bucket: str = BUCKET, versioned: bool = True) -> list[tuple[object, ...]]:
    """Load an inventory as `audit --from-inventory` does, and return its rows."""
    place = LocalPlace(path)
    inventory, _ = place.newest(bucket)
    inventory.check(bucket, versioned=versioned)
    paths = place.data_files(inventory, spill, lambda _: None)
    verify(list(zip(inventory.files, paths, strict=True)), lambda _: None)
    with Engine(spill=spill) as engine:
        target = spill / "inventory.parquet"
        spill.mkdir(exist_ok=True)
        number, _ = load(inventory, paths, engine, target)
        rows = engine.rows("SELECT * FROM read_parquet(?) ORDER BY key, uploaded_at DESC", [str(target)])
    assert len(rows) == number
    return rows


def expected(each: Version, *, latest: bool | None) -> tuple[object, ...]:
    """Return the row that a loaded inventory must contain for an object version."""
    time = each.last_modified.replace(tzinfo=None)
    if each.marker:
        return (BUCKET, each.key, each.version_id, latest, True, None, time, None, None, "NOT-SSE", None)
    status = ENCRYPTION.get((each.key, each.version_id), "SSE-S3")
    facts = (each.size, time, each.etag, each.storage_class, status, "CRC64NVME")
    return (BUCKET, each.key, each.version_id, latest, False, *facts)


@pytest.mark.parametrize("format_", [CSV, PARQUET])
def test_all_fields_of_an_inventory_are_read_from_all_data_files(tmp_path: Path, format_: str) -> None:
    written = write_inventory(tmp_path, VERSIONS, format_=format_, parts=3, encryption=ENCRYPTION)
    rows = read(written.folder, tmp_path / "spill")
    wanted = [expected(each, latest=each.version_id != "null") for each in VERSIONS]
    assert sorted(map(repr, rows)) == sorted(map(repr, wanted))


@pytest.mark.parametrize("format_", [CSV, PARQUET])
def test_fields_that_an_inventory_lacks_are_loaded_as_null(tmp_path: Path, format_: str) -> None:
    fields = [name for name in FIELDS if name not in ("StorageClass", "EncryptionStatus", "ChecksumAlgorithm")]
    written = write_inventory(tmp_path, VERSIONS, format_=format_, fields=fields)
    assert {row[-3:] for row in read(written.folder, tmp_path / "spill")} == {(None, None, None)}
    found, _ = LocalPlace(written.folder).newest(BUCKET)
    names = {each.name for each in COLUMNS}
    assert found.fields == names - {"storage_class", "encryption", "checksum_algorithm"}


@pytest.mark.parametrize("format_", [CSV, PARQUET])
def test_inventory_of_current_objects_is_accepted_only_for_a_bucket_without_versioning(
    tmp_path: Path, format_: str
) -> None:
    fields = [name for name in FIELDS if name not in VERSION_FIELDS]
    written = write_inventory(tmp_path, VERSIONS[:3], format_=format_, fields=fields)
    rows = read(written.folder, tmp_path / "spill", versioned=False)
    assert {row[2:5] for row in rows} == {("null", None, False)}
    with pytest.raises(OperatorError, match="without VersionId, IsLatest, IsDeleteMarker: it lists only the current"):
        read(written.folder, tmp_path / "spill")


@pytest.mark.parametrize("format_", [CSV, PARQUET])
def test_inventory_of_an_empty_bucket_has_no_rows(tmp_path: Path, format_: str) -> None:
    written = write_inventory(tmp_path, [], format_=format_, parts=0)
    assert read(written.folder, tmp_path / "spill") == []


@pytest.mark.parametrize("format_", [CSV, PARQUET])
def test_data_files_of_an_inventory_without_rows_are_reported(tmp_path: Path, format_: str) -> None:
    written = write_inventory(tmp_path, VERSIONS[:2], format_=format_, parts=3)
    inventory, _ = LocalPlace(written.folder).newest(BUCKET)
    with Engine(spill=tmp_path / "spill") as engine:
        assert load(inventory, written.data, engine, tmp_path / "inventory.parquet") == (2, [written.data[2]])


def test_csv_inventory_file_with_several_gzip_members_is_read_completely(tmp_path: Path) -> None:
    written = write_inventory(tmp_path, VERSIONS, format_=CSV)
    content = gzip.decompress(written.data[0].read_bytes())
    written.replace_data(gzip.compress(content[:300]) + gzip.compress(content[300:]))
    assert len(read(written.folder, tmp_path / "spill")) == len(VERSIONS)


@pytest.mark.parametrize(("old", "new"), [(b"\n", b"\r\n"), (b"", b"\xef\xbb\xbf"), (b'"', b"")])
def test_csv_inventory_file_with_unusual_line_ends_byte_order_mark_or_no_quotes_is_read(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    written = write_inventory(tmp_path, VERSIONS, format_=CSV)
    content = gzip.decompress(written.data[0].read_bytes())
    written.replace_data(gzip.compress(content.replace(old, new) if old else new + content))
    wanted = [expected(each, latest=each.version_id != "null") for each in VERSIONS]
    rows = [(*row[:9], None if row[4] else "SSE-S3", *row[10:]) for row in read(written.folder, tmp_path / "spill")]
    wanted = [(*row[:9], None if row[4] else "SSE-S3", *row[10:]) for row in wanted]
    assert sorted(map(repr, rows)) == sorted(map(repr, wanted))


def test_creation_time_in_an_inventory_manifest_may_be_a_text_or_a_number(tmp_path: Path) -> None:
    written = write_inventory(tmp_path, VERSIONS, created=datetime(2026, 2, 5, 1, 2, 3, 4000, tzinfo=UTC))
    assert LocalPlace(written.folder).newest(BUCKET)[0].created == datetime(2026, 2, 5, 1, 2, 3, 4000, tzinfo=UTC)
    written.change(creationTimestamp=1770253200000)
    assert LocalPlace(written.folder).newest(BUCKET)[0].created == datetime(2026, 2, 5, 1, 0, tzinfo=UTC)


def test_times_without_time_zone_in_a_parquet_inventory_are_read_as_utc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FIELDS, "LastModifiedDate", ("last_modified_date", "TIMESTAMP_MS", "int64", ""))
    written = write_inventory(tmp_path, VERSIONS)
    assert {row[6] for row in read(written.folder, tmp_path / "spill") if row[2] == "v1"} == {
        START.replace(tzinfo=None)
    }


def unlink_data(written: WrittenInventory) -> None:
    written.data[0].unlink()


def truncate(written: WrittenInventory) -> None:
    written.replace_data(written.data[0].read_bytes()[:-20])


def change_byte(written: WrittenInventory) -> None:
    content = bytearray(written.data[0].read_bytes())
    content[-1] ^= 1
    written.data[0].write_bytes(content)


def row_of_another_bucket(written: WrittenInventory) -> None:
    content = gzip.decompress(written.data[0].read_bytes()).replace(b'"uploads"', b'"another"', 1)
    written.replace_data(gzip.compress(content))


def row_without_size(written: WrittenInventory) -> None:
    content = gzip.decompress(written.data[0].read_bytes()).replace(b'"5497558138880"', b'""', 1)
    written.replace_data(gzip.compress(content))


def row_with_fewer_fields(written: WrittenInventory) -> None:
    written.replace_data(gzip.compress(gzip.decompress(written.data[0].read_bytes()) + b'"uploads","x"\n'))


def key_that_is_not_utf8(written: WrittenInventory) -> None:
    content = gzip.decompress(written.data[0].read_bytes()).replace(b'"uploads","', b'"uploads","%ED%A0%80', 1)
    written.replace_data(gzip.compress(content))


def change_text(old: bytes, new: bytes) -> Damage:
    """Return a function that damages an inventory: it replaces the first occurrence of a text in a CSV file."""

    def change(written: WrittenInventory) -> None:
        content = gzip.decompress(written.data[0].read_bytes())
        assert old in content
        written.replace_data(gzip.compress(content.replace(old, new, 1)))

    return change


def long_line_of_nul_bytes(written: WrittenInventory) -> None:
    """Damage an inventory: replace a CSV file by a line that exceeds DuckDB's buffer, so that DuckDB ignores it."""
    written.replace_data(gzip.compress(b"\0" * 34_000_000, compresslevel=1))


def change_column(expression: str) -> Damage:
    """Return a function that damages an inventory: it changes columns of a Parquet file (`SELECT * EXPRESSION`)."""

    def change(written: WrittenInventory) -> None:
        new = written.data[0].with_suffix(".changed")
        with duckdb.connect() as connection:
            query = f"SELECT * {expression} FROM read_parquet('{written.data[0]}')"  # noqa: S608  paths of the test
            connection.execute(f"COPY ({query}) TO '{new}' (FORMAT parquet)")
        written.replace_data(new.read_bytes())

    return change


TIME = b"2026-01-31T12:00:00.000Z"
DATA, FOLDER, LIST = "data/", f"{CREATED:%Y-%m-%dT%H-%MZ}", "manifest.json"
DAMAGES: list[tuple[str, Damage, str, str]] = [
    (PARQUET, unlink_data, DATA, "is missing, but manifest.json lists it. Download the inventory again"),
    (PARQUET, lambda each: each.data[1].write_bytes(b"PAR1"), DATA, r"it has 4 bytes instead of [\d,]+\."),
    (PARQUET, change_byte, DATA, "is damaged: its MD5 checksum is not [0-9a-f]{32}"),
    (PARQUET, truncate, DATA, "cannot read .*No magic bytes found at end of file"),
    (PARQUET, lambda each: each.replace_data(b""), DATA, "cannot read .*too small to be a Parquet file"),
    (CSV, unlink_data, DATA, "is missing, but manifest.json lists it"),
    (PARQUET, change_column("EXCLUDE (e_tag)"), DATA, "has no column e_tag of the type VARCHAR. Download"),
    *(
        (PARQUET, change_column(f"REPLACE ({value} AS {column})"), DATA, f"has no column {column} of .* type {found}")
        for value, column, found in (
            ("encode(key)", "key", r"VARCHAR, but one of the type BYTE_ARRAY\."),
            ("[key]", "key", "VARCHAR, but one of the type LIST"),
            ("size::DOUBLE", "size", "BIGINT, but one of the type DOUBLE"),
            ("last_modified_date::DATE", "last_modified_date", "TIMESTAMP, but one of the type INT32 DATE"),
            ("epoch_ms(last_modified_date)", "last_modified_date", "TIMESTAMP, but one of the type INT64 INT_64"),
            ("last_modified_date", "size", "BIGINT, but one of the type INT64 TIMESTAMP_MICROS"),
            ("2", "is_delete_marker", "BOOLEAN, but one of the type INT32 INT_32"),
        )
    ),
    (CSV, truncate, DATA, "cannot read .*: Compressed file ended before the end-of-stream marker"),
    (CSV, lambda each: each.replace_data(b'"uploads","a"'), DATA, "cannot read .*Not a gzipped file"),
    (CSV, lambda each: each.replace_data(each.data[0].read_bytes() + b"rest"), DATA, "cannot read .*Not a gzipped"),
    (CSV, lambda each: each.replace_data(b""), DATA, "cannot read .*Input is not a GZIP stream"),
    (CSV, long_line_of_nul_bytes, DATA, "is damaged: 0 rows of 1 can be read"),
    (CSV, lambda each: each.replace_data(gzip.compress(b"\n\n")), DATA, "is damaged: 0 rows of 2 can be read"),
    (CSV, change_text(b"\n", b"\n\n"), DATA, r"is damaged: [\d,]+ rows of [\d,]+ can be read"),
    (CSV, change_text(b"\n", b',"x"\n'), DATA, "cannot read .*Expected Number of Columns: 12 Found: 13"),
    (CSV, change_text(b'"uploads","', b'"uploads,"'), DATA, "cannot read .*CSV Error on Line"),
    (CSV, change_text(b'"uploads","', b'"uploads","\xff'), DATA, "cannot read .*CSV Error on Line"),
    *(
        (CSV, change_text(b'"uploads","', b'"uploads","' + key), DATA, "cannot read .*the key .* is not URL-encoded")
        for key in (b"%zz", b"%4", b"%C3%")
    ),
    *(
        (CSV, change_text(b'"5497558138880"', b'"%s"' % size), DATA, f"cannot read .*{message}")
        for size, message in (
            *((size, "is not a size in bytes") for size in (b"5e3", b"0x10", b"5_4", b" 5 ", b"5.6", b"-5")),
            (b"many", "Could not convert string"),
        )
    ),
    *(
        (CSV, change_text(TIME, time), DATA, "cannot read .*Could not parse string")
        for time in (b"2026-01-31", b"2026-01-31T12:00:00.000+02:00", b"2026-13-31T12:00:00.000Z", b"1770253200000")
    ),
    (CSV, change_text(TIME, b"infinity"), LIST, "have 1 row without key, time, size or ETag"),
    (CSV, row_with_fewer_fields, DATA, "cannot read .*Expected Number of Columns: 12 Found: 2"),
    (CSV, key_that_is_not_utf8, DATA, "cannot read .*decoded value is invalid UTF8"),
    (CSV, row_of_another_bucket, LIST, "have 1 row of buckets other than 'uploads'"),
    (CSV, row_without_size, LIST, "have 1 row without key, time, size or ETag"),
    (
        PARQUET,
        lambda each: each.manifest.write_bytes(b"{}"),
        LIST,
        "is damaged: its MD5 checksum is not '[0-9a-f]{32}' as",
    ),
    (PARQUET, lambda each: (each.folder / "manifest.checksum").unlink(), FOLDER, "has no manifest.checksum, so S3 has"),
    (PARQUET, lambda each: each.manifest.unlink(), LIST, "manifest.json is missing. Wait"),
    (PARQUET, lambda each: each.change(sourceBucket="another"), LIST, "an inventory of the bucket 'another', not of"),
    (PARQUET, lambda each: each.change(sourceBucket="a;\x1b[2J"), LIST, r"or add --bucket \$'a;\\x1b\[2J'\."),
    (
        PARQUET,
        lambda each: each.change(files=None),
        LIST,
        "has no valid sourceBucket, creationTimestamp, fileFormat, f",
    ),
    (PARQUET, lambda each: each.change(creationTimestamp="soon"), LIST, "has no valid sourceBucket, creationTimestamp"),
    *(
        (
            PARQUET,
            lambda each, key=key: each.change(files=[{"key": key, "size": 1, "MD5checksum": "0"}]),
            LIST,
            "a file without a valid key, size or MD5checksum",
        )
        for key in ("", "a/..", "../a.parquet", "a/../b.parquet", "/etc/passwd", "a/*.parquet", "a\0/b", "a/b\0")
    ),
    (PARQUET, lambda each: each.change(fileFormat="ORC"), LIST, "the format ORC, which this tool cannot read.* choose"),
    (PARQUET, lambda each: each.change(fileFormat="Avro"), LIST, "an inventory in the unknown format 'Avro'"),
    (CSV, lambda each: each.change(fileSchema=", ".join([*FIELDS, "Size"])), LIST, "lists the field 'Size' several"),
    (
        PARQUET,
        lambda each: each.change(fileSchema="message s3.inventory { required binary bucket (STRING); }"),
        LIST,
        "without VersionId, IsLatest, IsDeleteMarker",
    ),
]


@pytest.mark.parametrize(("format_", "damage", "file", "message"), DAMAGES)
def test_damaged_or_unsuitable_inventory_is_an_error_with_the_path_of_the_file(
    tmp_path: Path, format_: str, damage: Damage, file: str, message: str
) -> None:
    written = write_inventory(tmp_path, VERSIONS, format_=format_)
    damage(written)
    with pytest.raises(OperatorError, match=message) as caught:
        read(written.folder, tmp_path / "spill")
    assert str(tmp_path) in str(caught.value)
    assert file in str(caught.value)


@pytest.mark.parametrize("field", ["Size", "LastModifiedDate", "ETag"])
def test_inventory_without_a_required_field_is_rejected(tmp_path: Path, field: str) -> None:
    written = write_inventory(tmp_path, VERSIONS, fields=[name for name in FIELDS if name != field])
    with pytest.raises(OperatorError, match=f"manifest.json .* without {field}, which the comparison requires"):
        read(written.folder, tmp_path / "spill")


def test_inventory_manifest_that_lists_a_data_file_twice_is_rejected(tmp_path: Path) -> None:
    written = write_inventory(tmp_path, VERSIONS, parts=1)
    inventory, _ = LocalPlace(written.folder).newest(BUCKET)
    [file] = inventory.files
    written.change(files=[{"key": file.key, "size": file.size, "MD5checksum": file.md5}] * 2)
    with pytest.raises(OperatorError, match=r"lists the file .* several times"):
        read(written.folder, tmp_path / "spill")


def test_newest_complete_inventory_is_used_with_a_note_about_a_newer_incomplete_one(tmp_path: Path) -> None:
    written = [write_inventory(tmp_path, VERSIONS, created=CREATED + timedelta(days=day)) for day in range(3)]
    (written[2].folder / "manifest.checksum").unlink()
    found, notes = LocalPlace(tmp_path).newest(BUCKET)
    assert found.place == str(written[1].manifest)
    reason = "has no manifest.checksum, so S3 has not finished the inventory, or the file was deleted"
    assert notes == [f"note: {written[2].folder} {reason}; an older inventory was used"]


def test_older_incomplete_inventory_produces_no_note(tmp_path: Path) -> None:
    written = [write_inventory(tmp_path, VERSIONS, created=CREATED + timedelta(days=day)) for day in range(2)]
    (written[0].folder / "manifest.checksum").unlink()
    found, notes = LocalPlace(tmp_path).newest(BUCKET)
    assert (found.place, notes) == (str(written[1].manifest), [])


def test_damaged_newest_inventory_is_an_error_although_an_older_one_exists(tmp_path: Path) -> None:
    written = [write_inventory(tmp_path, VERSIONS, created=CREATED + timedelta(days=day)) for day in range(2)]
    written[1].manifest.write_bytes(b"{}")
    with pytest.raises(OperatorError, match=f"{written[1].manifest} is damaged"):
        LocalPlace(tmp_path).newest(BUCKET)


def test_inventory_of_the_audited_bucket_is_selected_from_a_folder_with_several_buckets(tmp_path: Path) -> None:
    wanted = write_inventory(tmp_path, VERSIONS)
    write_inventory(tmp_path, VERSIONS, bucket="another", created=CREATED + timedelta(days=1))
    write_inventory(tmp_path, VERSIONS, bucket="others", created=CREATED + timedelta(days=1))
    assert LocalPlace(tmp_path).newest(BUCKET)[0].place == str(wanted.manifest)
    with pytest.raises(
        OperatorError, match="no complete inventory of the bucket 'x', only of 'another', 'others', 'upl"
    ):
        LocalPlace(tmp_path).newest("x")


def test_newest_inventory_in_renamed_folders_is_found_by_the_time_in_its_manifest(tmp_path: Path) -> None:
    newer = write_inventory(tmp_path / "a", VERSIONS, created=CREATED + timedelta(days=1))
    older = write_inventory(tmp_path / "b", VERSIONS)
    older.folder.rename(older.folder.with_name("z"))
    newer.folder.rename(newer.folder.with_name("a"))
    found, _ = LocalPlace(tmp_path).newest(BUCKET)
    assert found.created == CREATED + timedelta(days=1)


@pytest.mark.parametrize("folder", ["data", ".", "files", "../data", "../../../../inventory/uploads/indexer/data"])
def test_inventory_data_files_are_found_in_each_supported_folder_layout(tmp_path: Path, folder: str) -> None:
    written = write_inventory(tmp_path, VERSIONS)
    new = written.folder / folder
    new.mkdir(exist_ok=True)
    for each in written.data:
        each.rename(new / each.name)
    assert len(read(written.manifest, tmp_path / "spill")) == len(VERSIONS)


def test_local_path_without_an_inventory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        OperatorError, match=r"has no inventory: give a folder or an s3:// URL that contains manifest.json"
    ):
        LocalPlace(tmp_path).newest(BUCKET)
    with pytest.raises(OperatorError, match="does not exist: give a folder with an inventory"):
        LocalPlace(tmp_path / "absent").newest(BUCKET)


def test_inventory_in_a_path_with_quotation_marks_and_wildcards_is_read(tmp_path: Path) -> None:
    written = write_inventory(tmp_path, VERSIONS)
    odd = tmp_path / "it's a [folder] *"
    odd.mkdir()
    (tmp_path / "inventory").rename(odd / "inventory")
    assert len(read(odd, tmp_path / "spill")) == len(VERSIONS)
    assert not written.folder.exists()
