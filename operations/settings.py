"""Compares the settings of a deployed stack in AWS with its settings document.

The consistency of table and bucket depends on these settings: without them, S3 or Lambda loses events, and the rows
that exist do not show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from operations.existing_settings import compare_existing_bucket
from operations.inspector_settings import compare_inspector
from operations.inventory_settings import compare_inventory
from operations.listing import filter_rules
from operations.setting_findings import (
    REASON_FIRST,
    REFRESH,
    THEN_REDRIVE,
    THEN_REPAIR,
    THEN_REPAIR_LATER,
    SettingsReport,
    differ,
    invoke_conditions,
)
from operations.settings_document import buckets_in
from operations.target import BUCKET_VARIABLE, TABLE_VARIABLE

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.settings_document import ExpectedSettings

# Defaults of Lambda's settings for asynchronous invocations (Lambda API Reference, PutFunctionEventInvokeConfig).
DEFAULT_RETRIES = 2
DEFAULT_EVENT_AGE_SECONDS = 6 * 3600

USABLE_TABLE = ("ACTIVE", "UPDATING")
"""Statuses of a table that can be read (DynamoDB API Reference, TableDescription)."""


def missing_document(parameter: str) -> SettingsReport:
    """Return the report for a stack without settings document.

    Args:
        parameter: name of the SSM parameter that does not exist.
    """
    report = SettingsReport()
    report.add("settings document", f"there is no SSM parameter {parameter!r}, so no settings were compared")
    return report


def compare_settings(aws: Aws, expected: ExpectedSettings) -> SettingsReport:
    """Read the settings of a stack, and compare them with its settings document.

    Args:
        aws: the AWS calls, for the region of the stack.
        expected: the settings document.

    Raises:
        OperatorError: a setting cannot be read.
    """
    report = SettingsReport()
    _compare_bucket(aws, expected, report)
    statements = _compare_function(aws, expected, report)
    for bucket in expected.existing_buckets:
        compare_existing_bucket(aws, expected, bucket, report, statements=statements)
    if not aws.queue_exists(expected.failure_destination):
        problem = f"the queue {expected.failure_destination} does not exist, so failed events are lost"
        report.add("failure queue", problem, THEN_REPAIR)
    _compare_table(aws, expected, report)
    compare_inspector(aws, expected, report)
    if expected.bucket not in report.deleted_buckets:
        compare_inventory(aws, expected, report)
    return report


def _compare_bucket(aws: Aws, expected: ExpectedSettings, report: SettingsReport) -> None:
    versioning = aws.versioning(expected.bucket)
    if versioning is None:
        report.without_trigger.add(expected.bucket)
        report.deleted_buckets.add(expected.bucket)
        remedy = f"{REFRESH}, which creates an empty bucket; then restore the objects from your backup"
        report.add("bucket", f"the bucket {expected.bucket!r} does not exist", remedy)
        return
    if versioning != expected.versioning:
        problem = f"{differ(versioning, expected.versioning)}; an upload can replace an object"
        report.add("versioning", problem, THEN_REPAIR_LATER)
    _compare_notifications(aws.notifications(expected.bucket), expected, report)


def _compare_notifications(
    configurations: Sequence[Mapping[str, Any]], expected: ExpectedSettings, report: SettingsReport
) -> None:
    ours = [each for each in configurations if each["LambdaFunctionArn"] == expected.function_arn]
    if not ours:
        report.without_trigger.add(expected.bucket)
        others = ", ".join(each["LambdaFunctionArn"] for each in configurations)
        problem = f"the bucket notifies {others or 'no function'} and not {expected.function_arn}"
        report.add("notification", problem, THEN_REPAIR)
        return
    if len(ours) > 1:
        report.add("notification", f"the bucket has {len(ours)} notifications for the indexer and not 1", THEN_REPAIR)
        return
    prefix, suffix = filter_rules(ours[0])
    for setting, actual, wanted in (
        ("notification events", ", ".join(sorted(ours[0]["Events"])), ", ".join(sorted(expected.events))),
        ("notification prefix", prefix, expected.prefix),
        ("notification suffix", suffix, expected.suffix),
    ):
        if actual != wanted:
            report.add(setting, differ(actual, wanted), THEN_REPAIR)


def _compare_function(
    aws: Aws, expected: ExpectedSettings, report: SettingsReport
) -> Sequence[Mapping[str, Any]] | None:
    """Return the statements of the function's resource policy; None if the function does not exist."""
    function = expected.target().function
    configuration = aws.find_function(function)
    if configuration is None:
        report.add("function", f"the function {function!r} does not exist, so no upload is indexed", THEN_REPAIR)
        return None
    variables = configuration.get("Environment", {}).get("Variables", {})
    invocation = aws.event_invoke_config(function)
    destination = invocation.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    for setting, actual, wanted, remedy in (
        ("code", configuration["CodeSha256"], expected.code_sha256, THEN_REDRIVE),
        ("bucket of the function", variables.get(BUCKET_VARIABLE), expected.bucket, THEN_REDRIVE),
        ("table of the function", variables.get(TABLE_VARIABLE), expected.table, THEN_REDRIVE),
        ("existing buckets of the function", buckets_in(variables), expected.buckets_variable, THEN_REDRIVE),
        ("retries", invocation.get("MaximumRetryAttempts", DEFAULT_RETRIES), expected.retries, THEN_REDRIVE),
        (
            "maximum event age in seconds",
            invocation.get("MaximumEventAgeInSeconds", DEFAULT_EVENT_AGE_SECONDS),
            expected.event_age_seconds,
            THEN_REDRIVE,
        ),
        ("on-failure destination", destination, expected.failure_destination, THEN_REPAIR),
    ):
        if actual != wanted:
            report.add(setting, differ(actual, wanted), remedy)
    _compare_concurrency(aws.reserved_concurrency(function), expected, report)
    statements = aws.invoke_statements(function)
    if not any(_allows_bucket(each, expected) for each in statements):
        problem = f"the function's policy does not allow S3 to invoke it for {expected.bucket_arn} and the account "
        report.add("permission", problem + expected.account, THEN_REPAIR)
    return statements


def _compare_concurrency(actual: int | None, expected: ExpectedSettings, report: SettingsReport) -> None:
    wanted, target = expected.reserved_concurrency, expected.target()
    if actual == wanted:
        return
    function = f"--function-name {target.function} --region {target.region}"
    remedy = f"run: aws lambda delete-function-concurrency {function}"
    if wanted is not None:
        remedy = f"run: aws lambda put-function-concurrency {function} --reserved-concurrent-executions {wanted}"
    problem = differ(actual, wanted)
    if actual == 0:
        problem += "; with 0, Lambda sends every event to the failure queue"
        remedy = f"{REASON_FIRST}; then {remedy}; then run redrive with --replay"
    report.add("reserved concurrency", problem, remedy)


def _compare_table(aws: Aws, expected: ExpectedSettings, report: SettingsReport) -> None:
    status = aws.table_status(expected.table)
    if status in USABLE_TABLE:
        return
    report.table_usable = False
    problem = "does not exist" if status is None else f"has the status {status}"
    remedy = (
        "restore a backup of the table under another name, then run pulumi up --refresh and restore-rows, because "
        "backfill cannot create the rows of deleted versions"
    )
    report.add("table", f"the table {expected.table!r} {problem}", remedy)


def _allows_bucket(statement: Mapping[str, Any], expected: ExpectedSettings) -> bool:
    """Return whether a policy statement allows S3 to invoke the function for the bucket and the account only."""
    conditions = invoke_conditions(statement, service="s3.amazonaws.com")
    return conditions == {"aws:sourcearn": expected.bucket_arn, "aws:sourceaccount": expected.account}
