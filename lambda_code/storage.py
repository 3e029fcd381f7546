"""Calls of S3 and DynamoDB with deadline, retries and timing. No other module of the indexer calls AWS.

Required permissions: s3:GetObject, s3:GetObjectVersion, s3:ListBucket (without which S3 returns 403 instead of 404)
and dynamodb:UpdateItem. HEAD and GET of an object require the same permissions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_code.head_result import DeleteMarker, Unreadable
from lambda_code.update import CUSTOMER_KEY, KMS_KEY
from lambda_common.calls import Caller, Calls
from lambda_common.clients import parse_http_time
from lambda_common.errors import PermanentError, Reason, TransientError
from lambda_common.retry import is_kms_denial, needs_customer_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lambda_code.head_result import HeadResult
    from lambda_code.telemetry import Invocation
    from lambda_code.update import Update

EMPTY_RESPONSE_BYTES = "2"  # Content-Length of UpdateItem's response if no previous row existed: `{}`
REQUIRED_HEAD_FIELDS = ("LastModified", "ETag", "ContentLength")
# Error codes of a GET that HEAD does not have: the object is empty, or archived.
CODES_OF_GET_ONLY = frozenset({"InvalidRange", "InvalidObjectState"})


@dataclass(kw_only=True)
class RecordCalls(Calls):
    """Time budget and measurements of the AWS calls of one record."""

    invocation: Invocation
    unreadable: str | None = None  # encryption because of which S3 did not return all attributes


@dataclass(frozen=True, kw_only=True)
class Storage(Caller):
    """Reads object versions from S3 buckets, and writes rows to a DynamoDB table."""

    def head(
        self, bucket: str, key: str, version_id: str | None, calls: RecordCalls, *, checksum: bool = True
    ) -> HeadResult:
        """Return the head result of an object version, including its checksum.

        For objects that are encrypted with a KMS key, a HEAD request for the checksum requires the permission
        kms:Decrypt, which the indexer may not have for the objects of an existing bucket. If HEAD fails permanently for
        such a bucket, this method sends a second HEAD request without checksum.

        The error response to a HEAD request has no body, so it has no error code. If HEAD still fails permanently, this
        method sends a GET request for the first byte of the object, and classifies its error code. If this request
        does not fail, the error of HEAD is raised.

        Args:
            bucket: bucket name.
            key: decoded object key.
            version_id: version ID; None reads the current version.
            calls: time budget and measurements of the record; this method adds to the measurements.
            checksum: whether the head result includes the checksum.

        Raises:
            PermanentError, TransientError: see `retry.call_with_retry`.
        """
        mode = {"ChecksumMode": "ENABLED"} if checksum else {}
        address = {"Bucket": bucket, "Key": key} | ({} if version_id is None else {"VersionId": version_id})

        def attempt() -> HeadResult:
            try:
                return _complete(self.s3.head_object(**mode, **address))
            except ClientError as error:
                return _head_result_of(error)

        try:
            head = self.call("S3", "HeadObject", attempt, calls)
        except PermanentError as error:
            if not isinstance(error.__cause__, ClientError):
                raise
            failure = error
        else:
            calls.unreadable = None
            return head
        if checksum and bucket != self.bucket_name:
            head = self.head(bucket, key, version_id, calls, checksum=False)
            if isinstance(head, dict):
                if not head.get("ServerSideEncryption", "").startswith(KMS_KEY):
                    raise failure  # The cause of the failure was not the KMS key, so the checksum exists.
                calls.unreadable = KMS_KEY
            return head
        return self._get(address, failure, calls)

    def _get(self, address: Mapping[str, str], head_failure: PermanentError, calls: RecordCalls) -> HeadResult:
        """Return the head result that the error code of a GET request stands for, or raise the error.

        Args:
            address: bucket, key and version ID, as arguments of GetObject.
            head_failure: error of the HEAD request, which is raised if GET does not fail.
            calls: time budget and measurements of the record.
        """

        def attempt() -> HeadResult | PermanentError:
            try:
                self.s3.get_object(Range="bytes=0-0", **address)["Body"].close()
            except ClientError as error:
                if address["Bucket"] != self.bucket_name and is_kms_denial(error):
                    return Unreadable(encryption=KMS_KEY)
                if error.response.get("Error", {}).get("Code") not in CODES_OF_GET_ONLY:
                    return _head_result_of(error)
            return head_failure

        result = self.call("S3", "GetObject", attempt, calls, measured_as="HeadObject")
        if isinstance(result, PermanentError):
            raise result
        calls.unreadable = result.encryption if isinstance(result, Unreadable) else None
        return result

    def update(self, update: Update, calls: RecordCalls) -> Mapping[str, Any] | None:
        """Write one update of a row to DynamoDB.

        Args:
            update: the update.
            calls: time budget and measurements of the record; this method adds to the measurements.

        Returns:
            The previous row in DynamoDB's typed form; empty if the update created the row; None if the row does not
            exist and the update must not create it.

        Raises:
            PermanentError, TransientError: see `retry.call_with_retry`.
        """
        request = update.request(self.table_name)

        def attempt() -> Mapping[str, Any] | None:
            try:
                return _old_row(self.dynamodb.update_item(**request))
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                    return None
                raise

        return self.call("DynamoDB", "UpdateItem", attempt, calls)


def _complete(head: dict[str, Any]) -> dict[str, Any]:
    """Return HeadObject's response without `ResponseMetadata`, if the response is complete.

    Raises:
        TransientError: required headers are missing, because the connection broke while they were sent.
    """
    if missing := [name for name in REQUIRED_HEAD_FIELDS if name not in head]:
        message = f"HeadObject's response has no {' and no '.join(missing)}: it arrived incomplete"
        raise TransientError(message, reason=Reason.UNAVAILABLE)
    head.pop("ResponseMetadata", None)  # `ResponseMetadata` differs between responses about the same object.
    return head


def _head_result_of(error: ClientError) -> HeadResult:
    """Return the head result that an error response of HEAD or GET stands for, or raise the error."""
    response = error.response.get("ResponseMetadata", {})
    headers: Mapping[str, str] = response.get("HTTPHeaders", {})
    match response.get("HTTPStatusCode"):
        case 404:
            return None
        case 405 if headers.get("x-amz-delete-marker") == "true":
            return DeleteMarker(last_modified=_last_modified(headers))
        case 405:  # S3 lost the data of an object with the storage class REDUCED_REDUNDANCY.
            return Unreadable(encryption=None)
        case 400 if needs_customer_key(error):
            return Unreadable(encryption=CUSTOMER_KEY)
    raise error


def _old_row(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the previous row from UpdateItem's response; empty if the row did not exist.

    Raises:
        TransientError: the response is incomplete, so the previous row is unknown. The write itself succeeded.
    """
    length = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", EMPTY_RESPONSE_BYTES)
    if "Attributes" not in response and length != EMPTY_RESPONSE_BYTES:
        # Botocore disables urllib3's length check, so it parses an incomplete response as an empty one.
        message = f"UpdateItem's response of {length} bytes arrived incomplete"
        raise TransientError(message, reason=Reason.UNAVAILABLE)
    old: Mapping[str, Any] = response.get("Attributes", {})
    return old


def _last_modified(headers: Mapping[str, str]) -> datetime | None:
    """Return the creation time of a delete marker (UTC), or None. Botocore parses no headers of error responses."""
    time = parse_http_time(headers.get("last-modified", ""))  # Emulators omit the header Last-Modified.
    return time.astimezone(UTC) if time else None
