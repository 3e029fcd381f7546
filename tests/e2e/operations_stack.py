"""Deploys a separate stack for tests of the operators' tools, because they read the whole bucket, table and queue."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from operations.aws import Aws
from operations.command import main

if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.rows import Row

GRACE = 0.1
"""Seconds between the two comparisons of an audit. A short time is sufficient, because no objects change meanwhile."""

TIMEOUT = 60.0
"""Seconds to wait for a result. The time is long, because emulators may start a process for each event."""

SETTLE_SECONDS = 3.0
"""Seconds to wait after an update of the indexer. LocalStack sends events to its old version for two more seconds."""

VERSIONED, UNVERSIONED = "tapstack-existing-versioned", "tapstack-existing-unversioned"
"""Names of two existing buckets, which the stack indexes through EventBridge."""

CONFIG = {
    "env": "operations",
    "readCapacity": "1000",
    "writeCapacity": "20",
    "inventory": "true",
    "existingBuckets": json.dumps(
        [
            {"name": VERSIONED, "versioned": True, "prefixes": ["in box/"]},
            {"name": UNVERSIONED, "versioned": False},
        ]
    ),
}
"""Configuration of the stack. The operators' tools read fast, but send only ten events per second, because emulators
start a process for each concurrent event."""


def send_to_eventbridge(s3: Any, bucket: str, *, enabled: bool) -> None:  # noqa: ANN401  boto3 has no static types
    """Replace the notification configuration of a bucket by one that contains only EventBridge, or nothing."""
    configuration: dict[str, Any] = {"EventBridgeConfiguration": {}} if enabled else {}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


@contextmanager
def existing_buckets(s3: Any) -> Iterator[None]:  # noqa: ANN401  boto3's clients have no static type
    """Context manager: create the existing buckets, which send events to EventBridge, and delete them at the end."""
    for bucket in (VERSIONED, UNVERSIONED):
        s3.create_bucket(Bucket=bucket)
        send_to_eventbridge(s3, bucket, enabled=True)
    s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    yield
    for bucket in (VERSIONED, UNVERSIONED):
        listed = s3.list_object_versions(Bucket=bucket)
        for each in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
        s3.delete_bucket(Bucket=bucket)


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """Result of a command: exit code, JSON document, and stderr."""

    code: int
    document: dict[str, Any]
    errors: str

    def findings(self) -> list[tuple[str, str, str]]:
        """Return the findings of an audit as sorted tuples `(difference, key, version ID)`."""
        return sorted((each["difference"], each["key"], each["version_id"]) for each in self.document["findings"])


class OperationsStack:
    """Stack for tests of the operators' tools. The methods run tools, and cause failures that the tools must detect."""

    def __init__(self, index: Index, *, settle_seconds: float) -> None:
        self._aws: Aws | None = None
        self._settle_seconds = settle_seconds
        self.index = index
        self.queue_url = index.outputs["failure_queue_url"]

    def run(self, tool: str, *arguments: str) -> CommandResult:
        """Run one of the operators' tools with the option --function for this stack, and return its result."""
        out, errors = io.StringIO(), io.StringIO()
        command = [tool, "--function", self.index.function, "--json", *arguments]
        with redirect_stdout(out), redirect_stderr(errors):
            code = main(command, connect=self._connect, grace=GRACE)
        return CommandResult(code=code, document=json.loads(out.getvalue()), errors=errors.getvalue())

    def audit_until_consistent(self, *arguments: str) -> CommandResult:
        """Repeat an audit until all rows are correct, and return the result of the last audit."""
        results: list[CommandResult] = []

        def consistent() -> CommandResult | None:
            results.append(self.run("audit", *arguments))
            return results[-1] if results[-1].document["findings"] == [] else None

        return self.index.wait_until(consistent, lambda: f"an audit without findings; the last: {results[-1].document}")

    @contextmanager
    def notifications_disabled(self) -> Iterator[None]:
        """Context manager: disable the event notifications of the bucket."""
        s3, bucket = self.index.clients.s3, self.index.bucket
        before = s3.get_bucket_notification_configuration(Bucket=bucket)
        del before["ResponseMetadata"]
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        try:
            yield
        finally:
            s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)

    @contextmanager
    def versioning_suspended(self) -> Iterator[None]:
        """Context manager: suspend versioning, so that new objects have the version ID `null`."""
        self.index.set_versioning("Suspended")
        try:
            yield
        finally:
            self.index.set_versioning("Enabled")

    @contextmanager
    def function_failing(self) -> Iterator[None]:
        """Context manager: configure the indexer with a table that does not exist, so that every event fails."""
        before = self.index.set_environment({"TAP_TABLE_NAME": "no-such-table"})
        self.settle()
        try:
            yield
        finally:
            self.index.set_environment(before)
            self.settle()

    def settle(self) -> None:
        """Wait until an update of the indexer applies to all events."""
        time.sleep(self._settle_seconds)

    def put_all_indexed(self, names: Sequence[str]) -> list[Row]:
        """Upload objects one after the other, with their key as content, and wait for their rows."""
        return [self.index.put_indexed(key, key.encode()) for key in map(self.index.key, names)]

    def overwrite_row(self, row: Row, **changes: Any) -> None:
        """Overwrite attributes of a row; the value None removes an attribute."""
        serialize = TypeSerializer().serialize
        item = {name: serialize(value) for name, value in (row | changes).items() if value is not None}
        self.index.clients.dynamodb.put_item(TableName=self.index.table, Item=item)

    def wait_for_failures(self, count: int) -> None:
        """Wait until at least this number of messages is visible in the failure queue."""
        name = "ApproximateNumberOfMessages"

        def enough() -> bool:
            response = self.index.clients.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=[name])
            return int(response["Attributes"][name]) >= count

        self.index.wait_until(enough, f"{count} messages in the failure queue")

    def _connect(self, region: str | None) -> Aws:
        """Return the AWS clients, which are created only once because this takes half a second."""
        self._aws = self._aws or Aws.connect(region)
        return self._aws
