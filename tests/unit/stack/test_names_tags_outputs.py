"""Tests of resource names, tags and stack outputs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import tap_stack
from tests.support.default_stack import (
    CHINA,
    CUSTOM,
    FULL,
    FUNCTION,
    FUNCTION_ARN,
    INSPECTOR,
    INSPECTOR_LOG_GROUP,
    LOG_GROUP,
    PROD,
    QUEUE_URL,
    REGION,
    ROLE_ARN,
    SETTINGS,
    TABLE,
    TABLE_ARN,
    TAGS,
    TOPIC_ARN,
    UPLOADS,
    UPLOADS_ARN,
    tagged,
)
from tests.support.nonempty import nonempty
from tests.support.synth import Synth, strings, synth

# Maximum length of a resource name in characters, from the API reference of each service.
LONGEST_NAME = {
    "aws:appautoscaling/policy:Policy": 256,
    "aws:athena/workgroup:Workgroup": 128,
    "aws:cloudwatch/dashboard:Dashboard": 255,
    "aws:cloudwatch/logGroup:LogGroup": 512,
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    "aws:cloudwatch/queryDefinition:QueryDefinition": 255,
    "aws:dynamodb/table:Table": 255,
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:lambda/function:Function": 64,
    "aws:s3/bucket:Bucket": 63,
    "aws:sns/topic:Topic": 256,
    "aws:sqs/queue:Queue": 80,
    "aws:ssm/parameter:Parameter": 1011,
}
NAME_INPUTS = ("name", "bucket", "dashboardName")


def physical_names(stack: Synth) -> dict[tuple[str, str], str]:
    """Return the physical resource names by (type, logical name)."""
    return {
        (each.type, each.name): each.inputs[key]
        for each in stack.resources
        if each.type in LONGEST_NAME
        for key in NAME_INPUTS
        if key in each.inputs
    }


def test_each_resource_that_supports_a_name_has_an_explicit_name() -> None:
    """Without explicit names, Pulumi would generate names that change whenever a resource is replaced."""
    stack = synth(**FULL)
    named = {each.name for each in stack.resources if each.type in LONGEST_NAME}
    assert {name for _, name in physical_names(stack)} == named


def test_resource_names_begin_with_project_and_environment() -> None:
    stack = synth(**PROD)
    for (type_, _), name in nonempty(physical_names(stack).items()):
        # The name of an inline policy must be unique only within its role.
        if type_ != "aws:iam/rolePolicy:RolePolicy":
            assert name.removeprefix("/aws/lambda/").startswith("tapstack-prod"), name


def test_two_environments_share_no_resource_names() -> None:
    dev, prod = physical_names(synth(**FULL)), physical_names(synth(**PROD))
    shared = set(dev.values()) & set(prod.values())
    assert shared == {"index-uploads", "inspect-content"}, "only the inline policies of roles may have the same name"


def test_resource_names_are_unique_per_resource_type() -> None:
    names = [(type_, name) for (type_, _), name in physical_names(synth(**FULL)).items()]
    assert len(names) == len(set(names))


def test_resource_names_with_long_environment_and_region_fit_aws_limits() -> None:
    full = {key: value.replace("us-east-1", "ap-southeast-1") for key, value in FULL.items()}
    stack = synth(region="ap-southeast-1", **full, **{**PROD, "env": "performance-test"})
    for (type_, _), name in nonempty(physical_names(stack).items()):
        assert len(name) <= LONGEST_NAME[type_], f"{type_} {name}"
    for bucket in nonempty(stack.all("Bucket")):
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket.inputs["bucket"])


CUSTOM_TAGS = {**TAGS, "Environment": "staging", "Owner": "Data Platform", "CostCenter": "cc-42"}


@pytest.mark.control("Lambda.6", "DynamoDB.5", "SQS.2", "SNS.3", "IAM.24", "Athena.3")
@pytest.mark.parametrize(("config", "tags"), [(FULL, TAGS), (CUSTOM, CUSTOM_TAGS)], ids=["default", "custom"])
def test_each_taggable_resource_has_all_five_tags(config: dict[str, str], tags: dict[str, str]) -> None:
    found = tagged(synth(**config))
    assert len(found) > 20
    assert {each.name: each.inputs.get("tags") for each in found} == {each.name: tags for each in found}


def test_each_resource_is_a_child_of_the_pulumi_component() -> None:
    stack = synth(**FULL)
    assert (stack.component.type, stack.component.name) == ("tap:index:TapStack", "tap")
    assert {each.parent for each in stack.resources} == {stack.component.urn}


def test_stack_has_exactly_the_expected_outputs() -> None:
    assert synth().outputs == {
        "bucket_name": UPLOADS,
        "bucket_arn": UPLOADS_ARN,
        "table_name": TABLE,
        "table_arn": TABLE_ARN,
        "lambda_function_name": FUNCTION,
        "lambda_function_arn": FUNCTION_ARN,
        "lambda_role_arn": ROLE_ARN,
        "log_group_name": LOG_GROUP,
        "inspector_function_name": INSPECTOR,
        "inspector_log_group_name": INSPECTOR_LOG_GROUP,
        "failure_queue_url": QUEUE_URL,
        "alarm_topic_arn": TOPIC_ARN,
        "settings_parameter": SETTINGS,
        "dashboard_url": (
            "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
            "#dashboards/dashboard/tapstack-dev"
        ),
        "test_command": synth().outputs["test_command"],
    }


def test_component_registers_the_stack_outputs_and_has_them_as_attributes() -> None:
    components = []

    class Component(tap_stack.TapStack):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            components.append(self)

    with mock.patch.object(tap_stack, "TapStack", Component):
        stack = synth.__wrapped__()
    assert stack.run.component_outputs == {stack.component.urn: stack.outputs}
    (component,) = components
    assert component.outputs.keys() == stack.outputs.keys()
    assert all(getattr(component, name) is output for name, output in nonempty(component.outputs.items()))


# Fake of the AWS CLI that appends its arguments and its stdin to a file.
AWS = """#!{python} -IS
import json, sys
with open({file!r}, "a") as file:
    print(json.dumps([*sys.argv[1:], sys.stdin.read() if "-" in sys.argv else ""]), file=file)
"""
QUOTES = 'it\'s a "$HOME" `id` \\; $(id) & #é/'


@pytest.mark.parametrize(
    ("config", "bucket", "table", "key"),
    [
        ({}, UPLOADS, TABLE, "hello.txt"),
        (CUSTOM, "acme-inbox", "acme-rows", "in box/hello.csv"),
        (
            {"notificationPrefix": QUOTES, "notificationSuffix": f"'{QUOTES}"},
            UPLOADS,
            TABLE,
            f"{QUOTES}hello'{QUOTES}",
        ),
    ],
    ids=["default", "custom", "quotes in the prefix and the suffix"],
)
def test_command_in_stack_outputs_uploads_an_object_and_queries_its_row(
    config: dict[str, str], bucket: str, table: str, key: str, tmp_path: Path
) -> None:
    """The shell runs the command with fakes of the AWS CLI and of sleep."""
    calls = tmp_path / "calls"
    for name, program in (("aws", AWS.format(python=sys.executable, file=str(calls))), ("sleep", "#!/bin/sh\n")):
        (tmp_path / name).write_text(program, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    command = synth(**config).outputs["test_command"]
    subprocess.run(["/bin/sh", "-c", command], env={"PATH": str(tmp_path)}, check=True)  # noqa: S603 - our own command
    upload, query = (json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines())
    assert upload == ["s3", "cp", "-", f"s3://{bucket}/{key}", "--region", REGION, "hello\n"]
    assert query[:6] == ["dynamodb", "query", "--table-name", table, "--region", REGION]
    assert query[query.index("--key-condition-expression") + 1] == "object_id = :id"
    values = json.loads(query[query.index("--expression-attribute-values") + 1])
    assert values == {":id": {"S": f"{bucket}/{key}"}}


def test_stack_in_china_contains_no_other_account_region_or_partition() -> None:
    stack = synth(**CHINA)
    everything = [text for each in stack.resources for text in strings(each.inputs)] + list(strings(stack.outputs))
    for text in nonempty(everything):
        assert "123456789012" not in text
        assert "us-east-1" not in text
        assert "arn:aws:" not in text
