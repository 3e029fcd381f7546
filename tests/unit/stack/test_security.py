"""Tests that no policy of the stack allows too much, and that no resource input contains a secret."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.default_stack import ENCRYPTED, FULL
from tests.support.nonempty import nonempty
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
        *("tap-logs-policy", "tap-exports-policy"),
        "tap-failures-policy",
        "tap-alarms-policy",
        *("tap-indexer-role", "tap-indexer-policy", "tap-inspector-role", "tap-inspector-policy"),
    }


@pytest.mark.control("IAM.1", "KMS.1")
def test_only_actions_without_resource_level_permissions_apply_to_all_resources(stack: Synth) -> None:
    """These actions of indexer and inspector support no resource-level permissions."""
    for name, statement in nonempty(allowing(stack)):
        if "Resource" not in statement:
            assert "Principal" in statement, name  # the trust policy of a role has no resources
            continue
        resources = nonempty(as_list(statement["Resource"]))
        if "*" in resources:
            assert set(as_list(statement["Action"])) in (
                {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
                {"dynamodb:ListStreams"},
            ), name
            continue
        for resource in resources:
            plain = resource.replace("${*}", "")  # the asterisk in a prefix of an existing bucket, which is no wildcard
            stem = next((plain.removesuffix(end) for end in RESOURCE_SUFFIXES if plain.endswith(end)), plain)
            assert "*" not in stem, f"{name}: {resource}"
            assert "?" not in stem, f"{name}: {resource}"


@pytest.mark.control("IAM.1", "IAM.21")
def test_no_allow_statement_contains_a_wildcard_action(stack: Synth) -> None:
    for name, statement in nonempty(allowing(stack)):
        for action in nonempty(as_list(statement["Action"])):
            assert "*" not in action, f"{name}: {action}"


def test_no_policy_statement_uses_notaction_notresource_or_notprincipal(stack: Synth) -> None:
    """NotAction, NotResource and NotPrincipal also match actions, resources and principals that are added later."""
    for name, policy in nonempty(documents(stack)):
        for statement in nonempty(policy["Statement"]):
            assert not [key for key in statement if key.startswith("Not")], name


@pytest.mark.control("S3.6")
def test_resource_policies_allow_only_aws_services_for_the_same_account(stack: Synth) -> None:
    """Each statement that allows an AWS service is limited to requests on behalf of the stack's account."""
    account = "123456789012"
    # The policy of a role has no principals.
    for name, statement in nonempty(each for each in allowing(stack) if "Principal" in each[1]):
        assert statement["Principal"].keys() == {"Service"}, name
        condition = statement["Condition"]
        if statement["Principal"]["Service"] == "events.amazonaws.com":  # the ARN of a rule contains the account
            assert all(f":{account}:rule/" in arn for arn in nonempty(condition["ArnLike"]["aws:SourceArn"])), name
        else:
            # S3 writes inventories with this ACL, which gives the account of the bucket every permission.
            acl = {"s3:x-amz-acl": "bucket-owner-full-control"} if statement["Sid"] == "AllowInventories" else {}
            assert condition["StringEquals"] == {"aws:SourceAccount": account, **acl}, name


def test_each_policy_statement_has_a_unique_sid(stack: Synth) -> None:
    for name, policy in nonempty(documents(stack)):
        assert policy.keys() == {"Version", "Statement"}, name
        assert policy["Version"] == "2012-10-17", name  # earlier versions do not support policy variables
        sids = [statement.get("Sid") for statement in nonempty(policy["Statement"])]
        assert None not in sids, name
        assert len(sids) == len(set(sids)), name
        assert all(sid.isalnum() for sid in sids), name


@pytest.mark.control("S3.5")
@pytest.mark.parametrize("type_", ["BucketPolicy", "QueuePolicy", "TopicPolicy"])
def test_buckets_queue_and_topic_deny_requests_without_tls(stack: Synth, type_: str) -> None:
    for each in nonempty(stack.all(type_)):
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
    for function in nonempty(stack.all("Function")):
        assert not function.inputs.keys() & {"vpcConfig", "fileSystemConfig"}


# Each pattern has an example, which is invalid as a credential.
SECRETS = {
    "ID of an access key": (r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", "AKIAIOSFODNN7EXAMPLE"),
    "secret access key": (
        r"(?<![A-Za-z0-9/+=])(?=[^\s]*[A-Z])(?=[^\s]*[0-9])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    "private key": (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"),
    "password in a URL": (r"://[^/\s:@]+:[^/\s@]+@", "https://user:secret@example.com"),
    "token": (r"\b(ghp_|github_pat_|glpat-|xox[abp]-|pul-)[A-Za-z0-9]{10}", "ghp_0123456789abcdefghij"),
    "value of a secret": (
        r"(?i)(password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*[\"']?\w",
        "DB_PASSWORD=hunter2",
    ),
}


def secrets(value: object) -> list[str]:
    """Return the kinds of secrets that nested plain data contains."""
    texts = list(strings(value))
    return [kind for kind, (pattern, _) in SECRETS.items() if any(re.search(pattern, text) for text in texts)]


@pytest.mark.parametrize("kind", SECRETS)
def test_search_for_secrets_finds_each_kind(kind: str) -> None:
    _, example = SECRETS[kind]
    assert kind in secrets({"environment": {"variables": {"NAME": example}}})
    assert kind in secrets({"policy": [json.dumps({"Statement": [{"Sid": example}]})]})


def test_resource_inputs_and_stack_outputs_contain_no_secrets(stack: Synth) -> None:
    assert sum(1 for each in stack.resources for _ in strings(each.inputs)) > 500
    assert {each.name: found for each in stack.resources if (found := secrets(each.inputs))} == {}
    assert len(list(strings(stack.outputs))) > 20
    assert secrets(stack.outputs) == []


def test_resource_inputs_and_stack_outputs_contain_no_credentials_of_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment of the program contains the credentials with which Pulumi deploys the stack."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PULUMI_ACCESS_TOKEN", "PIP_INDEX_URL")
    environ = {name: f"credential-{name}" for name in names}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    stack = synth.__wrapped__(environ=tuple(environ.items()), **FULL)
    texts = nonempty(text for each in stack.resources for text in strings([each.inputs, stack.outputs]))
    assert [text for text in texts if "credential-" in text] == []
