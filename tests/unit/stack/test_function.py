"""The function, its log group, and what becomes of an event that it cannot handle."""

from __future__ import annotations

import re

import pulumi
import pytest

import tap_stack
from tests.support.expected import CUSTOM, FUNCTION, LOG_GROUP, QUEUE_ARN, ROLE_ARN, TABLE, TAGS, UPLOADS
from tests.support.synth import PACKAGE, synth

COVERS = {"tap-indexer", "tap-indexer-logs", "tap-indexer-retries"}

# Lambda Developer Guide, "Defined runtime environment variables": these cannot be set.
RESERVED_VARIABLES = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
}


@pytest.mark.control("Lambda.2", "Lambda.7")
def test_the_function_runs_the_handler_as_documented() -> None:
    inputs = dict(synth().one("Function").inputs)
    inputs.pop("code")
    assert inputs == {
        "name": FUNCTION,
        "description": "Writes one metadata row for every file that lands in the upload bucket",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "handler": "lambda_code.main.lambda_handler",
        "role": ROLE_ARN,
        "memorySize": 512,
        "timeout": 600,
        "tracingConfig": {"mode": "Active"},
        "loggingConfig": {"logFormat": "JSON", "logGroup": LOG_GROUP, "applicationLogLevel": "INFO"},
        "environment": {
            "variables": {
                "TAP_BUCKET_NAME": UPLOADS,
                "TAP_TABLE_NAME": TABLE,
                "TAP_DELETED_RETENTION_DAYS": "90",
                "POWERTOOLS_SERVICE_NAME": "tapstack-dev",
                "POWERTOOLS_METRICS_NAMESPACE": "TapStack",
                "POWERTOOLS_LOG_LEVEL": "INFO",
            }
        },
        "tags": TAGS,
    }


def test_the_functions_archive_is_the_folder_that_the_program_built() -> None:
    archive = synth().one("Function").inputs["code"]
    assert isinstance(archive, pulumi.FileArchive)
    assert archive.path == str(PACKAGE)


def test_memory_timeout_and_concurrency_can_be_configured() -> None:
    inputs = synth(**CUSTOM).one("Function").inputs
    assert (inputs["memorySize"], inputs["timeout"], inputs["reservedConcurrentExecutions"]) == (1024, 100, 5)


def test_no_concurrency_is_reserved_unless_asked_for() -> None:
    """New accounts have nothing to reserve: the deployment would fail."""
    assert "reservedConcurrentExecutions" not in synth().one("Function").inputs


@pytest.mark.parametrize(
    ("config", "level", "lambdas_filter"),
    [({"logLevel": "DEBUG"}, "DEBUG", "DEBUG"), ({}, "INFO", "INFO"), (CUSTOM, "ERROR", "INFO")],
    ids=["DEBUG", "INFO", "ERROR"],
)
def test_the_log_level_reaches_the_function_and_lambda_drops_no_metrics(
    config: dict[str, str], level: str, lambdas_filter: str
) -> None:
    """Metrics are log lines without a level, which Lambda takes for INFO: its filter stays below."""
    inputs = synth(**config).one("Function").inputs
    assert inputs["environment"]["variables"]["POWERTOOLS_LOG_LEVEL"] == level
    assert inputs["loggingConfig"]["applicationLogLevel"] == lambdas_filter


def test_no_variable_has_a_name_that_lambda_reserves_or_refuses() -> None:
    variables = synth().one("Function").inputs["environment"]["variables"]
    assert not variables.keys() & RESERVED_VARIABLES
    assert all(re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name) for name in variables)


def test_every_variable_has_a_value() -> None:
    variables = synth().one("Function").inputs["environment"]["variables"]
    assert all(isinstance(value, str) and value for value in variables.values())


def test_the_log_group_keeps_lines_for_30_days() -> None:
    assert synth().one("LogGroup").inputs == {"name": LOG_GROUP, "retentionInDays": 30, "tags": TAGS}


@pytest.mark.control("CloudWatch.16")
def test_the_log_groups_retention_can_be_configured() -> None:
    assert synth(**CUSTOM).one("LogGroup").inputs["retentionInDays"] == 365


def test_the_function_waits_for_its_log_group_and_its_permissions() -> None:
    """Without the group Lambda makes one that keeps lines for ever; without the permissions the first events fail."""
    stack = synth()
    for later in (stack.one("Function"), stack.one("FunctionEventInvokeConfig")):
        assert stack.needs(later, stack.one("LogGroup"))
        assert stack.needs(later, stack.one("RolePolicy"))
        assert stack.needs(later, stack.one("Role"))


def test_a_failed_event_is_tried_three_times_within_6_hours_then_goes_to_the_failure_queue() -> None:
    assert synth().one("FunctionEventInvokeConfig").inputs == {
        "functionName": FUNCTION,
        "maximumRetryAttempts": 2,
        "maximumEventAgeInSeconds": 6 * 3600,
        "destinationConfig": {"onFailure": {"destination": QUEUE_ARN}},
    }


def test_the_failure_queue_exists_before_lambda_is_told_of_it() -> None:
    stack = synth()
    assert stack.needs(stack.one("FunctionEventInvokeConfig"), stack.one("Queue"))


def test_the_function_has_no_address_on_the_internet() -> None:
    assert not [each for each in synth().resources if "functionUrl" in each.type]


def test_the_handler_named_in_the_stack_is_the_one_in_the_code() -> None:
    module, _, function = tap_stack.HANDLER.rpartition(".")
    source = tap_stack.__file__.removesuffix("tap_stack.py") + module.replace(".", "/") + ".py"
    with open(source, encoding="utf-8") as file:  # noqa: PTH123  read, not imported: the tier needs no Lambda runtime
        assert f"def {function}(" in file.read()
