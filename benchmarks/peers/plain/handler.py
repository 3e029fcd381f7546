"""Alternative implementation of the indexer with boto3 alone: HEAD, PutItem and one log line.

It has no metrics, no traces, no error handling, and only the retries of botocore.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import boto3

s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


def lambda_handler(event: dict[str, Any], context: Any) -> None:  # noqa: ANN401 - Lambda's own object
    """Write a row for each object of an S3 event.

    Args:
        event: S3 event notification.
        context: Lambda's context object.
    """
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
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
        print(json.dumps({"message": "indexed", "key": key, "request_id": context.aws_request_id}))  # noqa: T201 - the log line
