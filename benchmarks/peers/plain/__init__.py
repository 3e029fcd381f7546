"""Implementation with boto3 alone."""
