"""Audit of the model bucket and its table: the unchanged code of `operations.audit`, with fake boto3 clients."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from operations.audit import Audit
from operations.aws import Aws
from operations.listing import KeyFilter
from operations.output import Progress
from operations.rate import Capacity
from operations.target import Target
from tests.support.fakes import BUCKET, TABLE, client_error
from tests.support.strategies import FUNCTION_ARN

if TYPE_CHECKING:
    from datetime import datetime

    from operations.compare import Finding
    from tests.property.model.bucket import Bucket, Version
    from tests.support.clock import FakeClock
    from tests.support.fakes import FakeDynamoDB

Response = dict[str, Any]

TARGET = Target(
    function="tapstack-dev-indexer",
    function_arn=FUNCTION_ARN,
    region="us-east-1",
    bucket=BUCKET,
    table=TABLE,
)


def audit(
    bucket: Bucket,
    table: FakeDynamoDB,
    *,
    clock: FakeClock,
    now: Callable[[], datetime],
    invoke: Callable[[Any], None],
    meanwhile: Callable[[], None],
) -> list[Finding]:
    """Audit the whole model bucket, repair the table, and return the findings.

    `invoke` receives the events that the repair sends. `meanwhile` is called after the bucket is listed and before the
    table is scanned.
    """
    sent: list[Any] = []
    clients = {
        "s3": FakeS3(bucket),
        "dynamodb": _Table(table, before_scan=meanwhile),
        "lambda": FakeLambda(sent),
        "sqs": None,
        "ssm": None,
        "sns": None,
        "events": None,
        "kms": None,
        "athena": None,
        "glue": None,
    }
    tool = Audit(
        Aws(clients.__getitem__),
        TARGET,
        key_filter=KeyFilter(None),
        capacity=Capacity(read=None, write=None),
        workers=1,  # with several threads, a failing history could not be repeated
        heads=True,
        clock=clock,
        sleep=clock.advance,
        now=now,
    )
    progress = Progress(io.StringIO())
    tool.compare(progress)
    tool.repair(progress)
    for event in sorted(sent, key=json.dumps):  # Several threads send the events in random order.
        invoke(event)
    return tool.report.findings


class _Pages:
    """Paginator that returns a single page."""

    def __init__(self, response: Callable[..., Response]) -> None:
        self._response = response

    def paginate(self, **arguments: Any) -> Iterator[Response]:
        yield self._response(**arguments)


class FakeS3:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def get_paginator(self, name: str) -> _Pages:
        assert name == "list_object_versions"
        return _Pages(self.list_object_versions)

    def head_object(self, *, Bucket: str, Key: str, VersionId: str, ChecksumMode: str) -> Response:  # noqa: N803 - boto3's names
        assert (Bucket, ChecksumMode) == (BUCKET, "ENABLED")
        for each in self._bucket.listing():
            if each.address == (Key, VersionId) and not each.marker:
                return each.head()
        raise client_error(404, operation="HeadObject")

    def list_object_versions(self, *, Bucket: str, Prefix: str, MaxKeys: int) -> Response:  # noqa: N803 - boto3's names
        assert (Bucket, MaxKeys > 0) == (BUCKET, True)
        listing = [each for each in self._bucket.listing() if each.key.startswith(Prefix)]
        return {
            "Versions": [
                {**_common(each), "Size": each.size, "ETag": f'"{each.etag}"'} for each in listing if not each.marker
            ],
            "DeleteMarkers": [_common(each) for each in listing if each.marker],
        }


class _Table:
    def __init__(self, table: FakeDynamoDB, *, before_scan: Callable[[], None]) -> None:
        self._table = table
        self._before_scan = before_scan

    def get_paginator(self, name: str) -> _Pages:
        return _Pages({"query": self._queried, "scan": self._scanned}[name])

    def _queried(self, *, ExpressionAttributeValues: Response, **_: Any) -> Response:  # noqa: N803 - boto3's names
        return self._rows(lambda object_id: object_id == ExpressionAttributeValues[":id"]["S"])

    def _scanned(self, *, ExpressionAttributeValues: Response, **_: Any) -> Response:  # noqa: N803 - boto3's names
        self._before_scan()
        return self._rows(lambda object_id: object_id.startswith(ExpressionAttributeValues[":prefix"]["S"]))

    def _rows(self, wanted: Callable[[str], bool]) -> Response:
        return {"Items": [item for (object_id, _), item in self._table.rows.items() if wanted(object_id)]}


class FakeLambda:
    def __init__(self, sent: list[Any]) -> None:
        self._sent = sent

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> Response:  # noqa: N803 - boto3's names
        assert (FunctionName, InvocationType) == (TARGET.function, "Event")
        self._sent.append(json.loads(Payload))
        return {"StatusCode": 202}


def _common(version: Version) -> Response:
    return {"Key": version.key, "VersionId": version.version_id, "LastModified": version.last_modified}
