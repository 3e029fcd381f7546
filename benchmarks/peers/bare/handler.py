"""Baseline of the cold start benchmark: only creates the S3 and DynamoDB clients that every implementation needs."""

import boto3

boto3.client("s3")
boto3.client("dynamodb")


def lambda_handler(_event: object, _context: object) -> None:
    """Do nothing.

    Args:
        _event: ignored.
        _context: ignored.
    """
