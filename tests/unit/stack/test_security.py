"""Tests that no policy of the stack allows too much, and that no resource input contains a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.default_stack import ENCRYPTED, FULL
from tests.support.synth import Synth, strings, synth

if TYPE_CHECKING:
    from collections.abc import Iterator

# Wildcards that may follow a complete ARN: all objects of a bucket, and all log streams of a log group.
RESOURCE_SUFFIXES = ("/*", ":*")


@pytest.fixture(scope="module", params=[FULL, ENCRYPTED], ids=["without KMS key", "with KMS key"])
def stack(request: pytest.FixtureRequest) -> Synth:
    return synth(**request.param)


def documents(stack: Synth) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (resource name, policy document) of each policy in the resource inputs of the stack."""
    for each in stack.resources:
        for text in strings(each.inputs):
            if '"Statement"' in text:
                yield each.name, json.loads(text)


def allowing(stack: Synth) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (resource name, statement) of each policy statement with the effect Allow."""
    for name, policy in documents(stack):
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow":
                yield name, statement


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_policy_search_finds_all_policies_of_the_stack(stack: Synth) -> None:
    """If the search for policies found none, the other tests would pass without checking any policy."""
    assert {name for name, _ in documents(stack)} == {
        "tap-uploads-policy",
        "tap-logs-policy",
        "tap-failures-policy",
        "tap-alarms-policy",
        "tap-indexer-role",
        "tap-indexer-policy",
    }


@pytest.mark.control("IAM.1", "KMS.1")
def test_only_x_ray_permissions_apply_to_all_resources(stack: Synth) -> None:
    """The X-Ray actions of the indexer support no resource-level permissions."""
    for name, statement in allowing(stack):
        resources = as_list(statement.get("Resource", []))
        if "*" in resources:
            assert set(as_list(statement["Action"])) == {
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
            }, name
            continue
        for resource in resources:
            stem = next((resource.removesuffix(end) for end in RESOURCE_SUFFIXES if resource.endswith(end)), resource)
            assert "*" not in stem, f"{name}: {resource}"
            assert "?" not in stem, f"{name}: {resource}"


@pytest.mark.control("IAM.1", "IAM.21")
def test_no_allow_statement_contains_a_wildcard_action(stack: Synth) -> None:
    for name, statement in allowing(stack):
        for action in as_list(statement["Action"]):
            assert "*" not in action, f"{name}: {action}"


def test_no_policy_statement_uses_notaction_notresource_or_notprincipal(stack: Synth) -> None:
    """NotAction, NotResource and NotPrincipal also match actions, resources and principals that are added later."""
    for name, policy in documents(stack):
        for statement in policy["Statement"]:
            assert not [key for key in statement if key.startswith("Not")], name


@pytest.mark.control("S3.6")
def test_resource_policies_allow_only_aws_services_for_the_same_account(stack: Synth) -> None:
    """Each statement that allows an AWS service is limited to requests on behalf of the stack's account."""
    account = "123456789012"
    for name, statement in allowing(stack):
        if "Principal" not in statement:
            continue  # the policy of a role has no principals
        assert statement["Principal"].keys() == {"Service"}, name
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": account}, name


def test_each_policy_statement_has_a_unique_sid(stack: Synth) -> None:
    for name, policy in documents(stack):
        assert policy.keys() == {"Version", "Statement"}, name
        assert policy["Version"] == "2012-10-17", name  # earlier versions do not support policy variables
        sids = [statement.get("Sid") for statement in policy["Statement"]]
        assert None not in sids, name
        assert len(sids) == len(set(sids)), name
        assert all(sid.isalnum() for sid in sids), name


@pytest.mark.control("S3.5")
@pytest.mark.parametrize("type_", ["BucketPolicy", "QueuePolicy", "TopicPolicy"])
def test_buckets_queue_and_topic_deny_requests_without_tls(stack: Synth, type_: str) -> None:
    assert stack.all(type_)
    for each in stack.all(type_):
        refusals = [
            statement
            for statement in json.loads(each.inputs["policy"])["Statement"]
            if statement["Effect"] == "Deny"
            and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            and statement["Principal"] == "*"
        ]
        assert len(refusals) == 1, each.name


@pytest.mark.control("S3.19", "S3.24", "S3.25", "Lambda.5", "DynamoDB.3", "DynamoDB.7", "KMS.3", "KMS.4", "KMS.5")
@pytest.mark.control("SSM.1", "SSM.2", "SSM.3", "SSM.4", "SSM.5")
def test_stack_has_no_resources_of_inapplicable_security_controls(stack: Synth) -> None:
    """The stack has no access point, directory bucket, DAX cluster, VPC, KMS key, EC2 instance and SSM document."""
    strange = ("accesspoint", "directorybucket", "aws:dax", "aws:kms", "aws:ec2", "aws:s3control", "aws:ssm/document")
    assert {each.type.split(":")[0] for each in stack.resources} == {"aws"}
    assert [each.type for each in stack.resources if any(kind in each.type.lower() for kind in strange)] == []
    assert not stack.one("Function").inputs.keys() & {"vpcConfig", "fileSystemConfig"}


def test_resource_inputs_contain_no_credentials(stack: Synth) -> None:
    for each in stack.resources:
        for text in strings(each.inputs):
            assert "AKIA" not in text
            assert "PRIVATE KEY" not in text
