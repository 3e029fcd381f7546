"""Tests of the IAM policy evaluator with cases from the IAM User Guide, including cases that must not match."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.iam import Decision, Request, decide

ALLOW, DENY, NO_MATCH = Decision.ALLOW, Decision.DENY, Decision.NO_MATCH
READ = Request(action="s3:GetObject", resource="arn:aws:s3:::b/k")
ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a:b"


def statement(effect: str = "Allow", **other: object) -> dict[str, Any]:
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", **other}


def decided(request: Request, *statements: dict[str, Any]) -> Decision:
    return decide({"Version": "2012-10-17", "Statement": list(statements)}, request)


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([], NO_MATCH),
        ([statement()], ALLOW),
        ([statement("Deny")], DENY),
        ([statement(), statement("Deny")], DENY),
        ([statement("Deny"), statement()], DENY),
        ([statement(Action="S3:getobject")], ALLOW),
        ([statement(Action=["s3:PutObject", "s3:Get*"])], ALLOW),
        ([statement(Action="s3:Get")], NO_MATCH),
        ([statement(Resource="arn:aws:s3:::b")], NO_MATCH),
        ([statement(Resource="arn:aws:s3:::?/k")], ALLOW),
        ([statement(Resource="arn:aws:s3:::B/*")], NO_MATCH),
        ([statement(Principal="*")], ALLOW),
        ([statement(Principal={"Service": "s3.amazonaws.com"})], NO_MATCH),
        ([statement(Principal={"AWS": "arn:aws:iam::123456789012:root"})], NO_MATCH),
    ],
)
def test_iam_evaluator_prefers_deny_over_allow_and_returns_no_match_otherwise(
    statements: list[dict[str, Any]], decision: Decision
) -> None:
    assert decided(READ, *statements) is decision


@pytest.mark.parametrize(
    ("principal", "requester", "decision"),
    [
        ({"AWS": "arn:aws:iam::123456789012:root"}, "arn:aws:iam::123456789012:role/path/a", ALLOW),
        ({"AWS": "arn:aws:iam::123456789012:root"}, "arn:aws:iam::999999999999:role/path/a", NO_MATCH),
        ({"AWS": "arn:aws:iam::123456789012:root"}, "s3.amazonaws.com", NO_MATCH),
        ({"AWS": "arn:aws:iam::123456789012:root", "Service": "s3.amazonaws.com"}, "s3.amazonaws.com", ALLOW),
        ({"Service": "s3.amazonaws.com"}, "arn:aws:iam::123456789012:role/path/a", NO_MATCH),
    ],
)
def test_iam_evaluator_applies_a_statement_only_to_its_principals(
    principal: object, requester: str, decision: Decision
) -> None:
    request = Request(action=READ.action, resource=READ.resource, principal=requester)
    assert decided(request, statement(Principal=principal)) is decision


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "holds"),
    [
        ("Bool", "false", "false", True),
        ("Bool", "false", "true", False),
        ("Bool", "false", None, False),
        ("Null", "true", None, True),
        ("Null", "true", "x", False),
        ("Null", "false", "x", True),
        ("Null", "false", None, False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a", None, False),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", None, True),
        ("StringLike", ["a/*", "b"], "a/", True),
        ("StringLike", "a/*", "b/a/", False),
        ("StringLike", "a/*", None, False),
        ("ArnLike", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*", ALARM, True),
        ("ArnLike", "arn:aws:cloudwatch:us-east-1:999999999999:alarm:*", ALARM, False),
        ("ArnLike", "arn:aws:cloudwatch:*", ALARM, False),
        ("ArnLike", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*", None, False),
    ],
)
def test_iam_evaluator_compares_condition_values_as_iam_does(
    operator: str, wanted: str | list[str], value: str | None, *, holds: bool
) -> None:
    request = Request(action=READ.action, resource=READ.resource, context={"AWS:Key": value} if value else {})
    conditional = statement(Condition={operator: {"aws:key": wanted}})
    assert decided(request, conditional) is (ALLOW if holds else NO_MATCH)


def test_iam_evaluator_requires_all_conditions_of_a_statement() -> None:
    both = {"StringEquals": {"aws:a": "1", "aws:b": "2"}}
    one = Request(action=READ.action, resource=READ.resource, context={"aws:a": "1"})
    assert decided(one, statement(Condition=both)) is NO_MATCH


@pytest.mark.parametrize(
    "strange",
    [
        statement(NotAction="s3:*"),
        statement(Principal={"AWS": "123456789012"}),
        statement(Principal={"Federated": "accounts.google.com"}),
        statement(Condition={"StringNotLike": {"aws:a": "1"}}),
    ],
)
def test_iam_evaluator_rejects_unsupported_policy_elements(strange: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        decided(READ, strange)
