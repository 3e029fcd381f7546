from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from localstack.showcase.demo.files import Source
from localstack.showcase.demo.store import BATCH_GET, Store, Upload, differences, json_value, parse_time
from tests.unit.demo.fakes import BUCKET, TABLE, UPLOADED, FakeAws, source, upload

HEAD = {
    "Bucket": BUCKET,
    "Key": "lake.jpg",
    "VersionId": "v0",
    "ContentLength": 64025,
    "ContentType": "image/jpeg",
    "ETag": '"0123"',
    "LastModified": UPLOADED,
    "ServerSideEncryption": "AES256",
}
ITEM = {
    "bucket": BUCKET,
    "key": "lake.jpg",
    "version_id": "v0",
    "size_bytes": 64025,
    "content_type": "image/jpeg",
    "etag": "0123",
    "storage_class": "STANDARD",
    "encryption": "AES256",
    "uploaded_at": "2026-11-22T14:03:07.000Z",
}


def store(aws: FakeAws) -> Store:
    return Store(aws, aws, bucket=BUCKET, table=TABLE)


def put(place: Store, path: Path) -> Upload:
    given = source(path.name, path.parent)
    return Upload(source=given, version_id=place.put(given), finished=0.0)


def test_an_uploaded_file_has_its_content_and_type_and_its_row_is_found_and_right(tmp_path: Path) -> None:
    path = tmp_path / "lake + boat.jpg"
    path.write_bytes(b"picture")
    place = store(FakeAws())
    uploaded = put(place, path)
    ((found, item),) = place.rows([uploaded])
    assert found is uploaded
    assert (item["size_bytes"], item["content_type"]) == (7, "image/jpeg")
    assert place.differences(uploaded, item) == ()


def test_without_a_known_type_s3_chooses(tmp_path: Path) -> None:
    path = tmp_path / "README"
    path.write_bytes(b"")
    place = store(FakeAws())
    ((_, item),) = place.rows([put(place, path)])
    assert item["content_type"] == "binary/octet-stream"


def test_only_uploads_that_have_a_row_are_found(tmp_path: Path) -> None:
    place = store(FakeAws(lost=frozenset({"b"})))
    for name in "abc":
        (tmp_path / name).write_text(name)
    uploads = [put(place, tmp_path / name) for name in "abc"]
    assert [found.source.key for found, _ in place.rows(uploads)] == ["a", "c"]


def test_more_uploads_than_one_request_takes_are_asked_for_in_several(tmp_path: Path) -> None:
    place = store(FakeAws())
    path = tmp_path / "a"
    path.write_text("")
    uploads = [put(place, path) for _ in range(BATCH_GET + 1)]
    assert [found.version_id for found, _ in place.rows(uploads)] == [upload.version_id for upload in uploads]


def test_another_version_of_the_same_key_is_not_taken_for_it(tmp_path: Path) -> None:
    place = store(FakeAws())
    (tmp_path / "a").write_text("")
    put(place, tmp_path / "a")
    assert list(place.rows([Upload(source=source("a"), version_id="another", finished=0.0)])) == []


def test_a_file_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    gone = Source(path=tmp_path / "gone", key="gone", content_type=None)
    with pytest.raises(FileNotFoundError):
        store(FakeAws()).put(gone)


def test_a_head_that_fails_makes_the_row_wrong_and_says_why() -> None:
    (difference,) = store(FakeAws()).differences(upload("a"), {})
    assert "HeadObject" in difference


def test_a_row_that_says_what_head_says_has_no_difference() -> None:
    assert differences(ITEM, HEAD) == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("bucket", "other", "bucket is other in the row and uploads in S3"),
        ("key", "lake+jpg", "key is lake+jpg in the row and lake.jpg in S3"),
        ("version_id", "v1", "version_id is v1 in the row and v0 in S3"),
        ("size_bytes", 0, "size_bytes is 0 in the row and 64025 in S3"),
        ("content_type", None, "content_type is None in the row and image/jpeg in S3"),
        ("etag", '"0123"', 'etag is "0123" in the row and 0123 in S3'),
        ("storage_class", "GLACIER", "storage_class is GLACIER in the row and STANDARD in S3"),
        ("encryption", None, "encryption is None in the row and AES256 in S3"),
        (
            "uploaded_at",
            "2026-11-22T14:03:08.000Z",
            "uploaded_at is 2026-11-22 14:03:08+00:00 in the row and 2026-11-22 14:03:07+00:00 in S3",
        ),
        ("uploaded_at", "yesterday", "uploaded_at is yesterday in the row and 2026-11-22 14:03:07+00:00 in S3"),
    ],
)
def test_each_attribute_that_differs_is_told_with_both_values(name: str, value: object, said: str) -> None:
    assert differences({**ITEM, name: value}, HEAD) == (said,)


def test_a_storage_class_that_head_names_is_expected_in_the_row() -> None:
    assert differences({**ITEM, "storage_class": "STANDARD_IA"}, {**HEAD, "StorageClass": "STANDARD_IA"}) == ()


@pytest.mark.parametrize("value", [None, 7, "not a time"])
def test_what_is_no_time_stays_what_it_is(value: object) -> None:
    assert parse_time(value) == value


def test_dynamodbs_values_become_those_that_json_knows() -> None:
    item: dict[str, Any] = {
        "whole": Decimal(64025),
        "part": Decimal("0.5"),
        "set": {Decimal(2), Decimal(1)},
        "nested": {"list": [Decimal(1), None, True, "text"]},
    }
    assert json_value(item) == {
        "whole": 64025,
        "part": 0.5,
        "set": [1, 2],
        "nested": {"list": [1, None, True, "text"]},
    }
    assert type(json_value(Decimal(3))) is int
