"""Recovery of the model's table: the unchanged code of `operations.restore` and `operations.backfill`, with fakes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from operations.aws import Aws
from operations.backfill import Backfill
from operations.listing import KeyFilter
from operations.output import Progress
from operations.rate import Capacity
from operations.restore import Restore
from tests.property.model.auditing import TARGET, FakeLambda, FakeS3
from tests.support.fakes import TABLE
from tests.support.update_expressions import Item, updated

if TYPE_CHECKING:
    from operations.restore import RestoreReport
    from tests.property.model.bucket import Bucket
    from tests.support.clock import FakeClock
    from tests.support.fakes import FakeDynamoDB

Rows = Mapping[tuple[str, str], Item]
SOURCE = "restored"
ON_DEMAND = Capacity(read=None, write=None)
FAST = 1e9  # rate without delays, in units or events per second


def restore(
    restored: Rows,
    table: FakeDynamoDB,
    *,
    clock: FakeClock,
    now: float,
    meanwhile: Mapping[int, Callable[[], None]] | None = None,
) -> RestoreReport:
    """Copy the rows of a restored table to the table of the stack, and return the counts.

    Args:
        restored: rows of the restored table.
        table: table of the stack.
        clock: the clock of the model.
        now: current time in seconds since 1970.
        meanwhile: concurrent actions by the number of UpdateItem requests before them.
    """
    client = _Tables(restored, table, dict(meanwhile or {}))
    tool = Restore(
        Aws({"dynamodb": client}.get),
        TARGET,
        source=SOURCE,
        write_rate=FAST,
        source_capacity=ON_DEMAND,
        capacity=ON_DEMAND,
        threads=1,
        clock=clock,
        sleep=clock.advance,
        now=lambda: now,
    )
    tool.copy(Progress(io.StringIO()))
    return tool.report


def backfill(bucket: Bucket, *, clock: FakeClock, invoke: Callable[[Any], None]) -> int:
    """Send an event for each version in the model bucket to `invoke`, and return the number of events."""
    sent: list[Any] = []
    clients: dict[str, Any] = {"s3": FakeS3(bucket), "lambda": FakeLambda(sent)}
    tool = Backfill(
        Aws(clients.get), TARGET, key_filter=KeyFilter(None), per_second=FAST, clock=clock, sleep=clock.advance
    )
    tool.invoke(Progress(io.StringIO()))
    for event in sorted(sent, key=json.dumps):  # Several threads send the events in random order.
        invoke(event)
    return len(sent)


class _Tables:
    """Fake DynamoDB client with the restored table and the table of the stack."""

    def __init__(self, restored: Rows, table: FakeDynamoDB, meanwhile: dict[int, Callable[[], None]]) -> None:
        self._restored = restored
        self._table = table
        self._meanwhile = meanwhile
        self._updates = 0

    def get_paginator(self, name: str) -> _Tables:
        assert name == "scan"
        return self

    def paginate(self, *, TableName: str, ReturnConsumedCapacity: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's names
        assert (TableName, ReturnConsumedCapacity) == (SOURCE, "TOTAL")
        yield {"Items": list(self._restored.values())}

    def batch_get_item(self, *, RequestItems: dict[str, Any], ReturnConsumedCapacity: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert (list(RequestItems), ReturnConsumedCapacity) == ([TABLE], "TOTAL")
        addresses = [(key["object_id"]["S"], key["version_id"]["S"]) for key in RequestItems[TABLE]["Keys"]]
        found = [self._table.rows[address] for address in addresses if address in self._table.rows]
        return {"Responses": {TABLE: found}}

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        assert arguments["TableName"] == TABLE
        self._meanwhile.pop(self._updates, lambda: None)()
        self._updates += 1
        address = arguments["Key"]["object_id"]["S"], arguments["Key"]["version_id"]["S"]
        old = self._table.rows.get(address, {})
        self._table.rows[address] = updated({**arguments["Key"], **old}, arguments)
        return {}
