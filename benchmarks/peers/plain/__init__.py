"""Alternative implementation of the indexer with boto3 alone."""
