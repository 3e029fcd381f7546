"""The only module of the function that calls AWS. Each method is one attempt; `retry` decides about another.

Permissions: s3:GetObject, s3:GetObjectVersion, s3:ListBucket (without it S3 answers 403 instead of 404) and
dynamodb:UpdateItem.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

import botocore
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.utils import parse_timestamp

from lambda_code import retry
from lambda_code.errors import Reason, TransientError
from lambda_code.metadata import DeleteMarker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lambda_code.metadata import Look, Update
    from lambda_code.settings import Settings

NOTHING_LENGTH = "2"  # bytes of UpdateItem's answer where there was no row: {}
ALWAYS_TOLD = ("LastModified", "ETag", "ContentLength")

# One attempt: who retries is `retry`. Keep-alive: a frozen function keeps its connections for the next event.
# What is asked is built from a record that has been checked, and the tests ask botocore's validator about it: doing so
# at each call would be 9 % of an event's CPU. 6 % would be putting together who calls, anew for each call.
CLIENT_CONFIG = Config(
    parameter_validation=False,
    user_agent=f"TapStack Botocore/{botocore.__version__}",
    connect_timeout=retry.CONNECT_SECONDS,
    read_timeout=retry.READ_SECONDS,
    retries={"total_max_attempts": 1, "mode": "standard"},
    tcp_keepalive=True,
)


class S3Client(Protocol):
    """The part of botocore's S3 client that is used here."""

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html."""


class DynamoDBClient(Protocol):
    """The part of botocore's DynamoDB client that is used here."""

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html."""


@dataclass(frozen=True, kw_only=True)
class AwsStorage:
    """The bucket that is read and the table that is written."""

    s3: S3Client
    dynamodb: DynamoDBClient
    bucket_name: str
    table_name: str

    @classmethod
    def connect(cls, settings: Settings) -> AwsStorage:
        """Make both clients: a quarter of a second of CPU, so once per warm function. No network yet."""
        session = botocore.session.get_session()  # boto3's own layer would cost another 50 ms and add nothing
        session.register_component("data_loader", OurServices())
        # dateutil, which guesses how a time is written, would be 5 % of an event's CPU
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)
        return cls(
            s3=cast("S3Client", session.create_client("s3", config=CLIENT_CONFIG)),
            dynamodb=cast("DynamoDBClient", session.create_client("dynamodb", config=CLIENT_CONFIG)),
            bucket_name=settings.bucket_name,
            table_name=settings.table_name,
        )

    def head(self, key: str, version_id: str | None) -> Look:
        """What S3 says about a version (about the current one if none is named): object, delete marker, or nothing.

        Asking for the checksum needs no further permission as long as objects are not encrypted with a KMS key; with
        one it needs kms:Decrypt.

        Raises:
            TransientError: the answer lacks what S3 always tells.
            ClientError, BotoCoreError: whatever else botocore raises.
        """
        version = {} if version_id is None else {"VersionId": version_id}
        try:
            head = self.s3.head_object(Bucket=self.bucket_name, Key=key, ChecksumMode="ENABLED", **version)
        except ClientError as error:
            answer: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
            match answer.get("HTTPStatusCode"):  # of a HEAD's error, which has no body, it is all there is
                case 404:
                    return None
                case 405:  # only of a version that was asked for by its id
                    return DeleteMarker(last_modified=_last_modified(answer.get("HTTPHeaders", {})))
            raise
        if missing := [name for name in ALWAYS_TOLD if name not in head]:
            # a connection that breaks among the headers looks like an answer with fewer of them
            message = f"HeadObject's answer has no {' and no '.join(missing)}: it arrived incomplete"
            raise TransientError(message, reason=Reason.UNAVAILABLE)
        head.pop("ResponseMetadata", None)  # about the answer, not about the object
        return head

    def update(self, update: Update) -> Mapping[str, Any]:
        """Write one update; return the row as it was before, in DynamoDB's typed form, empty if there was none.

        Raises:
            TransientError: it was written, but the answer broke off, and what was there before is not known.
            ClientError, BotoCoreError: whatever else botocore raises.
        """
        answer = self.dynamodb.update_item(**update.request(self.table_name))
        length = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", NOTHING_LENGTH)
        if "Attributes" not in answer and length != NOTHING_LENGTH:
            # botocore takes half of an answer for an empty one: it lets urllib3 not check the length
            message = f"UpdateItem's answer of {length} bytes arrived incomplete"
            raise TransientError(message, reason=Reason.UNAVAILABLE)
        old: Mapping[str, Any] = answer.get("Attributes", {})
        return old


class OurServices(Loader):
    """Knows S3 and DynamoDB alone. The usual loader looks through all 400 services first: 7 % of a cold start's CPU.

    Credentials have to be in the environment, where Lambda puts them: no other service could be asked for any.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore names it
        """Both have every type of description."""
        return ["dynamodb", "s3"]

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Mapping[str, Any]:
        """Without `Expires` in a HEAD's answer: its owner may have written anything, and botocore fail to read it."""
        model: Mapping[str, Any] = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) == ("s3", "service-2"):
            model["shapes"]["HeadObjectOutput"]["members"].pop("Expires", None)
        return model


def parse_time(value: str | float) -> datetime:
    """A time of an answer: as HTTP writes it, which is how S3 tells of an object's change, or else as botocore can.

    Raises:
        ValueError, RuntimeError: it is no time; they are botocore's own.
    """
    time = _http_time(value) if isinstance(value, str) else None
    return time or parse_timestamp(cast("str", value))  # its stubs do not know that it takes numbers too


def _last_modified(headers: Mapping[str, str]) -> datetime | None:
    """When a delete marker was put: botocore reads the headers of no answer but a good one."""
    time = _http_time(headers.get("last-modified", ""))  # an emulator's has none
    return time.astimezone(UTC) if time else None


def _http_time(text: str) -> datetime | None:
    """A time as HTTP writes it; None if it is none, or in no zone."""
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter: digits without end
        return None
    return time if time.tzinfo else None
