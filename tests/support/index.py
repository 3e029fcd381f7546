"""A deployed stack as a test sees it: clients, the bucket that takes files, and the table that gets their rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from boto3.dynamodb.types import TypeDeserializer

from tests.support import waiting

Client: TypeAlias = Any  # boto3 makes its classes while it runs
Answer: TypeAlias = Any  # and AWS answers in dictionaries
Row: TypeAlias = dict[str, Any]
Head: TypeAlias = dict[str, Any]
T = TypeVar("T")

LONGEST_KEY_BYTES = 1024  # S3: a key is at most 1,024 bytes of UTF-8


class Place(Protocol):
    """Where a stack is: an emulator, or an account of AWS."""

    name: str
    region: str

    def client(self, service: str) -> Client:
        """The boto3 client of a service."""


@dataclass(frozen=True, kw_only=True)
class Clients:
    """One client for each service that the stack uses."""

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
    def of(cls, place: Place) -> Clients:
        return cls(
            s3=place.client("s3"),
            dynamodb=place.client("dynamodb"),
            function=place.client("lambda"),
            iam=place.client("iam"),
            logs=place.client("logs"),
            sqs=place.client("sqs"),
            sns=place.client("sns"),
            cloudwatch=place.client("cloudwatch"),
            sts=place.client("sts"),
        )


@dataclass(frozen=True, kw_only=True)
class Invoked:
    """What a direct invocation came to: `error` is the function's error message, None if it succeeded."""

    payload: Any
    error: str | None


class Index:
    """The upload bucket and the table of one stack, and the function between them. Fit for use by several threads.

    Attributes:
        folder: what all keys of the tests start with; nothing where the whole bucket is theirs.
        keys: the keys that tests asked for.
        patience: seconds until something that has not come counts as missing.
        interval: seconds between two looks.
        since: when the tests began, in milliseconds since 1970; what the log had before is not theirs.
    """

    def __init__(
        self,
        clients: Clients,
        outputs: Mapping[str, str],
        *,
        folder: str = "",
        patience: float = waiting.PATIENCE,
        interval: float = waiting.INTERVAL,
        since: int = 0,
    ) -> None:
        self.clients = clients
        self.folder = folder
        self.keys: set[str] = set()
        self.patience = patience
        self.interval = interval
        self.since = since
        self.bucket = outputs["bucket_name"]
        self.table = outputs["table_name"]
        self.function = outputs["lambda_function_name"]
        self._plain = TypeDeserializer().deserialize

    def key(self, name: str) -> str:
        """The key by which a test shall know an object: in the folder, and cut where it would be too long for S3."""
        key = f"{self.folder}{name}".encode()[:LONGEST_KEY_BYTES].decode(errors="ignore")
        self.keys.add(key)
        return key

    def until(self, look: Callable[[], T | None], missing: str | Callable[[], str]) -> T:
        """Look until there is something to see, and return it; see `waiting.until`."""
        return waiting.until(look, missing, patience=self.patience, interval=self.interval)

    def put(self, key: str, body: bytes = b"content\n", **parameters: Any) -> str:
        """Upload an object; its version id."""
        answer = self.clients.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **parameters)
        version_id: str = answer["VersionId"]
        return version_id

    def head(self, key: str, version_id: str) -> Head:
        """What S3 says about one version, without what concerns only the answer."""
        head: Head = self.clients.s3.head_object(
            Bucket=self.bucket, Key=key, VersionId=version_id, ChecksumMode="ENABLED"
        )
        del head["ResponseMetadata"]
        return head

    def row(self, key: str, version_id: str) -> Row | None:
        """The row of one version as it is now, or None."""
        answer = self.clients.dynamodb.get_item(
            TableName=self.table, Key=self._address(key, version_id), ConsistentRead=True
        )
        return self._row(answer["Item"]) if "Item" in answer else None

    def wait_for_row(self, key: str, version_id: str, *, patience: float | None = None) -> Row:
        """The row of one version, as soon as there is one."""
        return waiting.until(
            lambda: self.row(key, version_id),
            lambda: f"the row of {key!r}, version {version_id}; rows of that key: {self.rows(key)}",
            patience=self.patience if patience is None else patience,
            interval=self.interval,
        )

    def wait_for_deletion(self, key: str, version_id: str) -> Row:
        """The row of one version, as soon as it says that the version, or delete marker, was deleted."""

        def deleted() -> Row | None:
            row = self.row(key, version_id)
            return row if row and "deleted_at" in row else None

        return self.until(
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

    def addresses(self, *, there: bool = False) -> set[tuple[str, str]]:
        """`(object_id, version_id)` of every row of the table, or of those of what is `there` and was not deleted."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {
            (item["object_id"]["S"], item["version_id"]["S"])
            for page in pages
            for item in page["Items"]
            if not (there and "deleted_at" in item)
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
        """Delete an object as most people do, which puts a delete marker on top of it; the marker's version id."""
        version_id: str = self.clients.s3.delete_object(Bucket=self.bucket, Key=key)["VersionId"]
        return version_id

    def delete_version(self, key: str, version_id: str) -> None:
        """Delete one version of an object for good."""
        self.clients.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)

    def forget(self, key: str, version_id: str) -> None:
        """Delete the row of one version, so that a test can see it come back."""
        self.clients.dynamodb.delete_item(TableName=self.table, Key=self._address(key, version_id))

    def invoke(self, event: object) -> Invoked:
        """Call the function and wait for its answer."""
        answer = self.clients.function.invoke(FunctionName=self.function, Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read() or b"null")
        return Invoked(payload=payload, error=payload["errorMessage"] if "FunctionError" in answer else None)

    def send(self, event: object) -> None:
        """Hand an event to the function as S3 does: without waiting, to be tried again if it fails."""
        self.clients.function.invoke(FunctionName=self.function, InvocationType="Event", Payload=json.dumps(event))

    def _address(self, key: str, version_id: str) -> dict[str, Any]:
        return {"object_id": {"S": f"{self.bucket}/{key}"}, "version_id": {"S": version_id}}

    def _row(self, item: Mapping[str, Any]) -> Row:
        return {name: self._plain(value) for name, value in item.items()}
