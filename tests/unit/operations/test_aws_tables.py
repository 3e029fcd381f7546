"""Tests of the AWS calls that copy rows between two tables, with moto."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from operations.aws.tables import TableCalls, TableDescription
from operations.command import main
from operations.errors import OperatorError
from operations.restored_row import Address, RowUpdate, address_of, pending_updates
from tests.support.clock import FakeClock
from tests.support.fakes import client_error
from tests.support.operations_fakes import KEYS, item, version

if TYPE_CHECKING:
    from operations.aws import Aws

ROW: dict[str, Any] = {
    "object_id": {"S": "uploads/a b/é.txt"},
    "version_id": {"S": "v1"},
    "number": {"N": "1.5"},
    "binary": {"B": b"\x00"},
    "nothing": {"NULL": True},
    "map": {"M": {"inner": {"L": [{"N": "1"}, {"BOOL": False}]}}},
    "texts": {"SS": ["a"]},
    "numbers": {"NS": ["1"]},
}


@pytest.fixture
def tables(clients: dict[str, Any]) -> dict[str, Any]:
    """Fixture: boto3 clients. The stack's table `objects` and the restored table `restored` exist."""
    for name in ("objects", "restored"):
        clients["dynamodb"].create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, _, kind in KEYS],
            KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind, _ in KEYS],
            BillingMode="PAY_PER_REQUEST",
        )
    return clients


def put(clients: dict[str, Any], table: str, *rows: Any) -> None:
    for row in rows:
        clients["dynamodb"].put_item(TableName=table, Item=row)


@pytest.mark.usefixtures("tables")
def test_description_of_a_missing_table_is_none(aws: Aws) -> None:
    assert aws.table_description("objects") == TableDescription(status="ACTIVE", keys=KEYS)
    assert aws.table_description("nothing") is None


def test_table_scan_returns_all_pages_and_can_continue_after_a_row(aws: Aws, tables: dict[str, Any]) -> None:
    put(tables, "restored", ROW, *(item(version(f"k{number}"), note="x" * 300_000) for number in range(4)))
    pages = list(aws.scan_items("restored"))
    scanned = [each for page in pages for each in page.items]
    assert len(pages) > 1  # There are several pages, because a page of DynamoDB has at most 1 MB.
    assert [each for each in scanned if each["version_id"] == ROW["version_id"] and "map" in each] == [ROW]
    assert len(scanned) == 5
    assert sum(page.units for page in pages) > 0
    third = scanned[2]
    rest = [
        each
        for page in aws.scan_items("restored", after=(third["object_id"]["S"], third["version_id"]["S"]))
        for each in page.items
    ]
    assert rest == scanned[3:]


def test_batch_of_rows_contains_only_existing_rows(aws: Aws, tables: dict[str, Any]) -> None:
    put(tables, "objects", ROW)
    page = aws.get_items("objects", [("uploads/a b/é.txt", "v1"), ("uploads/a b/é.txt", "v2")])
    assert page.items == (ROW,)
    assert aws.get_items("objects", []).items == ()


class LimitedReads:
    """Fake boto3 client of DynamoDB whose BatchGetItem processes a limited number of keys per request.

    Args:
        limits: function that returns the number of keys that the next request processes.
        exist: whether the table has the requested rows.
    """

    def __init__(self, limits: Callable[[], int], *, exist: bool = True) -> None:
        self._limits = limits
        self._exist = exist

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        keys, limit = request["RequestItems"]["objects"]["Keys"], self._limits()
        unprocessed = {"objects": {"Keys": keys[limit:]}} if keys[limit:] else {}
        read = [{"CapacityUnits": 0.5 * len(keys[:limit])}]
        rows = keys[:limit] if self._exist else []
        return {"Responses": {"objects": rows}, "UnprocessedKeys": unprocessed, "ConsumedCapacity": read}


def addresses(number: int) -> list[Address]:
    return [(f"uploads/{each}", "v1") for each in range(number)]


@pytest.mark.parametrize(
    ("limits", "waits"),
    [
        ([0, 0, 100], [0.1, 0.2]),
        ([0] * 7 + [100], [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]),
        ([13] * 8, [0.1] * 7),
        ([10] * 10, [0.1] * 9),
        ([0, 0, 50, 0, 50], [0.1, 0.2, 0.1, 0.1]),
        (([0] * 7 + [50]) * 2, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 0.1, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]),
    ],
    ids=["two throttled", "eighth complete", "eight partial", "ten partial", "alternating", "seven throttled twice"],
)
def test_unprocessed_keys_of_batch_get_item_are_requested_again_after_a_wait(
    limits: list[int], waits: list[float]
) -> None:
    slept, remaining = list[float](), list(limits)
    reads = TableCalls()
    reads._dynamodb = LimitedReads(lambda: remaining.pop(0))
    page = reads.get_items("objects", addresses(100), sleep=slept.append, jitter=lambda: 1.0)
    assert [address_of(each) for each in page.items] == addresses(100)
    assert page.units == 50
    assert slept == pytest.approx(waits)
    assert remaining == []


def test_jitter_shortens_the_wait_for_unprocessed_keys_by_at_most_half() -> None:
    slept, limits = list[float](), [0, 0, 100]
    reads = TableCalls()
    reads._dynamodb = LimitedReads(lambda: limits.pop(0))
    reads.get_items("objects", addresses(1), sleep=slept.append, jitter=lambda: 0.0)
    assert slept == pytest.approx([0.05, 0.1])


def test_batch_get_item_fails_after_eight_responses_without_a_processed_key() -> None:
    slept, limits = list[float](), [50, *[0] * 8]
    reads = TableCalls()
    reads._dynamodb = LimitedReads(lambda: limits.pop(0))
    with pytest.raises(OperatorError, match="cannot read the table 'objects': AWS throttled 8 attempts"):
        reads.get_items("objects", addresses(100), sleep=slept.append)
    assert len(slept) == 8  # After the last response, the tool fails without a further wait.


def test_batch_of_missing_rows_is_read_from_a_table_with_little_capacity() -> None:
    """The fake table has 5 read units per second. Each missing row consumes half a unit."""
    clock, used = FakeClock(), 0

    def limit() -> int:
        nonlocal used
        available = int((clock() - began) * 5 / 0.5) - used
        used += available
        return available

    began = clock()
    reads = TableCalls()
    reads._dynamodb = LimitedReads(limit, exist=False)
    page = reads.get_items("objects", addresses(100), sleep=clock.sleep)
    assert (page.items, page.units) == ((), 50)
    assert 10 <= clock() - began <= 11


def test_row_update_writes_all_attribute_types_unchanged_and_can_be_repeated(aws: Aws, tables: dict[str, Any]) -> None:
    [update] = pending_updates(ROW, {})
    assert aws.update_row("objects", update) is not None
    assert aws.get_items("objects", [update.address]).items == (ROW,)
    assert aws.update_row("objects", update) is not None
    assert tables["dynamodb"].scan(TableName="objects")["Items"] == [ROW]


def test_row_update_whose_condition_fails_changes_nothing(aws: Aws, tables: dict[str, Any]) -> None:
    newer, older = item(version("a"), etag="newer"), item(version("a"), request_id="0")
    put(tables, "objects", newer)
    only_without_head, always = pending_updates(older, {})
    assert aws.update_row("objects", only_without_head) is None
    assert aws.get_items("objects", [always.address]).items == (newer,)
    assert aws.update_row("objects", always) is not None
    assert aws.get_items("objects", [always.address]).items == ({**newer, "request_id": {"S": "0"}},)


def test_row_update_for_one_deletion_does_not_change_another_deletion(aws: Aws, tables: dict[str, Any]) -> None:
    deletion = {"deleted_by": "someone", "content_type": None}
    restored = item(version("a", "null"), deleted_at="2026-01-31T13:00:00.000Z", deleted_by="someone")
    same = item(version("a", "null"), deleted_at="2026-01-31T13:00:00.000Z", **deletion)
    other = item(version("a", "null"), deleted_at="2026-02-01T13:00:00.000Z", **deletion)
    _, update = pending_updates(restored, {})
    assert aws.update_row("objects", update) is None  # There is no row, so nothing is updated.
    put(tables, "objects", other)
    assert aws.update_row("objects", update) is None
    assert aws.get_items("objects", [update.address]).items == (other,)
    put(tables, "objects", same)
    assert aws.update_row("objects", update) is not None
    assert aws.get_items("objects", [update.address]).items == (restored,)


def test_row_update_returns_the_write_units_of_the_table_or_index_with_most_units(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumed = {"Table": {"CapacityUnits": 1}, "GlobalSecondaryIndexes": {"uploads_by_day": {"CapacityUnits": 2}}}
    monkeypatch.setattr(aws._dynamodb, "update_item", lambda **_: {"ConsumedCapacity": consumed})
    update = RowUpdate(address=("uploads/a", "v1"), set_attributes={"a": {"S": "b"}})
    assert aws.update_row("objects", update) == 2


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("describe_table", "dynamodb:DescribeTable"),
        ("get_paginator", "dynamodb:Scan"),
        ("batch_get_item", "dynamodb:BatchGetItem"),
        ("update_item", "dynamodb:UpdateItem"),
    ],
)
def test_denied_call_names_the_missing_permission(
    aws: Aws, operation: str, permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise client_error(400, "AccessDeniedException", operation)

    class Pages:
        paginate = staticmethod(lambda **_: iter(denied, 0))

    fake: Any = (lambda _: Pages) if operation == "get_paginator" else denied
    monkeypatch.setattr(aws._dynamodb, operation, fake)
    calls: dict[str, Any] = {
        "describe_table": lambda: aws.table_description("objects"),
        "get_paginator": lambda: list(aws.scan_items("objects")),
        "batch_get_item": lambda: aws.get_items("objects", [("a", "v1")]),
        "update_item": lambda: aws.update_row("objects", RowUpdate(address=("a", "v1"), set_attributes={"a": {}})),
    }
    with pytest.raises(OperatorError, match=f"The permission {permission} is missing") as raised:
        calls[operation]()
    assert isinstance(raised.value.__cause__, ClientError)


def test_incomplete_scan_response_is_rejected(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pages:
        paginate = staticmethod(lambda **_: iter(list[Any]([{}])))

    monkeypatch.setattr(aws._dynamodb, "get_paginator", lambda _: Pages)
    with pytest.raises(OperatorError, match="a response of AWS is incomplete, because it has no Items"):
        list(aws.scan_items("objects"))


def test_runbook_lists_exactly_the_permissions_that_restore_rows_needs(
    aws: Aws, tables: dict[str, Any], stack_outputs: Path
) -> None:
    put(tables, "restored", item(version("a")))
    called = set[str]()
    tables["dynamodb"].meta.events.register(
        "provide-client-params.dynamodb",
        lambda params, model, **_: called.add(f"{params.get('TableName', 'objects')}: dynamodb:{model.name}"),
    )
    arguments = ("--stack-outputs", str(stack_outputs), "--from", "restored", "--apply")
    assert main(["restore-rows", *arguments], connect=lambda _: aws) == 0
    assert tables["dynamodb"].scan(TableName="objects")["Count"] == 1
    called.remove("objects: dynamodb:Scan")  # The test itself sent the Scan request.
    runbook = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text(encoding="utf-8")
    [listed] = re.findall(r"Only `restore-rows` writes rows.*?\n\n(.*?)\n\n", runbook, re.DOTALL)
    rows = {line.split("|")[1].strip(): set(re.findall(r"`(\w+:\w+)`", line)) for line in listed.splitlines()[2:]}
    assert rows == {
        "SSM parameter": {"ssm:GetParameter"},
        "indexer, only if the SSM parameter does not exist, and not with `--stack-outputs`": {
            "lambda:GetFunctionConfiguration"
        },
        "restored table": {each.partition(": ")[2] for each in called if each.startswith("restored:")},
        "DynamoDB table of the stack": {each.partition(": ")[2] for each in called if each.startswith("objects:")},
    }
