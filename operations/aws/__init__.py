"""AWS calls of the operators' tools. No other package or module of `operations` uses boto3.

botocore retries throttling, 5xx responses and lost connections in its `standard` mode, with more attempts than by
default. After the last attempt, the error is raised as an OperatorError that states the remedy. Every call is safe to
repeat.

Permissions: s3:ListBucketVersions, GetBucketNotification and GetBucketVersioning on each bucket; s3:GetObjectVersion on
its objects for HEAD requests; dynamodb:DescribeTable, Query and Scan on the table; lambda:GetFunctionConfiguration,
GetFunctionEventInvokeConfig, GetFunctionConcurrency, GetPolicy and InvokeFunction on the function; ssm:GetParameter on
the parameter with the settings document; events:DescribeRule and ListTargetsByRule on the rules of existing buckets;
sqs:GetQueueUrl, GetQueueAttributes, ReceiveMessage, DeleteMessage and ChangeMessageVisibility on the failure queue.
audit needs lambda:GetFunctionConfiguration and GetFunctionConcurrency on the inspector, and
lambda:GetEventSourceMapping on its event source mapping.
backfill --inspect needs dynamodb:Scan on the table, and lambda:GetFunctionConfiguration, GetFunctionConcurrency and
InvokeFunction on the inspector.
restore-rows needs ssm:GetParameter on the parameter, dynamodb:DescribeTable and Scan on the restored table, and
dynamodb:DescribeTable, BatchGetItem and UpdateItem on the stack's table.
sql and export need ssm:GetParameter on the parameter; dynamodb:DescribeTable, Scan, ExportTableToPointInTime and
DescribeExport on the table and its exports; dynamodb:ListExports; s3:PutObject, PutObjectAcl, AbortMultipartUpload and
GetObject on the files in the export bucket.
audit --from-inventory needs s3:ListBucket and GetObject on the log bucket; dynamodb:DescribeContinuousBackups on the
table; and for an export, the same permissions as export.
sql and report with --athena, and export with the configuration key analytics, need the permissions for Athena that
docs/security.md lists.
adopt needs s3:GetBucketLocation, GetBucketNotification, GetBucketVersioning, GetEncryptionConfiguration,
GetBucketOwnershipControls, GetBucketPolicy and PutBucketNotification on the existing bucket, and kms:DescribeKey on its
key.
"""

from __future__ import annotations

from operations.aws.client import MESSAGES_PER_BATCH, Aws, HeadResponse, Page, Row
from operations.aws.errors import MAX_ATTEMPTS

__all__ = ["MAX_ATTEMPTS", "MESSAGES_PER_BATCH", "Aws", "HeadResponse", "Page", "Row"]
