"""Calls of S3 and DynamoDB with deadline, retries and timing. No other module of the inspector calls AWS.

Required permissions: s3:GetObject, s3:GetObjectVersion, s3:ListBucket (without which S3 returns 403 instead of 404)
and dynamodb:UpdateItem.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError, IncompleteReadError

from inspector.outcome import InspectionResult
from inspector.stream import NULL_VERSION
from lambda_common.attributes import attribute_value
from lambda_common.calls import Caller
from lambda_common.errors import Reason, TransientError
from lambda_common.retry import RetryPolicy, is_kms_denial, needs_customer_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.stream import StreamRow
    from lambda_common.attributes import Attributes
    from lambda_common.calls import Calls

# The inspector waits longer than the indexer before its first retry, so that the indexer gets the write units of a busy
# table first.
INSPECTOR_POLICY = RetryPolicy(wait_base=1.0)

RESULTS_OF_STATUS = {
    404: InspectionResult.GONE,
    405: InspectionResult.GONE,  # The version ID is that of a delete marker, or S3 lost the data of the object.
    412: InspectionResult.REPLACED,  # The object of the version `null` has another ETag.
}


class UnavailableObjectError(Exception):
    """Exception for an object whose bytes S3 does not return, for a reason that is no failure.

    Attributes:
        result: result of the record.
    """

    def __init__(self, result: InspectionResult) -> None:
        super().__init__(result)
        self.result = result


class EmptyObjectError(Exception):
    """Exception for an object without content, although its row has a size."""


class ObjectRange(NamedTuple):
    """Bytes of an object as S3 stores them, and the value of its header Content-Encoding."""

    data: bytes
    content_encoding: str | None = None


@dataclass(frozen=True, kw_only=True)
class ContentStorage(Caller):
    """Reads ranges of object versions from S3 buckets, and writes content to the rows of a DynamoDB table."""

    policy: RetryPolicy = INSPECTOR_POLICY

    def read(self, row: StreamRow, offset: int, length: int, calls: Calls) -> ObjectRange:
        """Return a range of the object that a row describes.

        Only the object of the version ID `null` can be replaced, so only its requests have the condition that the
        object has the ETag of the row.

        Args:
            row: the row.
            offset: offset of the first byte.
            length: number of bytes.
            calls: time budget and measurements of the record; this method adds to the measurements.

        Raises:
            UnavailableObjectError: S3 does not return the object, for a reason that is no failure.
            EmptyObjectError: the object has no first byte.
            PermanentError, TransientError: see `retry.call_with_retry`.
        """
        request = {
            "Bucket": row.bucket,
            "Key": row.key,
            "VersionId": row.version_id,
            "Range": f"bytes={offset}-{offset + length - 1}",
        }
        if row.version_id == NULL_VERSION:
            request["IfMatch"] = f'"{row.etag}"'

        def attempt() -> ObjectRange | InspectionResult | None:
            try:
                return _range_of(self.s3.get_object(**request), length)
            except ClientError as error:
                return self._result_of(error, row, offset)

        found = self.call("S3", "GetObject", attempt, calls)
        if found is None:
            raise EmptyObjectError
        if isinstance(found, InspectionResult):
            raise UnavailableObjectError(found)
        return found

    def write(self, row: StreamRow, attributes: Attributes, calls: Calls) -> Mapping[str, Any] | None:
        """Write attributes into a row, if the row still describes the same object.

        Args:
            row: the row, which has an ETag, a content type and an upload time.
            attributes: the attributes `content`, `content_of` and `mismatch`. The row loses `mismatch` if it is absent.
            calls: time budget and measurements of the record; this method adds to the measurements.

        Returns:
            The previous row in DynamoDB's typed form; None if the row describes another object now, or was deleted.

        Raises:
            PermanentError, TransientError: see `retry.call_with_retry`.
        """
        request = _update_request(row, attributes) | {"TableName": self.table_name}

        def attempt() -> Mapping[str, Any] | None:
            try:
                previous: Mapping[str, Any] = self.dynamodb.update_item(**request).get("Attributes", {})
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                    return None
                raise
            return previous

        return self.call("DynamoDB", "UpdateItem", attempt, calls)

    def _result_of(self, error: ClientError, row: StreamRow, offset: int) -> InspectionResult | None:
        """Return the result for an error of GetObject, or None for an empty object. Raise any other error."""
        code = error.response.get("Error", {}).get("Code")
        if code == "InvalidObjectState":
            return InspectionResult.ARCHIVED
        if code == "InvalidRange" and offset == 0:
            return None
        if needs_customer_key(error) or (row.bucket != self.bucket_name and is_kms_denial(error)):
            return InspectionResult.UNREADABLE
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if code == "NoSuchBucket" or status not in RESULTS_OF_STATUS:
            raise error
        return RESULTS_OF_STATUS[status]


def _range_of(response: Mapping[str, Any], length: int) -> ObjectRange:
    """Return the body of a response. Botocore does not decode the content encoding.

    Raises:
        TransientError: the body is incomplete, because the connection broke while it was sent.
    """
    try:
        # As a context manager, botocore's body would return the stream of urllib3, which does not check the length.
        with closing(response["Body"]) as body:
            data: bytes = body.read(length + 1)
    except IncompleteReadError as error:
        raise _incomplete(str(error)) from error
    if len(data) != length:
        raise _incomplete(f"{len(data)} of {length} bytes")
    return ObjectRange(data, response.get("ContentEncoding"))


def _incomplete(what: str) -> TransientError:
    return TransientError(f"GetObject's response arrived incomplete: {what}", reason=Reason.UNAVAILABLE)


def _update_request(row: StreamRow, attributes: Attributes) -> dict[str, Any]:
    """Return the arguments of DynamoDB's UpdateItem without the name of the table."""
    conditions = {"etag": row.etag, "content_type": row.content_type, "uploaded_at": row.uploaded_at}
    values = {name: attribute_value(value) for name, value in attributes.items()}
    values |= {name: attribute_value(value or "") for name, value in conditions.items()}
    removed = [] if "mismatch" in attributes else ["mismatch"]
    return {
        "Key": {"object_id": attribute_value(row.object_id), "version_id": attribute_value(row.version_id)},
        "UpdateExpression": "SET "
        + ", ".join(f"#{name} = :{name}" for name in attributes)
        + "".join(f" REMOVE #{name}" for name in removed),
        "ConditionExpression": "attribute_exists(object_id) AND "
        + " AND ".join(f"#{name} = :{name}" for name in conditions),
        "ExpressionAttributeNames": {f"#{name}": name for name in (*attributes, *removed, *conditions)},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
        "ReturnValues": "ALL_OLD",
    }
