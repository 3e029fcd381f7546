"""Tests that the IAM policies for analysts in docs/security.md allow exactly the calls of their tools."""

from __future__ import annotations

import json

import pytest
from policy_sentry.querying.actions import get_action_data

from tests.support.iam import Decision, Request, decide
from tests.support.key_policy import documented_policy
from tests.support.nonempty import nonempty

POLICY = documented_policy("### An analyst's policy")
ATHENA_POLICY = documented_policy("### With Athena")
DYNAMODB = "arn:aws:dynamodb:us-east-1:123456789012:table"
TABLE, PARAMETER = f"{DYNAMODB}/tapstack-dev-objects", "arn:aws:ssm:us-east-1:123456789012:parameter"
FILE = "arn:aws:s3:::EXPORT-BUCKET/exports/2026-11-28T12-00-00Z/AWSDynamoDB/0-1/manifest-summary.json"
ACTIONS = {action for each in POLICY["Statement"] for action in (each["Action"],) if isinstance(action, str)} | {
    action for each in POLICY["Statement"] if isinstance(each["Action"], list) for action in each["Action"]
}

ALLOWED = [
    ("ssm:GetParameter", f"{PARAMETER}/tapstack-dev-settings"),
    ("dynamodb:DescribeTable", TABLE),
    ("dynamodb:Scan", TABLE),
    ("dynamodb:ExportTableToPointInTime", TABLE),
    ("dynamodb:DescribeExport", f"{TABLE}/export/01693685827463-2d8752fd"),
    ("dynamodb:ListExports", "*"),
    ("s3:PutObject", FILE),
    ("s3:PutObjectAcl", FILE),
    ("s3:AbortMultipartUpload", FILE),
    ("s3:GetObject", FILE),
]
DENIED = [
    ("ssm:GetParameter", f"{PARAMETER}/another-settings"),
    ("dynamodb:Scan", f"{DYNAMODB}/another-objects"),
    ("dynamodb:Scan", f"{TABLE}/index/uploads_by_day"),
    ("dynamodb:ExportTableToPointInTime", f"{DYNAMODB}/another-objects"),
    ("dynamodb:DescribeExport", f"{DYNAMODB}/another-objects/export/0-1"),
    ("dynamodb:PutItem", TABLE),
    ("dynamodb:UpdateItem", TABLE),
    ("dynamodb:DeleteItem", TABLE),
    ("s3:GetObject", "arn:aws:s3:::EXPORT-BUCKET/results/a"),
    ("s3:GetObject", "arn:aws:s3:::tapstack-dev-uploads/a"),
    ("s3:DeleteObject", FILE),
    ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:tapstack-dev-indexer"),
]


@pytest.mark.parametrize(("action", "resource"), ALLOWED)
def test_analyst_policy_allows_each_call_of_the_tools(action: str, resource: str) -> None:
    assert decide(POLICY, Request(action=action, resource=resource)) is Decision.ALLOW


@pytest.mark.parametrize(("action", "resource"), DENIED)
def test_analyst_policy_does_not_allow_other_calls(action: str, resource: str) -> None:
    assert decide(POLICY, Request(action=action, resource=resource)) is Decision.NO_MATCH


def test_analyst_policy_has_only_necessary_and_existing_actions() -> None:
    assert {action for action, _ in ALLOWED} == ACTIONS
    for action in nonempty(ACTIONS):
        service, _, name = action.partition(":")
        assert get_action_data(service, name), action


def test_analyst_policy_has_a_resource_wildcard_only_for_list_exports() -> None:
    everywhere = [each["Action"] for each in POLICY["Statement"] if each["Resource"] == "*"]
    assert everywhere == ["dynamodb:ListExports"]
    found = get_action_data("dynamodb", "ListExports")
    assert isinstance(found, dict)
    assert [each["resource_arn_format"] for each in found["dynamodb"]] == ["*"], json.dumps(found)


WORKGROUP, GLUE = (f"arn:aws:{each}:us-east-1:123456789012" for each in ("athena", "glue"))
BUCKET, RESULT = "arn:aws:s3:::EXPORT-BUCKET", "arn:aws:s3:::EXPORT-BUCKET/results/0-1.csv"
TABLES = [f"{GLUE}:table/tapstack_dev/{each}" for each in ("exported_rows", "objects")]
PARENTS = [f"{GLUE}:{each}" for each in ("catalog", "database/tapstack_dev")]
ALLOWED_WITH_ATHENA = [
    *((f"athena:{each}QueryExecution", f"{WORKGROUP}:workgroup/tapstack-dev-analytics") for each in ("Start", "Get")),
    ("athena:GetQueryResults", f"{WORKGROUP}:workgroup/tapstack-dev-analytics"),
    ("athena:StopQueryExecution", f"{WORKGROUP}:workgroup/tapstack-dev-analytics"),
    *(("glue:GetDatabase", each) for each in (*PARENTS, f"{GLUE}:database/default")),
    *((f"glue:{action}Table", each) for action in ("Get", "Create", "Update") for each in (*PARENTS, *TABLES)),
    ("s3:GetBucketLocation", BUCKET),
    ("s3:ListBucket", BUCKET),
    ("s3:ListBucketMultipartUploads", BUCKET),
    *((f"s3:{each}", RESULT) for each in ("GetObject", "PutObject", "AbortMultipartUpload")),
    ("s3:ListMultipartUploadParts", RESULT),
]
DENIED_WITH_ATHENA = [
    ("athena:StartQueryExecution", f"{WORKGROUP}:workgroup/primary"),
    ("athena:UpdateWorkGroup", f"{WORKGROUP}:workgroup/tapstack-dev-analytics"),
    ("glue:GetTable", f"{GLUE}:table/other/objects"),
    ("glue:GetTable", f"{GLUE}:table/tapstack_dev/other"),
    ("glue:UpdateTable", f"{GLUE}:database/default"),
    ("glue:UpdateTable", f"{GLUE}:table/tapstack_dev/other"),
    ("glue:DeleteTable", TABLES[0]),
    ("glue:CreateDatabase", f"{GLUE}:database/tapstack_dev"),
    ("s3:DeleteObject", RESULT),
    ("s3:PutObject", f"{BUCKET}/exports/a"),
    ("s3:ListBucket", "arn:aws:s3:::tapstack-dev-uploads"),
]


@pytest.mark.parametrize(("action", "resource"), ALLOWED_WITH_ATHENA)
def test_analyst_policy_for_athena_allows_each_call_of_the_tools_and_of_athena(action: str, resource: str) -> None:
    assert decide(ATHENA_POLICY, Request(action=action, resource=resource)) is Decision.ALLOW


@pytest.mark.parametrize(("action", "resource"), DENIED_WITH_ATHENA)
def test_analyst_policy_for_athena_does_not_allow_other_calls(action: str, resource: str) -> None:
    assert decide(ATHENA_POLICY, Request(action=action, resource=resource)) is Decision.NO_MATCH


def test_analyst_policy_for_athena_has_only_necessary_and_existing_actions() -> None:
    actions = {action for each in ATHENA_POLICY["Statement"] for action in each["Action"]}
    assert {action for action, _ in ALLOWED_WITH_ATHENA} == actions
    for action in nonempty(actions):
        service, _, name = action.partition(":")
        assert get_action_data(service, name), action
    assert "*" not in [each["Resource"] for each in ATHENA_POLICY["Statement"]]
