"""AWS calls that copy rows from one DynamoDB table to another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from operations.aws.errors import MAX_ATTEMPTS, error_code, translated_errors
from operations.aws.settings import read
from operations.errors import OperatorError
from operations.restored_row import KEYS, Address, Item, RowUpdate

ROWS_PER_BATCH = 100
"""Maximum number of keys in a BatchGetItem request."""
FIRST_WAIT_SECONDS = 0.1
"""Wait before the first retry of keys that BatchGetItem did not process. Each further wait is twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDescription:
    """Status and primary key of a table.

    Attributes:
        status: status of the table, such as `ACTIVE`.
        keys: attribute name, key type and attribute type of each key, such as `("object_id", "HASH", "S")`.
    """

    status: str
    keys: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """Rows in DynamoDB's typed form, and the consumed read capacity units."""

    items: tuple[Item, ...]
    units: float


class TableCalls:
    """The AWS calls that read and write complete rows. `Aws` creates the client."""

    _dynamodb: Any

    def table_description(self, table: str) -> TableDescription | None:
        """Return status and primary key of a table; None if the table does not exist."""
        action = f"describe the table {table!r}"
        found = read(self._dynamodb.describe_table, action, "dynamodb:DescribeTable", TableName=table)
        if found is None:
            return None
        types = {each["AttributeName"]: each["AttributeType"] for each in found["Table"]["AttributeDefinitions"]}
        keys = tuple(
            (each["AttributeName"], each["KeyType"], types[each["AttributeName"]])
            for each in found["Table"]["KeySchema"]
        )
        return TableDescription(status=str(found["Table"]["TableStatus"]), keys=keys)

    def scan_items(self, table: str, *, after: Address | None = None) -> Iterator[ItemPage]:
        """Yield pages with all rows of a table in the order of a Scan.

        Args:
            table: name of the DynamoDB table.
            after: primary key of a row; only the rows after it are read.
        """
        start = {} if after is None else {"ExclusiveStartKey": _key(after)}
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=table, ReturnConsumedCapacity="TOTAL", **start)
        with translated_errors(f"scan the table {table!r}", permission="dynamodb:Scan"):
            for response in pages:
                yield ItemPage(items=tuple(_items(response)), units=_units(response.get("ConsumedCapacity")))

    def get_items(
        self, table: str, addresses: Sequence[Address], *, sleep: Callable[[float], None] = time.sleep
    ) -> ItemPage:
        """Return the existing rows with the given primary keys.

        Args:
            table: name of the DynamoDB table.
            addresses: the primary keys, at most `ROWS_PER_BATCH`.
            sleep: waits for a number of seconds before the next request for unprocessed keys.
        """
        items: list[Item] = []
        units, wait = 0.0, FIRST_WAIT_SECONDS
        keys: Sequence[Any] = [_key(each) for each in addresses]
        with translated_errors(f"read the table {table!r}", permission="dynamodb:BatchGetItem"):
            for _ in range(MAX_ATTEMPTS):
                if not keys:
                    return ItemPage(items=tuple(items), units=units)
                response = self._dynamodb.batch_get_item(
                    RequestItems={table: {"Keys": keys}}, ReturnConsumedCapacity="TOTAL"
                )
                found = response.get("Responses", {}).get(table, ())
                items += found
                units += sum(map(_units, response.get("ConsumedCapacity", ())))
                keys = response.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ())
                if keys and not found:
                    sleep(wait)
                    wait *= 2
        raise OperatorError(f"cannot read the table {table!r}: AWS throttled {MAX_ATTEMPTS} attempts: try again later.")

    def update_row(self, table: str, update: RowUpdate) -> float | None:
        """Update a row, and return the consumed write capacity units of the table or of its most loaded index.

        Args:
            table: name of the DynamoDB table.
            update: the update.

        Returns:
            The units; None if the row does not satisfy the condition of the update, so that it was not changed.
        """
        object_id, version_id = update.address
        action = f"write the row {object_id!r}, version {version_id!r}, in the table {table!r}"
        with translated_errors(action, permission="dynamodb:UpdateItem"):
            try:
                response = self._dynamodb.update_item(**update.request(table))
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return None
        consumed = response.get("ConsumedCapacity", {})
        indexes = consumed.get("GlobalSecondaryIndexes", {}).values()
        return max(map(_units, (consumed.get("Table"), *indexes)))


def _key(address: Address) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in zip(KEYS, address, strict=True)}


def _items(response: Mapping[str, Any]) -> Sequence[Item]:
    if "Items" not in response:  # botocore parses truncated JSON as an empty document.
        raise OperatorError("a response of AWS is incomplete, because it has no Items: start the tool again")
    found: Sequence[Item] = response["Items"]
    return found


def _units(consumed: Mapping[str, Any] | None) -> float:
    return float((consumed or {}).get("CapacityUnits", 0))
