"""Plain boto3."""
