"""Tests of the AWS calls for table exports and complete scans, with moto and with stubbed responses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from operations.aws.exports import TableExport, TableSize
from operations.errors import OperatorError
from tests.support.export_folder import ID, TABLE_ARN
from tests.support.operations_fakes import KEYS

if TYPE_CHECKING:
    from operations.aws import Aws

ARN = f"{TABLE_ARN}/export/{ID}"
TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
DESCRIPTION: dict[str, Any] = {
    "ExportArn": ARN,
    "ExportStatus": "COMPLETED",
    "ExportTime": TIME,
    "TableArn": TABLE_ARN,
    "S3Bucket": "exports",
    "S3Prefix": "exports/now",
    "ExportFormat": "DYNAMODB_JSON",
    "ExportType": "FULL_EXPORT",
}
EXPORT = TableExport(
    arn=ARN,
    status="COMPLETED",
    failure="",
    time=TIME,
    bucket="exports",
    prefix="exports/now",
    format="DYNAMODB_JSON",
    kind="FULL_EXPORT",
)


@pytest.fixture
def dynamodb(clients: dict[str, Any]) -> Iterator[Stubber]:
    """Fixture: stub for responses of DynamoDB."""
    with Stubber(clients["dynamodb"]) as stubber:
        yield stubber


def test_scanned_segments_of_a_table_contain_each_row_once(aws: Aws, clients: dict[str, Any]) -> None:
    clients["dynamodb"].create_table(
        TableName="objects",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, _, kind in KEYS],
        KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind, _ in KEYS],
        BillingMode="PAY_PER_REQUEST",
    )
    rows = [{"object_id": {"S": f"uploads/{number}"}, "version_id": {"S": "v1"}} for number in range(9)]
    for row in rows:
        clients["dynamodb"].put_item(TableName="objects", Item=row)
    pages = [page for segment in range(3) for page in aws.scan_segment("objects", segment, 3)]
    found = [item for page in pages for item in page.items]
    assert sorted(item["object_id"]["S"] for item in found) == sorted(row["object_id"]["S"] for row in rows)
    assert sum(page.units for page in pages) > 0
    size = aws.table_size("objects")
    assert size == TableSize(arn=size.arn, size_bytes=size.size_bytes, items=9)
    assert size.arn.endswith(":table/objects")


@pytest.mark.parametrize(
    ("key", "encryption"),
    [
        ("", {"S3SseAlgorithm": "AES256"}),
        # The policy of the export bucket denies files with another encryption.
        ("arn:aws:kms:us-east-1:1:key/k", {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": "arn:aws:kms:us-east-1:1:key/k"}),
    ],
)
def test_table_export_is_started_with_the_owner_and_encryption_of_the_bucket(
    aws: Aws, dynamodb: Stubber, key: str, encryption: dict[str, str]
) -> None:
    expected = {
        "TableArn": TABLE_ARN,
        "S3Bucket": "exports",
        "S3BucketOwner": "123456789012",
        "S3Prefix": "exports/now",
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": "FULL_EXPORT",
        **encryption,
    }
    response = {"ExportDescription": {**DESCRIPTION, "ExportStatus": "IN_PROGRESS"}}
    # No expected parameters are given to the stub, because boto3 adds a random ClientToken to the request.
    dynamodb.add_response("export_table_to_point_in_time", response)
    requests: list[dict[str, Any]] = []
    dynamodb.client.meta.events.register(
        "before-parameter-build.dynamodb.ExportTableToPointInTime", lambda params, **_: requests.append(dict(params))
    )
    assert aws.start_export(TABLE_ARN, bucket="exports", prefix="exports/now", owner="123456789012", key=key) == ARN
    [request] = requests
    assert {name: value for name, value in request.items() if name != "ClientToken"} == expected


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("PointInTimeRecoveryUnavailableException", "needs point-in-time recovery: `pulumi up --refresh` enables it"),
        ("AccessDeniedException", "The permission dynamodb:ExportTableToPointInTime, s3:PutObject or"),
        ("TableNotFoundException", "If the export bucket"),
    ],
)
def test_table_export_that_dynamodb_rejects_is_an_error_with_a_remedy(
    aws: Aws, dynamodb: Stubber, code: str, message: str
) -> None:
    dynamodb.add_client_error("export_table_to_point_in_time", code, http_status_code=400)
    with pytest.raises(OperatorError, match=f"cannot export the table 'objects'(.|\n)*{message}"):
        aws.start_export(TABLE_ARN, bucket="exports", prefix="p", owner="123456789012")


def test_list_of_table_exports_contains_all_pages_but_no_failed_exports(aws: Aws, dynamodb: Stubber) -> None:
    summaries = [{"ExportArn": f"{ARN}{number}", "ExportStatus": "COMPLETED"} for number in range(2)]
    failed = {"ExportArn": f"{ARN}2", "ExportStatus": "FAILED"}
    first = {"TableArn": TABLE_ARN}
    dynamodb.add_response("list_exports", {"ExportSummaries": [summaries[0], failed], "NextToken": "t"}, first)
    dynamodb.add_response("list_exports", {"ExportSummaries": [summaries[1]]}, {**first, "NextToken": "t"})
    for each in summaries:
        dynamodb.add_response("describe_export", {"ExportDescription": DESCRIPTION}, {"ExportArn": each["ExportArn"]})
    assert [each.arn for each in aws.table_exports(TABLE_ARN)] == [f"{ARN}0", f"{ARN}1"]
    dynamodb.assert_no_pending_responses()


def test_description_of_a_failed_table_export_contains_code_and_message(aws: Aws, dynamodb: Stubber) -> None:
    failure = {"ExportStatus": "FAILED", "FailureCode": "S3NoSuchBucket", "FailureMessage": "no bucket"}
    dynamodb.add_response("describe_export", {"ExportDescription": DESCRIPTION})
    dynamodb.add_response("describe_export", {"ExportDescription": DESCRIPTION | failure})
    assert aws.table_export(ARN) == EXPORT
    assert aws.table_export(ARN).failure == "S3NoSuchBucket: no bucket"


@pytest.mark.parametrize(
    ("prefix", "folder"), [("exports/now", f"exports/now/AWSDynamoDB/{ID}/"), ("", f"AWSDynamoDB/{ID}/")]
)
def test_s3_folder_of_a_table_export_consists_of_prefix_and_export_id(prefix: str, folder: str) -> None:
    values = {name: getattr(EXPORT, name) for name in ("arn", "status", "failure", "time", "bucket", "format", "kind")}
    assert TableExport(**values, prefix=prefix).folder == folder


def test_missing_s3_object_is_an_error_with_its_url_and_existing_one_is_downloaded(
    aws: Aws, clients: dict[str, Any], tmp_path: Path
) -> None:
    clients["s3"].create_bucket(Bucket="exports")
    clients["s3"].put_object(Bucket="exports", Key="a/b", Body=b"x" * 3_000_000)
    aws.download_file("exports", "a/b", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == aws.read_file("exports", "a/b") == b"x" * 3_000_000
    with pytest.raises(OperatorError, match=r"cannot download s3://exports/c: (.|\n)*may have deleted it"):
        aws.download_file("exports", "c", tmp_path / "c")
    with pytest.raises(
        OperatorError, match=r"cannot read s3://exports/c: (.|\n)*folder that contains manifest-summary"
    ):
        aws.read_file("exports", "c")
