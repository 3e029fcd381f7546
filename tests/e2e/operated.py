"""A stack of its own for the operator's tools: they look at all of a bucket, a table and a queue."""

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
from tests.support.waiting import WAITER

if TYPE_CHECKING:
    from tests.support.index import Client, Index, Row

GRACE = 0.1
"""Seconds between the two looks of an audit, in a bucket in which nothing goes on meanwhile."""

MORE_PATIENCE = 60.0
"""Seconds: an emulator may start a process, or a container, for each try of a function that fails."""

LATE = 3.0
"""Seconds: LocalStack's poll for events takes two, and goes on for the function that was just replaced."""

SETTINGS = {"env": "operated", "readCapacity": "1000", "writeCapacity": "20"}
"""Reads without a pause, but only ten events a second: the emulator starts a process for each that comes meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a tool came to: its exit code, its JSON document, and what it wrote to standard error."""

    code: int
    document: dict[str, Any]
    errors: str

    def found(self) -> list[tuple[str, str, str]]:
        """`(difference, key, version id)` of each finding of an audit, sorted."""
        return sorted((each["difference"], each["key"], each["version_id"]) for each in self.document["findings"])


class Operated:
    """The stack, the tools as an operator runs them, and damage."""

    def __init__(self, index: Index, queue_url: str, *, settling: float) -> None:
        self._aws: Aws | None = None
        self._settling = settling  # seconds after a change of the function
        self.index = index
        self.queue_url = queue_url
        self._s3: Client = index.clients.s3
        self._dynamodb: Client = index.clients.dynamodb

    def run(self, tool: str, *arguments: str) -> Said:
        """Run a tool, which finds its way by the function's name."""
        out, errors = io.StringIO(), io.StringIO()
        command = [tool, "--function", self.index.function, "--json", *arguments]
        with redirect_stdout(out), redirect_stderr(errors):
            code = main(command, connect=self._connect, grace=GRACE)
        return Said(code=code, document=json.loads(out.getvalue()), errors=errors.getvalue())

    def until_true(self, *arguments: str) -> Said:
        """Audit until there is no difference any more, and return what that audit said."""
        last: list[Said] = []

        def look() -> Said | None:
            last[:] = [self.run("audit", *arguments)]
            return last[0] if last[0].code == 0 else None

        return self.index.until(look, lambda: f"an audit without findings; the last: {last[0].document}")

    @contextmanager
    def trigger_off(self) -> Iterator[None]:
        """The bucket does not notify the function while the block runs."""
        bucket = self.index.bucket
        before = self._s3.get_bucket_notification_configuration(Bucket=bucket)
        del before["ResponseMetadata"]
        self._s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        try:
            yield
        finally:
            self._s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)

    @contextmanager
    def versioning_suspended(self) -> Iterator[None]:
        """What is put while the block runs has the version id `null`."""
        self._version("Suspended")
        try:
            yield
        finally:
            self._version("Enabled")

    @contextmanager
    def function_broken(self) -> Iterator[None]:
        """The function writes to a table that is not there while the block runs, so every event fails."""
        function = self.index.clients.function
        variables = function.get_function_configuration(FunctionName=self.index.function)["Environment"]["Variables"]
        self._configure(variables | {"TAP_TABLE_NAME": "no-such-table"})
        try:
            yield
        finally:
            self._configure(variables)

    def put_indexed(self, names: Sequence[str]) -> dict[str, Row]:
        """Upload objects, one after the other, and wait for their rows, by key."""
        keys = [self.index.key(name) for name in names]
        return {key: self.index.wait_for_row(key, self.index.put(key, key.encode())) for key in keys}

    def delete(self, key: str) -> str:
        """Delete an object as most people do; the version id of the marker."""
        version_id: str = self._s3.delete_object(Bucket=self.index.bucket, Key=key)["VersionId"]
        return version_id

    def alter(self, row: Row, **changes: Any) -> None:
        """Write something else into a row; None takes an attribute away."""
        altered = {name: value for name, value in (row | changes).items() if value is not None}
        serialize = TypeSerializer().serialize
        item = {name: serialize(value) for name, value in altered.items()}
        self._dynamodb.put_item(TableName=self.index.table, Item=item)

    def wait_for_failures(self, count: int) -> None:
        """Until so many messages are visible in the failure queue."""
        name = "ApproximateNumberOfMessages"

        def enough() -> bool:
            answer = self.index.clients.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=[name])
            return int(answer["Attributes"][name]) >= count

        self.index.until(enough, f"{count} messages in the failure queue")

    def _connect(self, region: str | None) -> Aws:
        """Clients that are made once: half a second of work."""
        self._aws = self._aws or Aws.connect(region)
        return self._aws

    def _configure(self, variables: dict[str, str]) -> None:
        function = self.index.clients.function
        function.update_function_configuration(FunctionName=self.index.function, Environment={"Variables": variables})
        function.get_waiter("function_updated_v2").wait(FunctionName=self.index.function, WaiterConfig=WAITER)
        time.sleep(self._settling)

    def _version(self, status: str) -> None:
        self._s3.put_bucket_versioning(Bucket=self.index.bucket, VersioningConfiguration={"Status": status})
