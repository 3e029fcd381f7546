"""What the operator's tools cost: `python -m benchmarks.operations audit|digests|backfill [NUMBER]`.

* audit: a bucket of so many versions and a table of as many rows, of which one in a thousand is missing. They exist
  only as botocore's answers, a page at a time, so that what is measured is this program: its seconds, its memory.
* digests: what remembering so many versions takes.
* backfill: so many objects in a bucket on the embedded emulator, until the table has a row of each.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lambda_code.metadata import format_time
from operations.audit import Audit
from operations.aws import Aws
from operations.command import main
from operations.digests import Digests
from operations.listing import KeyFilter
from operations.output import Progress
from operations.rate import Capacity
from operations.target import Target

TARGET = Target(
    function="indexer",
    function_arn="arn:aws:lambda:us-east-1:000000000000:function:indexer",
    region="us-east-1",
    bucket="uploads",
    table="objects",
)
LAST_MODIFIED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
TIME = format_time(LAST_MODIFIED)
LISTED_PER_PAGE, SCANNED_PER_PAGE = 1000, 1600  # the latter is 1 MB of ordinary rows
LOST = 1000  # one row in so many
# The emulator starts a process, a second's work, for each event that comes while all others are busy: more events a
# second than some that are there already can take make it start more and more.
EMULATED_RATE, WARM = 6, 3


class Bucket:
    """Botocore's S3 client, as far as the audit uses it: every key has one version."""

    def __init__(self, versions: int) -> None:
        self._versions = versions

    def get_paginator(self, _: str) -> Bucket:
        """Of list_object_versions."""
        return self

    def paginate(self, *, Prefix: str = "", **_: object) -> Iterator[dict[str, Any]]:  # noqa: N803  botocore's names
        """Pages of all versions, or of the one whose key is the prefix."""
        numbers = [int(Prefix.rsplit("-", 1)[1])] if Prefix else range(self._versions)
        for start in range(0, len(numbers), LISTED_PER_PAGE):
            yield {"Versions": [_version(number) for number in numbers[start : start + LISTED_PER_PAGE]]}


class Table:
    """Botocore's DynamoDB client, as far as the audit uses it."""

    def __init__(self, versions: int, operation: str = "") -> None:
        self._versions = versions
        self._operation = operation

    def get_paginator(self, operation: str) -> Table:
        """Of query or scan."""
        return Table(self._versions, operation)

    def paginate(self, **question: Any) -> Iterator[dict[str, Any]]:
        """The page of one key, or pages of all rows."""
        if self._operation == "query":
            number = int(question["ExpressionAttributeValues"][":id"]["S"].rsplit("-", 1)[1])
            yield {"Items": [_row(number)] if number % LOST else [], "ConsumedCapacity": {"CapacityUnits": 0.5}}
            return
        for start in range(0, self._versions, SCANNED_PER_PAGE):
            numbers = range(start, min(start + SCANNED_PER_PAGE, self._versions))
            yield {"Items": [_row(number) for number in numbers if number % LOST]}


def audit(versions: int) -> None:
    """Audit so many versions."""
    before = _megabytes()
    clients = {"s3": Bucket(versions), "dynamodb": Table(versions)}
    run = Audit(
        Aws(clients.get),
        TARGET,
        key_filter=KeyFilter(None),
        capacity=Capacity(read=None, write=None),
        sleep=lambda _: None,
    )
    begun, cpu = time.monotonic(), time.process_time()
    run.compare(Progress(sys.stderr))
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    report = run.report
    print(  # noqa: T201  a benchmark speaks
        f"audit of {report.versions:,} versions and {report.rows:,} rows, {len(report.findings):,} findings: "
        f"{seconds:.1f} s ({cpu:.1f} s of CPU), peak memory {_megabytes():.0f} MB, {before:.0f} MB before it began"
    )


def digests(versions: int) -> None:
    """Remember so many versions, and look each up."""
    before, begun = _megabytes(), time.process_time()
    listed = Digests()
    for number in range(versions):
        listed.add(f"uploads/{_key(number)}", _version_id(number))
    added = time.process_time() - begun
    found = sum((f"uploads/{_key(number)}", _version_id(number)) in listed for number in range(versions))
    looked = time.process_time() - begun - added
    print(  # noqa: T201  a benchmark speaks
        f"digests of {found:,} versions: {_megabytes() - before:.0f} MB, "
        f"{added:.1f} s to add and {looked:.1f} s to look up (CPU)"
    )


def backfill(objects: int) -> None:
    """Upload objects while the trigger is off, backfill them, and wait until each has its row."""
    from localstack.deployers.deploy import deploy  # noqa: PLC0415  Pulumi takes a second, and 200 MB
    from localstack.emulators.emulator import start  # noqa: PLC0415  as above

    with start("embedded") as emulator:
        outputs = deploy(emulator).outputs
        s3, dynamodb = emulator.client("s3"), emulator.client("dynamodb")
        for number in range(WARM):
            s3.put_object(Bucket=outputs["bucket_name"], Key=f"warm/{number}", Body=b"content")
        rows = 0
        while rows < WARM:
            rows = _count(dynamodb, outputs["table_name"])
            time.sleep(1)
        s3.put_bucket_notification_configuration(Bucket=outputs["bucket_name"], NotificationConfiguration={})
        for number in range(objects):
            s3.put_object(Bucket=outputs["bucket_name"], Key=_key(number), Body=b"content")
        os.environ.update(emulator.environment())
        begun = time.monotonic()
        main(["backfill", "--function", outputs["lambda_function_name"], "--invoke", f"--rate={EMULATED_RATE}"])
        sent = time.monotonic() - begun
        while rows < WARM + objects:
            rows = _count(dynamodb, outputs["table_name"])
            time.sleep(1)  # a scan keeps the emulator from its work
        indexed = time.monotonic() - begun
        print(  # noqa: T201  a benchmark speaks
            f"backfill of {objects:,} objects: sent after {sent:.1f} s, every row there after {indexed:.1f} s"
        )
        main(["audit", "--function", outputs["lambda_function_name"]])


def _count(dynamodb: Any, table: str) -> int:  # noqa: ANN401  boto3 makes its classes while it runs
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(page["Count"] for page in pages)


def _key(number: int) -> str:
    return f"reports/2026/01/31/measurement-{number:08}"


def _version_id(number: int) -> str:
    return f"3sL4kqtJlcpXroDTDmJ+rmSp{number:08}"


def _version(number: int) -> dict[str, Any]:
    return {
        "Key": _key(number),
        "VersionId": _version_id(number),
        "LastModified": LAST_MODIFIED,
        "Size": number,
        "ETag": f'"{number:032x}"',
    }


def _row(number: int) -> dict[str, dict[str, str]]:
    return {
        "object_id": {"S": f"uploads/{_key(number)}"},
        "version_id": {"S": _version_id(number)},
        "bucket": {"S": "uploads"},
        "key": {"S": _key(number)},
        "size_bytes": {"N": str(number)},
        "content_type": {"S": "text/csv"},
        "etag": {"S": f"{number:032x}"},
        "uploaded_at": {"S": TIME},
        "upload_day": {"S": TIME[:10]},
    }


def _megabytes() -> float:
    """The most memory that this process has had so far (Linux counts in kB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


BENCHMARKS = {"audit": (audit, 100_000), "digests": (digests, 1_000_000), "backfill": (backfill, 2_000)}

if __name__ == "__main__":
    benchmark, number = BENCHMARKS[sys.argv[1]]
    benchmark(int(sys.argv[2]) if len(sys.argv) > 2 else number)  # noqa: PLR2004  the program, the name, the number
