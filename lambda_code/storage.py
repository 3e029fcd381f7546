"""The only module of the indexer that calls AWS: each call with its deadline, its retries and its timing.

Permissions: s3:GetObject, s3:GetObjectVersion, s3:ListBucket (without it S3 answers 403 instead of 404) and
dynamodb:UpdateItem.
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

from lambda_code.errors import Reason, TransientError
from lambda_code.metadata import DeleteMarker
from lambda_code.retry import CONNECT_SECONDS, READ_SECONDS, call_with_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from lambda_code.metadata import HeadResult, Update
    from lambda_code.settings import Settings
    from lambda_code.telemetry import Invocation

EMPTY_RESPONSE_BYTES = "2"  # the length of UpdateItem's response if there was no row: {}
REQUIRED_HEAD_FIELDS = ("LastModified", "ETag", "ContentLength")

# One attempt, because `retry` is the only layer that retries. Keep-alive: a frozen function keeps its connections for
# the next event. Parameters are built from records that were validated, and the tests validate them with botocore:
# doing so at each call would be 9 % of an event's CPU. Building the user agent anew for each call would be 6 %.
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
    """The AWS calls of one record: their time budget, and what they have used of it so far."""

    invocation: Invocation  # traces each attempt
    deadline: float  # seconds of the storage's clock
    attempts: int = 0
    retries: int = 0  # the attempts that were not the first of their call
    milliseconds: dict[str, float] = field(default_factory=lambda: {"HeadObject": 0.0, "UpdateItem": 0.0})


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The bucket that is read and the table that is written."""

    s3: Any  # botocore creates the methods of its clients at run time, so they have no types
    dynamodb: Any
    bucket_name: str
    table_name: str
    clock: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep
    rng: Callable[[], float] = random.random

    @classmethod
    def connect(cls, settings: Settings) -> Storage:
        """Create both clients: a quarter of a second of CPU, so once per process. Connects to nothing yet."""
        session = botocore.session.get_session()  # boto3's own layer would cost another 50 ms and add nothing
        session.register_component("data_loader", RestrictedLoader())
        # dateutil, which guesses the format of a time, would be 5 % of an event's CPU
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)
        return cls(
            s3=session.create_client("s3", config=CLIENT_CONFIG),
            dynamodb=session.create_client("dynamodb", config=CLIENT_CONFIG),
            bucket_name=settings.bucket_name,
            table_name=settings.table_name,
        )

    def head(self, key: str, version_id: str | None, calls: RecordCalls) -> HeadResult:
        """Read what S3 reports about a version, or about the current version if none is named.

        The checksum needs no further permission unless objects are encrypted with a KMS key: then kms:Decrypt.

        Raises:
            PermanentError, TransientError: see `retry.call_with_retry`.
        """
        version = {} if version_id is None else {"VersionId": version_id}

        def attempt() -> HeadResult:
            calls.attempts += 1
            with calls.invocation.aws_call("S3", "HeadObject"):
                try:
                    head = self.s3.head_object(Bucket=self.bucket_name, Key=key, ChecksumMode="ENABLED", **version)
                except ClientError as error:
                    response = error.response.get("ResponseMetadata", {})
                    match response.get("HTTPStatusCode"):  # the error of a HEAD has no body, so no error code of S3
                        case 404:
                            return None
                        case 405:  # the version that was named is a delete marker
                            return DeleteMarker(last_modified=_last_modified(response.get("HTTPHeaders", {})))
                    raise
                return _complete(head)

        with self._measured("HeadObject", calls):
            return call_with_retry(
                attempt, name="HeadObject", deadline=calls.deadline, clock=self.clock, sleep=self.sleep, rng=self.rng
            )

    def update(self, update: Update, calls: RecordCalls) -> Mapping[str, Any]:
        """Write one update of a row.

        Returns:
            The row as it was before, in DynamoDB's typed form; empty if there was none.

        Raises:
            PermanentError, TransientError: see `retry.call_with_retry`.
        """
        request = update.request(self.table_name)

        def attempt() -> Mapping[str, Any]:
            calls.attempts += 1
            with calls.invocation.aws_call("DynamoDB", "UpdateItem"):
                return _old_row(self.dynamodb.update_item(**request))

        with self._measured("UpdateItem", calls):
            return call_with_retry(
                attempt, name="UpdateItem", deadline=calls.deadline, clock=self.clock, sleep=self.sleep, rng=self.rng
            )

    @contextmanager
    def _measured(self, operation: str, calls: RecordCalls) -> Iterator[None]:
        """Add the retries and the duration of one call, waits included, to those of its record."""
        started, attempts = self.clock(), calls.attempts
        try:
            yield
        finally:
            calls.retries += max(0, calls.attempts - attempts - 1)
            calls.milliseconds[operation] += (self.clock() - started) * 1000


class RestrictedLoader(Loader):
    """Loads the descriptions of S3 and DynamoDB only. Botocore's loader lists all 400 services: 7 % of a cold start.

    Credentials must be in the environment, where Lambda puts them: there is no other service to request them from.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the base class names it
        """Return the two services; both have every type of description."""
        return ["dynamodb", "s3"]

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Mapping[str, Any]:
        """Load a description, without `Expires` in HeadObject's response.

        The owner of an object may set `Expires` to any text, and botocore fails on some of them.
        """
        model: Mapping[str, Any] = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) == ("s3", "service-2"):
            model["shapes"]["HeadObjectOutput"]["members"].pop("Expires", None)
        return model


def parse_time(value: str | float) -> datetime:
    """Parse a time of a response: an HTTP date, as in S3's headers, or else any format that botocore parses.

    Raises:
        ValueError, RuntimeError: botocore's own, if the value is not a time.
    """
    time = _http_time(value) if isinstance(value, str) else None
    return time or parse_timestamp(cast("str", value))  # its type stubs omit that it accepts numbers


def _complete(head: dict[str, Any]) -> dict[str, Any]:
    """Check HeadObject's response and return it without the metadata of the response itself.

    Raises:
        TransientError: a connection that breaks among the headers looks like a response with fewer of them.
    """
    if missing := [name for name in REQUIRED_HEAD_FIELDS if name not in head]:
        message = f"HeadObject's answer has no {' and no '.join(missing)}: it arrived incomplete"
        raise TransientError(message, reason=Reason.UNAVAILABLE)
    head.pop("ResponseMetadata", None)  # differs from response to response, also if the object is the same
    return head


def _old_row(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row in UpdateItem's response.

    Raises:
        TransientError: the row was written, but the response is incomplete, so the row before is unknown.
    """
    length = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", EMPTY_RESPONSE_BYTES)
    if "Attributes" not in response and length != EMPTY_RESPONSE_BYTES:
        # botocore parses an incomplete response as an empty one: it disables urllib3's check of the length
        message = f"UpdateItem's answer of {length} bytes arrived incomplete"
        raise TransientError(message, reason=Reason.UNAVAILABLE)
    old: Mapping[str, Any] = response.get("Attributes", {})
    return old


def _last_modified(headers: Mapping[str, str]) -> datetime | None:
    """The time of a delete marker. Botocore parses the headers of successful responses only."""
    time = _http_time(headers.get("last-modified", ""))  # emulators send none
    return time.astimezone(UTC) if time else None


def _http_time(text: str) -> datetime | None:
    """Parse an HTTP date; None if it is not one or has no time zone."""
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a number of too many digits
        return None
    return time if time.tzinfo else None
