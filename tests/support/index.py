"""A deployed stack as tests use it: boto3 clients, the upload bucket, the table and the indexer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from boto3.dynamodb.types import TypeDeserializer

from tests.support import waiting
from tests.support.rows import Head, Row, expected_row, object_attributes

Client: TypeAlias = Any  # boto3 creates its classes at run time
Response: TypeAlias = Any  # and AWS responses are dictionaries
T = TypeVar("T")

LONGEST_KEY_BYTES = 1024  # S3: a key is at most 1,024 bytes of UTF-8


class AwsTarget(Protocol):
    """An emulator or an account of AWS."""

    name: str
    region: str

    def client(self, service: str) -> Client:
        """The boto3 client of a service."""


@dataclass(frozen=True, kw_only=True)
class Clients:
    """One boto3 client for each service that the stack uses."""

    s3: Client
    dynamodb: Client
    function: Client
    iam: Client
    logs: Client
    sqs: Client
    sns: Client
    cloudwatch: Client
    sts: Client

    @classmethod
    def of(cls, target: AwsTarget) -> Clients:
        names = {"function": "lambda"}
        return cls(**{field: target.client(names.get(field, field)) for field in cls.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class InvocationResult:
    """The result of a synchronous invocation; `error` is the function's error message, None after a success."""

    payload: Any
    error: str | None


class Index:
    """The upload bucket, the indexer and the table of one stack. Thread-safe.

    Attributes:
        folder: the prefix of every key of the tests; empty if the whole bucket is theirs.
        keys: every key that tests have requested.
        timeout: seconds until an expected result counts as missing.
        interval: seconds between two polls.
        outputs: the outputs of the stack.
        since: start of the tests, in milliseconds since 1970; older log lines are not theirs.
    """

    def __init__(
        self,
        clients: Clients,
        outputs: Mapping[str, str],
        *,
        folder: str = "",
        timeout: float = waiting.TIMEOUT,
        interval: float = waiting.POLL_INTERVAL,
        since: int = 0,
    ) -> None:
        self.clients = clients
        self.folder = folder
        self.keys: set[str] = set()
        self.timeout = timeout
        self.interval = interval
        self.since = since
        self.outputs = outputs
        self.bucket = outputs["bucket_name"]
        self.table = outputs["table_name"]
        self.function = outputs["lambda_function_name"]
        self._deserialize = TypeDeserializer().deserialize

    def key(self, name: str) -> str:
        """The key of a test object: below the folder, and cut to the longest key that S3 accepts."""
        key = f"{self.folder}{name}".encode()[:LONGEST_KEY_BYTES].decode(errors="ignore")
        self.keys.add(key)
        return key

    def wait_until(
        self, poll: Callable[[], T | None], missing: str | Callable[[], str], *, timeout: float | None = None
    ) -> T:
        """Poll with this stack's timeout and interval; see `waiting.wait_until`."""
        return waiting.wait_until(
            poll, missing, timeout=self.timeout if timeout is None else timeout, interval=self.interval
        )

    def put(self, key: str, body: bytes = b"content\n", **parameters: Any) -> str:
        """Upload an object; return its version id, `null` while versioning is suspended."""
        response = self.clients.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **parameters)
        version_id: str = response.get("VersionId", "null")
        return version_id

    def put_indexed(self, key: str, body: bytes = b"content\n", **parameters: Any) -> Row:
        """Upload an object and wait for its row."""
        return self.wait_for_row(key, self.put(key, body, **parameters))

    def put_unindexed(self, key: str, body: bytes = b"content\n", **parameters: Any) -> Row:
        """Upload an object, and delete its row, which is returned: only another event can restore it."""
        row = self.put_indexed(key, body, **parameters)
        self.delete_row(key, row["version_id"])
        return row

    def head(self, key: str, version_id: str) -> Head:
        """The HEAD response about one version, without the response's own metadata."""
        head: Head = self.clients.s3.head_object(
            Bucket=self.bucket, Key=key, VersionId=version_id, ChecksumMode="ENABLED"
        )
        del head["ResponseMetadata"]
        return head

    def row(self, key: str, version_id: str) -> Row | None:
        """The current row of one version, or None."""
        response = self.clients.dynamodb.get_item(
            TableName=self.table, Key=self._primary_key(key, version_id), ConsistentRead=True
        )
        return self._row(response["Item"]) if "Item" in response else None

    def existing_row(self, key: str, version_id: str) -> Row:
        """The current row of one version, which must exist."""
        row = self.row(key, version_id)
        assert row is not None, f"{key!r}, version {version_id}, has no row"
        return row

    def wait_for_row(self, key: str, version_id: str, *, timeout: float | None = None) -> Row:
        """Wait for the row of one version."""
        return self.wait_until(
            lambda: self.row(key, version_id),
            lambda: f"the row of {key!r}, version {version_id}; rows of that key: {self.rows(key)}",
            timeout=timeout,
        )

    def wait_for_deletion(self, key: str, version_id: str) -> Row:
        """Wait until the row of one version, or delete marker, records its deletion."""

        def deleted() -> Row | None:
            row = self.row(key, version_id)
            return row if row and "deleted_at" in row else None

        return self.wait_until(
            deleted, lambda: f"the deletion of {key!r}, {version_id}; its row: {self.row(key, version_id)}"
        )

    def rows(self, key: str) -> list[Row]:
        """The rows of every version of an object, in no particular order."""
        pages = self.clients.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="object_id = :id",
            ExpressionAttributeValues={":id": {"S": f"{self.bucket}/{key}"}},
            ConsistentRead=True,
        )
        return [self._row(item) for page in pages for item in page["Items"]]

    def assert_row_matches_head(self, row: Row, *, metadata: Mapping[str, str] | None = None) -> None:
        """Assert that a row has exactly the object attributes that follow from the HEAD response."""
        key, version_id = row["key"], row["version_id"]
        head = {**self.head(key, version_id), "VersionId": version_id}  # S3 omits the version id `null`
        assert object_attributes(row) == expected_row(self.bucket, key, head, metadata=metadata)

    def row_ids(self, *, existing_only: bool = False) -> set[tuple[str, str]]:
        """`(object_id, version_id)` of every row of the table; optionally without those of deleted versions."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {
            (item["object_id"]["S"], item["version_id"]["S"])
            for page in pages
            for item in page["Items"]
            if not (existing_only and "deleted_at" in item)
        }

    def versions(self) -> set[tuple[str, str]]:
        """`(object_id, version_id)` of every version and delete marker in the bucket."""
        pages = self.clients.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket)
        return {
            (f"{self.bucket}/{version['Key']}", version["VersionId"])
            for page in pages
            for kind in ("Versions", "DeleteMarkers")
            for version in page.get(kind, ())
        }

    def delete(self, key: str) -> str:
        """Delete an object without naming a version; return the version id of the delete marker."""
        version_id: str = self.clients.s3.delete_object(Bucket=self.bucket, Key=key)["VersionId"]
        return version_id

    def delete_version(self, key: str, version_id: str) -> None:
        """Delete one version of an object permanently."""
        self.clients.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)

    def delete_indexed_version(self, row: Row) -> Row:
        """Delete the version of a row permanently, and wait until the row records it; return that row."""
        self.delete_version(row["key"], row["version_id"])
        return self.wait_for_deletion(row["key"], row["version_id"])

    def delete_row(self, key: str, version_id: str) -> None:
        """Delete the row of one version, so that a test can see it restored."""
        self.clients.dynamodb.delete_item(TableName=self.table, Key=self._primary_key(key, version_id))

    def set_versioning(self, status: str) -> None:
        """Set the bucket's versioning: Enabled or Suspended."""
        self.clients.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})

    def set_environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Set environment variables of the indexer and wait for the update; return all variables from before."""
        function = self.clients.function
        configuration = function.get_function_configuration(FunctionName=self.function)
        before: dict[str, str] = configuration["Environment"]["Variables"]
        function.update_function_configuration(
            FunctionName=self.function, Environment={"Variables": {**before, **variables}}
        )
        function.get_waiter("function_updated_v2").wait(FunctionName=self.function, WaiterConfig=waiting.WAITER_CONFIG)
        return before

    def invoke(self, event: object) -> InvocationResult:
        """Invoke the indexer synchronously."""
        response = self.clients.function.invoke(FunctionName=self.function, Payload=json.dumps(event))
        payload = json.loads(response["Payload"].read() or b"null")
        return InvocationResult(payload=payload, error=payload["errorMessage"] if "FunctionError" in response else None)

    def invoke_async(self, event: object) -> None:
        """Send an event to the indexer as S3 does: without waiting, with Lambda's retries after a failure."""
        self.clients.function.invoke(FunctionName=self.function, InvocationType="Event", Payload=json.dumps(event))

    def _primary_key(self, key: str, version_id: str) -> dict[str, Any]:
        return {"object_id": {"S": f"{self.bucket}/{key}"}, "version_id": {"S": version_id}}

    def _row(self, item: Mapping[str, Any]) -> Row:
        return {name: self._deserialize(value) for name, value in item.items()}
