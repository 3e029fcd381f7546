"""Tests that `restore-rows` copies missing rows from a restored table, with fake AWS calls."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from operations.errors import OperatorError
from operations.output import Progress
from operations.rate import Capacity, default_write_rate
from operations.restore import Restore, RestoreReport, check_tables
from operations.restored_row import Address, Item, address_of
from tests.support.clock import FakeClock
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import START, TARGET, FakeAws, item, marker, version

SILENT = Progress(io.StringIO())
NOW = START.timestamp()
DELETED = {"deleted_at": "2026-01-31T13:00:00.000Z", "deleted_by": "someone", "expires_at": int(NOW) + 1}
CONTENT: dict[str, Any] = {"content": {"type": "image/png", "width": 4}, "content_of": "e", "mismatch": True}
NEWER = {"request_id": "second", "processed_at": "2026-02-01T12:00:00.000Z"}
LIVE, GONE, MARKER = item(version("a")), item(version("b"), **DELETED), item(marker("b"))
HEADLESS = {"content_type": None, "storage_class": None}
FAST = Capacity(read=None, write=None)
CAPACITY_2 = Capacity(read=2.0, write=2.0)


def create(
    *restored: Item, current: tuple[Item, ...] = (), clock: FakeClock | None = None, **options: Any
) -> tuple[FakeAws, Restore]:
    """Return a fake of `Aws`, and a `Restore` that copies the rows `restored` to a table with the rows `current`."""
    aws, clock = FakeAws(), clock or FakeClock()
    aws.restored = list(restored)
    aws.items = {address_of(each): each for each in current}
    options = {"source_capacity": FAST, "capacity": FAST, "write_rate": 1e6, **options}
    return aws, Restore(aws, TARGET, source="restored", clock=clock, sleep=clock.sleep, now=lambda: NOW, **options)


def rows(aws: FakeAws) -> list[Item]:
    return [aws.items[each] for each in sorted(aws.items)]


def interrupt_at(object_id: str) -> Callable[[Address], None]:
    def before_update(address: Address) -> None:
        if address[0] == object_id:
            raise KeyboardInterrupt

    return before_update


def test_restore_copies_all_rows_unchanged_to_an_empty_table() -> None:
    aws, restore = create(LIVE, GONE, MARKER)
    restore.copy(SILENT)
    assert rows(aws) == [LIVE, MARKER, GONE]
    assert restore.report == RestoreReport(read=3, missing=3, deletions=1, copied=3)
    restore.copy(SILENT)
    # The second restore finds all rows and copies none.
    assert (restore.report.present, restore.report.copied) == (3, 3)


def test_restore_without_copy_counts_the_rows_and_changes_nothing() -> None:
    aws, restore = create(LIVE, GONE, MARKER, current=(LIVE,))
    restore.compare(SILENT)
    assert rows(aws) == [LIVE]
    assert restore.report == RestoreReport(read=3, missing=2, deletions=1, present=1)


@pytest.mark.parametrize(
    ("restored", "current", "expected"),
    [
        pytest.param(
            GONE,
            item(version("b"), size_bytes=6, storage_class="GLACIER", **NEWER),
            item(version("b"), size_bytes=6, storage_class="GLACIER", **DELETED),
            id="newer HEAD result: only deletion and provenance are copied",
        ),
        pytest.param(
            item(version("b"), checksum={"value": "x"}),
            item(version("b"), **NEWER),
            item(version("b")),
            id="newer HEAD result without checksum: the checksum is not copied",
        ),
        pytest.param(
            item(version("b"), checksum={"value": "x"}),
            item(version("b"), uploaded_at="2026-01-31T12:00:00.900Z", **HEADLESS, **DELETED, **NEWER),
            item(version("b"), checksum={"value": "x"}, **DELETED),
            id="row of an event: the HEAD result is copied, the deletion stays",
        ),
        pytest.param(
            item(version("b"), etag="old", **HEADLESS),
            item(version("b"), sequencer="1", **HEADLESS, **NEWER),
            item(version("b"), sequencer="1", **HEADLESS),
            id="two rows of events: only provenance is copied",
        ),
        pytest.param(
            item(version("b"), **DELETED),
            item(version("b"), **DELETED | {"deleted_by": "tapstack:audit"}),
            item(version("b"), **DELETED | {"deleted_by": "tapstack:audit"}),
            id="recorded deletion: it stays",
        ),
        pytest.param(
            item(version("b"), tags={"red", "blue"}),
            item(version("b"), **NEWER),
            item(version("b"), tags={"red", "blue"}),
            id="unknown attribute: it is copied",
        ),
        pytest.param(
            item(version("b"), **CONTENT),
            item(version("b"), **NEWER),
            item(version("b"), **CONTENT),
            id="row without content: the content is copied",
        ),
        pytest.param(
            item(version("b"), **CONTENT),
            item(version("b"), content_of="e", content={"type": "newer"}, **NEWER),
            item(version("b"), content_of="e", content={"type": "newer"}),
            id="newer content: no attribute of the content is copied, also not the mismatch",
        ),
        pytest.param(
            item(version("b"), **CONTENT),
            item(version("b"), **HEADLESS, **NEWER),
            item(version("b"), **CONTENT),
            id="row of an event: HEAD result and content are copied together",
        ),
        pytest.param(
            item(version("b"), **CONTENT),
            item(version("b"), etag="other", **NEWER),
            item(version("b"), etag="other"),
            id="row with another ETag: the content is not copied",
        ),
        pytest.param(
            item(version("b"), **CONTENT | {"content_of": "other"}),
            item(version("b"), **HEADLESS, **NEWER),
            item(version("b")),
            id="content of other bytes than those of the restored row: it is not copied",
        ),
        pytest.param(
            item(version("b"), content={"type": "image/png"}, mismatch=True),
            item(version("b"), **NEWER),
            item(version("b")),
            id="content without the attribute content_of: it is not copied",
        ),
        pytest.param(
            item(version("b", "null"), **DELETED),
            item(version("b", "null"), **NEWER),
            item(version("b", "null"), **NEWER),
            id="deleted version null with a newer object: nothing is copied",
        ),
        pytest.param(
            item(version("b", "null"), **DELETED),
            item(version("b", "null"), **HEADLESS, **NEWER, **DELETED),
            item(version("b", "null"), **DELETED),
            id="deleted version null, and a repeated event of the deletion: its attributes are copied",
        ),
        pytest.param(
            item(version("b", "null"), **DELETED),
            item(version("b", "null"), **HEADLESS, **NEWER, **DELETED | {"deleted_at": "2026-02-01T13:00:00.000Z"}),
            item(version("b", "null"), **HEADLESS, **NEWER, **DELETED | {"deleted_at": "2026-02-01T13:00:00.000Z"}),
            id="deleted version null, and another deletion: nothing is copied",
        ),
    ],
)
def test_restore_adds_only_missing_attributes_to_an_existing_row(restored: Item, current: Item, expected: Item) -> None:
    aws, restore = create(restored, current=(current,))
    restore.copy(SILENT)
    assert {name: sorted_set(value) for name, value in rows(aws)[0].items()} == {
        name: sorted_set(value) for name, value in expected.items()
    }
    assert (restore.report.incomplete, restore.report.copied) == ((current != expected),) * 2
    assert restore.report.missing == 0


def sorted_set(value: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute value, but with sorted members if it is a string set, so that values can be compared."""
    return {"SS": sorted(value["SS"])} if "SS" in value else value


def test_restore_does_not_replace_attributes_that_the_indexer_writes_at_the_same_time() -> None:
    aws, restore = create(item(version("b"), checksum={"value": "x"}, **DELETED))
    written = item(version("b"), storage_class="GLACIER", **NEWER)
    aws.before_update = lambda address: aws.items.update({address: aws.items.get(address, written)})
    restore.copy(SILENT)
    assert rows(aws) == [item(version("b"), storage_class="GLACIER", **DELETED)]
    assert restore.report.copied == 1


def test_restore_keeps_the_row_of_an_upload_that_replaced_a_deleted_null_version() -> None:
    aws, restore = create(item(version("b", "null"), **DELETED))
    written = item(version("b", "null"), **NEWER)
    aws.before_update = lambda address: aws.items.update({address: aws.items.get(address, written)})
    restore.copy(SILENT)
    assert rows(aws) == [written]
    assert (restore.report.missing, restore.report.copied) == (1, 0)


def test_restore_counts_but_does_not_copy_rows_of_existing_null_versions_and_expired_rows() -> None:
    live, read_again = item(version("a", "null")), item(version("b", "null"))
    deleted = item(version("c", "null"), **DELETED)
    expired = item(version("d"), **DELETED | {"expires_at": int(NOW) - 1})
    aws, restore = create(live, read_again, deleted, expired, current=(read_again,))
    restore.copy(SILENT)
    assert rows(aws) == [read_again, deleted]
    assert restore.report == RestoreReport(
        read=4, missing=1, deletions=1, present=1, expired=1, null_versions=1, copied=1
    )


def test_interrupted_restore_continues_after_the_last_copied_row() -> None:
    restored = [item(version(f"k{number}")) for number in range(7)]
    aws, restore = create(*restored, threads=1)
    aws.before_update = interrupt_at("uploads/k4")
    with pytest.raises(KeyboardInterrupt):
        restore.copy(SILENT)
    assert restore.report.resume_after == ("uploads/k3", "v1")
    assert restore.report.copied == 4
    again, second = create(*restored, current=tuple(rows(aws)), start_after=restore.report.resume_after)
    second.copy(SILENT)
    assert rows(again) == restored
    # Rows whose copy has already started when the process is interrupted are copied too.
    assert (second.report.read, second.report.present + second.report.copied) == (3, 3)


def test_restore_counts_the_copied_rows_before_it_raises_the_error_about_a_row() -> None:
    newer = item(version("k9"), schema_version=2)
    aws, restore = create(*[item(version(f"k{number}")) for number in range(9)], newer)
    with pytest.raises(OperatorError, match="schema version 2"):
        restore.copy(SILENT)
    assert (restore.report.copied, len(aws.items), restore.report.resume_after) == (9, 9, ("uploads/k8", "v1"))


def test_restore_stops_at_a_row_of_another_bucket_before_it_writes_the_page() -> None:
    other = {**LIVE, "object_id": {"S": "elsewhere/a"}}
    aws, restore = create(LIVE, other)
    with pytest.raises(
        OperatorError, match=r"row of another bucket: object_id is elsewhere/a.*'uploads'.*--any-bucket"
    ):
        restore.copy(SILENT)
    assert rows(aws) == []
    aws, restore = create(LIVE, other, any_bucket=True)
    restore.copy(SILENT)
    assert restore.report.copied == 2


def test_restore_stops_at_a_row_of_a_newer_release() -> None:
    _, restore = create(item(version("a"), schema_version=2))
    with pytest.raises(OperatorError, match="the schema version 2, but this release reads schema versions up to 1"):
        restore.compare(SILENT)


def test_restore_uses_at_most_the_given_read_and_write_capacity() -> None:
    clock = FakeClock()
    restored = [item(version(f"k{number:02}")) for number in range(20)]
    capacity = Capacity(read=20.0, write=20.0)
    _, restore = create(*restored, write_rate=10.0, capacity=capacity, clock=clock)
    began = clock()
    restore.copy(SILENT)
    # Each write consumes three units, and the first units are available immediately.
    assert 20 * 3 / 10.0 - 3 <= clock() - began <= 20 * 3 / 10.0
    _, restore = create(*restored, source_capacity=capacity, clock=clock)
    began = clock()
    restore.compare(SILENT)
    # The restore reads ten pages of ten units each, and may use half of the read capacity.
    assert 10 * 10 / 10.0 - 2 <= clock() - began <= 10 * 10 / 10.0


def test_restore_counts_the_expected_read_units_of_a_batch_before_the_read() -> None:
    """Several threads read batches. If the units were counted after the reads, the threads would exceed the limit."""
    clock = FakeClock()
    aws, restore = create(*[item(version(f"k{number:02}")) for number in range(20)], clock=clock, capacity=CAPACITY_2)
    aws.batch_units = 0.0
    began = clock()
    restore.compare(SILENT)
    # The restore reads ten batches of two rows, half a unit per row, and may use half of the read capacity.
    assert 10 - 2 <= clock() - began <= 10


def test_default_write_rate_of_a_restore_is_half_of_the_capacity_or_500_units_on_demand() -> None:
    assert default_write_rate(Capacity(read=100.0, write=60.0)) == 30.0
    assert default_write_rate(FAST) == 500.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_status": None}, r"the table 'restored' does not exist: check --from.*aws dynamodb list-tables"),
        ({"source_status": "CREATING"}, r"the table 'restored' has the status CREATING.*wait until"),
        ({"status": None}, r"the table 'objects' does not exist: `pulumi up --refresh` creates"),
        ({"status": "DELETING"}, r"the table 'objects' has the status DELETING"),
        (
            {"keys": (("id", "HASH", "N"),)},
            r"'restored' has the primary key id \(HASH, N\), but.*object_id \(HASH, S\)",
        ),
    ],
)
def test_restore_rejects_unsuitable_tables_with_a_remedy(changes: dict[str, Any], message: str) -> None:
    aws = FakeAws()
    for name, value in nonempty(changes.items()):
        setattr(aws, name, value)
    with pytest.raises(OperatorError, match=message):
        check_tables(aws, source="restored", table="objects")


def test_restore_rejects_the_stacks_own_table_as_source() -> None:
    with pytest.raises(OperatorError, match="--from 'objects' is the stack's own table"):
        check_tables(FakeAws(), source="objects", table="objects")


def test_restore_keeps_content_that_the_inspector_writes_at_the_same_time() -> None:
    restored, newer = item(version("a"), **CONTENT), item(version("a"), content_of="e", content={"type": "newer"})
    aws, restore = create(restored, current=(item(version("a"), **NEWER),))
    aws.before_update = lambda address: aws.items.update({address: newer})
    restore.copy(SILENT)
    assert rows(aws) == [newer]


def test_restore_does_not_copy_content_that_describes_other_bytes() -> None:
    deleted = item(version("b", "null"), **DELETED | CONTENT | {"content_of": "other"})
    aws, restore = create(item(version("a"), **CONTENT | {"content_of": "other"}), deleted)
    restore.copy(SILENT)
    assert rows(aws) == [LIVE, item(version("b", "null"), **DELETED)]
