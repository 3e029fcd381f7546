"""What must not be there, in any policy of any resource."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.default_stack import ENCRYPTED, FULL
from tests.support.synth import Synth, strings, synth

if TYPE_CHECKING:
    from collections.abc import Iterator

# What may follow an exact ARN: every object of a bucket, every stream of a log group.
RESOURCE_SUFFIXES = ("/*", ":*")


@pytest.fixture(scope="module", params=[FULL, ENCRYPTED], ids=["full", "with a key"])
def stack(request: pytest.FixtureRequest) -> Synth:
    return synth(**request.param)


def documents(stack: Synth) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy in the stack, wherever it is an input, with the resource it belongs to."""
    for each in stack.resources:
        for text in strings(each.inputs):
            if '"Statement"' in text:
                yield each.name, json.loads(text)


def allowing(stack: Synth) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that allows something."""
    for name, policy in documents(stack):
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow":
                yield name, statement


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_policies_are_found_where_they_are(stack: Synth) -> None:
    """Otherwise every test below would pass by looking at nothing."""
    assert {name for name, _ in documents(stack)} == {
        "tap-uploads-policy",
        "tap-logs-policy",
        "tap-failures-policy",
        "tap-alarms-policy",
        "tap-indexer-role",
        "tap-indexer-policy",
    }


@pytest.mark.control("IAM.1", "KMS.1")
def test_only_x_rays_permissions_are_for_every_resource(stack: Synth) -> None:
    """X-Ray has no resources that PutTraceSegments could be limited to."""
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
def test_no_permission_is_for_every_action_of_a_service(stack: Synth) -> None:
    for name, statement in allowing(stack):
        for action in as_list(statement["Action"]):
            assert "*" not in action, f"{name}: {action}"


def test_no_statement_says_what_it_does_not_mean(stack: Synth) -> None:
    """NotAction, NotResource and NotPrincipal allow whatever nobody thought of."""
    for name, policy in documents(stack):
        for statement in policy["Statement"]:
            assert not [key for key in statement if key.startswith("Not")], name


@pytest.mark.control("S3.6")
def test_nobody_is_allowed_anything_who_is_not_named(stack: Synth) -> None:
    """Every principal is a service, and none may act on behalf of another account."""
    account = "123456789012"
    for name, statement in allowing(stack):
        if "Principal" not in statement:
            continue  # a role's own policy
        assert statement["Principal"].keys() == {"Service"}, name
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": account}, name


def test_every_statement_has_a_name_of_its_own(stack: Synth) -> None:
    for name, policy in documents(stack):
        assert policy.keys() == {"Version", "Statement"}, name
        assert policy["Version"] == "2012-10-17", name  # the older one has no policy variables
        sids = [statement.get("Sid") for statement in policy["Statement"]]
        assert None not in sids, name
        assert len(sids) == len(set(sids)), name
        assert all(sid.isalnum() for sid in sids), name


@pytest.mark.control("S3.5")
@pytest.mark.parametrize("type_", ["BucketPolicy", "QueuePolicy", "TopicPolicy"])
def test_whatever_takes_requests_refuses_them_without_tls(stack: Synth, type_: str) -> None:
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
def test_the_stack_has_nothing_to_which_these_controls_would_apply(stack: Synth) -> None:
    """Access points, directory buckets, DAX, functions in a VPC, and keys: the user's key is the user's."""
    strange = ("accesspoint", "directorybucket", "aws:dax", "aws:kms", "aws:ec2", "aws:s3control")
    assert {each.type.split(":")[0] for each in stack.resources} == {"aws"}
    assert [each.type for each in stack.resources if any(kind in each.type.lower() for kind in strange)] == []
    assert not stack.one("Function").inputs.keys() & {"vpcConfig", "fileSystemConfig"}


def test_no_input_holds_a_secret(stack: Synth) -> None:
    for each in stack.resources:
        for text in strings(each.inputs):
            assert "AKIA" not in text
            assert "PRIVATE KEY" not in text
