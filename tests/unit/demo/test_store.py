from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from localstack.showcase.demo.file_body import FileError
from localstack.showcase.demo.store import BATCH_GET, Store, Upload, json_value
from tests.support.demo_fakes import BUCKET, TABLE, UPLOADED, FakeAws, source, upload

Stored: TypeAlias = tuple[FakeAws, Upload, dict[str, Any]]


def make_store(aws: FakeAws | None = None) -> Store:
    aws = aws or FakeAws()
    return Store(aws, aws, bucket=BUCKET, table=TABLE)


def put(store: Store, path: Path, content: bytes = b"") -> Upload:
    path.write_bytes(content)
    file = source(path.name, path.parent)
    return Upload(source=file, version_id=store.put(file), finished=0.0)


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Fake AWS with an uploaded file, the upload, and its row."""
    aws = FakeAws()
    uploaded = put(make_store(aws), tmp_path / "lake.jpg", b"picture")
    ((_, item),) = make_store(aws).rows([uploaded])
    return aws, uploaded, item


@pytest.mark.parametrize(
    ("name", "content_type"),
    # S3 stores `binary/octet-stream` for uploads without a content type.
    [("lake + boat.jpg", "image/jpeg"), ("README", "binary/octet-stream")],
)
def test_demo_store_uploads_a_file_and_finds_its_correct_row(name: str, content_type: str, tmp_path: Path) -> None:
    store = make_store()
    uploaded = put(store, tmp_path / name, b"picture")
    ((found, item),) = store.rows([uploaded])
    assert found is uploaded
    assert (item["size_bytes"], item["content_type"]) == (7, content_type)
    assert store.differences(uploaded, item) == ()


def test_demo_store_reports_a_file_that_was_deleted_before_its_upload(tmp_path: Path) -> None:
    path = tmp_path / "deleted.txt"
    path.touch()
    file = source(path.name, tmp_path)
    path.unlink()
    with pytest.raises(FileError, match=r"^the file cannot be read: No such file or directory$"):
        make_store().put(file)


def test_demo_store_reads_many_rows_in_several_batches(tmp_path: Path) -> None:
    store = make_store()
    uploads = [put(store, tmp_path / "a") for _ in range(BATCH_GET + 1)]
    assert [found.version_id for found, _ in store.rows(uploads)] == [upload.version_id for upload in uploads]


def test_demo_store_reports_a_failed_head_request_as_a_difference() -> None:
    (difference,) = make_store().differences(upload("a"), {})
    assert "HeadObject" in difference


@pytest.mark.parametrize(
    ("name", "value", "difference"),
    [
        ("bucket", "other", "other in the row and uploads in S3"),
        ("key", "lake+jpg", "lake+jpg in the row and lake.jpg in S3"),
        ("version_id", "v1", "v1 in the row and v0 in S3"),
        ("size_bytes", 0, "0 in the row and 7 in S3"),
        ("content_type", None, "None in the row and image/jpeg in S3"),
        ("etag", '"0123"', f'"0123" in the row and {hashlib.md5(b"picture", usedforsecurity=False).hexdigest()} in S3'),
        ("storage_class", "GLACIER", "GLACIER in the row and STANDARD in S3"),
        ("encryption", None, "None in the row and AES256 in S3"),
        ("uploaded_at", "2026-11-22T14:03:08.000Z", f"2026-11-22 14:03:08+00:00 in the row and {UPLOADED} in S3"),
        ("uploaded_at", "yesterday", f"yesterday in the row and {UPLOADED} in S3"),
        ("uploaded_at", 7, f"7 in the row and {UPLOADED} in S3"),
        ("uploaded_at", None, f"None in the row and {UPLOADED} in S3"),
    ],
)
def test_demo_store_reports_a_different_attribute_with_both_values(
    name: str, value: object, difference: str, stored: Stored
) -> None:
    aws, uploaded, item = stored
    assert make_store(aws).differences(uploaded, {**item, name: value}) == (f"{name} is {difference}",)


def test_demo_store_expects_the_storage_class_of_the_head_response(stored: Stored) -> None:
    aws, uploaded, item = stored
    (head,) = aws.objects.values()
    head["StorageClass"] = "STANDARD_IA"
    assert make_store(aws).differences(uploaded, {**item, "storage_class": "STANDARD_IA"}) == ()


def test_demo_converts_decimals_and_sets_of_a_row_to_json_values() -> None:
    item = {
        "part": Decimal("0.5"),
        "set": {Decimal(2), Decimal(1)},
        "nested": {"list": [Decimal(1), None, True, "text"]},
    }
    assert json_value(item) == {"part": 0.5, "set": [1, 2], "nested": {"list": [1, None, True, "text"]}}
    assert json_value(Decimal(64025)) == 64025
    assert type(json_value(Decimal(3))) is int
