"""Benchmarks of the operators' command line: `python -m benchmarks.operations audit|digests|backfill [NUMBER]`.

* audit: time and memory of an audit of NUMBER versions, of which one in a thousand has no row. Fakes of the boto3
  clients return the pages, so that the benchmark measures only the audit.
* digests: time and memory to store the digests of NUMBER versions and to find each version.
* backfill: time of a backfill of NUMBER objects on the embedded emulator, until each object has its row.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from bisect import bisect_right
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
# A page of a scan has at most 1 MB, which is about 1,600 rows.
SCANNED_PER_PAGE = 1600
LOST = 1000  # the fake DynamoDB table lacks one row in a thousand
# The emulator starts a new process, which takes one second, for each event that arrives while all its processes are
# busy. Three processes are started before the backfill, and six events per second do not exceed their capacity.
EMULATED_RATE, WARM = 6, 3


class Bucket:
    """Fake of the S3 client for the audit: every key has one version."""

    def __init__(self, versions: int) -> None:
        self._versions = versions

    def get_paginator(self, _: str) -> Bucket:
        """Return this object, which is also the paginator of `list_object_versions`."""
        return self

    def paginate(self, *, Prefix: str, **_: object) -> Iterator[dict[str, Any]]:  # noqa: N803  botocore's names
        """Yield the page of `list_object_versions` whose prefix is a key."""
        yield {"Versions": [_version(int(Prefix.rsplit("-", 1)[1]))]}

    def list_object_versions(self, *, KeyMarker: str = "", MaxKeys: int, **_: object) -> dict[str, Any]:  # noqa: N803  botocore's names
        """Return a page of `list_object_versions`.

        Args:
            KeyMarker: key before the page.
            MaxKeys: number of versions of the page.
        """
        first = bisect_right(range(self._versions), KeyMarker, key=_key)
        numbers = range(first, min(first + MaxKeys, self._versions))
        position = (
            {"NextKeyMarker": _key(numbers[-1]), "NextVersionIdMarker": _version_id(numbers[-1])} if numbers else {}
        )
        truncated = numbers.stop < self._versions
        return {"Versions": [_version(number) for number in numbers], "IsTruncated": truncated, **position}


class Table:
    """Fake of the DynamoDB client for the audit."""

    def __init__(self, versions: int, operation: str = "") -> None:
        self._versions = versions
        self._operation = operation

    def get_paginator(self, operation: str) -> Table:
        """Return the paginator of `query` or `scan`."""
        return Table(self._versions, operation)

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        """Yield the response pages of an operation: `query` returns the row of one key, `scan` all rows."""
        if self._operation == "query":
            number = int(request["ExpressionAttributeValues"][":id"]["S"].rsplit("-", 1)[1])
            yield {"Items": [_row(number)] if number % LOST else [], "ConsumedCapacity": {"CapacityUnits": 0.5}}
            return
        for start in range(0, self._versions, SCANNED_PER_PAGE):
            numbers = range(start, min(start + SCANNED_PER_PAGE, self._versions))
            yield {"Items": [_row(number) for number in numbers if number % LOST]}


def audit(versions: int) -> None:
    """Audit a bucket with this number of versions, and print time and memory."""
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
    print(  # noqa: T201  the result of the benchmark
        f"audit of {report.versions:,} versions and {report.rows:,} rows, {len(report.findings):,} findings: "
        f"{seconds:.1f} s ({cpu:.1f} s of CPU), peak memory {_megabytes():.0f} MB ({before:.0f} MB before the audit)"
    )


def digests(versions: int) -> None:
    """Store the digests of a number of versions, find each version by its digest, and print time and memory."""
    before, begun = _megabytes(), time.process_time()
    listed = Digests()
    for number in range(versions):
        listed.add(f"uploads/{_key(number)}", _version_id(number))
    added = time.process_time() - begun
    found = sum((f"uploads/{_key(number)}", _version_id(number)) in listed for number in range(versions))
    lookups = time.process_time() - begun - added
    print(  # noqa: T201  the result of the benchmark
        f"digests of {found:,} versions: {_megabytes() - before:.0f} MB, "
        f"{added:.1f} s of CPU to store them and {lookups:.1f} s of CPU to find them"
    )


def backfill(objects: int) -> None:
    """Upload objects without notifications, backfill them, and print the time until each object has its row."""
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
            time.sleep(1)  # more frequent scans of the DynamoDB table would slow down the emulator
        indexed = time.monotonic() - begun
        print(  # noqa: T201  the result of the benchmark
            f"backfill of {objects:,} objects: all events sent after {sent:.1f} s, all rows exist after {indexed:.1f} s"
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
        "filename": {"S": _key(number).rpartition("/")[2]},
        "extension": {"S": ""},
        "storage_class": {"S": "STANDARD"},
        "size_bytes": {"N": str(number)},
        "content_type": {"S": "text/csv"},
        "etag": {"S": f"{number:032x}"},
        "uploaded_at": {"S": TIME},
        "upload_day": {"S": TIME[:10]},
    }


def _megabytes() -> float:
    """Return the peak memory of this process in MB (Linux reports kB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


BENCHMARKS = {"audit": (audit, 100_000), "digests": (digests, 1_000_000), "backfill": (backfill, 2_000)}

if __name__ == "__main__":
    benchmark, number = BENCHMARKS[sys.argv[1]]
    benchmark(int(sys.argv[2]) if len(sys.argv) > 2 else number)  # noqa: PLR2004  the program, the name, the number
