"""Tests of the IDs, outputs, waiting and deletion of resource handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localstack.deployers.resources import RESOURCE_HANDLERS, base
from localstack.deployers.resources.inputs import Inputs
from localstack.errors import DeploymentError, HarnessError
from tests.support.fakes import client_error
from tests.unit.harness.fake_aws import ARN, REGION, FakeAws, fake_account
from tests.unit.harness.resource_inputs import CODE, create

if TYPE_CHECKING:
    from localstack.deployers.resources.base import Removal

ALARM, DASHBOARD = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/dashboard:Dashboard"
BUCKET, FUNCTION = "aws:s3/bucket:Bucket", "aws:lambda/function:Function"
QUEUE, TABLE = "aws:sqs/queue:Queue", "aws:dynamodb/table:Table"


def removal_of(type_: str, inputs: dict[str, Any] | None = None, fake: FakeAws | None = None) -> Removal:
    """Create a resource, and return its only Removal, which deletes the resource."""
    _result, [removal], _unused = create(type_, inputs, fake)
    return removal


@pytest.mark.parametrize(
    ("type_", "identifier", "expected"),
    [
        (DASHBOARD, "dashboardName", {"dashboardArn": ARN}),
        ("aws:cloudwatch/eventRule:EventRule", "name", {"name": "name", "arn": ARN}),
        ("aws:cloudwatch/eventTarget:EventTarget", "rule-targetId", {"targetId": "targetId"}),
        ("aws:cloudwatch/logGroup:LogGroup", "name", {"name": "name", "arn": ARN}),
        (ALARM, "name", {"arn": ARN}),
        (TABLE, "name", {"name": "name", "arn": ARN, "streamArn": f"{ARN}/s"}),
        ("aws:iam/role:Role", "name", {"arn": ARN, "uniqueId": "AROA"}),
        ("aws:iam/rolePolicy:RolePolicy", "role:name", {}),
        (
            FUNCTION,
            "name",
            {
                "arn": ARN,
                "version": "$LATEST",
                "qualifiedArn": f"{ARN}:$LATEST",
                "invokeArn": f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{ARN}/invocations",
            },
        ),
        ("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", "functionName:qualifier", {}),
        (
            BUCKET,
            "bucket",
            {
                "arn": "arn:aws:s3:::bucket",
                "bucketRegion": REGION,
                "bucketDomainName": "bucket.s3.amazonaws.com",
                "bucketRegionalDomainName": f"bucket.s3.{REGION}.amazonaws.com",
            },
        ),
        ("aws:s3/bucketPolicy:BucketPolicy", "bucket", {}),
        ("aws:sns/topic:Topic", ARN, {"arn": ARN, "owner": "123456789012"}),
        (QUEUE, "http://queue", {"arn": ARN, "url": "http://queue"}),
        ("aws:athena/workgroup:Workgroup", "name", {"name": "name"}),
        ("aws:glue/catalogDatabase:CatalogDatabase", "name", {"name": "name"}),
        (
            "aws:glue/catalogTable:CatalogTable",
            "databaseName:name",
            {"name": "name", "databaseName": "databaseName"},
        ),
        ("aws:ssm/parameter:Parameter", "name", {"name": "name", "arn": ARN}),
    ],
)
def test_resource_handler_returns_same_id_and_outputs_as_pulumi(
    type_: str, identifier: str, expected: dict[str, str]
) -> None:
    result, _removals, _unused = create(type_)
    assert result.id == identifier
    assert result.state | expected == result.state


def test_resource_without_a_name_gets_the_logical_name_and_a_suffix() -> None:
    result, _removals, _unused = create(QUEUE, {})
    assert result.state["name"] == "logical-1234567"


def test_bucket_in_us_east_1_is_created_without_location_constraint() -> None:
    fake = FakeAws({"GetBucketLocation": {"LocationConstraint": None}})
    handler = RESOURCE_HANDLERS[BUCKET]
    handler("uploads", Inputs({"bucket": "uploads"}), fake_account(fake, "us-east-1"))(lambda _removal: None)
    assert fake.parameters("CreateBucket") == {"Bucket": "uploads"}


@pytest.mark.parametrize(
    ("type_", "inputs", "responses", "message"),
    [
        pytest.param(
            TABLE,
            {"name": "objects", "hashKey": "id"},
            {"DescribeTable": {"Table": {"TableStatus": "ACTIVE", "GlobalSecondaryIndexes": [{"IndexStatus": "NEW"}]}}},
            r"table objects is 'NEW' after 60 s and not 'ACTIVE'",
            id="table with inactive index",
        ),
        pytest.param(
            FUNCTION,
            {"name": "f", "code": CODE, "role": "arn:aws:iam::1:role/r"},
            {"GetFunctionConfiguration": {"State": "Failed", "StateReason": "no such image"}},
            "function f is 'Failed: no such image' after 60 s",
            id="failed function",
        ),
        pytest.param(
            "aws:lambda/eventSourceMapping:EventSourceMapping",
            {"functionName": "f", "eventSourceArn": "arn:aws:dynamodb:us-east-1:1:table/t/stream/s"},
            {"GetEventSourceMapping": {"State": "Creating"}},
            "event source mapping logical is 'Creating' after 60 s",
            id="event source mapping",
        ),
    ],
)
def test_error_for_a_resource_that_stays_inactive_contains_its_state(
    monkeypatch: pytest.MonkeyPatch, type_: str, inputs: dict[str, Any], responses: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(base, "POLL_INTERVAL", 40.0)
    with pytest.raises(HarnessError, match=message):
        create(type_, inputs, FakeAws(responses))


def test_function_with_a_code_hash_of_another_archive_is_rejected() -> None:
    """The hash in the program must be the one that Lambda calculates, or each `pulumi up` would replace the code."""
    function = {"name": "f", "role": "arn:aws:iam::1:role/r", "code": CODE}
    packed_sha256 = create(FUNCTION, function)[0].state["sourceCodeHash"]
    _result, _removals, unused = create(FUNCTION, function | {"codeSha256": packed_sha256})
    assert unused == []
    with pytest.raises(DeploymentError, match="codeSha256 of function f is other, but the archive's hash is "):
        create(FUNCTION, function | {"codeSha256": "other"})


def test_rejected_target_of_an_event_rule_is_an_error() -> None:
    """PutTargets reports a rejected target in a successful response."""
    fake = FakeAws({"PutTargets": {"FailedEntryCount": 1, "FailedEntries": [{"ErrorMessage": "no such queue"}]}})
    with pytest.raises(HarnessError, match=r"rejected the target targetId of the rule rule: .*no such queue"):
        create("aws:cloudwatch/eventTarget:EventTarget", fake=fake)


@pytest.mark.parametrize(("pending", "removals"), [("false", ["Unsubscribe"]), ("true", [])])
def test_destroy_deletes_only_confirmed_sns_subscriptions(pending: str, removals: list[str]) -> None:
    fake = FakeAws({"GetSubscriptionAttributes": {"Attributes": {"PendingConfirmation": pending}}})
    _result, found, _unused = create("aws:sns/topicSubscription:TopicSubscription", fake=fake)
    fake.calls.clear()
    for removal in found:
        removal.delete()
    assert fake.operations() == removals


class FakeBucket:
    """Fake bucket with `forceDestroy` and the given object versions, delete markers and unfinished uploads."""

    def __init__(self, *versions: str, markers: tuple[str, ...] = (), uploads: tuple[str, ...] = ()) -> None:
        self.stored = [*(("Versions", key) for key in versions), *(("DeleteMarkers", key) for key in markers)]
        self.uploads = [*uploads]
        self.aws = FakeAws(
            {
                "ListObjectVersions": self.list_versions,
                "DeleteObjects": self.delete_objects,
                "DeleteObject": lambda request: self.delete([request["Key"]]),
                "ListMultipartUploads": lambda _request: {
                    "Uploads": [{"Key": "k", "UploadId": upload} for upload in self.uploads[:1]]
                },
                "AbortMultipartUpload": self.abort_upload,
            }
        )

    def list_versions(self, _request: dict[str, Any]) -> dict[str, Any]:
        page: dict[str, Any] = {}
        for kind, key in self.stored[:1000]:
            page.setdefault(kind, []).append({"Key": key, "VersionId": "1"})
        return page

    def delete_objects(self, request: dict[str, Any]) -> dict[str, Any]:
        keys = [item["Key"] for item in request["Delete"]["Objects"]]
        assert len(keys) <= 1000, "DeleteObjects accepts at most 1,000 keys"
        return self.delete(keys)

    def abort_upload(self, request: dict[str, Any]) -> dict[str, Any]:
        self.uploads.remove(request["UploadId"])
        return {}

    def delete(self, keys: list[str]) -> dict[str, Any]:
        self.stored = [(kind, key) for kind, key in self.stored if key not in keys]
        return {}

    def remove(self) -> None:
        removal_of(BUCKET, {"bucket": "uploads", "forceDestroy": True}, self.aws).delete()


def test_bucket_deletion_removes_all_versions_markers_and_uploads() -> None:
    bucket = FakeBucket(*map(str, range(1500)), markers=("deleted",), uploads=("unfinished", "another"))
    bucket.remove()
    assert (bucket.stored, bucket.uploads) == ([], [])
    assert bucket.aws.operations()[-1] == "DeleteBucket"


def test_bucket_deletion_reports_an_object_that_cannot_be_deleted() -> None:
    bucket = FakeBucket("locked")
    error = {"Key": "locked", "Code": "AccessDenied", "Message": "object lock"}
    bucket.aws.responses["DeleteObjects"] = {"Errors": [error]}
    with pytest.raises(HarnessError, match=r"bucket uploads cannot be emptied: .*locked.*AccessDenied"):
        bucket.remove()


def test_bucket_deletion_deletes_keys_with_control_characters_separately() -> None:
    """LocalStack and AWS reject a DeleteObjects request with a key that XML cannot represent."""
    bucket = FakeBucket("plain", "bell\x07", "tab\t")
    bucket.remove()
    assert bucket.stored == []
    assert bucket.aws.parameters("DeleteObject") == {"Bucket": "uploads", "Key": "bell\x07", "VersionId": "1"}
    assert bucket.aws.parameters("DeleteObjects")["Delete"]["Objects"] == [
        {"Key": "plain", "VersionId": "1"},
        {"Key": "tab\t", "VersionId": "1"},
    ]


def test_describe_alarms_is_retried_after_an_internal_error() -> None:
    """LocalStack responds to DescribeAlarms with InternalError while it evaluates a new alarm."""

    def describe(_request: dict[str, Any]) -> dict[str, Any]:
        if fake.operations().count("DescribeAlarms") == 1:
            raise client_error(400, "InternalError")
        return {"MetricAlarms": [{"AlarmArn": ARN}]}

    fake = FakeAws({"DescribeAlarms": describe})
    result, _removals, _unused = create(ALARM, fake=fake)
    assert result.state["arn"] == ARN
    with pytest.raises(ClientError, match="AccessDenied"):
        create(ALARM, fake=FakeAws({"DescribeAlarms": client_error(400, "AccessDenied")}))


@pytest.mark.parametrize(("listed", "exists"), [(["dashboardName"], True), (["dashboardName-2"], False), ([], False)])
def test_existence_of_a_dashboard_is_checked_with_list_dashboards(
    listed: list[str],
    exists: bool,  # noqa: FBT001  a table
) -> None:
    entries = {"DashboardEntries": [{"DashboardName": name} for name in listed]}
    removal = removal_of(DASHBOARD, fake=FakeAws({"ListDashboards": entries}))
    assert removal.exists is not None
    assert removal.exists() == exists
