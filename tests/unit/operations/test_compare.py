from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from operations.compare import Difference, compare
from tests.unit.operations.fakes import BUCKET, marker, row, version

if TYPE_CHECKING:
    from operations.listing import Version

OBJECT = version("a", size=5, etag="d41d8-3", seconds=1)  # a multipart upload's ETag: text, and no MD5
MARKER = marker("a", seconds=2)
NULL_MARKER = marker("a", "null", seconds=2)


def found(listed: list[Any], rows: list[Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.difference.value, each.version_id, each.details) for each in compare(BUCKET, "a", listed, rows)]


def test_rows_that_say_what_s3_says_are_true() -> None:
    assert found([OBJECT, MARKER], [row(OBJECT), row(MARKER)]) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"size_bytes": Decimal(5)}, id="numbers come as Decimal"),
        pytest.param({"uploaded_at": "2026-01-31T12:00:01.987Z"}, id="S3 lists whole seconds"),
        pytest.param({"storage_class": "GLACIER"}, id="the storage class is the one last seen"),
    ],
)
def test_what_is_no_difference(changes: dict[str, Any]) -> None:
    assert found([OBJECT], [row(OBJECT, **changes)]) == []


def test_the_time_of_a_marker_is_its_events_and_may_be_a_second_off() -> None:
    assert found([MARKER], [row(MARKER, uploaded_at="2026-01-31T12:00:03.000Z")]) == []
    assert found([NULL_MARKER], [row(NULL_MARKER, uploaded_at="2026-01-31T12:00:03.000Z")]) == []


def test_a_marker_null_that_was_put_again_unnoticed_is_wrong() -> None:
    """It decides which version is the latest."""
    [(kind, version_id, [detail])] = found([NULL_MARKER], [row(NULL_MARKER, uploaded_at="2026-01-31T11:59:59.000Z")])
    assert (kind, version_id) == ("wrong", "null")
    assert detail == "uploaded_at is 2026-01-31T11:59:59.000Z in the row and 2026-01-31T12:00:02.000Z in S3"


def test_the_time_of_any_other_marker_was_told_once_and_no_event_changes_it() -> None:
    assert found([MARKER], [row(MARKER, uploaded_at="2026-01-31T11:59:59.000Z")]) == []


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"uploaded_at": "1999-01-31T12:00:02.000Z"}, "uploaded_at is 1999-01-31T12:00:02.000Z in the row"),
        ({"uploaded_at": "yesterday"}, "uploaded_at is yesterday in the row"),
        ({"uploaded_at": "2026-01-31T12:00:02"}, "uploaded_at is 2026-01-31T12:00:02 in the row"),  # of no time zone
        ({"upload_day": "2026-01-31"}, "upload_day is there, and S3 has a delete marker"),
    ],
)
def test_an_altered_row_of_a_marker_is_found_and_no_event_mends_it(changes: dict[str, Any], detail: str) -> None:
    """It could make a deleted object look alive."""
    [finding] = compare(BUCKET, "a", [MARKER], [row(MARKER, **changes)])
    assert (finding.difference, finding.repairable) == (Difference.WRONG, False)
    assert finding.details[0].startswith(detail)


def test_a_marker_without_a_time_gets_one_by_its_event() -> None:
    [finding] = compare(BUCKET, "a", [MARKER], [row(MARKER, uploaded_at=None)])
    assert (finding.difference, finding.repairable) == (Difference.WRONG, True)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"size_bytes": 6}, "size_bytes is 6 in the row and 5 in S3"),
        ({"size_bytes": None}, "size_bytes is None in the row and 5 in S3"),
        ({"etag": "d41d8"}, "etag is d41d8 in the row and d41d8-3 in S3"),
        ({"bucket": "other"}, "bucket is other in the row and uploads in S3"),
        ({"key": "b"}, "key is b in the row and a in S3"),
        ({"upload_day": "2026-02-01"}, "upload_day is 2026-02-01 in the row and 2026-01-31 in S3"),
        (
            {"uploaded_at": "2026-01-31T12:00:02.000Z"},
            "uploaded_at is 2026-01-31T12:00:02.000Z in the row and 2026-01-31T12:00:01.000Z in S3",
        ),
    ],
)
def test_a_row_that_says_something_else_is_wrong(changes: dict[str, Any], detail: str) -> None:
    assert found([OBJECT], [row(OBJECT, **changes)]) == [("wrong", "v1", (detail,))]


def test_a_marker_whose_row_does_not_say_so_is_wrong() -> None:
    [(kind, version_id, [detail])] = found([MARKER], [row(MARKER, delete_marker=None)])
    assert (kind, version_id, detail) == ("wrong", "m1", "delete_marker is None in the row and True in S3")


def test_a_version_without_a_row_is_missing() -> None:
    assert found([OBJECT, MARKER], []) == [("missing", "v1", ()), ("missing", "m1", ())]


def test_a_row_from_an_events_own_words_is_incomplete_whatever_its_words() -> None:
    words = row(OBJECT, content_type=None, uploaded_at="2026-01-31T12:00:02.000Z")
    assert found([OBJECT], [words]) == [("incomplete", "v1", ())]


def test_a_row_whose_version_is_gone_is_stale_unless_it_says_so() -> None:
    gone = version("a", "v0")
    assert found([OBJECT], [row(OBJECT), row(gone)]) == [("stale", "v0", ())]
    assert found([OBJECT], [row(OBJECT), row(gone, deleted_at="2026-01-31T12:00:00.000Z")]) == []
    assert found([], [row(MARKER)]) == [("stale", "m1", ())]


@pytest.mark.parametrize(
    ("listed", "changes", "repairable"),
    [
        (OBJECT, {"deleted_at": "2026"}, False),
        (OBJECT, {"delete_marker": True}, False),
        (MARKER, {"deleted_at": "2026"}, False),
        (version("a", "null"), {"deleted_at": "2026"}, True),  # the function writes that row anew
        (OBJECT, {"size_bytes": 6}, True),
    ],
)
def test_what_no_event_takes_back_is_told_from_what_one_does(
    listed: Version,
    changes: dict[str, Any],
    repairable: bool,  # noqa: FBT001  a parameter of the table above
) -> None:
    [finding] = compare(BUCKET, "a", [listed], [row(listed, **changes)])
    assert (finding.difference, finding.repairable) == (Difference.WRONG, repairable)


def test_a_finding_knows_the_version_that_s3_lists() -> None:
    [missing] = compare(BUCKET, "a", [OBJECT], [])
    [stale] = compare(BUCKET, "a", [], [row(OBJECT)])
    assert (missing.version, stale.version) == (OBJECT, None)
