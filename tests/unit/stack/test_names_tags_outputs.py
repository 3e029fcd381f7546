"""Tests of resource names, tags and stack outputs."""

from __future__ import annotations

import re
import shlex
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
from tests.support.synth import Synth, strings, synth

# Maximum length of a resource name in characters, from the API reference of each service.
LONGEST_NAME = {
    "aws:appautoscaling/policy:Policy": 256,
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
    """Names that Pulumi generates would change whenever a resource is replaced."""
    stack = synth(**FULL)
    named = {each.name for each in stack.resources if each.type in LONGEST_NAME}
    assert {name for _, name in physical_names(stack)} == named


def test_resource_names_begin_with_project_and_environment() -> None:
    stack = synth(**PROD)
    for (type_, _), name in physical_names(stack).items():
        if type_ != "aws:iam/rolePolicy:RolePolicy":  # an inline policy needs a unique name only within its role
            assert name.removeprefix("/aws/lambda/").startswith("tapstack-prod"), name


def test_two_environments_share_no_resource_names() -> None:
    dev, prod = physical_names(synth(**FULL)), physical_names(synth(**PROD))
    shared = set(dev.values()) & set(prod.values())
    assert shared == {"index-uploads"}, "only the inline policies of the roles may have the same name"


def test_resource_names_are_unique_per_resource_type() -> None:
    names = [(type_, name) for (type_, _), name in physical_names(synth(**FULL)).items()]
    assert len(names) == len(set(names))


def test_resource_names_with_long_environment_and_region_fit_aws_limits() -> None:
    stack = synth(region="ap-southeast-1", **FULL, **{**PROD, "env": "performance-test"})
    for (type_, _), name in physical_names(stack).items():
        assert len(name) <= LONGEST_NAME[type_], f"{type_} {name}"
    for bucket in stack.all("Bucket"):
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket.inputs["bucket"])


CUSTOM_TAGS = {**TAGS, "Environment": "staging", "Owner": "Data Platform", "CostCenter": "cc-42"}


@pytest.mark.control("Lambda.6", "DynamoDB.5", "SQS.2", "SNS.3", "IAM.24")
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
    assert all(getattr(component, name) is output for name, output in component.outputs.items())


@pytest.mark.parametrize(
    ("config", "bucket", "table", "key"),
    [({}, UPLOADS, TABLE, "hello.txt"), (CUSTOM, "acme-inbox", "acme-rows", "in box/hello.csv")],
    ids=["default", "custom"],
)
def test_command_in_stack_outputs_contains_bucket_object_key_and_table(
    config: dict[str, str], bucket: str, table: str, key: str
) -> None:
    words = shlex.split(synth(**config).outputs["test_command"])
    assert f"s3://{bucket}/{key}" in words
    assert table in words
    assert f'{{":id": {{"S": "{bucket}/{key}"}}}}' in words
    assert words.count(REGION) == 2


def test_stack_in_china_contains_no_other_account_region_or_partition() -> None:
    stack = synth(**CHINA)
    everything = [text for each in stack.resources for text in strings(each.inputs)] + list(strings(stack.outputs))
    for text in everything:
        assert "123456789012" not in text
        assert "us-east-1" not in text
        assert "arn:aws:" not in text
