"""Tests that an IAM policy in docs/security.md allows exactly the calls of `audit --from-inventory`."""

from __future__ import annotations

import pytest
from policy_sentry.querying.actions import get_action_data

from tests.support.iam import Decision, Request, decide
from tests.support.key_policy import documented_policy
from tests.support.nonempty import nonempty

POLICY = documented_policy("### An audit from an inventory")
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/tapstack-dev-objects"
LOGS, EXPORTS = (
    "arn:aws:s3:::LOG-BUCKET",
    "arn:aws:s3:::EXPORT-BUCKET/exports/2026-11-28T12-00-00Z/AWSDynamoDB/0-1/data/a",
)
MANIFEST = f"{LOGS}/inventory/tapstack-dev-uploads/tapstack-dev/2026-11-28T01-00Z/manifest.json"
PREFIX = {"s3:prefix": "inventory/tapstack-dev-uploads/"}
SOURCE = "arn:aws:s3:::SOURCE-BUCKET"
ALLOWED = [
    Request(action="s3:GetInventoryConfiguration", resource=SOURCE),
    Request(action="s3:ListBucket", resource=LOGS, context=PREFIX),
    Request(action="s3:GetObject", resource=MANIFEST),
    Request(action="dynamodb:DescribeContinuousBackups", resource=TABLE),
    Request(action="dynamodb:DescribeTable", resource=TABLE),
    Request(action="dynamodb:ExportTableToPointInTime", resource=TABLE),
    Request(action="dynamodb:DescribeExport", resource=f"{TABLE}/export/01693685827463-2d8752fd"),
    Request(action="dynamodb:ListExports", resource="*"),
    Request(action="s3:PutObject", resource=EXPORTS),
    Request(action="s3:PutObjectAcl", resource=EXPORTS),
    Request(action="s3:AbortMultipartUpload", resource=EXPORTS),
    Request(action="s3:GetObject", resource=EXPORTS),
]
DENIED = [
    Request(action="s3:PutInventoryConfiguration", resource=SOURCE),
    Request(action="s3:GetInventoryConfiguration", resource=LOGS),
    Request(action="s3:ListBucket", resource=LOGS, context={"s3:prefix": "access-logs/"}),
    Request(action="s3:ListBucket", resource="arn:aws:s3:::EXPORT-BUCKET", context=PREFIX),
    Request(action="s3:GetObject", resource=f"{LOGS}/access-logs/2026-11-28"),
    Request(action="s3:PutObject", resource=MANIFEST),
    Request(action="s3:DeleteObject", resource=MANIFEST),
    Request(action="s3:GetObject", resource="arn:aws:s3:::tapstack-dev-uploads/a"),
    Request(action="dynamodb:Scan", resource=TABLE),
    Request(action="dynamodb:ExportTableToPointInTime", resource=f"{TABLE}-other"),
    Request(action="dynamodb:UpdateContinuousBackups", resource=TABLE),
]


@pytest.mark.parametrize("request_", ALLOWED)
def test_inventory_policy_allows_each_call_of_an_audit_from_an_inventory(request_: Request) -> None:
    assert decide(POLICY, request_) is Decision.ALLOW


@pytest.mark.parametrize("request_", DENIED)
def test_inventory_policy_does_not_allow_other_calls(request_: Request) -> None:
    assert decide(POLICY, request_) is Decision.NO_MATCH


def test_inventory_policy_has_only_necessary_and_existing_actions() -> None:
    found = [each["Action"] for each in POLICY["Statement"]]
    actions = {action for each in found for action in ([each] if isinstance(each, str) else each)}
    assert actions == {each.action for each in ALLOWED}
    for action in nonempty(actions):
        service, _, name = action.partition(":")
        assert get_action_data(service, name), action
