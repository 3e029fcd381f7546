"""Tests that `audit` compares the settings of existing buckets and of their EventBridge rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from operations.setting_findings import CHAPTERS
from tests.support.operations_fakes import ARN, QUEUE_ARN, RULE_ARN, FakeAws, row, rule_statement, version

if TYPE_CHECKING:
    from tests.unit.operations.conftest import Command

LOGS = {"name": "logs", "versioned": True, "prefixes": ["in/", "new/"], "rule": "tapstack-prod-logs"}
REPORTS = {"name": "reports", "versioned": False, "prefixes": [], "rule": "tapstack-prod-reports"}
RULE = "the rule 'tapstack-prod-reports' of the bucket 'reports'"
REFRESH = "run: pulumi up --refresh"
THEN_REPAIR = (
    f"{REFRESH}; then run redrive with --replay, and then audit with --bucket reports and --repair, because events "
    "since the change are lost"
)
THEN_REDRIVE = f"{REFRESH}; then run redrive with --replay, because events since the change may have failed"
LOGS_VARIABLE = '{"name":"logs","prefixes":["in/","new/"],"versioned":true}'
VARIABLE = f'[{LOGS_VARIABLE},{{"name":"reports","prefixes":[],"versioned":false}}]'
PATTERN: dict[str, Any] = {
    "source": ["aws.s3"],
    "detail-type": ["Object Created", "Object Deleted"],
    "detail": {"bucket": {"name": ["reports"]}},
}
TARGET = {"Id": "indexer", "Arn": ARN, "DeadLetterConfig": {"Arn": QUEUE_ARN}}


@pytest.fixture
def run(run: Command) -> Command:
    """Fixture: runs tools with a stack that indexes a versioned and an unversioned existing bucket."""
    run.aws.index_bucket(LOGS, [version("in/a")])
    run.aws.index_bucket(REPORTS, [version("q1", "null")])
    for bucket, listed in (("logs", version("in/a")), ("reports", version("q1", "null"))):
        run.aws.rows.append(row(listed, object_id=f"{bucket}/{listed.key}", bucket=bucket))
    return run


def set_rule(**changes: Any) -> Callable[[FakeAws], None]:
    return lambda aws: aws.event_rules["tapstack-prod-reports"].update(changes)


def set_targets(*targets: dict[str, Any]) -> Callable[[FakeAws], None]:
    return lambda aws: aws.event_targets.update({"tapstack-prod-reports": list(targets)})


def set_versioning(status: str | None) -> Callable[[FakeAws], None]:
    return lambda aws: aws.versioning_elsewhere.update(reports=status)


def set_statement(**changes: Any) -> Callable[[FakeAws], None]:
    def change(aws: FakeAws) -> None:
        aws.statements = [*aws.statements[:-1], rule_statement("tapstack-prod-reports", **changes)]

    return change


def set_variable(value: str | None) -> Callable[[FakeAws], None]:
    def change(aws: FakeAws) -> None:
        variables = {**aws.variables, "EXISTING_BUCKETS": value}
        aws.variables = {name: each for name, each in variables.items() if each is not None}

    return change


def pattern_of(**detail: object) -> str:
    return json.dumps({**PATTERN, "detail": detail})


def other_pattern(pattern: str) -> str:
    return f"{RULE} has the pattern {pattern}, but the stack's pattern is {json.dumps(PATTERN)}"


def other_versioning(actual: str) -> str:
    return f"the bucket 'reports': the value is '{actual}', but the stack's value is 'Disabled'"


ONE_PREFIX = pattern_of(bucket={"name": ["reports"]}, object={"key": [{"prefix": "a/"}]})
ANOTHER_BUCKET = pattern_of(bucket={"name": ["another"]})
NO_TARGET = f"{RULE} has 0 targets with the ARN of the indexer instead of 1"
NO_PERMISSION = f"the function's policy does not allow EventBridge to invoke it for {RULE}"
MAKE_VERSIONED = (
    "set `versioned` of the bucket to true in existingBuckets, and run: pulumi up; then run audit with --bucket "
    "reports and --repair"
)
CONDITION = {"ArnLike": {"AWS:SourceArn": f"{RULE_ARN}tapstack-prod-reports"}}
STATEMENTS: Mapping[str, dict[str, Any]] = {
    "permission for another rule": {"Condition": {"ArnLike": {"AWS:SourceArn": f"{RULE_ARN}another"}}},
    "permission for S3": {"Principal": {"Service": "s3.amazonaws.com"}},
    "permission for another action": {"Action": "lambda:GetFunction"},
    "denied permission": {"Effect": "Deny"},
    "permission with a further condition": {"Condition": {**CONDITION, "StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
}

Change = tuple[Callable[[FakeAws], object], str, str, str]
EXISTING: Mapping[str, Change] = {
    "bucket deleted": (
        set_versioning(None),
        "existing bucket",
        "the bucket 'reports' does not exist",
        "remove the bucket from existingBuckets, and run: pulumi up",
    ),
    "versioning enabled": (
        set_versioning("Enabled"),
        "existing bucket versioning",
        other_versioning("Enabled"),
        MAKE_VERSIONED,
    ),
    "versioning suspended": (
        set_versioning("Suspended"),
        "existing bucket versioning",
        other_versioning("Suspended"),
        MAKE_VERSIONED,
    ),
    "rule deleted": (
        lambda aws: aws.event_rules.pop("tapstack-prod-reports"),
        "rule",
        f"{RULE} does not exist",
        THEN_REPAIR,
    ),
    "rule disabled": (
        set_rule(State="DISABLED"),
        "rule state",
        f"{RULE} has the state DISABLED",
        THEN_REPAIR,
    ),
    "prefix added to the pattern": (
        set_rule(EventPattern=ONE_PREFIX),
        "rule pattern",
        other_pattern(ONE_PREFIX),
        THEN_REPAIR,
    ),
    "pattern of another bucket": (
        set_rule(EventPattern=ANOTHER_BUCKET),
        "rule pattern",
        other_pattern(ANOTHER_BUCKET),
        THEN_REPAIR,
    ),
    "rule without a pattern": (
        set_rule(EventPattern=""),
        "rule pattern",
        other_pattern("not set"),
        THEN_REPAIR,
    ),
    "target removed": (set_targets(), "rule target", NO_TARGET, THEN_REPAIR),
    "target with a version of the indexer": (
        set_targets({**TARGET, "Arn": f"{ARN}:7"}),
        "rule target",
        NO_TARGET,
        THEN_REPAIR,
    ),
    "two targets": (
        set_targets(TARGET, {**TARGET, "Id": "again"}),
        "rule target",
        f"{RULE} has 2 targets with the ARN of the indexer instead of 1",
        THEN_REPAIR,
    ),
    "target with a part of the event": (
        set_targets({**TARGET, "InputPath": "$.detail"}),
        "rule target",
        f"{RULE} changes the events, because its target has the field InputPath",
        THEN_REPAIR,
    ),
    "target without a dead-letter queue": (
        set_targets({"Id": "indexer", "Arn": ARN}),
        "rule dead-letter queue",
        f"{RULE}: the value is not set, but the stack's value is '{QUEUE_ARN}'",
        THEN_REPAIR,
    ),
    **{
        name: (
            set_statement(**changes),
            "existing bucket permission",
            NO_PERMISSION,
            f"{REFRESH}; then run redrive with --replay",
        )
        for name, changes in STATEMENTS.items()
    },
    "buckets removed from the environment of the indexer": (
        set_variable(None),
        "existing buckets of the function",
        f"the value is not set, but the stack's value is '{VARIABLE}'",
        THEN_REDRIVE,
    ),
    "invalid environment of the indexer": (
        set_variable("["),
        "existing buckets of the function",
        f"the value is '[', but the stack's value is '{VARIABLE}'",
        THEN_REDRIVE,
    ),
}
"""Maps the name of each changed setting to the function that changes it, and to the expected finding."""
NOT_TRIGGERED = {
    *("bucket deleted", "rule deleted", "rule disabled", "target removed"),
    "target with a version of the indexer",
}


@pytest.mark.parametrize("name", EXISTING)
def test_audit_reports_each_changed_setting_of_an_existing_bucket(run: Command, name: str) -> None:
    change, setting, problem, remedy = EXISTING[name]
    change(run.aws)
    runbook = f"docs/runbook.md#{CHAPTERS[setting]}"
    for bucket in ("uploads", "logs", "reports"):
        assert run("audit", "--json", "--bucket", bucket) == 1, bucket
        expected = {"setting": setting, "problem": problem, "remedy": remedy, "runbook": runbook}
        assert run.document["settings"] == [expected], bucket
        assert run.document["triggered"] == (bucket != "reports" or name not in NOT_TRIGGERED), bucket


def test_audit_reports_buckets_that_send_no_events_to_eventbridge(run: Command) -> None:
    run.aws.bridged = False
    assert run("audit", "--json", "--bucket", "reports") == 1
    assert [(each["setting"], each["problem"]) for each in run.document["settings"]] == [
        ("existing bucket EventBridge", f"the bucket {name!r} sends no events to EventBridge")
        for name in ("logs", "reports")
    ]
    remedy = THEN_REPAIR.replace(REFRESH, "run: tapstack adopt reports --apply")
    assert run.document["settings"][1]["remedy"] == remedy
    assert run.document["triggered"] is False


def test_audit_of_a_stack_with_existing_buckets_and_the_expected_settings_reports_no_findings(run: Command) -> None:
    for bucket in ("uploads", "logs", "reports"):
        assert run("audit", "--json", "--bucket", bucket) == 0, bucket
        assert run.document["triggered"] is True, bucket


@pytest.mark.parametrize(("status", "code"), [("Enabled", 0), ("Suspended", 0), ("Disabled", 1)])
def test_audit_accepts_suspended_versioning_of_a_versioned_existing_bucket(
    run: Command, status: str, code: int
) -> None:
    run.aws.versioning_elsewhere["logs"] = status
    assert run("audit", "--bucket", "logs", "--json") == code
    problem = "the bucket 'logs': the value is 'Disabled', but the stack's value is 'Enabled' or 'Suspended'"
    assert [(each["problem"]) for each in run.document["settings"]] == [problem] * code


def test_audit_accepts_settings_of_existing_buckets_in_another_order(run: Command) -> None:
    detail = {"object": {"key": [{"prefix": "new/"}, {"prefix": "in/"}]}, "bucket": {"name": ["logs"]}}
    pattern = {"detail": detail, "detail-type": PATTERN["detail-type"][::-1], "source": ["aws.s3"]}
    run.aws.event_rules["tapstack-prod-logs"]["EventPattern"] = json.dumps(pattern)
    run.aws.event_rules["tapstack-prod-logs"]["State"] = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    run.aws.variables["EXISTING_BUCKETS"] = json.dumps(json.loads(VARIABLE), indent=2)
    set_statement(Condition={**CONDITION, "StringEquals": {"AWS:SourceAccount": "123456789012"}})(run.aws)
    assert run("audit") == 0


def test_audit_of_a_deleted_function_reports_no_finding_about_permissions_of_rules(run: Command) -> None:
    run.aws.function_exists = False
    assert run("audit", "--json") == 1
    assert [each["setting"] for each in run.document["settings"]] == ["function"]


def test_audit_of_an_existing_bucket_compares_rows_although_the_bucket_of_the_stack_was_deleted(run: Command) -> None:
    run.aws.versioning_status = None
    assert run("audit", "--bucket", "logs", "--json") == 1
    assert (run.document["keys"], run.document["triggered"]) == (1, True)
    assert run("audit", "--json") == 1
    assert (run.document["keys"], run.document["triggered"]) == (0, False)


def test_audit_of_a_deleted_existing_bucket_compares_no_rows(run: Command) -> None:
    run.aws.versioning_elsewhere["reports"] = None
    assert run("audit", "--bucket", "reports") == 1
    assert run.lines[-1] == "audit: 1 finding about the stack; bucket and table were not compared"


def test_tools_send_no_event_while_the_environment_of_the_indexer_lacks_an_existing_bucket(run: Command) -> None:
    set_variable(f"[{LOGS_VARIABLE}]")(run.aws)
    assert run("backfill", "--bucket", "reports", "--invoke") == 2
    assert "the environment variable EXISTING_BUCKETS of the function 'indexer' is" in run.errors[0]
    assert "run `pulumi up --refresh` first (docs/runbook.md#failed-foreign)" in run.errors[0]
    assert run.aws.sent == []
