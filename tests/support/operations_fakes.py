"""Fake of `operations.aws.Aws` with an in-memory bucket, table and failure queue, and test data for it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from lambda_code.metadata import format_time
from operations.aws import Aws, HeadResponse, Page, Row
from operations.aws.inspection import InvocationResult
from operations.aws.tables import ItemPage, TableDescription
from operations.compare import ATTRIBUTES, HEAD_ATTRIBUTES
from operations.errors import OperatorError
from operations.failures import QueueMessage
from operations.listing import Version
from operations.rate import Capacity
from operations.restored_row import Address, Item, RowUpdate, address_of
from operations.target import Target
from tests.support.update_expressions import updated

BUCKET = "uploads"
START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:indexer"
INSPECTOR_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:inspector"
QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:failures"
TARGET = Target(
    function="indexer",
    function_arn=ARN,
    region="eu-west-1",
    bucket=BUCKET,
    table="objects",
)
KEYS = (("object_id", "HASH", "S"), ("version_id", "RANGE", "S"))
"""Primary key of the fake tables."""
MAPPING = "a1b2c3d4-5678-90ab-cdef-11111EXAMPLE"
"""ID of the inspector's event source mapping."""
STREAM_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/objects/stream/2026-01-31T00:04:06.388"
EVENT_SOURCE_MAPPING: Mapping[str, Any] = {
    "UUID": MAPPING,
    "State": "Enabled",
    "FunctionArn": INSPECTOR_ARN,
    "EventSourceArn": STREAM_ARN,
    "StartingPosition": "TRIM_HORIZON",
    "BatchSize": 10,
    "ParallelizationFactor": 10,
    "MaximumRetryAttempts": 2,
    "MaximumRecordAgeInSeconds": 21600,
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "DestinationConfig": {"OnFailure": {"Destination": QUEUE_ARN}},
    "FilterCriteria": {
        "Filters": [
            {"Pattern": '{"dynamodb": {"Keys": {"version_id": {"S": ["null"]}}}}'},
            {"Pattern": '{"dynamodb":{"NewImage":{"content_of":{"S":[{"exists":false}]}}}}'},
        ]
    },
}
"""The inspector's event source mapping, as Lambda returns it."""
EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]
SETTINGS: Mapping[str, Any] = {
    "schema": 1,
    "function_arn": ARN,
    "code_sha256": "hash",
    "bucket": BUCKET,
    "table": "objects",
    "events": EVENTS,
    "prefix": "",
    "suffix": "",
    "versioning": "Enabled",
    "retries": 2,
    "event_age_seconds": 21600,
    "failure_destination": QUEUE_ARN,
    "reserved_concurrency": None,
    "inspector": {"function": "inspector", "event_source_mapping": MAPPING},
}
"""Settings document of the fake stack; its settings in `FakeAws` are equal."""
S3_STATEMENT: Mapping[str, Any] = {
    "Sid": "AllowUploadBucket",
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": ARN,
    "Condition": {
        "StringEquals": {"AWS:SourceAccount": "123456789012"},
        "ArnLike": {"AWS:SourceArn": f"arn:aws:s3:::{BUCKET}"},
    },
}
"""Statement of the indexer's resource policy, as Lambda returns it."""
RULE_ARN = "arn:aws:events:eu-west-1:123456789012:rule/"
"""ARN of an EventBridge rule without its name."""


def rule_statement(rule: str, **changes: Any) -> dict[str, Any]:
    """Return the statement of the indexer's resource policy for an EventBridge rule; `changes` replaces parts of it."""
    condition = {"ArnLike": {"AWS:SourceArn": f"{RULE_ARN}{rule}"}}
    return {**S3_STATEMENT, "Principal": {"Service": "events.amazonaws.com"}, "Condition": condition, **changes}


def notification(**changes: Any) -> dict[str, Any]:
    """Return a notification of the fake bucket, as S3 returns it; `changes` replaces parts of it."""
    return {"Id": "index-uploads", "LambdaFunctionArn": ARN, "Events": EVENTS, **changes}


def key_filter(**rules: str) -> dict[str, Any]:
    """Return the filter of a bucket notification with the given `Prefix` and `Suffix`, which are URL-encoded."""
    return {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules.items()]}}


def version(key: str, version_id: str = "v1", *, seconds: int = 0, **attributes: Any) -> Version:
    """Return a listed object version, by default of 5 bytes.

    Args:
        key: object key.
        version_id: version ID.
        seconds: creation time, in seconds after START.
        attributes: further fields of `Version`.
    """
    attributes.setdefault("size", 5)
    attributes.setdefault("etag", "e")
    return Version(key=key, version_id=version_id, last_modified=START + timedelta(seconds=seconds), **attributes)


def marker(key: str, version_id: str = "m1", *, seconds: int = 0) -> Version:
    return version(key, version_id, seconds=seconds, size=0, etag="", marker=True)


def row(listed: Version, **changes: Any) -> Row:
    """Return the row that the indexer writes for an object version, with the attribute `content_of` of the inspector.

    Args:
        listed: object version or delete marker.
        changes: attributes to replace. The value None removes an attribute.
    """
    time = format_time(listed.last_modified)
    attributes: Row = {
        "object_id": f"{BUCKET}/{listed.key}",
        "version_id": listed.version_id,
        "bucket": BUCKET,
        "key": listed.key,
        "filename": listed.key.rpartition("/")[2],
        "extension": "",
        "uploaded_at": time,
    }
    if listed.marker:
        attributes["delete_marker"] = True
    else:
        attributes |= {"size_bytes": listed.size, "etag": listed.etag, "storage_class": listed.storage_class}
        attributes |= {"content_type": "text/plain", "upload_day": time[:10], "content_of": listed.etag}
    return {name: value for name, value in (attributes | changes).items() if value is not None}


def item(listed: Version, **changes: Any) -> Item:
    """Return the row of an object version with provenance and without content, in DynamoDB's typed form.

    Args:
        listed: object version or delete marker.
        changes: attributes to replace. The value None removes an attribute.
    """
    provenance = {"event_name": "ObjectCreated:Put", "request_id": "first", "schema_version": 1, "content_of": None}
    attributes = row(listed, **provenance | {"processed_at": format_time(listed.last_modified)} | changes)
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in attributes.items()}


def head_response(listed: Version, **changes: Any) -> HeadResponse:
    """Return S3's response to a HEAD request for an object version.

    Args:
        listed: object version.
        changes: fields to replace. The value None removes a field.
    """
    fields = {
        "ContentLength": listed.size,
        "ContentType": "text/plain",
        "ETag": f'"{listed.etag}"',
        "LastModified": listed.last_modified,
        "VersionId": listed.version_id,
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def raising(error: BaseException, *, key: str | None = None) -> Callable[[Any], None]:
    """Return a function for `before_invoke` that raises an error.

    Args:
        error: the error.
        key: object key whose events cause the error; None means all events.
    """

    def before_invoke(event: Any) -> None:  # noqa: ANN401  JSON
        if key in (None, event["Records"][0]["s3"]["object"]["key"]):
            raise error

    return before_invoke


def inspected(*failed: int, log: str = "", error: str | None = None) -> InvocationResult:
    """Return the result of an invocation of the inspector.

    Args:
        failed: sequence numbers of the failed records.
        log: the end of the log.
        error: the error with which the function ended; None if it returned a response.
    """
    response = {"batchItemFailures": [{"itemIdentifier": str(each)} for each in failed]}
    return InvocationResult(error=error, response=None if error else response, log=log)


class FakeAws(Aws):
    """Fake `Aws` without botocore. `log` has the names and arguments of invocations and deletions, in order."""

    def __init__(self, versions: Sequence[Version] = (), rows: Sequence[Row] = ()) -> None:
        super().__init__(lambda _: None)
        self.listed = list(versions)
        self.inventory: Mapping[str, Any] | None = None
        self.inventories_elsewhere: dict[str, Mapping[str, Any]] = {}
        self.listed_elsewhere: dict[str, list[Version]] = {}
        self.bridged = True
        self.versioning_elsewhere: dict[str, str | None] = {}
        self.event_rules: dict[str, dict[str, Any]] = {}
        self.event_targets: dict[str, list[dict[str, Any]]] = {}
        self.rows = list(rows)
        self.rules: list[Mapping[str, Any]] = [notification()]
        self.settings: dict[str, Any] | str | None = dict(SETTINGS)
        self.status: str | None = "ACTIVE"
        self.versioning_status: str | None = "Enabled"
        self.function_exists = True
        self.code = "hash"
        self.retries: dict[str, Any] = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 21600}
        self.concurrency: int | None = None
        self.statements = [S3_STATEMENT]
        self.queues = [QUEUE_ARN]
        self.provisioned = Capacity(read=100.0, write=100.0)
        self.variables = {"TAP_BUCKET_NAME": BUCKET, "TAP_TABLE_NAME": "objects"}
        self.destination: str | None = QUEUE_ARN
        self.queue: list[QueueMessage] = []
        self.hidden: dict[str, QueueMessage] = {}
        self.hidden_elsewhere = 0
        self.log: list[tuple[str, Any]] = []
        self.published: list[tuple[str, str, str]] = []
        self.checked_topics: list[str] = []
        self.restored: list[Item] = []
        self.items: dict[Address, Item] = {}
        self.batch_units = 0.5
        self.keys = KEYS
        self.source_status: str | None = "ACTIVE"
        self.before_update: Callable[[Address], None] = lambda _: None
        self.consistent_reads = 0
        self.heads: list[tuple[str, str]] = []
        self.list_workers: list[int] = []
        self.head_responses: dict[tuple[str, str], HeadResponse] = {}
        self.mapping: dict[str, Any] | None = dict(EVENT_SOURCE_MAPPING)
        self.stream: str | None = STREAM_ARN
        self.inspector_variables: dict[str, str] | None = {"TAP_TABLE_NAME": "objects"}
        self.inspector_concurrency: int | None = None
        self.inspect: Callable[[Any], InvocationResult] = lambda _: inspected()
        self.before_invoke: Callable[[Any], None] = lambda _: None
        self.before_delete: Callable[[QueueMessage], None] = lambda _: None
        self.bucket_owner = ""

    def index_bucket(self, bucket: Mapping[str, Any], versions: Sequence[Version]) -> None:
        """Add an existing bucket to the stack, with all settings that belong to it.

        Args:
            bucket: element of `existing_buckets` in the settings document.
            versions: versions in the bucket.
        """
        assert isinstance(self.settings, dict)
        self.settings["existing_buckets"] = [*self.settings.get("existing_buckets", ()), bucket]
        self.listed_elsewhere[bucket["name"]] = list(versions)
        self.versioning_elsewhere[bucket["name"]] = "Enabled" if bucket["versioned"] else "Disabled"
        buckets = [{**each} for each in self.settings["existing_buckets"]]
        for each in buckets:
            del each["rule"]
        self.variables = {**self.variables, "EXISTING_BUCKETS": json.dumps(buckets)}
        rule, keys = RULE_ARN + bucket["rule"], [{"prefix": each} for each in bucket["prefixes"]]
        detail = {"bucket": {"name": [bucket["name"]]}, **({"object": {"key": keys}} if keys else {})}
        pattern = {"detail": detail, "detail-type": ["Object Created", "Object Deleted"], "source": ["aws.s3"]}
        self.event_rules[bucket["rule"]] = {"Arn": rule, "State": "ENABLED", "EventPattern": json.dumps(pattern)}
        self.event_targets[bucket["rule"]] = [
            {"Id": "indexer", "Arn": ARN, "DeadLetterConfig": {"Arn": QUEUE_ARN}},
            {"Id": "another", "Arn": QUEUE_ARN},
        ]
        self.statements = [*self.statements, rule_statement(bucket["rule"])]

    @property
    def sent(self) -> list[Any]:
        """Events that were sent to the indexer, in order."""
        return [argument for call, argument in self.log if call == "invoke"]

    def scan_uninspected(
        self, table: str, *, prefix: str, since: str = "", after: Address | None = None
    ) -> Iterator[ItemPage]:
        assert table == "objects"
        rows = [each for each in self.rows if each["object_id"].startswith(prefix) and "delete_marker" not in each]
        rows = [each for each in rows if each.get("content_of") != each["etag"] and each["uploaded_at"] >= since]
        addresses = [(each["object_id"], each["version_id"]) for each in rows]
        rows = rows[0 if after is None else addresses.index(after) + 1 :]
        serialize = TypeSerializer().serialize
        for start in range(0, len(rows), 3):
            items = ({name: serialize(value) for name, value in each.items()} for each in rows[start : start + 3])
            yield ItemPage(items=tuple(items), units=10.0)

    def invoke_synchronously(self, function: str, event: object) -> InvocationResult:
        assert function == "inspector"
        self.log.append(("invoke_synchronously", event))
        return self.inspect(event)

    def function_configuration(self, function: str) -> Mapping[str, Any]:
        if function not in ("indexer", ARN) or not self.function_exists:
            raise OperatorError(f"no function {function}")
        environment = {"Variables": self.variables}
        arn = f"{ARN}:live"
        return {"FunctionName": "indexer", "FunctionArn": arn, "CodeSha256": self.code, "Environment": environment}

    def find_function(self, function: str) -> Mapping[str, Any] | None:
        if function == "inspector":
            variables = self.inspector_variables
            return None if variables is None else {"Environment": {"Variables": variables}}
        return self.function_configuration(function) if self.function_exists else None

    def parameter(self, name: str) -> str | None:
        if name != "indexer-settings" or self.settings is None:
            return None
        return self.settings if isinstance(self.settings, str) else json.dumps(self.settings)

    def event_invoke_config(self, function: str) -> Mapping[str, Any]:
        assert function == "indexer"
        destination = {"OnFailure": {"Destination": self.destination}} if self.destination else {}
        return {**self.retries, "DestinationConfig": destination}

    def reserved_concurrency(self, function: str) -> int | None:
        if function == "inspector":
            return self.inspector_concurrency
        assert function == "indexer"
        return self.concurrency

    def invoke_statements(self, function: str) -> list[Mapping[str, Any]]:
        assert function == "indexer"
        return self.statements

    def require_bucket_owner(self, account: str) -> None:
        self.bucket_owner = account

    def versioning(self, bucket: str) -> str | None:
        return self.versioning_status if bucket == BUCKET else self.versioning_elsewhere[bucket]

    def inventory_configuration(self, bucket: str, owner: str, identifier: str) -> Mapping[str, Any] | None:
        assert (owner, identifier) == ("123456789012", "indexer")
        return self.inventory if bucket == BUCKET else self.inventories_elsewhere.get(bucket)

    def rule(self, name: str) -> Mapping[str, Any] | None:
        return self.event_rules.get(name)

    def rule_targets(self, rule: str) -> list[Mapping[str, Any]]:
        return list(self.event_targets[rule])

    def table_status(self, table: str) -> str | None:
        assert table == "objects"
        return self.status

    def table_description(self, table: str) -> TableDescription | None:
        assert table in ("objects", "restored")
        status = self.status if table == "objects" else self.source_status
        return None if status is None else TableDescription(status=status, keys=self.keys)

    def scan_items(self, table: str, *, after: Address | None = None) -> Iterator[ItemPage]:
        assert table == "restored"
        addresses = [address_of(item) for item in self.restored]
        start = 0 if after is None else addresses.index(after) + 1
        for number in range(start, len(self.restored), 2):
            yield ItemPage(items=tuple(self.restored[number : number + 2]), units=10.0)

    def get_items(
        self,
        table: str,
        addresses: Sequence[Address],
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> ItemPage:
        assert (table, callable(sleep), callable(jitter)) == ("objects", True, True)
        rows = tuple(self.items[each] for each in addresses if each in self.items)
        return ItemPage(items=rows, units=self.batch_units)

    def update_row(self, table: str, update: RowUpdate) -> float | None:
        self.before_update(update.address)
        request = update.request(table)
        current = self.items.get(update.address, {})
        if not update.applies_to(current):
            return None
        self.items[update.address] = updated({**request["Key"], **current}, request)
        self.log.append(("update", update.address))
        return 3.0

    def event_source_mapping(self, mapping: str) -> Mapping[str, Any] | None:
        assert mapping == MAPPING
        return self.mapping

    def table_stream(self, table: str) -> str | None:
        assert table == "objects"
        return None if self.status is None else self.stream

    def queue_exists(self, arn: str) -> bool:
        return arn in self.queues

    def failure_destination(self, function: str) -> str | None:
        assert function == "indexer"
        return self.destination if self.function_exists else None

    def queue_url(self, arn: str) -> str:
        assert arn in self.queues
        return "https://queue"

    def notifications(self, bucket: str) -> Sequence[Mapping[str, Any]]:
        assert bucket == BUCKET
        return self.rules

    def capacity(self, table: str) -> Capacity:
        assert table in ("objects", "restored")
        assert self.status in ("ACTIVE", "UPDATING"), "the audit does not read a table that does not exist"
        return self.provisioned

    def sends_to_eventbridge(self, bucket: str) -> bool:
        assert bucket in self.listed_elsewhere
        return self.bridged

    def versions(self, bucket: str, *, prefix: str = "", after: str = "", page: int = 1000) -> Iterator[Version]:
        assert page > 0
        listed_versions = self.listed if bucket == BUCKET else self.listed_elsewhere[bucket]
        for each in sorted(listed_versions, key=lambda listed: listed.key):
            if each.key.startswith(prefix) and each.key > after:
                yield each

    def versions_in_any_order(
        self, bucket: str, *, prefix: str = "", after: str = "", workers: int = 8, page: int = 1000
    ) -> Iterator[Version]:
        self.list_workers.append(workers)
        return self.versions(bucket, prefix=prefix, after=after, page=page)

    def head(self, bucket: str, key: str, version_id: str) -> HeadResponse | None:
        assert bucket in (BUCKET, *self.listed_elsewhere)
        self.heads.append((key, version_id))
        return self.head_responses.get((key, version_id))

    def query_rows(
        self, table: str, object_id: str, *, consistent: bool = False, heads: bool = False
    ) -> Iterator[Page]:
        assert table == "objects"
        self.consistent_reads += consistent
        names = (*ATTRIBUTES, *(HEAD_ATTRIBUTES if heads else ()))
        rows = [{name: each[name] for name in names if name in each} for each in self.rows]
        yield Page(rows=tuple(each for each in rows if each["object_id"] == object_id), units=0.5)

    def scan_rows(self, table: str, *, prefix: str) -> Iterator[Page]:
        assert table == "objects"
        rows = [each for each in self.rows if each["object_id"].startswith(prefix)]
        for start in range(0, len(rows), 2):
            yield Page(rows=tuple(rows[start : start + 2]), units=10.0)

    def invoke(self, function: str, event: object) -> None:
        assert function == "indexer"
        self.before_invoke(event)
        self.log.append(("invoke", event))

    def check_topic(self, topic_arn: str) -> None:
        self.checked_topics.append(topic_arn)

    def publish(self, topic_arn: str, subject: str, message: str) -> None:
        self.published.append((topic_arn, subject, message))

    def put(
        self, body: object, message_id: str = "", *, sent_ms: int = 0, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Add a message to the failure queue.

        Args:
            body: message body; a string, or a value that is converted to JSON.
            message_id: SQS message ID; generated if empty.
            sent_ms: time of sending, in milliseconds since 1970.
            attributes: message attributes.
        """
        text = body if isinstance(body, str) else json.dumps(body)
        number = f"id-{len(self.queue) + len(self.hidden)}"
        self.queue.append(
            QueueMessage(
                id=message_id or number,
                receipt=f"receipt of {text}",
                body=text,
                sent_ms=sent_ms,
                attributes=attributes or {},
            )
        )

    def receive(self, queue_url: str, *, limit: int, visibility_timeout: int) -> list[QueueMessage]:
        assert queue_url == "https://queue"
        assert 1 <= limit <= 10
        assert visibility_timeout > 600
        batch, self.queue = self.queue[:limit], self.queue[limit:]
        self.hidden |= {each.receipt: each for each in batch}
        return batch

    def message_counts(self, queue_url: str) -> tuple[int, int]:
        assert queue_url == "https://queue"
        return len(self.queue), len(self.hidden) + self.hidden_elsewhere

    def delete(self, queue_url: str, receipt: str) -> None:
        assert queue_url == "https://queue"
        self.before_delete(self.hidden[receipt])
        self.log.append(("delete", self.hidden.pop(receipt).id))

    def release(self, queue_url: str, receipts: Sequence[str]) -> None:
        assert queue_url == "https://queue"
        self.queue += [self.hidden.pop(receipt) for receipt in receipts]


def failure(key: str = "a.txt", *, arn: str = ARN, **changes: Any) -> dict[str, Any]:
    """Return the message that Lambda sends to the failure queue after the last retry of an event.

    Args:
        key: object key in the event.
        arn: ARN of the Lambda function, without version.
        changes: fields of the message to replace. The value None removes a field.
    """
    error = f"1 of 1 records failed: record 0 (key {key!r}): denied: HeadObject: ClientError: 403"
    message = {
        "version": "1.0",
        "requestContext": {"requestId": "1", "functionArn": f"{arn}:$LATEST", "condition": "RetriesExhausted"},
        "requestPayload": {"Records": [{"s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}]},
        "responsePayload": {"errorMessage": error, "errorType": "IndexingError"},
    } | changes
    return {name: value for name, value in message.items() if value is not None}


def stream_failure(
    *, condition: str = "RetryAttemptsExhausted", error: str | None = None, arn: str = INSPECTOR_ARN, size: int = 1
) -> dict[str, Any]:
    """Return the message that Lambda sends to the failure queue about records of the table's stream.

    Args:
        condition: the reason for which Lambda discarded the records.
        error: the function error of the last invocation; None if the function returned the list of failed records.
        arn: ARN of the Lambda function.
        size: number of records.
    """
    return {
        "requestContext": {
            "requestId": "316aa6d0-8154-4a2b-9af7-85d5f4a6bc81",
            "functionArn": arn,
            "condition": condition,
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"}
        | ({} if error is None else {"functionError": error}),
        "version": "1.0",
        "timestamp": "2026-01-31T12:00:00.717Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": "800000000003126276362",
            "endSequenceNumber": "800000000003126276362",
            "approximateArrivalOfFirstRecord": "2026-01-31T12:00:00Z",
            "approximateArrivalOfLastRecord": "2026-01-31T12:00:00Z",
            "batchSize": size,
            "streamArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/objects/stream/2026-01-31T00:04:06.388",
        },
    }


def bridged(key: str = "a.txt", *, bucket: str = "reports") -> dict[str, Any]:
    """Return the event that EventBridge sends when an object is created.

    Args:
        key: object key, which EventBridge does not encode.
        bucket: name of the bucket.
    """
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-01-31T12:00:00Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 5, "etag": "e", "version-id": "v1", "sequencer": "00617F08299329D189"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "192.0.2.1",
            "reason": "PutObject",
        },
    }


def dead_letter(**changes: str | None) -> dict[str, str]:
    """Return the message attributes of an event that EventBridge could not deliver.

    Args:
        changes: attributes to replace. The value None removes an attribute.
    """
    attributes: dict[str, str | None] = {
        "RULE_ARN": "arn:aws:events:eu-west-1:123456789012:rule/tapstack-prod-reports",
        "TARGET_ARN": ARN,
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "EventBridge may not invoke the function",
        "RETRY_ATTEMPTS": "0",
    }
    return {name: value for name, value in (attributes | changes).items() if value is not None}
