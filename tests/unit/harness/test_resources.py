"""The table of the in-process engine: each resource becomes the right calls to AWS, and no input is lost on the way."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from localstack.deployers.resources import RESOURCE_HANDLERS
from localstack.deployers.resources.inputs import InputError, Inputs
from localstack.errors import HarnessError
from tests.unit.harness.recording_fakes import ARN, REGION, RecordingAws, aws, refusal
from tests.unit.harness.samples import SAMPLES

if TYPE_CHECKING:
    from localstack.deployers.resources.base import Removal, ResourceResult

Path = tuple[str | int, ...]

CASES = [
    pytest.param(type_, sample, id=f"{type_.rsplit(':')[-1]}-{number}")
    for type_, samples in SAMPLES.items()
    for number, sample in enumerate(samples)
]
every_sample = pytest.mark.parametrize(("type_", "inputs"), CASES)

# Objects whose keys are data of the user: a new key there is no stranger.
FREE_KEYS = ("tags", "dimensions", "variables")


def create(
    type_: str, inputs: dict[str, Any], recording: RecordingAws
) -> tuple[ResourceResult, list[Removal], list[str]]:
    """Create a resource as the engine does; return it, how it is undone, and the inputs that nobody used."""
    removals: list[Removal] = []
    wrapped = Inputs(copy.deepcopy(inputs) if "code" not in inputs else inputs)
    made = RESOURCE_HANDLERS[type_]("logical", wrapped, aws(recording))
    return made(removals.append), removals, wrapped.unused()


def calls(type_: str, inputs: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every call of a whole life: creation, question, deletion."""
    recording = RecordingAws()
    _created, removals, _unused = create(type_, inputs, recording)
    for removal in removals:
        if removal.unlock:
            removal.unlock()
        if removal.exists:
            removal.exists()
        removal.delete()
    return recording.calls


def leaves(value: Any, at: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - any JSON value
    """The path of every plain value, and of every object that is empty (its presence is its meaning)."""
    if isinstance(value, (dict, list)) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*at, key))
    else:
        yield at


def objects(value: Any, at: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - any JSON value
    """The path of every object whose keys have a meaning to Pulumi."""
    if isinstance(value, dict):
        yield at
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if key not in FREE_KEYS:
                yield from objects(item, (*at, key))


def without(value: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    first, *rest = path
    if isinstance(value, dict):
        if not rest:
            return {key: item for key, item in value.items() if key != first}
        return {key: without(item, tuple(rest)) if key == first else item for key, item in value.items()}
    if not rest:
        return [item for index, item in enumerate(value) if index != first]
    return [without(item, tuple(rest)) if index == first else item for index, item in enumerate(value)]


def with_stranger(value: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    if not path:
        return {**value, "stranger": 1}
    first, *rest = path
    if isinstance(value, dict):
        return {key: with_stranger(item, tuple(rest)) if key == first else item for key, item in value.items()}
    return [with_stranger(item, tuple(rest)) if index == first else item for index, item in enumerate(value)]


def dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def test_every_type_has_a_sample() -> None:
    assert set(SAMPLES) == set(RESOURCE_HANDLERS)


@every_sample
def test_every_input_of_a_sample_is_used_and_the_calls_are_such_as_aws_accepts(
    type_: str, inputs: dict[str, Any]
) -> None:
    created, _removals, unused = create(type_, inputs, RecordingAws())
    assert unused == []
    assert created.id


@every_sample
def test_every_input_makes_a_difference_to_what_aws_is_asked_for(type_: str, inputs: dict[str, Any]) -> None:
    whole = calls(type_, inputs)
    ineffective = []
    for path in leaves(inputs):
        try:
            if calls(type_, without(inputs, path)) == whole:
                ineffective.append(dotted(path))
        except (InputError, ParamValidationError):
            pass  # it cannot be left out: that is a difference
    assert ineffective == []


@every_sample
def test_a_stranger_at_any_depth_is_noticed(type_: str, inputs: dict[str, Any]) -> None:
    unnoticed = []
    for path in objects(inputs):
        _created, _removals, unused = create(type_, with_stranger(inputs, path), RecordingAws())
        if unused != [dotted((*path, "stranger"))]:
            unnoticed.append((dotted(path), unused))
    assert unnoticed == []


@every_sample
def test_planning_alone_calls_nothing(type_: str, inputs: dict[str, Any]) -> None:
    recording = RecordingAws()
    RESOURCE_HANDLERS[type_]("logical", Inputs(inputs), aws(recording))
    assert recording.calls == []


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("aws:cloudwatch/dashboard:Dashboard", {"dashboardArn": ARN}),
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "name", "arn": ARN}),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", {"arn": ARN}),
        ("aws:dynamodb/table:Table", {"name": "objects", "arn": ARN, "streamArn": f"{ARN}/s"}),
        ("aws:iam/role:Role", {"arn": ARN, "uniqueId": "AROA"}),
        (
            "aws:lambda/function:Function",
            {
                "arn": ARN,
                "version": "$LATEST",
                "qualifiedArn": f"{ARN}:$LATEST",
                "invokeArn": f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{ARN}/invocations",
            },
        ),
        (
            "aws:s3/bucket:Bucket",
            {
                "arn": "arn:aws:s3:::uploads",
                "bucketRegion": REGION,
                "bucketDomainName": "uploads.s3.amazonaws.com",
                "bucketRegionalDomainName": f"uploads.s3.{REGION}.amazonaws.com",
            },
        ),
        ("aws:sns/topic:Topic", {"arn": ARN, "owner": "123456789012"}),
        ("aws:sqs/queue:Queue", {"arn": ARN, "url": "http://queue"}),
    ],
)
def test_attributes_come_from_aws(type_: str, expected: dict[str, str]) -> None:
    created, _removals, _unused = create(type_, SAMPLES[type_][0], RecordingAws())
    assert created.state | expected == created.state


@pytest.mark.parametrize(
    ("type_", "identifier"),
    [
        ("aws:dynamodb/table:Table", "objects"),
        ("aws:iam/rolePolicy:RolePolicy", "role:policy"),
        ("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", "indexer:live"),
        ("aws:s3/bucketPolicy:BucketPolicy", "uploads"),
        ("aws:sns/topic:Topic", ARN),
        ("aws:sqs/queue:Queue", "http://queue"),
    ],
)
def test_ids_are_those_of_pulumis_provider(type_: str, identifier: str) -> None:
    created, _removals, _unused = create(type_, SAMPLES[type_][0], RecordingAws())
    assert created.id == identifier


def test_a_name_that_is_left_out_is_made_as_pulumi_makes_it() -> None:
    created, _removals, _unused = create("aws:sqs/queue:Queue", {}, RecordingAws())
    assert created.state["name"] == "logical-1234567"


def test_a_bucket_in_the_default_region_is_made_without_naming_it() -> None:
    recording = RecordingAws({"GetBucketLocation": {"LocationConstraint": None}})
    there = aws(recording)
    here = type(there)(**{**vars(there), "region": "us-east-1"})
    RESOURCE_HANDLERS["aws:s3/bucket:Bucket"]("uploads", Inputs({"bucket": "uploads"}), here)(lambda _removal: None)
    assert recording.parameters("CreateBucket") == {"Bucket": "uploads"}


def test_a_table_is_ready_only_when_its_indexes_are() -> None:
    table = {"TableStatus": "ACTIVE", "TableArn": ARN, "GlobalSecondaryIndexes": [{"IndexStatus": "CREATING"}]}
    seconds = iter(range(0, 1000, 40))
    recording = RecordingAws({"DescribeTable": {"Table": table}})
    impatient = type(aws(recording))(**{**vars(aws(recording)), "clock": lambda: float(next(seconds))})
    plan = RESOURCE_HANDLERS["aws:dynamodb/table:Table"]("t", Inputs({"name": "objects", "hashKey": "id"}), impatient)
    with pytest.raises(Exception, match=r"table objects is 'CREATING' after 60 s and not 'ACTIVE'"):
        plan(lambda _removal: None)


def test_a_half_made_thing_is_announced_before_what_may_still_fail() -> None:
    recording = RecordingAws({"UpdateContinuousBackups": RuntimeError("no backups today")})
    removals: list[Removal] = []
    sample = SAMPLES["aws:dynamodb/table:Table"][0]
    with pytest.raises(RuntimeError, match="no backups today"):
        RESOURCE_HANDLERS["aws:dynamodb/table:Table"]("t", Inputs(sample), aws(recording))(removals.append)
    (removal,) = removals
    removal.delete()
    assert recording.operations()[-1] == "DeleteTable"


def test_a_failed_function_says_why() -> None:
    recording = RecordingAws({"GetFunctionConfiguration": {"State": "Failed", "StateReason": "no such image"}})
    seconds = iter(range(0, 1000, 40))
    impatient = type(aws(recording))(**{**vars(aws(recording)), "clock": lambda: float(next(seconds))})
    inputs = Inputs(
        {"name": "f", "code": pulumi.AssetArchive({"a.py": pulumi.StringAsset("")}), "role": "arn:aws:iam::1:role/r"}
    )
    with pytest.raises(Exception, match="Failed: no such image"):
        RESOURCE_HANDLERS["aws:lambda/function:Function"]("f", inputs, impatient)(lambda _removal: None)


def test_a_bucket_is_emptied_of_versions_markers_and_unfinished_uploads_however_many_there_are() -> None:
    stored = [("Versions", f"{number}") for number in range(1500)] + [("DeleteMarkers", "gone")]
    uploads = ["unfinished", "another"]

    def list_versions(_asked: dict[str, Any]) -> dict[str, Any]:
        page = stored[:1000]
        return {kind: [{"Key": key, "VersionId": "1"} for k, key in page if k == kind] for kind in {k for k, _ in page}}

    def delete(asked: dict[str, Any]) -> dict[str, Any]:
        keys = {item["Key"] for item in asked["Delete"]["Objects"]}
        assert len(keys) <= 1000, "the most that S3 takes"
        stored[:] = [(kind, key) for kind, key in stored if key not in keys]
        return {}

    def abort(asked: dict[str, Any]) -> dict[str, Any]:
        uploads.remove(asked["UploadId"])
        return {}

    recording = RecordingAws(
        {
            "ListObjectVersions": list_versions,
            "DeleteObjects": delete,
            "ListMultipartUploads": lambda _asked: {
                "Uploads": [{"Key": "k", "UploadId": each} for each in uploads[:1]]
            },
            "AbortMultipartUpload": abort,
        }
    )
    _created, (removal,), _unused = create(
        "aws:s3/bucket:Bucket", {"bucket": "uploads", "forceDestroy": True}, recording
    )
    removal.delete()
    assert (stored, uploads) == ([], [])
    assert recording.operations()[-1] == "DeleteBucket"


def test_an_object_that_cannot_be_deleted_is_named_instead_of_tried_for_ever() -> None:
    refused = {"Errors": [{"Key": "locked", "Code": "AccessDenied", "Message": "object lock"}]}
    recording = RecordingAws(
        {"ListObjectVersions": {"Versions": [{"Key": "locked", "VersionId": "1"}]}, "DeleteObjects": refused}
    )
    _created, (removal,), _unused = create(
        "aws:s3/bucket:Bucket", {"bucket": "uploads", "forceDestroy": True}, recording
    )
    with pytest.raises(HarnessError, match=r"bucket uploads cannot be emptied: .*locked.*AccessDenied"):
        removal.delete()


def test_a_key_that_xml_cannot_carry_is_deleted_by_itself() -> None:
    """LocalStack, as AWS, refuses a list of objects to delete with such a key in it."""
    stored = ["plain", "bell\x07", "tab\t"]

    def list_versions(_asked: dict[str, Any]) -> dict[str, Any]:
        return {"Versions": [{"Key": key, "VersionId": "1"} for key in stored]}

    def delete_many(asked: dict[str, Any]) -> dict[str, Any]:
        stored[:] = [key for key in stored if key not in [item["Key"] for item in asked["Delete"]["Objects"]]]
        return {}

    def delete_one(asked: dict[str, Any]) -> dict[str, Any]:
        stored.remove(asked["Key"])
        return {}

    recording = RecordingAws(
        {
            "ListObjectVersions": list_versions,
            "DeleteObjects": delete_many,
            "DeleteObject": delete_one,
        }
    )
    _created, (removal,), _unused = create(
        "aws:s3/bucket:Bucket", {"bucket": "uploads", "forceDestroy": True}, recording
    )
    removal.delete()
    assert stored == []
    assert recording.parameters("DeleteObject") == {"Bucket": "uploads", "Key": "bell\x07", "VersionId": "1"}
    assert recording.parameters("DeleteObjects")["Delete"]["Objects"] == [
        {"Key": "plain", "VersionId": "1"},
        {"Key": "tab\t", "VersionId": "1"},
    ]


def test_an_alarm_that_cannot_be_shown_yet_is_asked_for_again() -> None:
    """LocalStack, while it evaluates a new alarm."""
    answers: list[dict[str, Any] | Exception] = [refusal("InternalError"), {"MetricAlarms": [{"AlarmArn": ARN}]}]

    def describe(_asked: dict[str, Any]) -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    recording = RecordingAws({"DescribeAlarms": describe})
    type_ = "aws:cloudwatch/metricAlarm:MetricAlarm"
    created, _removals, _unused = create(type_, SAMPLES[type_][0], recording)
    assert created.state["arn"] == ARN
    denied = RecordingAws({"DescribeAlarms": refusal("AccessDenied")})
    with pytest.raises(ClientError, match="AccessDenied"):
        create(type_, SAMPLES[type_][0], denied)


@pytest.mark.parametrize(("listed", "there"), [(["board"], True), (["board-2"], False), ([], False)])
def test_whether_a_dashboard_is_there_is_asked_in_a_way_that_all_emulators_answer_alike(
    listed: list[str],
    there: bool,  # noqa: FBT001  a table
) -> None:
    entries = {"DashboardEntries": [{"DashboardName": name} for name in listed]}
    type_ = "aws:cloudwatch/dashboard:Dashboard"
    _created, (removal,), _unused = create(type_, SAMPLES[type_][0], RecordingAws({"ListDashboards": entries}))
    assert removal.exists is not None
    assert removal.exists() == there


def test_only_a_bucket_that_may_be_forced_is_emptied() -> None:
    for force, expected in (
        (False, ["DeleteBucket"]),
        (True, ["ListObjectVersions", "ListMultipartUploads", "DeleteBucket"]),
    ):
        recording = RecordingAws()
        _created, (removal,), _unused = create(
            "aws:s3/bucket:Bucket", {"bucket": "uploads", "forceDestroy": force}, recording
        )
        recording.calls.clear()
        removal.delete()
        assert recording.operations() == expected
