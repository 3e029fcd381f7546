"""The indexer, a Lambda function: writes one DynamoDB row per object version from S3 event notifications."""
