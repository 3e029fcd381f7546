"""Alternative implementation of the indexer with Powertools' Logger, Metrics and Tracer, used as AWS documents them.

Source: https://docs.aws.amazon.com/powertools/python/latest/
"""

import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
tracer = Tracer()
s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - the decorators use it
    """Write a row for each object of an S3 event.

    Args:
        event: S3 event notification.
        context: Lambda's context object.
    """
    for record in event["Records"]:
        index(record)


@tracer.capture_method
def index(record: dict[str, Any]) -> None:
    """Write the row of the object in one record of an S3 event."""
    bucket = record["s3"]["bucket"]["name"]
    key = unquote_plus(record["s3"]["object"]["key"])
    tracer.put_annotation(key="key", value=key)
    head = s3.head_object(Bucket=bucket, Key=key)
    dynamodb.put_item(
        TableName=os.environ["TAP_TABLE_NAME"],
        Item={
            "object_id": {"S": f"{bucket}/{key}"},
            "version_id": {"S": head.get("VersionId", "null")},
            "bucket": {"S": bucket},
            "key": {"S": key},
            "size_bytes": {"N": str(head["ContentLength"])},
            "content_type": {"S": head["ContentType"]},
            "etag": {"S": head["ETag"]},
            "uploaded_at": {"S": head["LastModified"].isoformat()},
            "processed_at": {"S": datetime.now(UTC).isoformat()},
        },
    )
    metrics.add_metric(name="ObjectsIndexed", unit=MetricUnit.Count, value=1)
    logger.info("indexed", key=key)
