from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.analytics.engine import Engine
from operations.compare import TRANSITIONS, compare, compare_head
from operations.inventory.compare import Comparison, differing
from operations.listing import KeyFilter, Version
from tests.support.inventory_tables import COLUMNS, FakeInventory, listed, write_inventory, write_rows
from tests.support.operations_fakes import BUCKET, START, head_response, marker, row, version

if TYPE_CHECKING:
    from operations.aws import Row

EVERY_KEY = KeyFilter(None)
CREATED = START + timedelta(days=90)
"""Creation time of the inventories, long after the changes of the tests."""


class Snapshots:
    """Inventory and rows of a test, in a temporary folder."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self._engine = engine

    def compare(self, lines: Sequence[dict[str, Any]], rows: Sequence[Row], **options: Any) -> Comparison:
        created = options.pop("created", CREATED)
        inventory = FakeInventory(created=created, fields=options.pop("fields", tuple(COLUMNS)))
        return differing(
            self._engine,
            write_inventory(self._engine, self._folder / "inventory.parquet", lines),
            write_rows(self._engine, self._folder / "rows", rows),
            inventory=inventory,
            **{"prefix": "", "key_filter": EVERY_KEY, **options},
        )


@pytest.fixture
def snapshots(tmp_path: Path) -> Iterator[Snapshots]:
    with Engine(spill=tmp_path / "spill") as engine:
        yield Snapshots(tmp_path, engine)


def found(comparison: Comparison) -> list[tuple[str, str]]:
    return [(each.key, version_id) for each in comparison for version_id in sorted(each.versions)]


# An object key of each form that matters to the attributes filename and extension.
NAMES = (
    "a",
    "x/b.TXT",
    "x/.profile",
    "..a",
    ".a.",
    "c.tar.gz",
    "d/",
    "é/Ü.ÄÖ",
    "e.\n",
    "'",
    "$limit",
    "f..x",
    "...",
    "x\u0000.b",
)
CLASSES = (*TRANSITIONS, "SNOW")
TIMES = (-90_000, -86_401, -86_400, -3, -2, -1, 1, 2, 3, 86_400, 86_401, 90_000)
STATUSES = {"SSE-S3": "AES256", "SSE-KMS": "aws:kms", "DSSE-KMS": "aws:kms:dsse", "NOT-SSE": None}


def changes(rng: random.Random, listed_version: Version) -> dict[str, Any]:
    """Return random changes of the row of a version. The value None removes an attribute."""
    time = listed_version.last_modified + timedelta(seconds=rng.choice(TIMES), milliseconds=rng.choice([0, 0, 1, 999]))
    text = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    choices: list[dict[str, Any]] = [
        {},
        {},
        {"bucket": "other"},
        {"key": "other"},
        {"filename": rng.choice(["other", None])},
        {"extension": rng.choice(["other", None])},
        {"size_bytes": rng.choice([0, 6, None])},
        {"etag": rng.choice(["other", None])},
        {"content_of": rng.choice(["other", None, "e"])},
        {"content_type": None},
        {"content_type": None, "encryption": "SSE-C"},
        {"encryption": rng.choice(["SSE-C", "AES256", "aws:kms", "aws:kms:dsse"])},
        {"storage_class": rng.choice([*CLASSES, None])},
        {"uploaded_at": rng.choice([text, None])},
        {"uploaded_at": text, "upload_day": None if listed_version.marker else text[:10]},
        {"upload_day": rng.choice(["2026-01-30", "2026-01-31", None])},
        {"deleted_at": "2026-01-31T12:00:00.000Z"},
        {"delete_marker": rng.choice([True, None])},
    ]
    chosen: dict[str, Any] = {}
    for change in rng.sample(choices, rng.choice([0, 1, 1, 1, 2])):
        chosen |= change
    return chosen


def cases(number: int) -> Iterator[tuple[Version, str, Row | None]]:
    """Yield versions with S3's encryption status and their possibly damaged rows, each with another object key."""
    rng = random.Random(number)  # noqa: S311  test data
    for each in range(number):
        version_id = rng.choice(["null", f"v{each}"])
        key = f"{each}/{rng.choice(NAMES)}"
        if rng.random() < 0.3:
            found_version = marker(key, version_id, seconds=rng.choice([0, 43_199]))
        else:
            found_version = version(
                key, version_id, seconds=each, storage_class=rng.choice(CLASSES), size=rng.choice([0, 5])
            )
        status = rng.choice(list(STATUSES))
        attributes = {"encryption": None if found_version.marker else STATUSES[status]}
        correct = row(found_version, **attributes, extension=expected_extension(key))
        damaged = {**correct, **changes(rng, found_version)}
        yield (
            found_version,
            status,
            None if rng.random() < 0.05 else {name: value for name, value in damaged.items() if value is not None},
        )


def expected_extension(key: str) -> str:
    name = key.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem.strip(".") else ""


def test_sql_conditions_find_the_versions_that_the_rules_of_the_audit_find(snapshots: Snapshots) -> None:
    generated = list(cases(4_000))
    expected, heads = set(), set()
    for found_version, status, found_row in generated:
        rows = [] if found_row is None else [found_row]
        if compare(BUCKET, found_version.key, [found_version], rows):
            expected.add((found_version.key, found_version.version_id))
        elif found_row and "content_type" in found_row:
            head = head_response(
                found_version, ServerSideEncryption=STATUSES[status], StorageClass=found_version.storage_class
            )
            if compare_head(BUCKET, found_version, found_row, head):
                heads.add((found_version.key, found_version.version_id))
    comparison = snapshots.compare(
        [listed(found_version, encryption=status) for found_version, status, _ in generated],
        [found_row for _, _, found_row in generated if found_row is not None],
    )
    assert set(found(comparison)) == expected | heads
    assert heads <= {(each.key, version_id) for each in comparison for version_id in each.heads}
    assert 1_000 < len(expected) < 3_000
    assert len(heads) > 50
