"""The indexer, its trigger, role, log group and failure queue, as AWS describes them after the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.deployed import PREFIX, Deployed, deny_without_tls, statements

if TYPE_CHECKING:
    from tests.support.index import Response

pytestmark = pytest.mark.not_in_a_live_account(
    "compares with Pulumi.localstack.yaml, which a live stack does not follow"
)

NAME = {"FunctionName": f"{PREFIX}-indexer"}


@pytest.fixture(scope="module")
def configuration(deployed: Deployed) -> Response:
    return deployed.aws.function.get_function_configuration(**NAME)


@pytest.fixture(scope="module")
def role(deployed: Deployed) -> Response:
    return deployed.aws.iam.get_role(RoleName=deployed.out["lambda_role_arn"].rpartition("/")[2])["Role"]


def test_the_function_runs_what_was_promised(deployed: Deployed, configuration: Response) -> None:
    """Every setting, its environment variables included."""
    assert deployed.out["lambda_function_name"] == f"{PREFIX}-indexer"
    expected = {
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Handler": "lambda_code.main.lambda_handler",
        "MemorySize": 512,
        "Timeout": 600,
        "TracingConfig": {"Mode": "Active"},
        "Role": deployed.out["lambda_role_arn"],
    }
    assert {setting: configuration[setting] for setting in expected} == expected
    assert configuration["Environment"]["Variables"] == {
        "TAP_BUCKET_NAME": deployed.out["bucket_name"],
        "TAP_TABLE_NAME": deployed.out["table_name"],
        "TAP_DELETED_RETENTION_DAYS": "90",
        "POWERTOOLS_SERVICE_NAME": PREFIX,
        "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def test_the_function_logs_json_into_its_own_group(deployed: Deployed, configuration: Response) -> None:
    group = f"/aws/lambda/{PREFIX}-indexer"
    assert deployed.out["log_group_name"] == group
    logging = configuration["LoggingConfig"]
    assert (logging["LogFormat"], logging["LogGroup"]) == ("JSON", group)
    groups = deployed.aws.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert [(each["logGroupName"], each["retentionInDays"]) for each in groups] == [(group, 30)]


def test_the_function_shares_the_concurrency_of_the_account(deployed: Deployed) -> None:
    assert "ReservedConcurrentExecutions" not in deployed.aws.function.get_function_concurrency(**NAME)


def test_a_failed_event_is_tried_twice_more_and_then_put_into_the_failure_queue(deployed: Deployed) -> None:
    config = deployed.aws.function.get_function_event_invoke_config(**NAME)
    assert config["MaximumRetryAttempts"] == 2
    assert config["MaximumEventAgeInSeconds"] == 6 * 3600
    assert config["DestinationConfig"].get("OnFailure") == {"Destination": deployed.queue()["QueueArn"]}
    assert not config["DestinationConfig"].get("OnSuccess")


def test_failures_are_kept_for_two_weeks_encrypted(deployed: Deployed) -> None:
    """In a queue that requires TLS, and to which no policy gives access."""
    queue = deployed.queue()
    assert queue["QueueArn"].rpartition(":")[2] == f"{PREFIX}-failures"
    assert queue["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert queue["SqsManagedSseEnabled"] == "true"
    assert list(statements(queue["Policy"]).values()) == [deny_without_tls("sqs:*", [queue["QueueArn"]])]


def test_only_the_upload_bucket_of_this_account_may_call_the_function(deployed: Deployed) -> None:
    [statement] = statements(deployed.aws.function.get_policy(**NAME)["Policy"]).values()
    conditions = {
        key.lower(): (operator, value)
        for operator, keys in statement.pop("Condition").items()
        for key, value in keys.items()
    }
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": deployed.out["lambda_function_arn"],
    }
    assert conditions == {
        "aws:sourcearn": ("ArnLike", deployed.out["bucket_arn"]),  # the bucket: S3 would be denied with /*
        "aws:sourceaccount": ("StringEquals", deployed.account),
    }


def test_everything_that_comes_or_goes_is_announced_to_the_function_and_to_nobody_else(deployed: Deployed) -> None:
    configuration = deployed.aws.s3.get_bucket_notification_configuration(Bucket=deployed.out["bucket_name"])
    configuration.pop("ResponseMetadata")
    [notification] = configuration.pop("LambdaFunctionConfigurations")
    assert notification["LambdaFunctionArn"] == deployed.out["lambda_function_arn"]
    assert sorted(notification["Events"]) == ["s3:LifecycleExpiration:*", "s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    assert "Filter" not in notification
    assert not configuration


def test_the_role_is_for_lambda_on_behalf_of_this_account(deployed: Deployed, role: Response) -> None:
    [statement] = statements(role["AssumeRolePolicyDocument"]).values()
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": deployed.account}},
    }


def test_the_role_allows_what_the_function_does_and_nothing_else(deployed: Deployed, role: Response) -> None:
    iam, name = deployed.aws.iam, role["RoleName"]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    granted = statements(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]).values()
    assert all(statement["Effect"] == "Allow" for statement in granted)
    bucket, table = deployed.out["bucket_arn"], deployed.out["table_arn"]
    log_group = f"arn:aws:logs:{deployed.region}:{deployed.account}:log-group:{deployed.out['log_group_name']}"
    assert {
        (action, resource)
        for statement in granted
        for action in statement["Action"]
        for resource in statement["Resource"]
    } == {
        ("s3:GetObject", f"{bucket}/*"),
        ("s3:GetObjectVersion", f"{bucket}/*"),
        ("s3:ListBucket", bucket),
        ("dynamodb:GetItem", table),
        ("dynamodb:Query", table),
        ("dynamodb:UpdateItem", table),
        ("dynamodb:Query", f"{table}/index/uploads_by_day"),
        ("logs:CreateLogStream", f"{log_group}:*"),
        ("logs:PutLogEvents", f"{log_group}:*"),
        ("sqs:SendMessage", deployed.queue()["QueueArn"]),
        ("xray:PutTraceSegments", "*"),
        ("xray:PutTelemetryRecords", "*"),
    }
