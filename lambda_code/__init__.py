"""The indexer: a Lambda function that writes one DynamoDB row per S3 object version, from S3 event notifications."""
