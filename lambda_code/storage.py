"""Calls of S3 and DynamoDB with deadline, retries and timing. No other module of the indexer calls AWS.

Required permissions: s3:GetObject, s3:GetObjectVersion, s3:ListBucket (without which S3 returns 403 instead of 404)
and dynamodb:UpdateItem. HEAD and GET of an object require the same permissions.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

import botocore
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.utils import parse_timestamp

from lambda_code.errors import PermanentError, Reason, TransientError
from lambda_code.head_result import DeleteMarker, Unreadable
from lambda_code.responses import accept_all_headers_of_s3
from lambda_code.retry import CONNECT_SECONDS, READ_SECONDS, call_with_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from lambda_code.head_result import HeadResult
    from lambda_code.settings import Settings
    from lambda_code.telemetry import Invocation
    from lambda_code.update import Update

EMPTY_RESPONSE_BYTES = "2"  # Content-Length of UpdateItem's response if no previous row existed: `{}`
REQUIRED_HEAD_FIELDS = ("LastModified", "ETag", "ContentLength")
# Error of a GET without the key for an object that is encrypted with a customer-provided key (SSE-C). S3 uses the error
# code for other errors too.
CUSTOMER_KEY_CODE, CUSTOMER_KEY_TEXT = "InvalidRequest", "stored using a form of Server Side Encryption"
# Error codes of a GET that HEAD does not have: the object is empty, or archived.
CODES_OF_GET_ONLY = frozenset({"InvalidRange", "InvalidObjectState"})

# Botocore makes one attempt, because only the module `retry` retries. TCP keep-alive preserves the connections between
# two events. Parameter validation would use 9 % of the CPU time of an event, so tests validate the requests instead. A
# fixed user agent saves 6 %, because botocore would otherwise build the text for each call.
CLIENT_CONFIG = Config(
    parameter_validation=False,
    user_agent=f"TapStack Botocore/{botocore.__version__}",
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"total_max_attempts": 1, "mode": "standard"},
    tcp_keepalive=True,
)


@dataclass(kw_only=True)
class RecordCalls:
    """Time budget and measurements of the AWS calls of one record."""

    invocation: Invocation  # X-Ray tracing and reports of the current invocation
    deadline: float  # time at which the last AWS call must have ended, as a reading of `Storage.clock` in seconds
    attempts: int = 0
    retries: int = 0  # number of attempts after the first attempt of each AWS call
    milliseconds: dict[str, float] = field(default_factory=lambda: {"HeadObject": 0.0, "UpdateItem": 0.0})


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Reads object versions from S3 buckets, and writes rows to a DynamoDB table."""

    s3: Any  # Botocore creates client methods at run time, so they have no static types.
    dynamodb: Any
    bucket_name: str  # bucket of the stack; the indexer has the permission to decrypt all its objects
    table_name: str
    clock: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep
    rng: Callable[[], float] = random.random

    @classmethod
    def connect(cls, settings: Settings) -> Storage:
        """Create the S3 and DynamoDB clients, without a connection. This takes 0.25 s of CPU time."""
        accept_all_headers_of_s3()
        session = botocore.session.get_session()  # The creation of a boto3 session would take 50 ms longer.
        session.register_component("data_loader", RestrictedLoader())
        # Botocore's default parser of times, dateutil, would use 5 % of the CPU time of an event.
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)
        return cls(
            s3=session.create_client("s3", config=CLIENT_CONFIG),
            dynamodb=session.create_client("dynamodb", config=CLIENT_CONFIG),
            bucket_name=settings.bucket_name,
            table_name=settings.table_name,
        )

    def head(self, bucket: str, key: str, version_id: str | None, calls: RecordCalls) -> HeadResult:
        """Return the head result of an object version, including its checksum.

        For objects that are encrypted with a KMS key, the checksum requires the permission kms:Decrypt.

        The error response to a HEAD request has no body, so it has no error code. If HEAD fails permanently, this
        method sends a GET request for the first byte of the object, and classifies its error code. If this request
        does not fail, the error of HEAD is raised.

        Args:
            bucket: bucket name.
            key: decoded object key.
            version_id: version ID; None reads the current version.
            calls: time budget and measurements of the record; this method adds to the measurements.

        Raises:
            PermanentError, TransientError: see `retry.call_with_retry`.
        """
        address = {"Bucket": bucket, "Key": key} | ({} if version_id is None else {"VersionId": version_id})

        def attempt() -> HeadResult:
            calls.attempts += 1
            with calls.invocation.aws_call("S3", "HeadObject"):
                try:
                    return _complete(self.s3.head_object(ChecksumMode="ENABLED", **address))
                except ClientError as error:
                    return _head_result_of(error)

        try:
            with self._measured("HeadObject", calls):
                return call_with_retry(
                    attempt,
                    name="HeadObject",
                    deadline=calls.deadline,
                    clock=self.clock,
                    sleep=self.sleep,
                    rng=self.rng,
                )
        except PermanentError as error:
            if not isinstance(error.__cause__, ClientError):
                raise
            failure = error
        return self._get(address, failure, calls)

    def _get(self, address: Mapping[str, str], head_failure: PermanentError, calls: RecordCalls) -> HeadResult:
        """Return the head result that the error code of a GET request stands for, or raise the error.

        Args:
            address: bucket, key and version ID, as arguments of GetObject.
            head_failure: error of the HEAD request, which is raised if GET does not fail.
            calls: time budget and measurements of the record.
        """

        def attempt() -> HeadResult | PermanentError:
            calls.attempts += 1
            with calls.invocation.aws_call("S3", "GetObject"):
                try:
                    self.s3.get_object(Range="bytes=0-0", **address)["Body"].close()
                except ClientError as error:
                    if error.response.get("Error", {}).get("Code") not in CODES_OF_GET_ONLY:
                        return _head_result_of(error)
                return head_failure

        with self._measured("HeadObject", calls):
            result = call_with_retry(
                attempt, name="GetObject", deadline=calls.deadline, clock=self.clock, sleep=self.sleep, rng=self.rng
            )
        if isinstance(result, PermanentError):
            raise result
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
            calls.attempts += 1
            with calls.invocation.aws_call("DynamoDB", "UpdateItem"):
                try:
                    return _old_row(self.dynamodb.update_item(**request))
                except ClientError as error:
                    if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                        return None
                    raise

        with self._measured("UpdateItem", calls):
            return call_with_retry(
                attempt, name="UpdateItem", deadline=calls.deadline, clock=self.clock, sleep=self.sleep, rng=self.rng
            )

    @contextmanager
    def _measured(self, operation: str, calls: RecordCalls) -> Iterator[None]:
        """Context manager that adds the retries and the duration of one AWS call, including waits, to `calls`."""
        started, attempts = self.clock(), calls.attempts
        try:
            yield
        finally:
            calls.retries += max(0, calls.attempts - attempts - 1)
            calls.milliseconds[operation] += (self.clock() - started) * 1000


class RestrictedLoader(Loader):
    """Loads botocore's service descriptions of S3 and DynamoDB only.

    Botocore's own loader lists all 400 services, which takes 7 % of a cold start. The loader supports no service that
    issues credentials, so credentials must be in environment variables, where Lambda sets them.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - defined by the base class
        """Return the supported AWS services. Botocore contains every type of service description for both."""
        return ["dynamodb", "s3"]

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Mapping[str, Any]:
        """Load a service description, without the field `Expires` in the responses of HeadObject and GetObject.

        The owner of an object can set `Expires` to any text, and botocore fails to parse some values.
        """
        model: Mapping[str, Any] = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) == ("s3", "service-2"):
            for shape in ("HeadObjectOutput", "GetObjectOutput"):
                model["shapes"][shape]["members"].pop("Expires", None)
        return model


def parse_time(value: str | float) -> datetime:
    """Parse a time in an AWS response.

    Args:
        value: an HTTP date, as in S3's headers, or another format that botocore supports.

    Raises:
        PermanentError: botocore cannot parse the value.
    """
    time = _http_time(value) if isinstance(value, str) else None
    try:
        # `parse_timestamp` also accepts numbers, but its type stubs do not.
        return time or parse_timestamp(cast("str", value))
    except (ValueError, RuntimeError) as error:
        message = f"the response is complete, but {value!r} is not a time"
        raise PermanentError(message, reason=Reason.UNPARSABLE) from error


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
    response, body = error.response.get("ResponseMetadata", {}), error.response.get("Error", {})
    headers: Mapping[str, str] = response.get("HTTPHeaders", {})
    match response.get("HTTPStatusCode"):
        case 404:
            return None
        case 405 if headers.get("x-amz-delete-marker") == "true":
            return DeleteMarker(last_modified=_last_modified(headers))
        case 405:  # S3 lost the data of an object with the storage class REDUCED_REDUNDANCY.
            return Unreadable(customer_key=False)
        case 400 if body.get("Code") == CUSTOMER_KEY_CODE and CUSTOMER_KEY_TEXT in body.get("Message", ""):
            return Unreadable(customer_key=True)
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
    time = _http_time(headers.get("last-modified", ""))  # Emulators omit the header Last-Modified.
    return time.astimezone(UTC) if time else None


def _http_time(text: str) -> datetime | None:
    """Parse an HTTP date. Return None if the text is no HTTP date or has no time zone."""
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a number has too many digits.
        return None
    return time if time.tzinfo else None
