"""What runs in Lambda: S3 notifications in, one DynamoDB row per object version out."""
