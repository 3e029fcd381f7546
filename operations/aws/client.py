"""The class with the AWS calls of the operators' tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import boto3
import botocore.session
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_common.responses import accept_all_headers_of_s3
from operations.aws.athena import AthenaCalls
from operations.aws.buckets import BucketCalls
from operations.aws.errors import (
    MAX_ATTEMPTS,
    NOT_FOUND,
    check_endpoint,
    endpoint_errors,
    error_code,
    translated_errors,
)
from operations.aws.exports import ExportCalls
from operations.aws.inspection import ContentCalls
from operations.aws.inventory import InventoryCalls
from operations.aws.listing import ListingCalls, parse_time
from operations.aws.settings import SettingsCalls
from operations.aws.tables import TableCalls
from operations.aws.topic import TopicCalls
from operations.compare import ATTRIBUTES, HEAD_ATTRIBUTES
from operations.errors import OperatorError, RefusedEventError
from operations.failures import QueueMessage
from operations.parallel_listing import MAX_LIST_WORKERS
from operations.pool import THREADS

Client: TypeAlias = Any  # A boto3 client has no static type, because boto3 creates its classes at run time.
Row: TypeAlias = dict[str, Any]
HeadResponse: TypeAlias = Mapping[str, Any]

REGION = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
"""Environment variables with the AWS region, in botocore's format. By default, boto3 does not read AWS_REGION."""

UNREADABLE_STATUS = (404, 405)
"""Statuses of HeadObject for a version that was deleted, and for one with the class REDUCED_REDUNDANCY that S3 lost."""
SERVICES = ("s3", "dynamodb", "lambda", "sqs", "ssm", "sns", "events", "kms", "athena", "glue")
"""Names of the services that the tools call, as boto3 spells them."""
FORBIDDEN = 403
MESSAGES_PER_BATCH = 10  # maximum number of messages in one SQS request
LONG_POLL_SECONDS = 1
"""Wait time of ReceiveMessage: long polling queries all servers of SQS, so an empty response means an empty queue."""
INVOCATION_SECONDS = 330
"""Read timeout of calls of Lambda: the timeout of the inspector is 300 seconds, and an invocation can have to wait."""
ACCEPTED = 202  # HTTP status of a successful asynchronous invocation

REFUSAL_CODES = ("InvalidRequestContentException", "RequestTooLargeException")
"""Lambda's error codes for events that it rejects permanently: see the API reference of Invoke."""

_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a Query or Scan: the rows (numbers as Decimal), and the consumed read capacity units."""

    rows: tuple[Row, ...]
    units: float


class Aws(
    AthenaCalls,
    BucketCalls,
    ContentCalls,
    ExportCalls,
    InventoryCalls,
    ListingCalls,
    SettingsCalls,
    TableCalls,
    TopicCalls,
):
    """The AWS calls of the tools. Several threads can use one instance."""

    def __init__(self, client: Callable[[str], Client]) -> None:
        self._s3 = client("s3")
        self._dynamodb = client("dynamodb")
        self._lambda = client("lambda")
        self._sqs = client("sqs")
        self._ssm = client("ssm")
        self._sns = client("sns")
        self._events = client("events")
        self._kms = client("kms")
        self._athena = client("athena")
        self._glue = client("glue")

    @classmethod
    def connect(cls, region: str | None = None) -> Self:
        """Create the boto3 clients with the credentials and the endpoint of the environment.

        Args:
            region: AWS region; None selects the region of the environment.

        Raises:
            OperatorError: no region is configured, the profile does not exist, or the endpoint URL is invalid.
        """
        config = Config(
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            max_pool_connections=2 * THREADS + MAX_LIST_WORKERS,
            connect_timeout=5,
        )
        accept_all_headers_of_s3()
        with translated_errors("create the AWS clients"), endpoint_errors():
            environment = botocore.session.Session(session_vars={"region": REGION})
            environment.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)
            session: Any = boto3.Session(botocore_session=environment, region_name=region)
            # botocore repeats a request after a read timeout, so a synchronous invocation must not reach it.
            configs = {"lambda": config.merge(Config(read_timeout=INVOCATION_SECONDS, tcp_keepalive=True))}
            clients: dict[str, Any] = {}
            for service in SERVICES:
                clients[service] = session.client(service, config=configs.get(service, config))
                check_endpoint(clients[service].meta.endpoint_url)
            return cls(clients.__getitem__)

    def function_configuration(self, function: str) -> Mapping[str, Any]:
        """Return the response of Lambda's GetFunctionConfiguration."""
        remedy = f"check the function's name, the region and the account: {NOT_FOUND}"
        with translated_errors(f"read the function {function!r}", not_found=remedy):
            response: Mapping[str, Any] = self._lambda.get_function_configuration(FunctionName=function)
            return response

    def failure_destination(self, function: str) -> str | None:
        """Return the ARN of the function's on-failure destination, or None if it has none."""
        with translated_errors(f"read the on-failure destination of {function!r}"):
            try:
                response = self._lambda.get_function_event_invoke_config(FunctionName=function)
            except self._lambda.exceptions.ResourceNotFoundException:
                return None
            destination: str | None = response.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return destination

    def queue_url(self, arn: str) -> str:
        """Return the URL of the SQS queue with this ARN."""
        account, name = arn.split(":")[4:6]
        with translated_errors(f"find the queue {arn}"):
            url: str = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            return url

    def notifications(self, bucket: str) -> Sequence[Mapping[str, Any]]:
        """Return the Lambda configurations of the bucket's event notifications, as S3 returns them."""
        with translated_errors(
            f"read the notifications of the bucket {bucket!r}", permission="s3:GetBucketNotification"
        ):
            response = self._s3.get_bucket_notification_configuration(Bucket=bucket)
            found: Sequence[Mapping[str, Any]] = response.get("LambdaFunctionConfigurations", ())
            return found

    def head(self, bucket: str, key: str, version_id: str) -> HeadResponse | None:
        """Return the response of HeadObject with the checksum.

        The checksum of an object with a KMS key requires the permission kms:Decrypt. Without this permission, S3 can
        reject the request, and the response to a second request has no checksum.

        Args:
            bucket: name of the bucket.
            key: the object key.
            version_id: the version ID of an object.

        Returns:
            The response; None if S3 does not have the version, or lost its data (REDUCED_REDUNDANCY).
        """
        address = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        with translated_errors(f"read {key!r} in {bucket!r}", permission="s3:GetObjectVersion"):
            try:
                response: HeadResponse = self._s3.head_object(**address, ChecksumMode="ENABLED")
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status in UNREADABLE_STATUS:
                    return None
                if status != FORBIDDEN:
                    raise
                try:
                    response = self._s3.head_object(**address)
                except ClientError:
                    raise error from None
        return response

    def query_rows(
        self, table: str, object_id: str, *, consistent: bool = False, heads: bool = False
    ) -> Iterator[Page]:
        """Yield pages with the rows of one object.

        Args:
            table: name of the DynamoDB table.
            object_id: partition key, `BUCKET/KEY`.
            consistent: whether to use strongly consistent reads.
            heads: whether to read also the attributes that can only be compared with a HEAD request.
        """
        return self._pages(
            "query",
            f"read the table {table!r}",
            table,
            (*ATTRIBUTES, *HEAD_ATTRIBUTES) if heads else ATTRIBUTES,
            KeyConditionExpression="#0 = :id",
            ExpressionAttributeValues={":id": {"S": object_id}},
            ConsistentRead=consistent,
        )

    def scan_rows(self, table: str, *, prefix: str) -> Iterator[Page]:
        """Yield pages with the rows whose `object_id` has a prefix. A Scan consumes capacity for the whole table.

        Args:
            table: name of the DynamoDB table.
            prefix: `BUCKET/` and the beginning of a key; empty for all rows.
        """
        condition = {
            "FilterExpression": "begins_with(#0, :prefix)",
            "ExpressionAttributeValues": {":prefix": {"S": prefix}},
        }
        arguments = condition if prefix else {}
        return self._pages("scan", f"scan the table {table!r}", table, ATTRIBUTES, **arguments)

    def _pages(
        self, operation: str, action: str, table: str, attributes: Sequence[str], **arguments: Any
    ) -> Iterator[Page]:
        names = {f"#{number}": name for number, name in enumerate(attributes)}  # The first is always `object_id`.
        pages = self._dynamodb.get_paginator(operation).paginate(
            TableName=table,
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ReturnConsumedCapacity="TOTAL",
            **arguments,
        )
        with translated_errors(action):
            yield from map(_page, pages)

    def invoke(self, function: str, event: object) -> None:
        """Invoke a Lambda function asynchronously, as S3 does.

        Args:
            function: name of the function.
            event: any value that can be written as JSON.

        Raises:
            RefusedEventError: Lambda rejects this event, for example because it is too large.
            OperatorError: the invocation failed for another reason.
        """
        # An object key can contain a lone surrogate, which UTF-8 cannot encode. json.dumps escapes it.
        payload = json.dumps(event).encode()
        with translated_errors(f"invoke the function {function!r}"):
            try:
                response = self._lambda.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
            except ClientError as error:
                if error_code(error) not in REFUSAL_CODES:
                    raise
                raise RefusedEventError(f"Lambda does not accept the event: {error}") from error
        if response["StatusCode"] != ACCEPTED:
            raise RefusedEventError(
                f"Lambda returned status {response['StatusCode']} instead of {ACCEPTED} for the function {function!r}: "
                "the event was not accepted"
            )

    def receive(self, queue_url: str, *, limit: int, visibility_timeout: int) -> list[QueueMessage]:
        """Receive messages of the failure queue, and hide them from other consumers.

        Args:
            queue_url: URL of the queue.
            limit: maximum number of messages, 1 to 10.
            visibility_timeout: seconds for which the messages stay hidden.

        Returns:
            The messages; an empty list if no message is visible.
        """
        with translated_errors("read the failure queue"):
            response = self._sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=limit,
                VisibilityTimeout=visibility_timeout,
                WaitTimeSeconds=LONG_POLL_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        _check_complete(response, "Messages")
        return [QueueMessage.parse(each) for each in response.get("Messages", ())]

    def message_counts(self, queue_url: str) -> tuple[int, int]:
        """Return the approximate numbers of a queue's visible messages and of its messages in flight."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        with translated_errors("read the failure queue", permission="sqs:GetQueueAttributes"):
            response = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names))
        visible, hidden = (int(response.get("Attributes", {}).get(name, 0)) for name in names)
        return visible, hidden

    def delete(self, queue_url: str, receipt: str) -> None:
        """Delete a message of the failure queue.

        Args:
            queue_url: URL of the queue.
            receipt: receipt handle of the message.
        """
        with translated_errors("delete a message of the failure queue"):
            self._sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=receipt)

    def release(self, queue_url: str, receipts: Sequence[str]) -> None:
        """Make messages visible again before their visibility timeout ends.

        Args:
            queue_url: URL of the queue.
            receipts: receipt handles of the messages, in any number.
        """
        for start in range(0, len(receipts), MESSAGES_PER_BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + MESSAGES_PER_BATCH])
            ]
            with translated_errors("make messages of the failure queue visible again"):
                self._sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)


def _page(response: Mapping[str, Any]) -> Page:
    _check_complete(response, "Items")
    rows = tuple({name: _deserialize(value) for name, value in item.items()} for item in response["Items"])
    return Page(rows=rows, units=float(response.get("ConsumedCapacity", {}).get("CapacityUnits", 0)))


def _check_complete(response: Mapping[str, Any], name: str) -> None:
    """Raise an OperatorError if a list is missing because the response was truncated.

    botocore parses truncated JSON as an empty document. SQS omits an empty list, so `Content-Length` decides.
    """
    length = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", "0")
    if name not in response and int(length) > len("{}"):
        raise OperatorError(f"a response of AWS is incomplete, because it has no {name}: start the tool again")
