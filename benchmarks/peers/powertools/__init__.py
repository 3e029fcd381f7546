"""boto3 and Powertools."""
