"""A restored row, and updates of the indexer for the same version, give the same row in any order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lambda_code.head_result import DeleteMarker
from lambda_code.metadata import from_event, from_marker
from operations.restored_row import RowUpdate, pending_updates
from tests.property.test_metadata import about, deletion_update, head_update, provenance, row_after
from tests.support.clock import FakeClock
from tests.support.fakes import START, TABLE, CallLog, FakeDynamoDB
from tests.support.strategies import Json, heads, records, removals
from tests.support.update_expressions import Item, updated

if TYPE_CHECKING:
    from lambda_code.update import Update

LATER = START + timedelta(days=1)
KEY = {"object_id", "version_id"}


def interleaved(restored: Item, updates: list[Update], data: st.DataObject) -> Item:
    """Return the row after updates of the indexer, during which restore-rows reads the row and then writes it."""
    table = FakeDynamoDB(CallLog(FakeClock()))
    address = restored["object_id"]["S"], restored["version_id"]["S"]
    read_before = data.draw(st.integers(0, len(updates)))
    write_before = data.draw(st.integers(read_before, len(updates)))
    retry_before = data.draw(st.integers(write_before, len(updates)))
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
        assert "ConditionalCheckFailed" in str(error)
        return False
    return True


def restored_first(restored: Item, updates: list[Update]) -> Item:
    """Return the row that the indexer updates after restore-rows has copied the restored row to an empty table."""
    table = FakeDynamoDB(CallLog(FakeClock()))
    address = restored["object_id"]["S"], restored["version_id"]["S"]
    assert write(table, address, pending_updates(restored, {})[0])
    assert table.rows[address] == restored
    for update in updates:
        table.update_item(**update.request(TABLE))
    return table.rows[address]


@given(records(), removals(), heads(), heads(), st.data())
def test_restored_row_and_updates_of_a_version_give_the_same_row_in_any_order(
    raw: Json, removal: Json, old: Json, new: Json, data: st.DataObject
) -> None:
    creation, deletion = about(raw, "v1"), about(removal, "v1", key=raw["s3"]["object"]["key"])
    before = {
        "event": from_event(creation, version_id="v1", provenance=provenance(creation)),
        "head": head_update(creation, old),
        "deletion": deletion_update(deletion, "v1"),
    }
    after = {
        "event": from_event(creation, version_id="v1", provenance=provenance(creation, LATER)),
        "head": head_update(creation, new, LATER),
        "deletion": deletion_update(deletion, "v1"),
    }
    names = st.lists(st.sampled_from(sorted(before)), min_size=1, max_size=4)
    restored = row_after(*(before[name] for name in data.draw(names)))
    updates = [after[name] for name in data.draw(names)]
    row = interleaved(restored, updates, data)
    assert row == restored_first(restored, updates)
    assert pending_updates(restored, row) == ()


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
    assert interleaved(restored, updates, data) == restored_first(restored, updates)


@given(records(), removals(), heads(), heads(), st.data())
def test_restored_deletion_of_version_null_and_a_new_object_give_the_same_row_in_any_order(
    raw: Json, removal: Json, old: Json, new: Json, data: st.DataObject
) -> None:
    """The new object replaces the deleted one, so that the restored row has no effect on its row."""
    creation, deletion = about(raw, "null"), about(removal, "null", key=raw["s3"]["object"]["key"])
    restored = row_after(head_update(creation, old), deletion_update(deletion, "null"))
    updates = [head_update(creation, new, LATER)] * data.draw(st.integers(1, 2))
    row = interleaved(restored, updates, data)
    assert row == restored_first(restored, updates)
    assert "deleted_at" not in row


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
