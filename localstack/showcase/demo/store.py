"""Uploads files to the deployed bucket, reads their rows from DynamoDB, and compares them with S3 HeadObject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError

from localstack.showcase.demo.file_body import FileBody, unreadable

if TYPE_CHECKING:
    from localstack.showcase.demo.files import Source

BATCH_GET = 100
"""Maximum keys per BatchGetItem. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An uploaded object. `finished` is the time of the PutObject response, in seconds of a monotonic clock."""

    source: Source
    version_id: str
    finished: float


class Store:
    """The deployed S3 bucket and DynamoDB table. Thread-safe.

    Args:
        s3: boto3 client for S3.
        dynamodb: boto3 client for DynamoDB.
        bucket: name of the bucket.
        table: name of the DynamoDB table.
    """

    def __init__(self, s3: Any, dynamodb: Any, *, bucket: str, table: str) -> None:  # noqa: ANN401  boto3 clients have no static type
        self._s3 = s3
        self._dynamodb = dynamodb
        self._bucket = bucket
        self._table = table

    def put(self, source: Source) -> str:
        """Upload a file and return its version ID.

        Raises:
            FileError: the file cannot be read, or it changed while it was uploaded. S3 did not store the object.
            ClientError, BotoCoreError: S3 rejected the upload or did not respond.
        """
        arguments = {} if source.content_type is None else {"ContentType": source.content_type}
        try:
            file = source.path.open("rb")
        except OSError as error:
            raise unreadable(error) from error
        with file:
            body = FileBody(file)
            try:
                response = self._s3.put_object(Bucket=self._bucket, Key=source.key, Body=body, **arguments)
            except BotoCoreError as error:
                if body.error:  # botocore raises its own exception for an exception of the body.
                    raise body.error from error
                raise
        return str(response["VersionId"])

    def rows(self, uploads: Sequence[Upload]) -> Iterable[tuple[Upload, dict[str, Any]]]:
        """Read the DynamoDB rows of uploads; yield each upload that has a row, with its row.

        If DynamoDB throttles the request, rows that exist may be missing from the result. The caller must repeat the
        call for uploads without a row.
        """
        for start in range(0, len(uploads), BATCH_GET):
            batch = uploads[start : start + BATCH_GET]
            addresses = {(f"{self._bucket}/{upload.source.key}", upload.version_id): upload for upload in batch}
            keys = [{"object_id": {"S": object_id}, "version_id": {"S": version}} for object_id, version in addresses]
            response = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
            for raw in response["Responses"].get(self._table, ()):
                item = {name: json_value(_DESERIALIZER.deserialize(value)) for name, value in raw.items()}
                yield addresses[str(item["object_id"]), str(item["version_id"])], item

    def differences(self, upload: Upload, item: Mapping[str, Any]) -> tuple[str, ...]:
        """Compare a row with the result of S3 HeadObject for the same object version.

        Args:
            upload: uploaded object.
            item: row of the object.

        Returns:
            A sentence for each different attribute.
        """
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=upload.source.key, VersionId=upload.version_id)
        except ClientError as error:
            return (f"S3 rejected the HEAD request: {error}",)
        return differences(item, {"Bucket": self._bucket, "Key": upload.source.key, **head})


def differences(item: Mapping[str, Any], head: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each attribute of a row that differs from the result of S3 HeadObject.

    Args:
        item: row of the object.
        head: result of HeadObject, with the additional keys Bucket and Key.
    """
    expected = {
        "bucket": head["Bucket"],
        "key": head["Key"],
        "version_id": head["VersionId"],
        "size_bytes": head["ContentLength"],
        "content_type": head["ContentType"],
        "etag": head["ETag"].strip('"'),
        "storage_class": head.get("StorageClass", "STANDARD"),  # HeadObject omits the storage class STANDARD.
        "encryption": head.get("ServerSideEncryption"),
        "uploaded_at": head["LastModified"],
    }
    actual = {**item, "uploaded_at": parse_time(item.get("uploaded_at"))}
    return tuple(
        f"{name} is {actual.get(name)!s} in the row and {value!s} in S3"
        for name, value in expected.items()
        if actual.get(name) != value
    )


def parse_time(value: object) -> object:
    """Convert a time in ISO 8601 format to a datetime; return any other value unchanged."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def json_value(value: object) -> object:
    """Convert a DynamoDB value to a JSON value: a number to int or float, a set to a sorted list."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case set():
            return sorted((json_value(each) for each in value), key=str)
        case list():
            return [json_value(each) for each in value]
        case dict():
            return {name: json_value(each) for name, each in value.items()}
    return value


_DESERIALIZER = TypeDeserializer()
