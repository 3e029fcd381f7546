"""A deployed stack as a test sees it: clients, the bucket that takes files, and the table that gets their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from boto3.dynamodb.types import TypeDeserializer

from tests.e2e import waiting

if TYPE_CHECKING:
    from localstack.emulator import Emulator

Client: TypeAlias = Any  # boto3 makes its classes while it runs
Answer: TypeAlias = Any  # and AWS answers in dictionaries
Row: TypeAlias = dict[str, Any]
Head: TypeAlias = dict[str, Any]


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
    def of(cls, emulator: Emulator) -> Clients:
        return cls(
            s3=emulator.client("s3"),
            dynamodb=emulator.client("dynamodb"),
            function=emulator.client("lambda"),
            iam=emulator.client("iam"),
            logs=emulator.client("logs"),
            sqs=emulator.client("sqs"),
            sns=emulator.client("sns"),
            cloudwatch=emulator.client("cloudwatch"),
            sts=emulator.client("sts"),
        )


@dataclass(frozen=True, kw_only=True)
class Invoked:
    """What a direct invocation came to: `error` is the function's error message, None if it succeeded."""

    payload: Any
    error: str | None


class Index:
    """The upload bucket and the table of one stack, and the function between them. Fit for use by several threads."""

    def __init__(self, clients: Clients, outputs: Mapping[str, str]) -> None:
        self.clients = clients
        self.bucket = outputs["bucket_name"]
        self.table = outputs["table_name"]
        self.function = outputs["lambda_function_name"]
        self._plain = TypeDeserializer().deserialize

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

    def wait_for_row(self, key: str, version_id: str, *, patience: float = waiting.PATIENCE) -> Row:
        """The row of one version, as soon as there is one."""
        return waiting.until(
            lambda: self.row(key, version_id),
            lambda: f"the row of {key!r}, version {version_id}; rows of that key: {self.rows(key)}",
            patience=patience,
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

    def addresses(self) -> set[tuple[str, str]]:
        """`(object_id, version_id)` of every row of the table."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {(item["object_id"]["S"], item["version_id"]["S"]) for page in pages for item in page["Items"]}

    def versions(self) -> set[tuple[str, str]]:
        """`(object_id, version_id)` of every version in the bucket."""
        pages = self.clients.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket)
        return {
            (f"{self.bucket}/{version['Key']}", version["VersionId"])
            for page in pages
            for version in page.get("Versions", ())
        }

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
