"""The only module of the tools that calls AWS.

botocore retries (mode `standard`: throttling, 5xx and lost connections, with jittered back-off), more often than by
default. The last error becomes an OperatorError, which names the remedy. Every call is safe to repeat.

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
from operations.compare import ATTRIBUTES
from operations.errors import OperatorError, RefusedEventError
from operations.failures import QueueMessage
from operations.listing import Version, parse_versions
from operations.pool import THREADS
from operations.rate import Capacity

Client: TypeAlias = Any  # boto3 creates its classes at run time
Row: TypeAlias = dict[str, Any]

REGION = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
"""Sources of the region: `region` in ~/.aws, and these variables, of which boto3, unlike the AWS CLI, reads only the
second."""

MAX_ATTEMPTS = 8
"""Attempts of a call: about 35 s of waiting if AWS throttles, 3 s if no connection is made."""

VERSIONS_PER_PAGE = 1000  # the maximum of ListObjectVersions
MESSAGES_PER_BATCH = 10  # the maximum of SQS, for receiving and for deleting
LONG_POLL_SECONDS = 1  # long polling queries all of SQS's servers, so an empty response means an empty queue
ACCEPTED = 202  # Lambda has put the event into its asynchronous queue

REFUSAL_CODES = ("InvalidRequestContentException", "RequestTooLargeException")
"""Error codes of an event that Lambda never accepts: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""

PROJECTION = {
    "ProjectionExpression": ", ".join(f"#{number}" for number, _ in enumerate(ATTRIBUTES)),
    "ExpressionAttributeNames": {f"#{number}": name for number, name in enumerate(ATTRIBUTES)},
    "ReturnConsumedCapacity": "TOTAL",
}

REMEDIES = {
    Reason.DENIED: "Are these credentials of the stack's account, with the permissions that docs/runbook.md lists?",
    Reason.THROTTLED: f"AWS asked to slow down, {MAX_ATTEMPTS} times in a row: try again later, or with a lower --rate",
}

_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of Query or Scan: rows as plain values (numbers as Decimal), and the read units that it cost."""

    rows: tuple[Row, ...]
    units: float


class Aws:
    """The AWS calls, safe for use by several threads."""

    def __init__(self, client: Callable[[str], Client]) -> None:
        self._s3 = client("s3")
        self._dynamodb = client("dynamodb")
        self._lambda = client("lambda")
        self._sqs = client("sqs")

    @classmethod
    def connect(cls, region: str | None = None) -> Self:
        """Create the clients from the environment's credentials, endpoint and, if `region` is None, region.

        Raises:
            OperatorError: no region is set anywhere, or there is no such profile.
        """
        config = Config(
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            max_pool_connections=2 * THREADS,
            connect_timeout=5,
        )  # with AWS_ENDPOINT_URL, botocore itself puts a bucket into the path: emulators have no DNS for it
        with _translated_errors("make the clients"):
            environment = botocore.session.Session(session_vars={"region": REGION})
            session: Any = boto3.Session(botocore_session=environment, region_name=region)
            return cls(lambda service: session.client(service, config=config))

    def function_configuration(self, function: str) -> Mapping[str, Any]:
        """Return the response of GetFunctionConfiguration."""
        remedy = "is that its name, and is this its region and account?"
        with _translated_errors(f"read the function {function!r}", not_found=remedy):
            response: Mapping[str, Any] = self._lambda.get_function_configuration(FunctionName=function)
            return response

    def failure_destination(self, function: str) -> str | None:
        """Return the ARN to which Lambda sends the function's failed asynchronous events, or None."""
        with _translated_errors(f"read where {function!r} sends failed events"):
            try:
                response = self._lambda.get_function_event_invoke_config(FunctionName=function)
            except self._lambda.exceptions.ResourceNotFoundException:
                return None
            destination: str | None = response.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return destination

    def queue_url(self, arn: str) -> str:
        """Return the URL of a queue."""
        account, name = arn.split(":")[4:6]
        with _translated_errors(f"find the queue {arn}"):
            url: str = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            return url

    def notifications(self, bucket: str) -> Sequence[Mapping[str, Any]]:
        """Return the bucket's `LambdaFunctionConfigurations`."""
        with _translated_errors(f"read the notifications of the bucket {bucket!r}"):
            response = self._s3.get_bucket_notification_configuration(Bucket=bucket)
            found: Sequence[Mapping[str, Any]] = response.get("LambdaFunctionConfigurations", ())
            return found

    def capacity(self, table: str) -> Capacity:
        """Return the provisioned capacity of the table."""
        with _translated_errors(f"describe the table {table!r}"):
            described = self._dynamodb.describe_table(TableName=table)["Table"]
        units = [
            each.get("ProvisionedThroughput", {}) for each in (described, *described.get("GlobalSecondaryIndexes", ()))
        ]
        read = units[0].get("ReadCapacityUnits", 0)  # an on-demand table has 0, or no such field
        write = min(each.get("WriteCapacityUnits", 0) for each in units)
        return Capacity(read=read or None, write=write or None)

    def versions(
        self, bucket: str, *, prefix: str = "", after: str = "", page: int = VERSIONS_PER_PAGE
    ) -> Iterator[Version]:
        """Yield every version and marker whose key starts with `prefix` and comes after `after`, in key order.

        botocore requests encoded keys and decodes them, because XML cannot carry every key.
        """
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix, MaxKeys=page, **({"KeyMarker": after} if after else {})
        )
        with _translated_errors(f"list the versions in {bucket!r}"):
            for response in pages:
                yield from parse_versions(response)

    def query_rows(self, table: str, object_id: str, *, consistent: bool = False) -> Iterator[Page]:
        """Yield the rows of one object."""
        return self._pages(
            "query",
            f"read the table {table!r}",
            table,
            KeyConditionExpression="#0 = :id",
            ExpressionAttributeValues={":id": {"S": object_id}},
            ConsistentRead=consistent,
        )

    def scan_rows(self, table: str, *, prefix: str) -> Iterator[Page]:
        """Yield the rows whose `object_id` starts with `prefix`; this reads, and pays for, the whole table."""
        return self._pages(
            "scan",
            f"scan the table {table!r}",
            table,
            FilterExpression="begins_with(#0, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
        )

    def _pages(self, operation: str, action: str, table: str, **arguments: Any) -> Iterator[Page]:
        pages = self._dynamodb.get_paginator(operation).paginate(TableName=table, **arguments, **PROJECTION)
        with _translated_errors(action):
            yield from map(_page, pages)

    def invoke(self, function: str, event: object) -> None:
        """Invoke the function asynchronously, as S3 does.

        Raises:
            RefusedEventError: Lambda does not accept this event.
            OperatorError: Lambda accepts no event.
        """
        payload = json.dumps(event).encode()  # in ASCII: JSON can spell half of a surrogate pair, UTF-8 cannot
        with _translated_errors(f"invoke the function {function!r}"):
            try:
                response = self._lambda.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
            except ClientError as error:
                if _code(error) not in REFUSAL_CODES:
                    raise
                raise RefusedEventError(f"Lambda does not accept the event: {error}") from error
        if response["StatusCode"] != ACCEPTED:
            raise RefusedEventError(
                f"the function {function!r} answered {response['StatusCode']}, not {ACCEPTED}: "
                "the event was not accepted"
            )

    def receive(self, queue_url: str, *, limit: int, visibility_timeout: int) -> list[QueueMessage]:
        """Receive up to `limit` messages (1 to 10) and hide them from other readers for `visibility_timeout` seconds.

        An empty list means that no message is visible.
        """
        with _translated_errors("read the failure queue"):
            response = self._sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=limit,
                VisibilityTimeout=visibility_timeout,
                WaitTimeSeconds=LONG_POLL_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        _check_complete(response, "Messages")
        return [
            QueueMessage(
                id=each["MessageId"],
                receipt=each["ReceiptHandle"],
                body=each["Body"],
                sent_ms=int(each.get("Attributes", {}).get("SentTimestamp", 0)),
            )
            for each in response.get("Messages", ())
        ]

    def message_counts(self, queue_url: str) -> tuple[int, int]:
        """Return the approximate numbers of messages that are visible, and that are in flight."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        with _translated_errors("read the failure queue"):
            response = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names))
        visible, hidden = (int(response.get("Attributes", {}).get(name, 0)) for name in names)
        return visible, hidden

    def delete(self, queue_url: str, receipt: str) -> None:
        """Delete a message."""
        with _translated_errors("delete a message of the failure queue"):
            self._sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=receipt)

    def release(self, queue_url: str, receipts: Sequence[str]) -> None:
        """Make messages visible again; a message for which this fails reappears after its visibility timeout."""
        for start in range(0, len(receipts), MESSAGES_PER_BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + MESSAGES_PER_BATCH])
            ]
            with _translated_errors("let go of messages of the failure queue"):
                self._sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)


def _page(response: Mapping[str, Any]) -> Page:
    _check_complete(response, "Items")
    rows = tuple({name: _deserialize(value) for name, value in item.items()} for item in response["Items"])
    return Page(rows=rows, units=float(response.get("ConsumedCapacity", {}).get("CapacityUnits", 0)))


def _check_complete(response: Mapping[str, Any], name: str) -> None:
    """Detect a response that breaks off: botocore treats it as empty; SQS omits an empty list from a whole response.

    Raises:
        OperatorError: the response is shorter than its announced length.
    """
    length = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", "0")
    if name not in response and int(length) > len("{}"):
        raise OperatorError(f"an answer of AWS arrived incomplete, without {name}: start again")


@contextmanager
def _translated_errors(
    action: str, *, not_found: str = "was the stack destroyed, or is this another region?"
) -> Iterator[None]:
    """Raise an error of botocore as an OperatorError that names the action and the remedy."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        message = f"cannot {action}: {str(error).rstrip('.')}. {_remedy(error, not_found)}".rstrip(". ")
        raise OperatorError(message if message.endswith("?") else f"{message}.") from error


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
