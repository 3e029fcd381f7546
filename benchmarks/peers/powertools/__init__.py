"""Implementation with boto3 and Powertools."""
