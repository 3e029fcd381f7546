from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.analytics.engine import Engine
from operations.audit import Audit
from operations.compare import TRANSITIONS, compare, compare_head
from operations.inventory.compare import Comparison, differing
from operations.listing import KeyFilter, Version
from operations.output import Progress
from operations.rate import Capacity
from tests.support.clock import FakeClock
from tests.support.inventory_tables import COLUMNS, FakeInventory, listed, write_inventory, write_rows
from tests.support.operations_fakes import BUCKET, START, TARGET, FakeAws, head_response, marker, row, version

if TYPE_CHECKING:
    from operations.aws import Row

pytestmark = pytest.mark.slow

EVERY_KEY = KeyFilter(None)
CREATED = START + timedelta(days=90)
"""Creation time of the inventories: so late that all objects of the tests are compared."""


class Snapshots:
    """Writes an inventory and the rows of the table as Parquet files, and compares them."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self._engine = engine

    def compare(self, lines: Sequence[dict[str, Any]], rows: Sequence[Row], **options: Any) -> Comparison:
        created = options.pop("created", CREATED)
        inventory = FakeInventory(created=created, fields=options.pop("fields", tuple(COLUMNS)))
        return differing(
            self._engine,
            write_inventory(self._engine, self._folder / "inventory.parquet", lines),
            write_rows(self._engine, Path(tempfile.mkdtemp(dir=self._folder)), rows),
            inventory=inventory,
            **{"prefix": "", "key_filter": EVERY_KEY, **options},
        )


@pytest.fixture
def snapshots(tmp_path: Path) -> Iterator[Snapshots]:
    with Engine(spill=tmp_path / "spill") as engine:
        yield Snapshots(tmp_path, engine)


def found(comparison: Comparison) -> list[tuple[str, str]]:
    return [(each.key, version_id) for each in comparison for version_id in sorted(each.versions)]


# Object keys for all cases in the calculation of the row attributes filename and extension.
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
    """Return random wrong attributes for the row of a version. The value None removes an attribute."""
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
    """Yield random versions, each with its encryption status and its row, which may be wrong, missing or correct."""
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


def test_inventory_comparison_in_sql_finds_the_same_versions_as_the_comparison_in_python(snapshots: Snapshots) -> None:
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


CREATED_EARLY = START + timedelta(hours=48)
"""Creation time of an inventory that contains all changes before START."""
OLD, YOUNG = version("a", seconds=-1), version("a", seconds=0)
NULL, NEWER_NULL = version("a", "null", seconds=-1), version("a", "null", seconds=0, size=6)
GONE = {"deleted_at": "2026-01-31T11:00:00.000Z"}
GONE_LATER = {"deleted_at": "2026-01-31T12:00:00.000Z"}
NEVER = {"deleted_at": "2026-12-31T12:00:00.000Z"}


@pytest.mark.parametrize(
    ("lines", "rows", "candidates", "too_young"),
    [
        pytest.param([OLD], [], 1, 0, id="missing row"),
        pytest.param([YOUNG], [], 0, 1, id="missing row of a young version"),
        pytest.param([], [row(OLD)], 1, 0, id="stale row"),
        pytest.param([], [row(YOUNG)], 0, 1, id="row of a young version that the inventory lacks"),
        pytest.param([], [row(OLD, uploaded_at=None)], 1, 0, id="stale row without a time"),
        pytest.param([], [row(OLD, uploaded_at="2026-12-31T12:00:00.000Z")], 1, 0, id="stale row with a future time"),
        pytest.param([], [row(OLD, **GONE)], 0, 0, id="deleted version"),
        pytest.param([], [row(OLD, **GONE_LATER)], 0, 0, id="version that was deleted later"),
        pytest.param([OLD], [row(OLD, **GONE)], 1, 0, id="existing version whose row is marked as deleted"),
        pytest.param([OLD], [row(OLD, **GONE_LATER)], 0, 1, id="version that was deleted after the listing"),
        pytest.param([OLD], [row(OLD, **NEVER)], 1, 0, id="row with a deletion in the future"),
        pytest.param([NULL], [row(NEWER_NULL)], 0, 1, id="version null that was overwritten later"),
        pytest.param([NEWER_NULL], [row(NULL)], 0, 1, id="version null that was overwritten before the listing"),
        pytest.param([NULL, NEWER_NULL], [row(NEWER_NULL)], 0, 2, id="both versions null"),
        pytest.param([OLD], [row(OLD, uploaded_at="2026-01-31T12:00:00.000Z")], 1, 0, id="wrong time in a row"),
    ],
)
def test_changes_in_the_48_hours_before_an_inventory_are_not_compared(
    snapshots: Snapshots, lines: list[Version], rows: list[Row], candidates: int, too_young: int
) -> None:
    comparison = snapshots.compare(list(map(listed, lines)), rows, created=CREATED_EARLY)
    assert (comparison.differing, comparison.too_young) == (candidates, too_young)
    assert any("2026-01-31T12:00:00Z" in note for note in comparison.notes()) == bool(too_young)


def test_versions_newer_than_the_exported_rows_are_not_compared(snapshots: Snapshots) -> None:
    comparison = snapshots.compare([listed(OLD), listed(version("b"))], [], exported=START)
    assert (found(comparison), comparison.too_young, comparison.limit) == ([("a", "v1")], 1, START)


def test_row_of_an_object_newer_than_the_inventory_is_not_reported_as_stale(snapshots: Snapshots) -> None:
    uploaded = version("a", seconds=100 * 86_400)
    rows = [row(uploaded), row(version("b", seconds=102 * 86_400))]
    comparison = snapshots.compare([], rows, exported=START + timedelta(days=100))
    assert (found(comparison), comparison.too_young) == ([("b", "v1")], 1)


LISTED = [version("in/a.b"), marker("in/a.b"), version("in/c"), version("in2"), version("out/a.b"), marker("out/d")]


@pytest.mark.parametrize(
    ("rules", "prefix", "counts", "keys"),
    [
        (None, "", (5, 4, 2, 0, 3, 1), ["in/a.b", "in/c", "in2", "in/gone", "out/a.b", "out/d", "out/gone"]),
        ((("in/", ""),), "", (2, 2, 1, 3, 2, 1), ["in/a.b", "in/c", "in/gone"]),
        ((("in/", ".b"), ("in2", "")), "", (2, 2, 1, 3, 1, 0), ["in/a.b", "in2"]),
        ((("", ".b"),), "in", (1, 1, 1, 2, 1, 0), ["in/a.b"]),
        (None, "in/", (2, 2, 1, 0, 2, 1), ["in/a.b", "in/c", "in/gone"]),
        ((("'", ""),), "", (0, 0, 0, 6, 0, 0), []),
    ],
)
def test_inventory_comparison_includes_only_keys_of_the_notification_filter_and_prefix(
    snapshots: Snapshots,
    rules: tuple[tuple[str, str], ...] | None,
    prefix: str,
    counts: tuple[int, ...],
    keys: list[str],
) -> None:
    rows = [
        row(LISTED[0], etag="other", content_of="other"),
        row(version("in/gone"), content_of=None),
        row(version("out/gone")),
        row(LISTED[0], object_id="uploads-old/in/a.b"),
        row(LISTED[2], object_id="other/uploads/in/c"),
    ]
    comparison = snapshots.compare(list(map(listed, LISTED)), rows, key_filter=KeyFilter(rules), prefix=prefix)
    assert [each.key for each in comparison] == sorted(keys)
    assert comparison.differing_keys == len(keys)
    names = ("keys", "versions", "markers", "not_indexed", "rows", "without_content")
    assert tuple(getattr(comparison, name) for name in names) == counts


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("size_bytes", {"size_bytes": 6}),
        ("etag", {"etag": "other", "content_of": "third"}),
        ("uploaded_at", {"uploaded_at": "2026-01-30T12:00:00.000Z", "upload_day": "2026-01-30"}),
        ("storage_class", {"storage_class": "SNOW"}),
        ("encryption", {"encryption": "aws:kms"}),
    ],
)
def test_attributes_whose_fields_the_inventory_lacks_are_not_compared(
    snapshots: Snapshots, field: str, changes: dict[str, Any]
) -> None:
    rows = [row(version("a"), **changes)]
    fields = tuple(name for name in COLUMNS if name != field)
    line = {name: value for name, value in listed(version("a")).items() if name != field}
    assert found(snapshots.compare([line], rows, fields=fields)) == []
    assert found(snapshots.compare([listed(version("a"))], rows)) == [("a", "v1")]


def test_inventory_comparison_with_very_many_differences_prints_the_expected_duration(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = snapshots.compare([listed(version("a")), listed(version("b"))], [])
    assert (comparison.notes(), comparison.duration(0.1)) == ([], "")
    monkeypatch.setattr("operations.inventory.compare.MANY", 1)
    [note] = comparison.notes()
    assert note.startswith("note: 2 versions of 2 keys differ")
    comparison.differing_keys = 720_000
    assert "reads 720,000 keys again, about 50 per second. This takes about 4.0 hours" in comparison.duration(50.0)
    assert "about 200 per second. This takes about 1.0 hours" in comparison.duration(None)
    clock = FakeClock()
    stream = io.StringIO()
    audit = Audit(FakeAws(), TARGET, key_filter=EVERY_KEY, capacity=Capacity(read=100, write=None), sleep=clock.sleep)
    audit.confirm(comparison, Progress(stream))
    assert "about 50 per second" in stream.getvalue()


def confirmed(aws: FakeAws, comparison: Comparison) -> tuple[Audit, FakeClock]:
    clock = FakeClock()
    capacity = Capacity(read=20, write=None)
    audit = Audit(aws, TARGET, key_filter=EVERY_KEY, capacity=capacity, clock=clock, sleep=clock.sleep)
    audit.confirm(comparison, Progress(io.StringIO()))
    return audit, clock


def test_audit_from_an_inventory_reports_only_differences_that_still_exist(snapshots: Snapshots) -> None:
    versions = [version("a"), version("b"), version("c"), version("d"), version("e")]
    old = [row(versions[0], size_bytes=6), row(version("gone")), *map(row, versions[2:])]
    comparison = snapshots.compare(list(map(listed, versions)), old)
    # After the inventory and the export, the missing row of `b` was written, and the row of `c` was damaged.
    now = [row(versions[0], size_bytes=6), row(versions[1]), row(versions[2], etag="x"), *old[1:2], *old[3:]]
    aws = FakeAws(versions, now)
    audit, _ = confirmed(aws, comparison)
    report = audit.report
    assert [(each.difference.value, each.key) for each in report.findings] == [("wrong", "a"), ("stale", "gone")]
    assert (report.keys, report.versions, report.rows, report.rechecked) == (5, 5, 5, 3)
    assert (aws.heads, aws.consistent_reads) == ([], 3)
    audit.repair(Progress(io.StringIO()))
    assert report.sent == len(aws.sent) == 2


def test_audit_from_an_inventory_confirms_different_encryption_with_a_head_request(snapshots: Snapshots) -> None:
    versions = [version("a"), version("b"), version("c")]
    lines = [
        listed(versions[0], encryption="SSE-KMS"),
        listed(versions[1], encryption="SSE-S3"),
        listed(versions[2], encryption="SSE-C"),
    ]
    rows = [row(each, encryption="AES256") for each in versions]
    rows[1]["size_bytes"] = 6
    aws = FakeAws(versions, rows)
    aws.head_responses = {("a", "v1"): head_response(versions[0], ServerSideEncryption="aws:kms")}
    audit, _ = confirmed(aws, snapshots.compare(lines, rows))
    details = [each.details for each in audit.report.findings]
    assert details == [
        ("encryption is AES256 in the row and aws:kms in S3",),
        ("size_bytes is 6 in the row and 5 in S3",),
    ]
    assert aws.heads == [("a", "v1")]


def test_confirmation_of_many_differences_uses_at_most_half_of_the_read_capacity(snapshots: Snapshots) -> None:
    versions = [version(f"{number:04}") for number in range(300)]
    audit, clock = confirmed(FakeAws(versions), snapshots.compare(list(map(listed, versions)), []))
    assert len(audit.report.findings) == len(versions)
    # The audit may use 10 read units per second, and each key consumes 0.5 units.
    assert sum(clock.sleeps) == pytest.approx(300 * 0.5 / 10, abs=2)
