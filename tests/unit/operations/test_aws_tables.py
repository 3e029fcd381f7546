"""The AWS calls that copy rows between two tables, with moto."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from operations.aws.tables import TableDescription
from operations.command import main
from operations.errors import OperatorError
from operations.restored_row import RowUpdate, pending_updates
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
    """Create the stack's table `objects` and the restored table `restored`; return the boto3 clients."""
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
def test_table_description_contains_status_and_primary_key_and_is_none_for_a_missing_table(aws: Aws) -> None:
    assert aws.table_description("objects") == TableDescription(status="ACTIVE", keys=KEYS)
    assert aws.table_description("nothing") is None


def test_scan_returns_all_pages_in_typed_form_and_continues_after_a_row(aws: Aws, tables: dict[str, Any]) -> None:
    put(tables, "restored", ROW, *(item(version(f"k{number}"), note="x" * 300_000) for number in range(4)))
    pages = list(aws.scan_items("restored"))
    scanned = [each for page in pages for each in page.items]
    assert len(pages) > 1  # A page of DynamoDB has at most 1 MB.
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


def test_unprocessed_keys_of_a_batch_are_requested_again_after_a_wait(
    aws: Aws, tables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tables, "objects", ROW)
    original, waits = tables["dynamodb"].batch_get_item, list[float]()

    def throttled(**arguments: Any) -> Any:  # noqa: ANN401  an AWS response
        if len(waits) < 2:
            return {"UnprocessedKeys": arguments["RequestItems"]}
        return original(**arguments)

    monkeypatch.setattr(tables["dynamodb"], "batch_get_item", throttled)
    assert aws.get_items("objects", [("uploads/a b/é.txt", "v1")], sleep=waits.append).items == (ROW,)
    assert waits == [0.1, 0.2]
    monkeypatch.setattr(tables["dynamodb"], "batch_get_item", lambda **each: {"UnprocessedKeys": each["RequestItems"]})
    with pytest.raises(OperatorError, match="cannot read the table 'objects': AWS throttled 8 attempts"):
        aws.get_items("objects", [("a", "v1")], sleep=waits.append)


def test_repeated_update_of_a_row_writes_all_attribute_types_unchanged(aws: Aws, tables: dict[str, Any]) -> None:
    [update] = pending_updates(ROW, {})
    assert aws.update_row("objects", update) is not None
    assert aws.get_items("objects", [update.address]).items == (ROW,)
    assert aws.update_row("objects", update) is not None
    assert tables["dynamodb"].scan(TableName="objects")["Items"] == [ROW]


def test_update_whose_condition_fails_changes_nothing(aws: Aws, tables: dict[str, Any]) -> None:
    newer, older = item(version("a"), etag="newer"), item(version("a"), request_id="0")
    put(tables, "objects", newer)
    only_without_head, always = pending_updates(older, {})
    assert aws.update_row("objects", only_without_head) is None
    assert aws.get_items("objects", [always.address]).items == (newer,)
    assert aws.update_row("objects", always) is not None
    assert aws.get_items("objects", [always.address]).items == ({**newer, "request_id": {"S": "0"}},)


def test_update_returns_the_units_of_the_most_loaded_index(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
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
    called.remove("objects: dynamodb:Scan")  # The assertion above sent this request.
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
