"""The only module of the tools that calls AWS.

Retrying is botocore's alone (mode `standard`: throttling, 5xx and lost connections, with jittered back-off), and more
patient than its default, because nobody waits for an answer in milliseconds here. What is left becomes an
OperatorError, which names the remedy. Every call may be made twice: all of them are harmless to repeat.

Permissions: s3:ListBucketVersions and s3:GetBucketNotification on the bucket; dynamodb:DescribeTable, Query and Scan on
the table; lambda:GetFunctionConfiguration, GetFunctionEventInvokeConfig and InvokeFunction on the function;
sqs:GetQueueUrl, GetQueueAttributes, ReceiveMessage, DeleteMessage and ChangeMessageVisibility on the failure queue.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import boto3
import botocore.session
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from botocore.exceptions import ConnectionError as NoConnectionError

from lambda_code.errors import Reason
from lambda_code.retry import reason_for
from operations.errors import OperatorError, RefusedEventError
from operations.listing import Version, versions_of
from operations.pool import THREADS

Client: TypeAlias = Any  # boto3 makes its classes while it runs
Row: TypeAlias = dict[str, Any]

REGION = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
"""Where the region is set: in ~/.aws as `region`, and in variables of which boto3, unlike the AWS CLI and other SDKs,
by itself knows only the second."""

ATTEMPTS = 8
"""Of a call: some 35 s of waiting in all where AWS asks to slow down, 3 s where nothing answers."""

VERSIONS_PER_ANSWER = 1000  # the most of ListObjectVersions
MESSAGES_PER_BATCH = 10  # the most that SQS hands out, or takes, at once
LONG_POLL_SECONDS = 1  # a poll that waits asks all of SQS's servers, so an empty answer means an empty queue
ACCEPTED = 202  # Lambda has put the event into its asynchronous queue

REFUSALS = ("InvalidRequestContentException", "RequestTooLargeException")
"""What Lambda calls it if the fault is the event's: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""

# What the audit compares, and no more: a row may have kilobytes of user metadata.
ATTRIBUTES = (
    "object_id",
    "version_id",
    "bucket",
    "key",
    "size_bytes",
    "content_type",
    "etag",
    "uploaded_at",
    "upload_day",
    "deleted_at",
    "delete_marker",
)
PROJECTION = {
    "ProjectionExpression": ", ".join(f"#{number}" for number, _ in enumerate(ATTRIBUTES)),
    "ExpressionAttributeNames": {f"#{number}": name for number, name in enumerate(ATTRIBUTES)},
    "ReturnConsumedCapacity": "TOTAL",
}

REMEDIES = {
    Reason.DENIED: "Are these credentials of the stack's account, with the permissions that docs/runbook.md lists?",
    Reason.THROTTLED: f"AWS asked to slow down, {ATTEMPTS} times in a row: try again later, or with a lower --rate",
}

_plain = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of Query or Scan: rows as plain values (numbers as Decimal), and the read units that it cost."""

    rows: tuple[Row, ...]
    units: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Provisioned units a second; None: the table is billed per request and has no such limit.

    `write` is the least of the table and its indexes, since each row is written to all of them.
    """

    read: float | None
    write: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message as SQS hands it out; `receipt` is what it takes to delete it or to let it go."""

    id: str
    receipt: str
    body: str
    sent_ms: int  # since 1970


class Aws:
    """The calls, with the shell's credentials, region and endpoint (`AWS_ENDPOINT_URL`). For any number of threads."""

    def __init__(self, client: Callable[[str], Client]) -> None:
        self._s3 = client("s3")
        self._dynamodb = client("dynamodb")
        self._lambda = client("lambda")
        self._sqs = client("sqs")

    @classmethod
    def connect(cls, region: str | None = None) -> Self:
        """Make the clients, in a region that is not the shell's if it is named. No network yet.

        Raises:
            OperatorError: no region is set anywhere, or there is no such profile.
        """
        config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=2 * THREADS,
            connect_timeout=5,
        )  # with AWS_ENDPOINT_URL, botocore itself puts a bucket into the path: emulators have no DNS for it
        with _explained("make the clients"):
            shell = botocore.session.Session(session_vars={"region": REGION})
            session: Any = boto3.Session(botocore_session=shell, region_name=region)
            return cls(lambda service: session.client(service, config=config))

    # -- what is deployed ---------------------------------------------------------------------------------------------

    def function_configuration(self, function: str) -> Mapping[str, Any]:
        """GetFunctionConfiguration's answer."""
        remedy = "is that its name, and is this its region and account?"
        with _explained(f"read the function {function!r}", not_found=remedy):
            answer: Mapping[str, Any] = self._lambda.get_function_configuration(FunctionName=function)
            return answer

    def failure_destination(self, function: str) -> str | None:
        """The ARN to which Lambda sends the function's failed asynchronous events, or None."""
        with _explained(f"read where {function!r} sends failed events"):
            try:
                answer = self._lambda.get_function_event_invoke_config(FunctionName=function)
            except self._lambda.exceptions.ResourceNotFoundException:
                return None
            destination: str | None = answer.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            return destination

    def queue_url(self, arn: str) -> str:
        """The address of a queue."""
        account, name = arn.split(":")[4:6]
        with _explained(f"find the queue {arn}"):
            url: str = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            return url

    def notifications(self, bucket: str) -> Sequence[Mapping[str, Any]]:
        """The bucket's `LambdaFunctionConfigurations`."""
        with _explained(f"read the notifications of the bucket {bucket!r}"):
            answer = self._s3.get_bucket_notification_configuration(Bucket=bucket)
            found: Sequence[Mapping[str, Any]] = answer.get("LambdaFunctionConfigurations", ())
            return found

    def capacity(self, table: str) -> Capacity:
        """What the table may read and write in a second."""
        with _explained(f"describe the table {table!r}"):
            described = self._dynamodb.describe_table(TableName=table)["Table"]
        units = [
            each.get("ProvisionedThroughput", {}) for each in (described, *described.get("GlobalSecondaryIndexes", ()))
        ]
        read = units[0].get("ReadCapacityUnits", 0)  # an on-demand table has 0, or says nothing
        write = min(each.get("WriteCapacityUnits", 0) for each in units)
        return Capacity(read=read or None, write=write or None)

    # -- bucket, table, function --------------------------------------------------------------------------------------

    def versions(
        self, bucket: str, *, prefix: str = "", after: str = "", page: int = VERSIONS_PER_ANSWER
    ) -> Iterator[Version]:
        """Every version and marker whose key starts with `prefix` and comes after `after`, in key order.

        botocore itself asks for encoded keys and decodes them: XML cannot carry every key.
        """
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix, MaxKeys=page, **({"KeyMarker": after} if after else {})
        )
        with _explained(f"list the versions in {bucket!r}"):
            for answer in pages:
                yield from versions_of(answer)

    def rows_of(self, table: str, object_id: str, *, consistent: bool = False) -> Iterator[Page]:
        """The rows of one object."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="#0 = :id",
            ExpressionAttributeValues={":id": {"S": object_id}},
            ConsistentRead=consistent,
            **PROJECTION,
        )
        with _explained(f"read the table {table!r}"):
            yield from map(_page, pages)

    def all_rows(self, table: str, *, prefix: str) -> Iterator[Page]:
        """The rows of every object whose `object_id` starts with `prefix`; it reads, and pays for, the whole table."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=table,
            FilterExpression="begins_with(#0, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
            **PROJECTION,
        )
        with _explained(f"scan the table {table!r}"):
            yield from map(_page, pages)

    def invoke(self, function: str, event: object) -> None:
        """Hand an event to the function as S3 does: asynchronously, to be tried again if it fails.

        Raises:
            RefusedEventError: Lambda does not accept this one.
            OperatorError: it accepts none.
        """
        payload = json.dumps(event).encode()  # in ASCII: JSON can spell half of a surrogate pair, UTF-8 cannot
        with _explained(f"invoke the function {function!r}"):
            try:
                answer = self._lambda.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
            except ClientError as error:
                if _code(error) not in REFUSALS:
                    raise
                raise RefusedEventError(f"Lambda does not accept the event: {error}") from error
        if answer["StatusCode"] != ACCEPTED:
            raise RefusedEventError(
                f"the function {function!r} answered {answer['StatusCode']}, not {ACCEPTED}: the event was not accepted"
            )

    # -- the failure queue --------------------------------------------------------------------------------------------

    def receive(self, queue_url: str, *, most: int, hidden: int) -> list[RawMessage]:
        """Up to `most` messages (1 to 10), hidden from others for so many seconds.

        An empty answer means that no message is visible.
        """
        with _explained("read the failure queue"):
            answer = self._sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=hidden,
                WaitTimeSeconds=LONG_POLL_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        _check_is_whole(answer, "Messages")
        return [
            RawMessage(
                id=each["MessageId"],
                receipt=each["ReceiptHandle"],
                body=each["Body"],
                sent_ms=int(each.get("Attributes", {}).get("SentTimestamp", 0)),
            )
            for each in answer.get("Messages", ())
        ]

    def waiting_messages(self, queue_url: str) -> tuple[int, int]:
        """About how many messages can be received, and how many somebody has received and not deleted."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        with _explained("read the failure queue"):
            answer = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names))
        visible, hidden = (int(answer.get("Attributes", {}).get(name, 0)) for name in names)
        return visible, hidden

    def delete(self, queue_url: str, receipt: str) -> None:
        """Delete a message."""
        with _explained("delete a message of the failure queue"):
            self._sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=receipt)

    def release(self, queue_url: str, receipts: Sequence[str]) -> None:
        """Let others see messages again, at once; those for which that fails come back when they are hidden no more."""
        for start in range(0, len(receipts), MESSAGES_PER_BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + MESSAGES_PER_BATCH])
            ]
            with _explained("let go of messages of the failure queue"):
                self._sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)


def _page(answer: Mapping[str, Any]) -> Page:
    _check_is_whole(answer, "Items")
    rows = tuple({name: _plain(value) for name, value in item.items()} for item in answer["Items"])
    return Page(rows=rows, units=float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0)))


def _check_is_whole(answer: Mapping[str, Any], name: str) -> None:
    """Botocore takes an answer that breaks off for an empty one; SQS leaves a name out of an empty one itself.

    Raises:
        OperatorError: more was announced than has come.
    """
    length = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", "0")
    if name not in answer and int(length) > len("{}"):
        raise OperatorError(f"an answer of AWS arrived incomplete, without {name}: start again")


@contextmanager
def _explained(doing: str, *, not_found: str = "was the stack destroyed, or is this another region?") -> Iterator[None]:
    """Turn what botocore raises into an OperatorError that says what was being done, and the remedy."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        said = f"cannot {doing}: {str(error).rstrip('.')}. {_remedy(error, not_found)}".rstrip(". ")
        raise OperatorError(said if said.endswith("?") else f"{said}.") from error


def _remedy(error: BotoCoreError | ClientError, not_found: str) -> str:
    remedy = REMEDIES.get(reason_for(error), "")
    match error:
        case NoCredentialsError():
            remedy = "Log in (`aws sso login`, `aws configure`), or set AWS_PROFILE"
        case NoRegionError():
            remedy = "Set AWS_REGION"
        case NoConnectionError():
            remedy = "Is the network up, and AWS_ENDPOINT_URL, if it is set, right?"
        case ClientError() if any(word in _code(error) for word in ("NotFound", "NoSuch", "NonExistent")):
            remedy = not_found[0].upper() + not_found[1:]
    return remedy


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
