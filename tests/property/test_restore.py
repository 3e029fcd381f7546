"""A restored row, and updates of the indexer for the same version, give the same row in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations, combinations_with_replacement, product
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from hypothesis import assume, given
from hypothesis import strategies as st

from lambda_code.head_result import DeleteMarker
from lambda_code.metadata import deletion_of, from_deletion_of_null, from_event, from_marker
from operations.restored_row import RowUpdate, pending_updates
from tests.property.test_metadata import about, deletion_update, head_update, provenance, row_after
from tests.support.clock import FakeClock
from tests.support.fakes import START, TABLE, CallLog, FakeDynamoDB
from tests.support.strategies import Json, head, heads, records, removals, s3_record
from tests.support.update_expressions import Item, updated

if TYPE_CHECKING:
    from lambda_code.events import Record
    from lambda_code.update import Update

LATER = START + timedelta(days=1)
KEY = {"object_id", "version_id"}


Steps = tuple[int, ...]
"""Numbers of updates of the indexer before three steps of restore-rows: it reads the row, writes it, and, if the row
does not satisfy the condition of the write, writes it again."""


def all_steps(number: int) -> list[Steps]:
    """Return all possible steps among a number of updates."""
    return list(combinations_with_replacement(range(number + 1), 3))


def interleaved(restored: Item, updates: Sequence[Update], steps: Steps) -> Item:
    """Return the row after updates of the indexer, during which restore-rows reads the row and then writes it."""
    table = FakeDynamoDB(CallLog(FakeClock()))
    address = restored["object_id"]["S"], restored["version_id"]["S"]
    read_before, write_before, retry_before = steps
    pending: list[RowUpdate] = []
    for number in range(len(updates) + 1):
        if number == read_before:
            pending = list(pending_updates(restored, table.rows.get(address, {})))
        if number == write_before and pending and write(table, address, pending[0]):
            pending = []
        if number == retry_before and pending:
            assert write(table, address, pending[-1]) or address[1] == "null"
        if number < len(updates):
            table.update_item(**updates[number].request(TABLE))
    return table.rows[address]


def write(table: FakeDynamoDB, address: tuple[str, str], update: RowUpdate) -> bool:
    """Apply an update of restore-rows, and return whether the row satisfied its condition."""
    request = update.request(TABLE)
    try:
        table.rows[address] = updated({**request["Key"], **table.rows.get(address, {})}, request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def restored_first(restored: Item, updates: Sequence[Update]) -> Item:
    """Return the row that the indexer updates after restore-rows has copied the restored row to an empty table."""
    table = FakeDynamoDB(CallLog(FakeClock()))
    address = restored["object_id"]["S"], restored["version_id"]["S"]
    assert write(table, address, pending_updates(restored, {})[0])
    assert table.rows[address] == restored
    for update in updates:
        table.update_item(**update.request(TABLE))
    return table.rows[address]


def deletion_of_null(record: Record, processed_at: datetime) -> Update:
    """Return the update of an event that reports the deletion of the version `null`."""
    deletion = deletion_of(record, now=START, retention_days=90)
    return from_deletion_of_null(record, deletion, provenance=provenance(record, processed_at))


def updates_of(raw: Json, removal: Json, head: Json, processed_at: datetime) -> dict[str, Update]:
    """Return the updates of one version: a creation with a HEAD result, one without, and a deletion."""
    creation, deletion = about(raw, "v1"), about(removal, "v1", key=raw["s3"]["object"]["key"])
    return {
        "event": from_event(creation, version_id="v1", provenance=provenance(creation, processed_at)),
        "head": head_update(creation, head, processed_at),
        "deletion": deletion_update(deletion, "v1"),
    }


NAMES = st.lists(st.sampled_from(["event", "head", "deletion"]), min_size=1, max_size=4)


@given(records(), removals(), heads(), heads(), NAMES, NAMES, st.data())
def test_restored_row_and_updates_of_a_version_give_the_same_row_in_any_order(
    raw: Json, removal: Json, old: Json, new: Json, first: list[str], then: list[str], data: st.DataObject
) -> None:
    before, after = updates_of(raw, removal, old, START), updates_of(raw, removal, new, LATER)
    restored, updates = row_after(*(before[name] for name in first)), [after[name] for name in then]
    row = interleaved(restored, updates, data.draw(st.sampled_from(all_steps(len(updates)))))
    assert row == restored_first(restored, updates)
    assert pending_updates(restored, row) == ()


def test_restored_row_and_two_updates_of_a_version_give_the_same_row_in_every_order() -> None:
    old = head(ChecksumSHA256="old", ServerSideEncryption="AES256", Metadata={"a": "b"})
    removal = s3_record(event_name="ObjectRemoved:Delete", size=None, etag=None)
    raw = s3_record(sequencer="01")
    before, after = updates_of(raw, removal, old, START), updates_of(raw, removal, head(), LATER)
    names = sorted(before)
    restored = [row_after(*(before[name] for name in each)) for size in (1, 2, 3) for each in combinations(names, size)]
    sequences = [each for size in (0, 1, 2) for each in product(names, repeat=size)]
    cases = [(row, each, steps) for row in restored for each in sequences for steps in all_steps(len(each))]
    different = [
        (row, names, steps)
        for row, names, steps in cases
        for updates in [[after[name] for name in names]]
        if interleaved(row, updates, steps) != restored_first(row, updates)
    ]
    assert len(cases) > 700
    assert different == []


@given(removals(), removals(), st.data())
def test_restored_row_and_updates_of_a_delete_marker_give_the_same_row_in_any_order(
    marking: Json, removal: Json, data: st.DataObject
) -> None:
    record, deletion = about(marking, "m1"), about(removal, "m1", key=marking["s3"]["object"]["key"])
    before, after = (
        {
            "marker": from_marker(record, DeleteMarker(), version_id="m1", provenance=provenance(record, at)),
            "deletion": deletion_update(deletion, "m1"),
        }
        for at in (START, LATER)
    )
    names = st.lists(st.sampled_from(sorted(before)), min_size=1, max_size=3)
    restored = row_after(*(before[name] for name in data.draw(names)))
    updates = [after[name] for name in data.draw(names)]
    assert interleaved(restored, updates, data.draw(st.sampled_from(all_steps(len(updates))))) == restored_first(
        restored, updates
    )


@given(records(), removals(), heads(), heads(), st.data())
def test_restored_deletion_of_version_null_and_a_new_object_give_the_same_row_in_any_order(
    raw: Json, removal: Json, old: Json, new: Json, data: st.DataObject
) -> None:
    """The new object replaces the deleted one, so that the restored row has no effect on its row."""
    creation, deletion = about(raw, "null"), about(removal, "null", key=raw["s3"]["object"]["key"])
    restored = row_after(head_update(creation, old), deletion_update(deletion, "null"))
    updates = [head_update(creation, new, LATER)] * data.draw(st.integers(1, 2))
    row = interleaved(restored, updates, data.draw(st.sampled_from(all_steps(len(updates)))))
    assert row == restored_first(restored, updates)
    assert "deleted_at" not in row


@given(records(), removals(), removals(), heads(), heads(), st.data())
def test_restored_deletion_of_version_null_and_its_repeated_event_give_the_same_row_in_any_order(
    raw: Json, removal: Json, other: Json, old: Json, new: Json, data: st.DataObject
) -> None:
    """The events report the restored deletion again, and a new object can follow and can be deleted."""
    key = raw["s3"]["object"]["key"]
    creation, deletion, last = about(raw, "null"), about(removal, "null", key=key), about(other, "null", key=key)
    upload = (
        head_update(creation, old)
        if data.draw(st.booleans())
        else from_event(creation, version_id="null", provenance=provenance(creation))
    )
    restored = row_after(upload, deletion_of_null(deletion, START))
    updates = [deletion_of_null(deletion, LATER)] * data.draw(st.integers(1, 2))
    if replaced := data.draw(st.booleans()):
        assume(last.event_time != deletion.event_time)
        updates += [head_update(creation, new, LATER), deletion_of_null(last, LATER)][: data.draw(st.integers(1, 2))]
    row = interleaved(restored, updates, data.draw(st.sampled_from(all_steps(len(updates)))))
    assert row == restored_first(restored, updates)
    assert replaced or pending_updates(restored, row) == ()


TYPES: dict[str, Any] = {
    "text": {"S": "x"},
    "number": {"N": "1.50"},
    "binary": {"B": b"\x00"},
    "boolean": {"BOOL": False},
    "nothing": {"NULL": True},
    "map": {"M": {"inner": {"L": [{"N": "1"}, {"M": {}}]}}},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.0"]},
    "binaries": {"BS": [b"a"]},
}


@given(st.dictionaries(st.sampled_from(sorted(TYPES)), st.just(None), min_size=1), heads(), records())
def test_attributes_of_a_newer_release_are_copied_unchanged_and_do_not_replace_others(
    names: dict[str, None], head: Json, raw: Json
) -> None:
    creation = about(raw, "v1")
    unknown = {name: TYPES[name] for name in names}
    restored = row_after(head_update(creation, head)) | unknown
    assert restored_first(restored, []) == restored
    current = {**row_after(head_update(creation, head)), next(iter(unknown)): {"S": "newer"}}
    for update in pending_updates(restored, current)[:1]:
        current = updated(current, update.request(TABLE))
    assert current == restored | {next(iter(unknown)): {"S": "newer"}}
