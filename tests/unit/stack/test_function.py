"""Tests of the indexer's Lambda function, role, S3 trigger, log group and failure queue."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

import tap_stack
from tests.support.default_stack import (
    ACCOUNT,
    BOUNDARY_ARN,
    CUSTOM,
    FUNCTION,
    FUNCTION_ARN,
    LOG_GROUP,
    LOG_GROUP_ARN,
    QUEUE,
    QUEUE_ARN,
    QUEUE_URL,
    ROLE,
    ROLE_ARN,
    TABLE,
    TABLE_ARN,
    UPLOADS,
    UPLOADS_ARN,
)
from tests.support.nonempty import nonempty
from tests.support.synth import ARCHIVE, CODE_SHA256, policy, synth

VARIABLES = "environment.variables"
PROPERTIES: dict[str, dict[str, object]] = {
    "tap-indexer": {
        "name": FUNCTION,
        "description": "Writes a metadata row for each object version in the upload bucket",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "handler": "lambda_code.main.lambda_handler",
        "codeSha256": CODE_SHA256,
        "role": ROLE_ARN,
        "memorySize": 512,
        "timeout": 600,
        "tracingConfig.mode": "Active",
        "loggingConfig.logFormat": "JSON",
        "loggingConfig.logGroup": LOG_GROUP,
        "loggingConfig.applicationLogLevel": "INFO",
        f"{VARIABLES}.TAP_BUCKET_NAME": UPLOADS,
        f"{VARIABLES}.TAP_TABLE_NAME": TABLE,
        f"{VARIABLES}.TAP_DELETED_RETENTION_DAYS": "90",
        f"{VARIABLES}.POWERTOOLS_SERVICE_NAME": "tapstack-dev",
        f"{VARIABLES}.POWERTOOLS_METRICS_NAMESPACE": "TapStack",
        f"{VARIABLES}.POWERTOOLS_LOG_LEVEL": "INFO",
        # By default, no concurrency is reserved. New AWS accounts have a low quota, and their deployments would fail.
    },
    "tap-indexer-logs": {"name": LOG_GROUP, "retentionInDays": 30},
    "tap-indexer-retries": {
        "functionName": FUNCTION,
        "maximumRetryAttempts": 2,
        "maximumEventAgeInSeconds": 6 * 3600,
        "destinationConfig.onFailure.destination": QUEUE_ARN,
    },
    "tap-indexer-role": {"name": ROLE, "description": "Permissions of the Lambda function that indexes uploads"},
    "tap-indexer-policy": {"name": "index-uploads", "role": ROLE},
    "tap-failures": {"name": QUEUE, "messageRetentionSeconds": 14 * 24 * 3600, "sqsManagedSseEnabled": True},
    "tap-failures-policy": {"queueUrl": QUEUE_URL},
    "tap-s3-permission": {
        "statementId": "AllowUploadBucket",
        "action": "lambda:InvokeFunction",
        "function": FUNCTION,
        "principal": "s3.amazonaws.com",
        "sourceArn": UPLOADS_ARN,  # the source of an S3 event is the bucket ARN, not an object ARN
        "sourceAccount": ACCOUNT,  # another account could reuse the name of a deleted bucket
    },
    "tap-uploads-notification": {
        "bucket": UPLOADS,
        "lambdaFunctions[0].id": "index-uploads",
        "lambdaFunctions[0].lambdaFunctionArn": FUNCTION_ARN,
        "lambdaFunctions[0].events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"],
    },
}
COVERS = PROPERTIES.keys()

PERMISSIONS = {
    "ReadObjects": (["s3:GetObject", "s3:GetObjectVersion"], f"{UPLOADS_ARN}/*"),
    "TellGoneFromDenied": (["s3:ListBucket"], UPLOADS_ARN),  # without s3:ListBucket, HEAD returns 403 instead of 404
    "UseTable": (["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], TABLE_ARN),
    "UseDayIndex": (["dynamodb:Query"], f"{TABLE_ARN}/index/uploads_by_day"),
    "WriteLogs": (["logs:CreateLogStream", "logs:PutLogEvents"], f"{LOG_GROUP_ARN}:*"),
    "ReportFailures": (["sqs:SendMessage"], QUEUE_ARN),
    # These X-Ray actions support no resource-level permissions.
    "WriteTraces": (["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
}


@pytest.mark.control("Lambda.1", "Lambda.2", "Lambda.7", "SQS.1", "S3.11")
@pytest.mark.parametrize("name", PROPERTIES)
def test_indexer_resource_has_exactly_the_expected_properties(name: str) -> None:
    assert synth().properties(name) == PROPERTIES[name]


def test_indexer_code_is_the_zip_file_of_the_deployment_package() -> None:
    archive = synth().named("tap-indexer").inputs["code"]
    assert isinstance(archive, pulumi.FileArchive)
    assert archive.path == str(ARCHIVE)


@pytest.mark.control("CloudWatch.16")
@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("tap-indexer", "memorySize", 1024),
        ("tap-indexer", "timeout", 100),
        ("tap-indexer", "reservedConcurrentExecutions", 5),
        ("tap-indexer-logs", "retentionInDays", 365),
        ("tap-uploads-notification", "lambdaFunctions[0].filterPrefix", "in+box/"),
        ("tap-uploads-notification", "lambdaFunctions[0].filterSuffix", ".csv"),
    ],
)
def test_indexer_and_s3_trigger_use_the_configured_values(name: str, path: str, value: object) -> None:
    assert synth(**CUSTOM).properties(name)[path] == value


@pytest.mark.parametrize(
    ("config", "level", "filter_level"),
    [({"logLevel": "DEBUG"}, "DEBUG", "DEBUG"), ({}, "INFO", "INFO"), (CUSTOM, "ERROR", "INFO")],
    ids=["DEBUG", "INFO", "ERROR"],
)
def test_log_level_is_passed_to_the_indexer_without_dropping_metrics(
    config: dict[str, str], level: str, filter_level: str
) -> None:
    """Metrics are log lines without a level. Lambda drops them if the log level of the function is above INFO."""
    properties = synth(**config).properties("tap-indexer")
    assert properties[f"{VARIABLES}.POWERTOOLS_LOG_LEVEL"] == level
    assert properties["loggingConfig.applicationLogLevel"] == filter_level


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        # If the log group is missing, Lambda creates one that keeps log events forever. Without the permissions of its
        # role, the indexer cannot process the first events.
        *((later, "indexer-logs") for later in ("indexer", "indexer-retries")),
        *((later, "indexer-policy") for later in ("indexer", "indexer-retries")),
        *((later, "indexer-role") for later in ("indexer", "indexer-retries")),
        ("indexer-retries", "failures"),
        ("failures-policy", "failures"),
        # S3 rejects a notification if it may not invoke the indexer. Without versioning, the first events would have no
        # version ID.
        *(
            ("uploads-notification", earlier)
            for earlier in ("s3-permission", "uploads-versioning", "indexer", "indexer-policy", "indexer-retries")
        ),
    ],
)
def test_indexer_and_s3_trigger_depend_on_their_prerequisites(later: str, earlier: str) -> None:
    assert synth().depends_on(synth().named(f"tap-{later}"), synth().named(f"tap-{earlier}"))


def test_configured_lambda_handler_exists_in_the_code() -> None:
    """An import of the module would need the Lambda runtime."""
    for each in nonempty(synth().all("Function")):
        module, _, function = each.inputs["handler"].rpartition(".")
        source = Path(tap_stack.__file__).parent / (module.replace(".", "/") + ".py")
        assert f"def {function}(" in source.read_text(encoding="utf-8")


def test_indexer_role_has_exactly_the_expected_permissions() -> None:
    statements = policy(synth().named("tap-indexer-policy"))["Statement"]
    assert {each["Sid"]: (each["Action"], *each["Resource"]) for each in statements} == PERMISSIONS
    assert all(each.keys() == {"Sid", "Effect", "Action", "Resource"} for each in nonempty(statements))


def test_functions_use_the_configured_processor_architecture() -> None:
    assert [each.inputs["architectures"] for each in synth(**CUSTOM).all("Function")] == [["x86_64"], ["x86_64"]]


@pytest.mark.parametrize("boundary", [BOUNDARY_ARN, "arn:aws:iam::aws:policy/PowerUserAccess"])
def test_configured_permissions_boundary_applies_to_every_role(boundary: str) -> None:
    assert "permissionsBoundary" not in synth().named("tap-indexer-role").inputs
    roles = synth(permissionsBoundary=boundary).all("Role")
    assert [each.inputs["permissionsBoundary"] for each in roles] == [boundary, boundary]


@pytest.mark.control("IAM.27")
def test_indexer_role_has_no_managed_policies() -> None:
    stack = synth()
    assert not [each for each in stack.resources if "Attachment" in each.type]
    assert not {"managedPolicyArns", "inlinePolicies"} & stack.named("tap-indexer-role").inputs.keys()


def test_indexer_policy_uses_the_configured_bucket_and_table() -> None:
    text = json.dumps(policy(synth(**CUSTOM).named("tap-indexer-policy")))
    assert "arn:aws:s3:::acme-inbox/*" in text
    assert ":table/acme-rows/index/uploads_by_day" in text
    assert "-uploads" not in text
    assert "-objects" not in text


@pytest.mark.parametrize(
    ("plain", "encoded"),
    [
        ("images/2026-11_a.b/", "images/2026-11_a.b/"),
        ("year=2026/", "year%3D2026/"),
        ("a b+c/", "a+b%2Bc/"),
        ("深い/", "%E6%B7%B1%E3%81%84/"),
        ("(it's)!", "(it's)!"),
    ],
)
def test_notification_prefix_is_url_encoded_for_s3(plain: str, encoded: str) -> None:
    """On AWS, a notification prefix that is not URL-encoded matches no object, and no error is reported.

    The configuration `CUSTOM` has a prefix with a space, whose encoded form the test of the properties expects.
    """
    assert tap_stack.encode_filter(plain) == encoded
