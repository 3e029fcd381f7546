"""The two clients that any function here needs, and nothing else: what a cold start is compared with."""

import boto3

boto3.client("s3")
boto3.client("dynamodb")


def lambda_handler(_event: object, _context: object) -> None:
    """Do nothing."""
