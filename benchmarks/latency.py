"""Benchmark of the end-to-end latency of the indexer and of a plain boto3 implementation, on the embedded emulator."""

from __future__ import annotations

import io
import statistics
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import OURS, Comparison, interleave
from benchmarks.subjects import PEERS
from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localstack.emulators.emulator import Emulator

PLAIN = "plain boto3"
UPLOADS_A_TURN = 25
POLL_SECONDS = 0.002
TIMEOUT_SECONDS = 30
MILLI = 1000


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A bucket, and the DynamoDB table that gets a row for each object of the bucket."""

    bucket: str
    table: str


def end_to_end_latency(*, rounds: int) -> Comparison:
    """Compare the 95th percentile of the time from the start of a PUT until the row can be read, in milliseconds."""
    with start("embedded") as emulator:
        outputs = deploy(emulator).outputs
        ours = Deployment(bucket=outputs["bucket_name"], table=outputs["table_name"])
        with _plain(emulator, role=outputs["lambda_role_arn"]) as plain:
            deployments = {OURS: ours, PLAIN: plain}
            turns = interleave(
                {name: _turn(emulator, deployment) for name, deployment in deployments.items()}, rounds=rounds
            )
    return Comparison(
        what="upload to row, p95",
        unit="ms",
        turns=turns,
        base=PLAIN,
        at_most=1.1,
        notes=(f"{rounds * UPLOADS_A_TURN} uploads per implementation, one at a time",),
    )


def _turn(emulator: Emulator, deployment: Deployment) -> Callable[[], float]:
    s3, dynamodb = emulator.client("s3"), emulator.client("dynamodb")

    def latency() -> float:
        began = time.perf_counter()
        # The key is unique, and has spaces and slashes like a real key.
        key = f"reports/2026/summary of {time.time_ns()}.pdf"
        version = s3.put_object(Bucket=deployment.bucket, Key=key, Body=b"content").get("VersionId", "null")
        address = {"object_id": {"S": f"{deployment.bucket}/{key}"}, "version_id": {"S": version}}
        while "Item" not in dynamodb.get_item(TableName=deployment.table, Key=address, ConsistentRead=True):
            if time.perf_counter() - began > TIMEOUT_SECONDS:
                raise TimeoutError(
                    f"{key} in {deployment.bucket} has no row after {TIMEOUT_SECONDS} s:\n{emulator.logs()}"
                )
            time.sleep(POLL_SECONDS)
        return (time.perf_counter() - began) * MILLI

    return lambda: statistics.quantiles([latency() for _ in range(UPLOADS_A_TURN)], n=20)[-1]


@contextmanager
def _plain(emulator: Emulator, *, role: str) -> Iterator[Deployment]:
    """Context manager: deploy the plain boto3 implementation with its own bucket and DynamoDB table."""
    deployment = Deployment(bucket="plain-uploads", table="plain-objects")
    s3, dynamodb, functions = emulator.client("s3"), emulator.client("dynamodb"), emulator.client("lambda")
    s3.create_bucket(Bucket=deployment.bucket)
    s3.put_bucket_versioning(Bucket=deployment.bucket, VersioningConfiguration={"Status": "Enabled"})
    dynamodb.create_table(
        TableName=deployment.table,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("object_id", "version_id")],
        KeySchema=[
            {"AttributeName": "object_id", "KeyType": "HASH"},
            {"AttributeName": "version_id", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.write(PEERS / "plain" / "handler.py", "handler.py")
    arn = functions.create_function(
        FunctionName="plain",
        Runtime="python3.13",
        Role=role,
        Handler="handler.lambda_handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"TAP_TABLE_NAME": deployment.table}},
        Timeout=60,
        MemorySize=512,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="plain")
    functions.add_permission(
        FunctionName="plain",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{deployment.bucket}",
    )
    s3.put_bucket_notification_configuration(
        Bucket=deployment.bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    yield deployment
