"""The indexer, its trigger, its role and its log group, as AWS describes them after the deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.e2e.policies import statements_by_sid

if TYPE_CHECKING:
    from tests.support.index import Clients, Response

pytestmark = pytest.mark.not_in_a_live_account(
    "compares with Pulumi.localstack.yaml, which a live stack does not follow"
)


@pytest.fixture(scope="module")
def name(outputs: Mapping[str, str]) -> str:
    return outputs["lambda_function_name"]


@pytest.fixture(scope="module")
def configuration(clients: Clients, name: str) -> Response:
    return clients.function.get_function_configuration(FunctionName=name)


@pytest.fixture(scope="module")
def role(clients: Clients, outputs: Mapping[str, str]) -> Response:
    return clients.iam.get_role(RoleName=outputs["lambda_role_arn"].rpartition("/")[2])["Role"]


def test_the_function_runs_what_was_promised(
    configuration: Response, outputs: Mapping[str, str], name: str, prefix: str
) -> None:
    """Every setting, its environment variables included."""
    assert name == f"{prefix}-indexer"
    expected = {
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Handler": "lambda_code.main.lambda_handler",
        "MemorySize": 512,
        "Timeout": 600,
        "TracingConfig": {"Mode": "Active"},
        "Role": outputs["lambda_role_arn"],
    }
    assert {setting: configuration[setting] for setting in expected} == expected
    assert configuration["Environment"]["Variables"] == {
        "TAP_BUCKET_NAME": outputs["bucket_name"],
        "TAP_TABLE_NAME": outputs["table_name"],
        "TAP_DELETED_RETENTION_DAYS": "90",
        "POWERTOOLS_SERVICE_NAME": prefix,
        "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def test_the_function_logs_json_into_its_own_group(
    configuration: Response, clients: Clients, outputs: Mapping[str, str], name: str
) -> None:
    logging = configuration["LoggingConfig"]
    assert (logging["LogFormat"], logging["LogGroup"]) == ("JSON", outputs["log_group_name"])
    assert logging["LogGroup"] == f"/aws/lambda/{name}"
    groups = clients.logs.describe_log_groups(logGroupNamePrefix=logging["LogGroup"])["logGroups"]
    assert [(group["logGroupName"], group["retentionInDays"]) for group in groups] == [(logging["LogGroup"], 30)]


def test_the_function_shares_the_concurrency_of_the_account(clients: Clients, name: str) -> None:
    concurrency = clients.function.get_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in concurrency


def test_a_failed_event_is_tried_twice_more_and_then_put_into_the_failure_queue(
    clients: Clients, name: str, queue_attributes: Mapping[str, str]
) -> None:
    config = clients.function.get_function_event_invoke_config(FunctionName=name)
    assert config["MaximumRetryAttempts"] == 2
    assert config["MaximumEventAgeInSeconds"] == 6 * 3600
    assert config["DestinationConfig"].get("OnFailure") == {"Destination": queue_attributes["QueueArn"]}
    assert not config["DestinationConfig"].get("OnSuccess")


def test_only_the_upload_bucket_of_this_account_may_call_the_function(
    clients: Clients, outputs: Mapping[str, str], name: str, account: str
) -> None:
    policy = json.loads(clients.function.get_policy(FunctionName=name)["Policy"])
    [statement] = statements_by_sid(policy).values()
    conditions = {
        key.lower(): (operator, value)
        for operator, keys in statement.pop("Condition").items()
        for key, value in keys.items()
    }
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": outputs["lambda_function_arn"],
    }
    assert conditions == {
        "aws:sourcearn": ("ArnLike", outputs["bucket_arn"]),  # the bucket: S3 would be denied with /*
        "aws:sourceaccount": ("StringEquals", account),
    }


def test_everything_that_comes_or_goes_is_announced_to_the_function_and_to_nobody_else(
    clients: Clients, outputs: Mapping[str, str]
) -> None:
    configuration = clients.s3.get_bucket_notification_configuration(Bucket=outputs["bucket_name"])
    configuration.pop("ResponseMetadata")
    [notification] = configuration.pop("LambdaFunctionConfigurations")
    assert notification["LambdaFunctionArn"] == outputs["lambda_function_arn"]
    assert sorted(notification["Events"]) == ["s3:LifecycleExpiration:*", "s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    assert "Filter" not in notification
    assert not configuration


def test_the_role_is_for_lambda_on_behalf_of_this_account(role: Response, account: str) -> None:
    [statement] = statements_by_sid(role["AssumeRolePolicyDocument"]).values()
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }


def test_the_role_allows_what_the_function_does_and_nothing_else(
    clients: Clients,
    outputs: Mapping[str, str],
    role: Response,
    queue_attributes: Mapping[str, str],
    account: str,
    region: str,
) -> None:
    name = role["RoleName"]
    assert clients.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    [policy] = clients.iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = clients.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    assert all(statement["Effect"] == "Allow" for statement in document["Statement"])
    allowed = {
        (action, resource)
        for statement in document["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    bucket, table = outputs["bucket_arn"], outputs["table_arn"]
    log_group = f"arn:aws:logs:{region}:{account}:log-group:{outputs['log_group_name']}"
    assert allowed == {
        ("s3:GetObject", f"{bucket}/*"),
        ("s3:GetObjectVersion", f"{bucket}/*"),
        ("s3:ListBucket", bucket),
        ("dynamodb:GetItem", table),
        ("dynamodb:Query", table),
        ("dynamodb:UpdateItem", table),
        ("dynamodb:Query", f"{table}/index/uploads_by_day"),
        ("logs:CreateLogStream", f"{log_group}:*"),
        ("logs:PutLogEvents", f"{log_group}:*"),
        ("sqs:SendMessage", queue_attributes["QueueArn"]),
        ("xray:PutTraceSegments", "*"),
        ("xray:PutTelemetryRecords", "*"),
    }
