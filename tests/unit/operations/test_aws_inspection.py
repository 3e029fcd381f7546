"""Tests of the AWS calls of `backfill --inspect`: the scan with moto, the invocation with a fake Lambda client."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from operations.aws import Aws
from operations.aws.client import INVOCATION_SECONDS
from operations.restored_row import address_of
from tests.support.operations_fakes import BUCKET, KEYS, item, marker, version

if TYPE_CHECKING:
    from operations.restored_row import Address

NEW = version("in/new", seconds=10)
SELECTED = {"in/new", "in/replaced"}
ROWS = [
    item(NEW),
    item(version("in/replaced"), content_of="earlier", content={"type": "image/png"}),
    item(version("in/described"), content_of="e", content={"type": "image/png"}),
    item(version("in/deleted"), deleted_at="2026-01-31T12:00:00.000Z"),
    item(version("in/unreadable"), content_type=None),
    item(version("in/without-etag"), etag=None),
    item(version("in/without-time"), uploaded_at=None),
    item(marker("in/marker"), etag="e", content_type="text/plain"),
    item(version("out/new")),
    item(version("in/other-bucket"), object_id="other/in/new"),
]


@pytest.fixture
def table(clients: dict[str, Any]) -> str:
    clients["dynamodb"].create_table(
        TableName="objects",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, _, kind in KEYS],
        KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind, _ in KEYS],
        BillingMode="PAY_PER_REQUEST",
    )
    for each in ROWS:
        clients["dynamodb"].put_item(TableName="objects", Item=each)
    return "objects"


def scanned(aws: Aws, table: str, **options: Any) -> list[Address]:
    pages = list(aws.scan_uninspected(table, prefix=f"{BUCKET}/in/", **options))
    assert sum(page.units for page in pages) > 0
    return [address_of(each) for page in pages for each in page.items]


def test_scan_for_backfill_inspect_returns_only_rows_of_existing_objects_without_content(aws: Aws, table: str) -> None:
    found = scanned(aws, table)
    assert set(found) == {(f"{BUCKET}/{key}", "v1") for key in SELECTED}
    assert len(found) == len(SELECTED)
    assert scanned(aws, table, after=found[0]) == found[1:]
    assert scanned(aws, table, since="2026-01-31T12:00:10.000Z") == [(f"{BUCKET}/in/new", "v1")]


def lambda_client(**response: Any) -> tuple[Aws, list[dict[str, Any]]]:
    requests: list[dict[str, Any]] = []

    def invoke(_: object, **arguments: Any) -> dict[str, Any]:
        requests.append(arguments)
        return {**response, "Payload": io.BytesIO(response["Payload"])}

    client = type("Client", (), {"invoke": invoke})
    return Aws(lambda _: client()), requests


def test_synchronous_invocation_returns_the_response_and_the_end_of_the_log() -> None:
    log = base64.b64encode(b"\xff the end").decode()
    aws, requests = lambda_client(Payload=b'{"batchItemFailures": []}', LogResult=log)
    result = aws.invoke_synchronously("inspector", {"binary": b"\x00", "lone surrogate": "\ud83d"})
    assert (result.error, result.response, result.log) == (None, {"batchItemFailures": []}, "\ufffd the end")
    [request] = requests
    assert request["InvocationType"] == "RequestResponse"
    assert json.loads(request["Payload"]) == {"binary": "AA==", "lone surrogate": "\ud83d"}


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b'{"errorType": "KeyError", "errorMessage": "x"}', "KeyError: x"),
        (b'{"errorMessage": "Task timed out"}', "Task timed out"),
        (b"null", "Unhandled"),
        (b"", "Unhandled"),
    ],
)
def test_synchronous_invocation_of_a_failing_function_returns_the_error(payload: bytes, error: str) -> None:
    aws, _ = lambda_client(Payload=payload, FunctionError="Unhandled")
    result = aws.invoke_synchronously("inspector", {})
    assert (result.error, result.response) == (error, None)


def test_read_timeout_of_lambda_calls_exceeds_the_timeout_of_the_inspector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    aws = Aws.connect()
    assert aws._lambda.meta.config.read_timeout == INVOCATION_SECONDS > 300
    assert aws._s3.meta.config.read_timeout < INVOCATION_SECONDS
