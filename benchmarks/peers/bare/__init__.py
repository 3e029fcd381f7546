"""Baseline of a cold start: only creates two boto3 clients."""
