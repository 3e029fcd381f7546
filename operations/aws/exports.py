"""AWS calls that export a DynamoDB table to S3, scan a table in segments, and download exported files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from operations.aws.errors import error_code, translated_errors
from operations.aws.tables import ItemPage, item_page
from operations.errors import OperatorError
from operations.local_files import read_limited

COMPLETED, FAILED = "COMPLETED", "FAILED"
NO_RECOVERY = "An export needs point-in-time recovery: `pulumi up --refresh` enables it again. --scan does not need it"
NO_BUCKET = "If the export bucket (configuration key analytics) was deleted, `pulumi up --refresh` creates it again"
DELETED_FILE = "The export lists this file, but a lifecycle rule or a user may have deleted it. Export the table again"
NO_FILE = "Check the path: it must be the folder that contains manifest-summary.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """ARN and approximate size of a DynamoDB table. DynamoDB updates the numbers about every six hours."""

    arn: str
    size_bytes: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableExport:
    """Description of an export of a DynamoDB table to S3.

    Attributes:
        arn: ARN of the export.
        status: `IN_PROGRESS`, `COMPLETED` or `FAILED`.
        failure: code and message of the error if the export failed; otherwise empty.
        time: point in time of the exported rows.
        bucket: name of the bucket with the files.
        prefix: S3 prefix of the export; empty if it has none.
        format: format of the files.
        kind: `FULL_EXPORT` or `INCREMENTAL_EXPORT`.
    """

    arn: str
    status: str
    failure: str
    time: datetime
    bucket: str
    prefix: str
    format: str
    kind: str

    @property
    def folder(self) -> str:
        """Key prefix of the export's manifests and of its folder `data`; it ends with a slash."""
        return "/".join(filter(None, (self.prefix.strip("/"), "AWSDynamoDB", self.arn.rpartition("/")[2], ""))) + "/"


class ExportCalls:
    """Part of `Aws` with the AWS calls for table exports and complete scans."""

    _dynamodb: Any
    _s3: Any

    def table_size(self, table: str) -> TableSize:
        """Return the ARN and the approximate size of a table."""
        with translated_errors(f"describe the table {table!r}", permission="dynamodb:DescribeTable"):
            found = self._dynamodb.describe_table(TableName=table)["Table"]
        return TableSize(arn=found["TableArn"], size_bytes=found["TableSizeBytes"], items=found["ItemCount"])

    def scan_segment(self, table: str, segment: int, segments: int) -> Iterator[ItemPage]:
        """Scan one segment of a table. Yield pages of rows in DynamoDB's typed form, such as `{"S": "text"}`.

        Args:
            table: name of the table.
            segment: number of the segment. The first segment has the number 0.
            segments: total number of segments.
        """
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=table, Segment=segment, TotalSegments=segments, ReturnConsumedCapacity="TOTAL"
        )
        with translated_errors(f"scan the table {table!r}", permission="dynamodb:Scan"):
            yield from map(item_page, pages)

    def recovery_window(self, table: str) -> tuple[datetime, datetime] | None:
        """Return the earliest and the latest restorable time of a table, or None without point-in-time recovery.

        Args:
            table: name of the table.
        """
        permission = "dynamodb:DescribeContinuousBackups"
        with translated_errors(f"describe the backups of the table {table!r}", permission=permission):
            found = self._dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        window = found.get("PointInTimeRecoveryDescription", {})
        if window.get("PointInTimeRecoveryStatus") != "ENABLED":
            return None
        return window["EarliestRestorableDateTime"], window["LatestRestorableDateTime"]

    def start_export(
        self, table_arn: str, *, bucket: str, prefix: str, owner: str, key: str = "", time: datetime | None = None
    ) -> str:
        """Start a full export of a table, and return its ARN.

        Args:
            table_arn: ARN of the table.
            bucket: name of the bucket to which DynamoDB writes the files.
            prefix: prefix of the object keys of this export.
            owner: ID of the account to which the bucket must belong.
            key: ARN of the KMS key that encrypts the files; empty for encryption with keys that S3 manages.
            time: point in time of the exported rows; None for the current time.
        """
        encryption = {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": key} if key else {"S3SseAlgorithm": "AES256"}
        action = f"export the table {table_arn.rpartition('/')[2]!r}"
        permission = "dynamodb:ExportTableToPointInTime, s3:PutObject or s3:AbortMultipartUpload"
        permission += ", or kms:GenerateDataKey or kms:Decrypt" if key else ""
        with translated_errors(action, not_found=NO_BUCKET, permission=permission):
            try:
                response = self._dynamodb.export_table_to_point_in_time(
                    TableArn=table_arn,
                    S3Bucket=bucket,
                    S3BucketOwner=owner,
                    S3Prefix=prefix,
                    ExportFormat="DYNAMODB_JSON",
                    ExportType="FULL_EXPORT",
                    **encryption,
                    **({} if time is None else {"ExportTime": time}),
                )
            except ClientError as error:
                if error_code(error) == "PointInTimeRecoveryUnavailableException":
                    raise OperatorError(f"cannot {action}: {NO_RECOVERY}.") from error
                raise
        return str(response["ExportDescription"]["ExportArn"])

    def table_export(self, arn: str) -> TableExport:
        """Return the current description of an export."""
        with translated_errors(f"describe the export {arn}", permission="dynamodb:DescribeExport"):
            found = self._dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
        return TableExport(
            arn=arn,
            status=found["ExportStatus"],
            failure=": ".join(filter(None, (found.get("FailureCode"), found.get("FailureMessage")))),
            time=found.get("ExportTime", datetime.fromtimestamp(0, UTC)),
            bucket=found.get("S3Bucket", ""),
            prefix=found.get("S3Prefix") or "",
            format=found.get("ExportFormat", "DYNAMODB_JSON"),
            kind=found.get("ExportType", "FULL_EXPORT"),
        )

    def table_exports(self, table_arn: str) -> list[TableExport]:
        """Return the exports of a table, except for failed ones. DynamoDB lists the exports of the last 90 days."""
        arns: list[str] = []
        token: dict[str, str] = {}
        with translated_errors("list the exports of the table", permission="dynamodb:ListExports"):
            while True:
                page = self._dynamodb.list_exports(TableArn=table_arn, **token)
                arns += [each["ExportArn"] for each in page["ExportSummaries"] if each["ExportStatus"] != FAILED]
                if not page.get("NextToken"):
                    break
                token = {"NextToken": page["NextToken"]}
        return [self.table_export(arn) for arn in arns]

    def read_file(self, bucket: str, key: str) -> bytes:
        """Return the content of an object, such as a manifest.

        Args:
            bucket: name of the bucket.
            key: object key.
        """
        with translated_errors(f"read s3://{bucket}/{key}", not_found=NO_FILE, permission="s3:GetObject"):
            return read_limited(self._s3.get_object(Bucket=bucket, Key=key)["Body"], f"s3://{bucket}/{key}")

    def download_file(self, bucket: str, key: str, path: Path, *, not_found: str = DELETED_FILE) -> None:
        """Download an S3 object into a local file.

        Args:
            bucket: name of the bucket.
            key: object key.
            path: path of the local file.
            not_found: remedy in the error message if the object does not exist.
        """
        with translated_errors(f"download s3://{bucket}/{key}", not_found=not_found, permission="s3:GetObject"):
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
            with path.open("wb") as file:
                for chunk in body.iter_chunks(1024 * 1024):
                    file.write(chunk)
