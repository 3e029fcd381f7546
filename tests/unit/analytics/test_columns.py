"""Tests that the columns of the relation `objects` have the values of the rows in a DynamoDB export."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from inspector.facts import FACTS
from operations.analytics.columns import COLUMNS
from operations.analytics.engine import Engine
from tests.support.edge_cases import KEYS
from tests.support.export_folder import load, typed, write_export

NAMES = [each.name for each in COLUMNS]
ROW: Mapping[str, Any] = {
    "object_id": "uploads/a.jpg",
    "version_id": "v1",
    "bucket": "uploads",
    "key": "a.jpg",
    "filename": "a.jpg",
    "extension": "jpg",
    "size_bytes": 5 * 1024**4,
    "etag": "e",
    "content_type": "image/jpeg",
    "storage_class": "STANDARD",
    "encryption": "AES256",
    "checksum": {"algorithm": "CRC64NVME", "value": "ynIoRb1s2ao=", "type": "FULL_OBJECT"},
    "user_metadata": {"author": "Zoë", "": "\x00\u202e"},
    "uploaded_at": "2026-11-22T21:40:04.000Z",
    "upload_day": "2026-11-22",
    "deleted_at": "2026-11-23T08:15:30.125Z",
    "deleted_by": "lifecycle",
    "expires_at": 1803197730,
    "content": {name: {str: "text", int: 2**63 - 1, bool: True}[kind] for name, kind in FACTS.items()},
    "content_of": "e",
    "mismatch": True,
    "event_name": "ObjectCreated:Put",
    "event_time": "2026-11-22T21:40:04.512Z",
    "sequencer": "0055AED6DCD90281E5",
    "request_id": "8c2f4a52",
    "processed_at": "2026-11-22T21:40:05.034Z",
    "schema_version": 1,
}
"""Row in the table with all attributes of an object version."""


def relation(folder: Path, *rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write rows into an export, and return the rows of the relation `objects` that is read from it, in the same order.

    Args:
        folder: folder for the export files.
        rows: rows of the table. The attributes that each row must have are added.
    """
    export = write_export(folder, [typed(each) for each in rows])
    with Engine(spill=folder / "spill") as engine:
        load(export, engine)
        found = [dict(zip(NAMES, each, strict=True)) for each in engine.rows("SELECT * FROM objects")]
    order = [(each["object_id"], each["version_id"]) for each in rows]
    return sorted(found, key=lambda each: order.index((each["object_id"], each["version_id"])))


def test_columns_of_the_relation_have_the_values_of_the_row_attributes(tmp_path: Path) -> None:
    [found] = relation(tmp_path, ROW)
    facts = {f"detected_{name}": value for name, value in ROW["content"].items()}
    unchanged = {name: value for name, value in ROW.items() if name in NAMES}
    assert found == unchanged | facts | {
        "checksum_algorithm": "CRC64NVME",
        "checksum_value": "ynIoRb1s2ao=",
        "checksum_type": "FULL_OBJECT",
        "uploaded_at": datetime(2026, 11, 22, 21, 40, 4),  # noqa: DTZ001  times of the relation have no time zone
        "upload_day": date(2026, 11, 22),
        "deleted_at": datetime(2026, 11, 23, 8, 15, 30, 125000),  # noqa: DTZ001  times of the relation have no time zone
        "expires_at": datetime(2027, 2, 21, 8, 15, 30),  # noqa: DTZ001  times of the relation have no time zone
        "delete_marker": False,
        "event_time": datetime(2026, 11, 22, 21, 40, 4, 512000),  # noqa: DTZ001  times of the relation have no time zone
        "processed_at": datetime(2026, 11, 22, 21, 40, 5, 34000),  # noqa: DTZ001  times of the relation have no time zone
        "exists_now": False,
        "is_current": False,
    }


def test_columns_of_missing_row_attributes_are_null_or_false(tmp_path: Path) -> None:
    [found] = relation(tmp_path, {"object_id": "uploads/a", "version_id": "v1"})
    flags = {name: value for name, value in found.items() if value is not None}
    assert flags == {
        "object_id": "uploads/a",
        "version_id": "v1",
        "delete_marker": False,
        "detected_encrypted": False,
        "mismatch": False,
        "exists_now": True,
        "is_current": True,
    }


def test_relation_contains_unusual_keys_and_metadata_unchanged(tmp_path: Path) -> None:
    texts = [
        *KEYS.values(),
        "'; DROP VIEW objects; --",
        '"\\',
        "\x00\x1b[31m\r\n",
        "=1+1",
        "${HOME} {{ 7*7 }}",
        "\ud7ff\ue000",
    ]
    rows = [
        {"object_id": f"b/{text}", "version_id": "v1", "key": text, "user_metadata": {text: text}} for text in texts
    ]
    found = relation(tmp_path, *rows)
    assert [each["key"] for each in found] == texts
    assert [each["user_metadata"] for each in found] == [{text: text} for text in texts]


def version(version_id: str, second: str = "00.000", **attributes: Any) -> dict[str, Any]:
    time = f"2026-11-22T21:40:{second}Z"
    return {"object_id": "uploads/a", "version_id": version_id, "uploaded_at": time, **attributes}


DELETED: Mapping[str, Any] = {"deleted_at": "2026-11-23T08:15:30.125Z"}
MARKER: Mapping[str, Any] = {"delete_marker": True}


@pytest.mark.parametrize(
    ("rows", "current"),
    [
        pytest.param([version("v1"), version("v2", "01.000")], "v2", id="newest-version"),
        pytest.param([version("v1"), version("v2", "01.000", **DELETED)], "v1", id="newest-version-deleted"),
        pytest.param([version("v1"), version("m1", "01.000", **MARKER)], None, id="hidden-by-a-delete-marker"),
        pytest.param([version("v1"), version("m1", "01.000", **MARKER, **DELETED)], "v1", id="delete-marker-removed"),
        pytest.param([version("m1", **MARKER), version("v1", "01.000")], "v1", id="upload-after-a-delete-marker"),
        pytest.param([version("v1", **DELETED)], None, id="only-a-deleted-version"),
        pytest.param(
            [version("v1", sequencer="0055AE"), version("v2", sequencer="0055AE1")], "v2", id="longer-sequencer"
        ),
        pytest.param(
            [version("v1", sequencer="0055AF"), version("v2", sequencer="0055AE1")], "v1", id="greater-sequencer"
        ),
        pytest.param(
            [version("m1", "00.900", sequencer="0055AE", **MARKER), version("v1", sequencer="0055AF")],
            "v1",
            id="marker-with-milliseconds-before-an-upload-in-the-same-second",
        ),
        pytest.param([version("null"), version("v1", sequencer="0055AE")], "v1", id="no-sequencer"),
        pytest.param([version("v1"), version("v2")], "v2", id="greater-version-id-without-sequencers"),
        pytest.param([{"object_id": "uploads/a", "version_id": "v9"}, version("v1")], "v1", id="no-time"),
    ],
)
def test_is_current_is_true_only_for_the_version_that_a_get_request_returns(
    tmp_path: Path, rows: list[dict[str, Any]], current: str | None
) -> None:
    other = {**version("v1"), "object_id": "uploads/b"}
    found = relation(tmp_path, *rows, other)
    expected = [current] * (current is not None) + ["v1"]
    assert [each["version_id"] for each in found if each["is_current"]] == expected
    exists = [each["version_id"] for each in found if each["exists_now"]]
    assert exists == [
        each["version_id"] for each in [*rows, other] if not each.keys() & {"deleted_at", "delete_marker"}
    ]
