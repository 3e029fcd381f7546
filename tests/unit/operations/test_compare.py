from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lambda_code import metadata
from lambda_code.update import OBJECT_ATTRIBUTES
from operations.compare import ATTRIBUTES, HEAD_ATTRIBUTES, compare, compare_head
from tests.support.operations_fakes import BUCKET, head_response, marker, row, version

if TYPE_CHECKING:
    from operations.listing import Version

OBJECT = version("a", size=5, etag="d41d8-3", seconds=1)  # The ETag of a multipart upload is not an MD5 digest.
NULL = version("a", "null", seconds=1)
MARKER = marker("a", seconds=2)
NULL_MARKER = marker("a", "null", seconds=2)
DELETED = {"deleted_at": "2026-01-31T12:00:00.000Z"}


def found(listed: list[Any], rows: list[Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.difference.value, each.version_id, each.details) for each in compare(BUCKET, "a", listed, rows)]


def at(time: str) -> dict[str, str]:
    return {"uploaded_at": f"2026-01-31T{time}Z"}


@pytest.mark.parametrize(
    ("listed", "changes"),
    [
        pytest.param(OBJECT, {}, id="unchanged row"),
        pytest.param(MARKER, {}, id="unchanged row of a delete marker"),
        pytest.param(OBJECT, {"size_bytes": Decimal(5)}, id="number as Decimal"),
        pytest.param(OBJECT, at("12:00:01.987"), id="fraction of a second"),
        pytest.param(version("a", storage_class="GLACIER_IR"), {"storage_class": "STANDARD"}, id="transition"),
        pytest.param(version("a", storage_class="GLACIER"), {"storage_class": "REDUCED_REDUNDANCY"}, id="from RRS"),
        pytest.param(version("a", storage_class="DEEP_ARCHIVE"), {"storage_class": "GLACIER"}, id="last transition"),
        pytest.param(version("a", storage_class="SNOW"), {}, id="unknown storage class"),
        pytest.param(version("x/a.b/Q3.Tar.GZ"), {"filename": "Q3.Tar.GZ", "extension": "gz"}, id="extension"),
        pytest.param(MARKER, at("12:00:03.000"), id="delete marker with the time of its event"),
        pytest.param(NULL_MARKER, at("12:00:03.000"), id="null delete marker with the time of its event"),
        pytest.param(MARKER, at("11:59:59.000"), id="delete marker with an earlier time"),
    ],
)
def test_comparison_accepts_a_row_that_matches_s3(listed: Version, changes: dict[str, Any]) -> None:
    assert found([listed], [row(listed, **changes)]) == []


DELETED_DETAIL = "deleted_at is 2026-01-31T12:00:00.000Z, but S3 has the version"
UPLOAD_DAY = "upload_day is set, but S3 has a delete marker, which is not an upload"


def time_differs(recorded: str | None, time: str = "12:00:02.000Z") -> str:
    return f"uploaded_at is {recorded} in the row and 2026-01-31T{time} in S3"


@pytest.mark.parametrize(
    ("listed", "changes", "detail", "repairable"),
    [
        (OBJECT, {"size_bytes": 6}, "size_bytes is 6 in the row and 5 in S3", True),
        (OBJECT, {"size_bytes": None}, "size_bytes is None in the row and 5 in S3", True),
        (OBJECT, {"etag": "d41d8"}, "etag is d41d8 in the row and d41d8-3 in S3", True),
        (OBJECT, {"filename": "b"}, "filename is b in the row and a in S3", True),
        (OBJECT, {"filename": None}, "filename is None in the row and a in S3", True),
        (OBJECT, {"extension": "txt"}, "extension is txt in the row and  in S3", True),
        (MARKER, {"filename": "b"}, "filename is b in the row and a in S3", True),
        (MARKER, {"extension": None}, "extension is None in the row and  in S3", True),
        # No lifecycle rule changes a storage class from the value in the row to the value in S3.
        (OBJECT, {"storage_class": "GLACIER"}, "storage_class is GLACIER in the row and STANDARD in S3", True),
        (OBJECT, {"storage_class": None}, "storage_class is None in the row and STANDARD in S3", True),
        (
            version("a", storage_class="REDUCED_REDUNDANCY"),
            {"storage_class": "STANDARD"},
            "storage_class is STANDARD in the row and REDUCED_REDUNDANCY in S3",
            True,
        ),
        (
            version("a", storage_class="SNOW"),
            {"storage_class": "STANDARD"},
            "storage_class is STANDARD in the row and SNOW in S3",
            True,
        ),
        (OBJECT, {"bucket": "other"}, "bucket is other in the row and uploads in S3", True),
        (OBJECT, {"key": "b"}, "key is b in the row and a in S3", True),
        (OBJECT, {"upload_day": "2026-02-01"}, "upload_day is 2026-02-01 in the row and 2026-01-31 in S3", True),
        (OBJECT, at("12:00:02.000"), time_differs("2026-01-31T12:00:02.000Z", "12:00:01.000Z"), True),
        # The indexer removes `deleted_at` and `delete_marker` only from the row of a version with the ID `null`.
        (OBJECT, DELETED, DELETED_DETAIL, False),
        (MARKER, DELETED, DELETED_DETAIL, False),
        (NULL, DELETED, DELETED_DETAIL, True),
        (OBJECT, {"delete_marker": True}, "delete_marker is set, but S3 has an object", False),
        (MARKER, {"delete_marker": None}, "delete_marker is None in the row and True in S3", True),
        # If the row of a delete marker has an upload day or a wrong time, no event corrects it.
        (MARKER, {"upload_day": "2026-01-31"}, UPLOAD_DAY, False),
        (MARKER, {"uploaded_at": "1999-01-31T12:00:02.000Z"}, time_differs("1999-01-31T12:00:02.000Z"), False),
        (MARKER, {"uploaded_at": "yesterday"}, time_differs("yesterday"), False),
        # The time in a row is invalid if it has no time zone.
        (MARKER, {"uploaded_at": "2026-01-31T12:00:02"}, time_differs("2026-01-31T12:00:02"), False),
        (MARKER, {"uploaded_at": None}, time_differs(None), True),
        (MARKER, {"uploaded_at": None, "encryption": "SSE-C"}, time_differs(None), True),
        # A deletion has replaced the delete marker `null` by a later one, but the indexer received no event.
        (NULL_MARKER, at("11:59:59.000"), time_differs("2026-01-31T11:59:59.000Z"), True),
    ],
)
def test_comparison_reports_a_row_that_contradicts_s3_as_wrong(
    listed: Version,
    changes: dict[str, Any],
    detail: str,
    repairable: bool,  # noqa: FBT001  pytest passes this parameter by name
) -> None:
    [finding] = compare(BUCKET, "a", [listed], [row(listed, **changes)])
    assert (finding.difference, finding.version_id, finding.details) == ("wrong", listed.version_id, (detail,))
    assert finding.repairable == repairable


REMOVED = version("a", "v0")


@pytest.mark.parametrize(
    ("listed", "rows", "expected"),
    [
        ([OBJECT, MARKER], [], [("missing", "v1", ()), ("missing", "m1", ())]),
        # The attributes of HEAD are missing, because the indexer could not read the object when it wrote the row.
        ([OBJECT], [row(OBJECT, content_type=None, **at("12:00:02.000"))], [("incomplete", "v1", ())]),
        # The indexer can never read an object with a customer-provided key, so its row has the time of the event.
        ([OBJECT], [row(OBJECT, content_type=None, encryption="SSE-C", **at("12:00:02.000"))], []),
        ([OBJECT], [row(OBJECT), row(REMOVED)], [("stale", "v0", ())]),
        ([OBJECT], [row(OBJECT), row(REMOVED, **DELETED)], []),
        ([], [row(MARKER)], [("stale", "m1", ())]),
    ],
)
def test_comparison_finds_missing_incomplete_and_stale_rows(
    listed: list[Version], rows: list[Any], expected: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    assert found(listed, rows) == expected


def test_row_of_an_object_with_a_customer_key_must_have_the_size_that_s3_lists() -> None:
    [finding] = compare(BUCKET, "a", [OBJECT], [row(OBJECT, content_type=None, encryption="SSE-C", size_bytes=1)])
    assert (finding.difference, finding.repairable) == ("wrong", True)
    assert finding.details[0].startswith("size_bytes is 1 in the row")


def test_audit_finding_contains_the_listed_object_version() -> None:
    [missing] = compare(BUCKET, "a", [OBJECT], [])
    [stale] = compare(BUCKET, "a", [], [row(OBJECT)])
    assert (missing.version, stale.version) == (OBJECT, None)


CHECKSUM = {"ChecksumCRC64NVME": "ynIoRb1s2ao=", "ChecksumType": "FULL_OBJECT"}
COMPLETE = {
    "ServerSideEncryption": "AES256",
    "Metadata": {"author": "=?UTF-8?Q?Zo=C3=AB?=", "year": "2026"},
    **CHECKSUM,
}
COMPLETE_ROW = {
    "encryption": "AES256",
    "user_metadata": {"author": "Zoë", "year": "2026"},
    "checksum": {"algorithm": "CRC64NVME", "value": "ynIoRb1s2ao=", "type": "FULL_OBJECT"},
}
KMS = {"ServerSideEncryption": "aws:kms"}
KMS_ROW = {"encryption": "aws:kms", "checksum": COMPLETE_ROW["checksum"]}
NO_CHECKSUM = {"checksum": None}
CHECKSUM_DIFFERS = [
    "checksum.algorithm is {} in the row and {} in S3",
    "checksum.type is {} in the row and {} in S3",
    "checksum.value is {} in the row and {} in S3",
]
CHECKSUM_VALUES = ("CRC64NVME", "FULL_OBJECT", "ynIoRb1s2ao=")


def test_audit_compares_every_object_attribute_of_a_row() -> None:
    assert set(OBJECT_ATTRIBUTES) <= {*ATTRIBUTES, *HEAD_ATTRIBUTES}


@pytest.mark.parametrize(
    ("head", "changes"),
    [
        ({}, {}),
        (COMPLETE, COMPLETE_ROW),
        ({"ContentType": None}, {"content_type": metadata.DEFAULT_CONTENT_TYPE}),
        # After the row was written, a lifecycle rule changed the storage class of the object.
        ({"StorageClass": "GLACIER"}, {}),
        (KMS | CHECKSUM, KMS_ROW),
        (KMS, KMS_ROW),  # S3 omits the checksum if the caller must not use the KMS key.
    ],
)
def test_comparison_accepts_a_row_that_matches_the_head_response(head: dict[str, Any], changes: dict[str, Any]) -> None:
    assert compare_head(BUCKET, OBJECT, row(OBJECT, **changes), head_response(OBJECT, **head)) is None


@pytest.mark.parametrize(
    ("head", "changes", "details"),
    [
        ({}, {"content_type": "a/b"}, ["content_type is a/b in the row and text/plain in S3"]),
        ({}, {"encryption": "AES256"}, ["encryption is AES256 in the row and None in S3"]),
        (COMPLETE, COMPLETE_ROW | {"encryption": None}, ["encryption is None in the row and AES256 in S3"]),
        (
            {"StorageClass": "GLACIER"},
            {"storage_class": "DEEP_ARCHIVE"},
            ["storage_class is DEEP_ARCHIVE in the row and GLACIER in S3"],
        ),
        ({}, {"size_bytes": 6}, ["size_bytes is 6 in the row and 5 in S3"]),
        ({}, {"etag": "f"}, ["etag is f in the row and d41d8-3 in S3"]),
        ({}, at("12:00:09.000"), [time_differs("2026-01-31T12:00:09.000Z", "12:00:01.000Z")]),
        # Only the differing entries of a map are reported, because user metadata can have two kilobytes.
        (
            COMPLETE,
            COMPLETE_ROW | {"user_metadata": {"author": "Zoe", "year": "2026", "month": "1"}},
            [
                "user_metadata.author is Zoe in the row and Zoë in S3",
                "user_metadata.month is 1 in the row and None in S3",
            ],
        ),
        ({}, {"user_metadata": {"year": "2026"}}, ["user_metadata.year is 2026 in the row and None in S3"]),
        (
            COMPLETE,
            COMPLETE_ROW | {"checksum": {"algorithm": "CRC64NVME", "value": "x", "type": "FULL_OBJECT"}},
            ["checksum.value is x in the row and ynIoRb1s2ao= in S3"],
        ),
        (
            {"ServerSideEncryption": "AES256"},
            COMPLETE_ROW | {"user_metadata": None},
            [text.format(value, None) for text, value in zip(CHECKSUM_DIFFERS, CHECKSUM_VALUES, strict=True)],
        ),
        (
            KMS | CHECKSUM,
            KMS_ROW | NO_CHECKSUM,
            [text.format(None, value) for text, value in zip(CHECKSUM_DIFFERS, CHECKSUM_VALUES, strict=True)],
        ),
    ],
)
def test_comparison_reports_each_attribute_that_contradicts_the_head_response(
    head: dict[str, Any], changes: dict[str, Any], details: list[str]
) -> None:
    finding = compare_head(BUCKET, OBJECT, row(OBJECT, **changes), head_response(OBJECT, **head))
    assert finding is not None
    assert sorted(finding.details) == details
    assert (finding.difference, finding.version, finding.repairable) == ("wrong", OBJECT, True)


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        (KMS_ROW | NO_CHECKSUM, []),
        (
            KMS_ROW | {"checksum": {"algorithm": "CRC64NVME", "value": "x", "type": "FULL_OBJECT"}},
            ["checksum.value is x in the row and ynIoRb1s2ao= in S3"],
        ),
    ],
    ids=["no checksum", "another checksum"],
)
def test_comparison_accepts_a_row_without_the_checksum_of_an_object_with_a_kms_key_in_an_existing_bucket(
    changes: dict[str, Any], details: list[str]
) -> None:
    """The indexer may lack the permission to use the KMS key of an existing bucket. Then the row has no checksum."""
    head = head_response(OBJECT, **KMS | CHECKSUM)
    finding = compare_head(BUCKET, OBJECT, row(OBJECT, **changes), head, existing=True)
    assert list(finding.details if finding else ()) == details


def test_comparison_reports_the_missing_checksum_of_an_object_without_a_kms_key_in_an_existing_bucket() -> None:
    changes = {"encryption": "AES256"} | NO_CHECKSUM
    head = head_response(OBJECT, **{"ServerSideEncryption": "AES256"} | CHECKSUM)
    finding = compare_head(BUCKET, OBJECT, row(OBJECT, **changes), head, existing=True)
    assert finding is not None
    assert len(finding.details) == 3


def test_difference_of_a_trailing_space_is_visible_in_the_details_of_a_finding() -> None:
    [finding] = compare(BUCKET, "a ", [version("a ")], [row(version("a "), key="a")])
    assert finding.details == ("key is a in the row and 'a ' in S3",)
