"""Baseline of the cold start benchmark: a function that only creates two boto3 clients."""
