"""Tests of the AWS calls that read the settings of a stack, with moto and with simulated HTTP responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from operations.aws import Aws
from operations.errors import OperatorError
from tests.support.fakes import client_error
from tests.support.operations_fakes import S3_STATEMENT

QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:failures"


class Client:
    """Fake boto3 client whose operations all return the same response, or raise the same error."""

    def __init__(self, response: object) -> None:
        self._response = response

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**_: Any) -> object:
            if isinstance(self._response, Exception):
                raise self._response
            return self._response

        return call


def responding(response: object) -> Aws:
    """Return an instance of `Aws` whose calls all return a response, or raise an error."""
    return Aws(lambda _: Client(response))


def test_bucket_versioning_is_the_status_in_s3(aws: Aws, clients: dict[str, Any]) -> None:
    assert aws.versioning("uploads") is None
    clients["s3"].create_bucket(Bucket="uploads")
    assert aws.versioning("uploads") == "Disabled"
    for status in ("Enabled", "Suspended"):
        clients["s3"].put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": status})
        assert aws.versioning("uploads") == status


def test_bucket_that_does_not_exist_sends_no_events_to_eventbridge(aws: Aws) -> None:
    assert not aws.sends_to_eventbridge("reports")


def test_rule_and_its_targets_are_read_from_eventbridge(aws: Aws, clients: dict[str, Any]) -> None:
    assert (aws.rule("tapstack-prod-reports"), aws.rule_targets("tapstack-prod-reports")) == (None, [])
    pattern = '{"source":["aws.s3"]}'
    clients["events"].put_rule(Name="tapstack-prod-reports", EventPattern=pattern, State="DISABLED")
    target = {"Id": "indexer", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:indexer"}
    clients["events"].put_targets(Rule="tapstack-prod-reports", Targets=[target])
    rule = aws.rule("tapstack-prod-reports")
    assert rule
    assert (rule["EventPattern"], rule["State"]) == (pattern, "DISABLED")
    assert rule["Arn"] == "arn:aws:events:us-east-1:123456789012:rule/tapstack-prod-reports"
    assert aws.rule_targets("tapstack-prod-reports") == [target]


def test_missing_ssm_parameter_is_none(aws: Aws, clients: dict[str, Any]) -> None:
    assert aws.parameter("tapstack-dev-settings") is None
    clients["ssm"].put_parameter(Name="tapstack-dev-settings", Value='{"schema":1}', Type="String")
    assert aws.parameter("tapstack-dev-settings") == '{"schema":1}'


def test_aws_calls_detect_a_missing_failure_queue_or_table(aws: Aws, clients: dict[str, Any]) -> None:
    assert (aws.queue_exists(QUEUE_ARN), aws.table_status("objects")) == (False, None)
    clients["sqs"].create_queue(QueueName="failures")
    clients["dynamodb"].create_table(
        TableName="objects",
        AttributeDefinitions=[{"AttributeName": "object_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "object_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert (aws.queue_exists(QUEUE_ARN), aws.table_status("objects")) == (True, "ACTIVE")


NOT_FOUND = client_error(404, "ResourceNotFoundException")


def test_lambda_settings_contain_the_values_of_all_responses() -> None:
    policy = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [S3_STATEMENT]})}
    assert responding(policy).invoke_statements("indexer") == [S3_STATEMENT]
    assert responding({"MaximumRetryAttempts": 0}).event_invoke_config("indexer") == {"MaximumRetryAttempts": 0}
    assert responding({"ReservedConcurrentExecutions": 0}).reserved_concurrency("indexer") == 0
    assert responding({}).reserved_concurrency("indexer") is None
    assert responding({"CodeSha256": "hash"}).find_function("indexer") == {"CodeSha256": "hash"}


def test_lambda_settings_without_policy_and_retries_are_empty() -> None:
    aws = responding(NOT_FOUND)
    assert aws.find_function("indexer") is None
    assert (aws.invoke_statements("indexer"), aws.event_invoke_config("indexer")) == ([], {})
    assert aws.reserved_concurrency("indexer") is None


def test_unreadable_encrypted_environment_of_a_function_is_an_error_and_not_a_finding() -> None:
    environment = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "Lambda was unable to decrypt"}}
    with pytest.raises(OperatorError, match=r"was unable to decrypt\. Use credentials with kms:Decrypt"):
        responding({"CodeSha256": "hash", "Environment": environment}).find_function("indexer")


READS: dict[str, Callable[[Aws], object]] = {
    "ssm:GetParameter": lambda aws: aws.parameter("settings"),
    "lambda:GetFunctionConfiguration": lambda aws: aws.find_function("indexer"),
    "lambda:GetFunctionEventInvokeConfig": lambda aws: aws.event_invoke_config("indexer"),
    "lambda:GetFunctionConcurrency": lambda aws: aws.reserved_concurrency("indexer"),
    "lambda:GetPolicy": lambda aws: aws.invoke_statements("indexer"),
    "s3:GetBucketVersioning": lambda aws: aws.versioning("uploads"),
    "s3:GetBucketNotification": lambda aws: aws.notifications("uploads"),
    "s3:GetBucketNotification on an existing bucket": lambda aws: aws.sends_to_eventbridge("reports"),
    "events:DescribeRule": lambda aws: aws.rule("tapstack-prod-reports"),
    "events:ListTargetsByRule": lambda aws: aws.rule_targets("tapstack-prod-reports"),
    "dynamodb:DescribeTable": lambda aws: aws.table_status("objects"),
    "sqs:GetQueueUrl": lambda aws: aws.queue_exists(QUEUE_ARN),
}


@pytest.mark.parametrize("permission", READS)
@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (400, "AccessDeniedException")])
def test_denied_request_for_a_setting_is_an_error_with_the_missing_permission(
    permission: str, status: int, code: str
) -> None:
    action = permission.partition(" ")[0]
    message = rf"^cannot .*{code}.*\. The permission {action} is missing\. Use credentials .* docs/runbook\.md"
    with pytest.raises(OperatorError, match=message):
        READS[permission](responding(client_error(status, code)))


@pytest.mark.parametrize("permission", READS)
def test_error_of_an_unavailable_aws_service_names_no_permission(permission: str) -> None:
    with pytest.raises(OperatorError) as raised:
        READS[permission](responding(client_error(503, "ServiceUnavailable")))
    assert "permission" not in str(raised.value)


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        ({"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}, True),
        ({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}, True),
        ({"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}, False),
        ({"StreamEnabled": False}, False),
    ],
)
def test_table_stream_is_found_only_if_it_contains_new_rows(
    *, aws: Aws, clients: dict[str, Any], stream: dict[str, Any], found: bool
) -> None:
    clients["dynamodb"].create_table(
        TableName="objects",
        AttributeDefinitions=[{"AttributeName": "object_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "object_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=stream,
    )
    arn = clients["dynamodb"].describe_table(TableName="objects")["Table"].get("LatestStreamArn")
    assert aws.table_stream("objects") == (arn if found else None)
    assert aws.table_stream("another") is None


def test_missing_event_source_mapping_is_none(aws: Aws) -> None:
    assert aws.event_source_mapping("a1b2c3d4-5678-90ab-cdef-111111111111") is None
