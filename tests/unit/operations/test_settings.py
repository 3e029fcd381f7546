"""Tests that `audit` compares each setting of a stack in AWS with the stack's settings document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tap_stack
from localstack.deployers.resources.inputs import Inputs
from localstack.deployers.resources.s3_rules import inventory_configuration as deployed_configuration
from operations.command import main
from operations.errors import OperatorError
from operations.existing_settings import event_pattern
from operations.inspector_settings import MAPPING as MAPPING_SETTINGS
from operations.inspector_settings import PATTERNS
from operations.inventory_settings import inventory_configuration
from operations.rate import Capacity
from operations.setting_findings import CHAPTERS
from operations.settings_document import SCHEMA, ExpectedSettings, buckets_in
from tests.support.default_stack import FULL
from tests.support.operations_fakes import (
    ARN,
    EVENT_SOURCE_MAPPING,
    EVENTS,
    INSPECTOR_ARN,
    MAPPING,
    S3_STATEMENT,
    SETTINGS,
    STREAM_ARN,
    TARGET,
    FakeAws,
    key_filter,
    notification,
    row,
    version,
)
from tests.support.synth import synth
from tests.unit.operations.test_existing_settings import EXISTING

RUNBOOK = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text(encoding="utf-8")
LISTED = [version("a"), version("b")]
REFRESH = "run: pulumi up --refresh"
THEN_REPAIR = (
    f"{REFRESH}; then run redrive with --replay, so that deletions keep their times, and then audit with --repair, "
    "because events since the change are lost"
)
THEN_REDRIVE = f"{REFRESH}; then run redrive with --replay, because events since the change may have failed"
THEN_REPAIR_LATER = (
    f"{REFRESH}; 15 minutes later, run audit with --repair: until then, S3 may return 404 for new versions"
)
THEN_INSPECT = (
    f"{REFRESH}; then run backfill with --inspect --invoke, because the inspector missed rows since the change"
)
ALL_EVENTS = "'s3:LifecycleExpiration:*, s3:ObjectCreated:*, s3:ObjectRemoved:*'"
OTHER = ARN.replace("indexer", "another")
NOT_COMPARED = "audit: 1 finding about the stack; bucket and table were not compared"
CONSISTENT = (
    "audit: 1 finding about the stack; the table is consistent with the bucket: 2 versions and 0 delete markers of "
    "2 keys, 2 rows"
)


class AuditCommand:
    """Runs `audit` with a fake stack whose settings and rows are correct, except for the changes that a test makes."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.aws = FakeAws(LISTED, [row(each) for each in LISTED])
        # With a realistic read capacity, the rate limiter would delay these tests.
        self.aws.provisioned = Capacity(read=None, write=None)
        self._capsys = capsys

    def change(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            assert hasattr(self.aws, name)
            setattr(self.aws, name, value)

    def __call__(self, *arguments: str) -> int:
        stack = [] if "--stack-outputs" in arguments else ["--function", "indexer"]
        code = main(["audit", *stack, *arguments], connect=lambda _: self.aws, grace=0)
        output, self.errors = self._capsys.readouterr()
        self.lines = output.splitlines()
        self.document: dict[str, Any] = json.loads(output) if "--json" in arguments else {}
        return code


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> AuditCommand:
    return AuditCommand(capsys)


def test_audit_of_a_stack_with_the_expected_settings_reports_no_findings(audit: AuditCommand) -> None:
    assert audit("--json") == 0
    assert audit.document["settings"] == []


def differ(actual: str, expected: str) -> str:
    return f"the value is {actual}, but the stack's value is {expected}"


INVENTORIED = {**SETTINGS, "inventory_location": "s3://logs/inventory"}
INVENTORY = inventory_configuration(TARGET, "s3://logs/inventory")
CONFIGURATION = "the inventory configuration 'indexer' of the bucket 'uploads'"


def statement(**changes: Any) -> list[Mapping[str, Any]]:
    return [{**S3_STATEMENT, **changes}]


def condition(account: str, bucket: str) -> dict[str, Any]:
    return {"StringEquals": {"AWS:SourceAccount": account}, "ArnLike": {"AWS:SourceArn": bucket}}


NO_PERMISSION = (
    "the function's policy does not allow S3 to invoke it for arn:aws:s3:::uploads and the account 123456789012"
)
REASON_FIRST = "find the reason first"
CONCURRENCY = "aws lambda {}-function-concurrency --function-name indexer --region eu-west-1"
STOPPED = "; with 0, Lambda sends every event to the failure queue"
RESTORE = (
    "restore a backup of the table under another name, then run pulumi up --refresh and restore-rows, because "
    "backfill cannot create the rows of deleted versions"
)
BUCKET = "arn:aws:s3:::uploads"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:failures"

MAPPED = f"the event source mapping {MAPPING}"


def mapping(**changes: Any) -> dict[str, Any]:
    """Return attributes of the fake stack: the inspector's event source mapping with changed fields."""
    return {"mapping": {**EVENT_SOURCE_MAPPING, **changes}}


Case = tuple[dict[str, Any], str, str, str]
CHANGES: Mapping[str, Case] = {
    "notification removed": (
        {"rules": []},
        "notification",
        f"the bucket notifies no function and not {ARN}",
        THEN_REPAIR,
    ),
    "notification of another function": (
        {"rules": [notification(LambdaFunctionArn=OTHER)]},
        "notification",
        f"the bucket notifies {OTHER} and not {ARN}",
        THEN_REPAIR,
    ),
    "notification of one version of the function": (
        {"rules": [notification(LambdaFunctionArn=f"{ARN}:7")]},
        "notification",
        f"the bucket notifies {ARN}:7 and not {ARN}",
        THEN_REPAIR,
    ),
    "two notifications of the function": (
        {"rules": [notification(Events=EVENTS[:1]), notification(Events=EVENTS[1:])]},
        "notification",
        "the bucket has 2 notifications for the indexer and not 1",
        THEN_REPAIR,
    ),
    "events narrowed to one type": (
        {"rules": [notification(Events=["s3:ObjectCreated:Put"])]},
        "notification events",
        differ("'s3:ObjectCreated:Put'", ALL_EVENTS),
        THEN_REPAIR,
    ),
    "removal events disabled": (
        {"rules": [notification(Events=[EVENTS[0], EVENTS[2]])]},
        "notification events",
        differ("'s3:LifecycleExpiration:*, s3:ObjectCreated:*'", ALL_EVENTS),
        THEN_REPAIR,
    ),
    "prefix added": (
        {"rules": [notification(Filter=key_filter(Prefix="in+box/"))]},
        "notification prefix",
        differ("'in+box/'", "''"),
        THEN_REPAIR,
    ),
    "suffix added": (
        {"rules": [notification(Filter=key_filter(Suffix=".pdf"))]},
        "notification suffix",
        differ("'.pdf'", "''"),
        THEN_REPAIR,
    ),
    "prefix removed": (
        {"settings": {**SETTINGS, "prefix": "a"}},
        "notification prefix",
        differ("''", "'a'"),
        THEN_REPAIR,
    ),
    "versioning suspended": (
        {"versioning_status": "Suspended"},
        "versioning",
        differ("'Suspended'", "'Enabled'") + "; an upload can replace an object",
        THEN_REPAIR_LATER,
    ),
    "retries 0": (
        {"retries": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 21600}},
        "retries",
        differ("0", "2"),
        THEN_REDRIVE,
    ),
    "event age 60 s": (
        {"retries": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}},
        "maximum event age in seconds",
        differ("60", "21600"),
        THEN_REDRIVE,
    ),
    "destination removed": (
        {"destination": None, "retries": {}},  # all settings of asynchronous invocations were deleted
        "on-failure destination",
        differ("not set", f"'{QUEUE}'"),
        THEN_REPAIR,
    ),
    "another destination": (
        {"destination": f"{QUEUE}-2"},
        "on-failure destination",
        differ(f"'{QUEUE}-2'", f"'{QUEUE}'"),
        THEN_REPAIR,
    ),
    "failure queue deleted": (
        {"queues": []},
        "failure queue",
        f"the queue {QUEUE} does not exist, so failed events are lost",
        THEN_REPAIR,
    ),
    "reserved concurrency 0": (
        {"concurrency": 0},
        "reserved concurrency",
        differ("0", "not set") + STOPPED,
        f"{REASON_FIRST}; then run: {CONCURRENCY.format('delete')}; then run redrive with --replay",
    ),
    "reserved concurrency 0 instead of 5": (
        {"concurrency": 0, "settings": {**SETTINGS, "reserved_concurrency": 5}},
        "reserved concurrency",
        differ("0", "5") + STOPPED,
        (
            f"{REASON_FIRST}; then run: {CONCURRENCY.format('put')} --reserved-concurrent-executions 5; "
            "then run redrive with --replay"
        ),
    ),
    "reserved concurrency added": (
        {"concurrency": 3},
        "reserved concurrency",
        differ("3", "not set"),
        f"run: {CONCURRENCY.format('delete')}",
    ),
    "reserved concurrency removed": (
        {"settings": {**SETTINGS, "reserved_concurrency": 5}},
        "reserved concurrency",
        differ("not set", "5"),
        f"run: {CONCURRENCY.format('put')} --reserved-concurrent-executions 5",
    ),
    "permission removed": ({"statements": []}, "permission", NO_PERMISSION, THEN_REPAIR),
    "permission for another bucket": (
        {"statements": statement(Condition=condition("123456789012", f"{BUCKET}-2"))},
        "permission",
        NO_PERMISSION,
        THEN_REPAIR,
    ),
    "permission for another account": (
        {"statements": statement(Condition=condition("999999999999", BUCKET))},
        "permission",
        NO_PERMISSION,
        THEN_REPAIR,
    ),
    "permission without a condition": (
        {"statements": [{name: each for name, each in S3_STATEMENT.items() if name != "Condition"}]},
        "permission",
        NO_PERMISSION,
        THEN_REPAIR,
    ),
    "permission for another service": (
        {"statements": statement(Principal={"Service": "sns.amazonaws.com"})},
        "permission",
        NO_PERMISSION,
        THEN_REPAIR,
    ),
    "permission for another action": (
        {"statements": statement(Action="lambda:GetFunction")},
        "permission",
        NO_PERMISSION,
        THEN_REPAIR,
    ),
    "denied permission": ({"statements": statement(Effect="Deny")}, "permission", NO_PERMISSION, THEN_REPAIR),
    "wrong bucket in the environment": (
        {"variables": {"TAP_BUCKET_NAME": "another", "TAP_TABLE_NAME": "objects"}},
        "bucket of the function",
        differ("'another'", "'uploads'"),
        THEN_REDRIVE,
    ),
    "no table in the environment": (
        {"variables": {"TAP_BUCKET_NAME": "uploads"}},
        "table of the function",
        differ("not set", "'objects'"),
        THEN_REDRIVE,
    ),
    "code replaced": ({"code": "another"}, "code", differ("'another'", "'hash'"), THEN_REDRIVE),
    "function deleted": (
        {"function_exists": False},
        "function",
        "the function 'indexer' does not exist, so no upload is indexed",
        THEN_REPAIR,
    ),
    "inspector deleted": (
        {"inspector_variables": None},
        "inspector",
        "the function 'inspector' does not exist, so no new row gets content",
        THEN_INSPECT,
    ),
    "wrong table in the environment of the inspector": (
        {"inspector_variables": {"TAP_TABLE_NAME": "another"}},
        "table of the inspector",
        differ("'another'", "'objects'"),
        THEN_INSPECT,
    ),
    "reserved concurrency of the inspector 0": (
        {"inspector_concurrency": 0},
        "reserved concurrency of the inspector",
        differ("0", "not set") + "; with 0, Lambda does not run the inspector",
        (
            f"{REASON_FIRST}; then run: aws lambda delete-function-concurrency --function-name inspector --region "
            "eu-west-1; after more than 6 hours, also run backfill with --inspect --invoke"
        ),
    ),
    "stream disabled": (
        {"stream": None},
        "stream",
        "the table 'objects' has no stream with the new rows",
        THEN_INSPECT,
    ),
    "event source mapping deleted": (
        {"mapping": None},
        "inspector mapping",
        f"{MAPPED} does not exist, so no new row gets content",
        THEN_INSPECT,
    ),
    "event source mapping disabled": (
        mapping(State="Disabled"),
        "inspector mapping state",
        f"{MAPPED} has the state Disabled",
        THEN_INSPECT,
    ),
    "event source mapping that cannot read the stream": (
        mapping(LastProcessingResult="PROBLEM: Lambda is not authorized to read the stream"),
        "inspector mapping result",
        f"{MAPPED} has the last result 'PROBLEM: Lambda is not authorized to read the stream'",
        THEN_INSPECT,
    ),
    "event source mapping of another function": (
        mapping(FunctionArn=OTHER),
        "inspector mapping function",
        f"{MAPPED}: {differ(repr(OTHER), repr(INSPECTOR_ARN))}",
        THEN_INSPECT,
    ),
    "event source mapping of an earlier stream": (
        mapping(EventSourceArn="earlier"),
        "inspector mapping stream",
        f"{MAPPED}: {differ(repr('earlier'), repr(STREAM_ARN))}",
        THEN_INSPECT,
    ),
    "event source mapping with endless retries": (
        mapping(MaximumRetryAttempts=-1),
        "inspector mapping settings",
        f"{MAPPED}: MaximumRetryAttempts: {differ('-1', '2')}",
        THEN_INSPECT,
    ),
    "event source mapping without partial batch responses": (
        mapping(FunctionResponseTypes=[]),
        "inspector mapping settings",
        f"{MAPPED}: FunctionResponseTypes: {differ('[]', repr(['ReportBatchItemFailures']))}",
        THEN_INSPECT,
    ),
    "event source mapping without destination": (
        mapping(DestinationConfig={}),
        "inspector mapping destination",
        f"{MAPPED}: {differ('not set', repr(QUEUE))}",
        THEN_INSPECT,
    ),
    "event source mapping with another filter": (
        mapping(FilterCriteria={"Filters": [{"Pattern": "{}"}]}),
        "inspector mapping filter",
        (
            f"{MAPPED} has the filter {{}}, but the stack's filter is "
            '{"dynamodb": {"NewImage": {"content_of": {"S": [{"exists": false}]}}}}, '
            '{"dynamodb": {"Keys": {"version_id": {"S": ["null"]}}}}'
        ),
        THEN_INSPECT,
    ),
    "inventory configuration deleted": (
        {"settings": INVENTORIED, "inventory": None},
        "inventory",
        f"{CONFIGURATION} does not exist, so S3 writes no inventories",
        REFRESH,
    ),
    "inventory configuration disabled": (
        {"settings": INVENTORIED, "inventory": {**INVENTORY, "IsEnabled": False}},
        "inventory",
        f"{CONFIGURATION}: IsEnabled: {differ('False', 'True')}",
        REFRESH,
    ),
    "inventory without noncurrent versions": (
        {"settings": INVENTORIED, "inventory": {**INVENTORY, "IncludedObjectVersions": "Current"}},
        "inventory",
        f"{CONFIGURATION}: IncludedObjectVersions: {differ(repr('Current'), repr('All'))}",
        REFRESH,
    ),
    "bucket deleted": (
        {"versioning_status": None},
        "bucket",
        "the bucket 'uploads' does not exist",
        f"{REFRESH}, which creates an empty bucket; then restore the objects from your backup",
    ),
    "table deleted": ({"status": None}, "table", "the table 'objects' does not exist", RESTORE),
    "table being deleted": (
        {"status": "DELETING"},
        "table",
        "the table 'objects' has the status DELETING",
        RESTORE,
    ),
    "no settings document": (
        {"settings": None},
        "settings document",
        "there is no SSM parameter 'indexer-settings', so no settings were compared",
        REFRESH,
    ),
}
"""Maps the name of each changed setting to the attributes of the fake stack, and to the expected finding."""
NOT_COMPARABLE = {"bucket deleted", "table deleted", "table being deleted"}
NOT_TRIGGERED = {
    *("bucket deleted", "notification removed", "notification of another function"),
    "notification of one version of the function",
}


@pytest.mark.parametrize("name", CHANGES)
def test_audit_reports_each_changed_setting_with_its_remedy(audit: AuditCommand, name: str) -> None:
    changes, setting, problem, remedy = CHANGES[name]
    audit.change(**changes)
    assert audit("--json") == 1
    runbook = f"docs/runbook.md#{CHAPTERS[setting]}"
    expected = {"setting": setting, "problem": problem, "remedy": remedy, "runbook": runbook}
    assert audit.document["settings"] == [expected]
    assert audit.document["findings"] == []
    assert audit.document["triggered"] == (name not in NOT_TRIGGERED)
    assert audit() == 1
    details = [f"            {remedy}", f"            Runbook: {runbook}"]
    assert audit.lines[-4:-1] == [f"setting     {setting}: {problem}", *details]
    # After the change "prefix removed", the expected filter excludes a key, so the last line differs.
    if name != "prefix removed":
        assert audit.lines[-1] == (NOT_COMPARED if name in NOT_COMPARABLE else CONSISTENT)


def test_runbook_has_a_heading_for_the_chapter_of_each_audit_finding() -> None:
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
    assert {each for each in CHAPTERS.values() if each not in anchors} == set()
    settings = {setting for _, setting, _, _ in (*CHANGES.values(), *EXISTING.values())}
    assert set(CHAPTERS) == settings | {"compared keys", "existing bucket EventBridge"}


def test_runbook_table_of_incidents_links_the_chapters_of_all_audit_findings() -> None:
    incidents = re.findall(r"^\| .+ \| .*`audit`.* \| \[.+\]\(#(.+)\).* \|$", RUNBOOK, re.MULTILINE)
    assert set(CHAPTERS.values()) - {"audit"} == set(incidents) - {"table-damaged"}


def test_audit_accepts_the_optional_fields_of_an_inventory_configuration_in_any_order(audit: AuditCommand) -> None:
    audit.change(settings=INVENTORIED, inventory={**INVENTORY, "OptionalFields": INVENTORY["OptionalFields"][::-1]})
    assert audit() == 0
    audit.change(inventory={**INVENTORY, "OptionalFields": ["Size"], "Filter": {"Prefix": "in/"}})
    assert audit("--json") == 1
    fields = "ChecksumAlgorithm, ETag, EncryptionStatus, LastModifiedDate, Size, StorageClass"
    assert [each["problem"].partition(": ")[2] for each in audit.document["settings"]] == [
        f"OptionalFields: {differ(repr('Size'), repr(fields))}",
        "Filter: the value is {'Prefix': 'in/'}, but the stack's value is not set",
    ]


def test_inventory_configuration_that_audit_expects_equals_that_of_the_pulumi_program() -> None:
    """The Pulumi program and the tools define the inventory configuration twice: neither imports the other."""
    stack = synth(**FULL)
    expected = ExpectedSettings.parse(stack.properties("tap-settings")["insecureValue"], parameter="any")
    created = Inputs(stack.named("tap-uploads-inventory").inputs)
    actual = deployed_configuration(created)
    assert inventory_configuration(expected.target(), expected.inventory_location) == actual
    assert expected.bucket == created.get("bucket")


@pytest.mark.parametrize("document", [{"inspector": None}, {}])
def test_audit_of_a_stack_without_inspector_compares_no_inspector_settings(
    audit: AuditCommand, document: dict[str, Any]
) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != "inspector"}
    audit.change(settings={**settings, **document}, mapping=None, stream=None, inspector_variables=None)
    assert audit() == 0


def test_audit_accepts_an_event_source_mapping_without_a_filter_or_for_an_alias(audit: AuditCommand) -> None:
    audit.change(**mapping(FilterCriteria={}, FunctionArn=f"{INSPECTOR_ARN}:live", State="Updating"))
    assert audit() == 0


@pytest.mark.parametrize("result", ["OK", "No records processed", "PROBLEM: Function call failed"])
def test_audit_accepts_each_processing_result_of_a_working_event_source_mapping(
    audit: AuditCommand, result: str
) -> None:
    audit.change(**mapping(LastProcessingResult=result))
    assert audit() == 0


def test_event_source_mapping_that_audit_expects_equals_that_of_the_stack() -> None:
    created = synth().one("EventSourceMapping").inputs
    assert {name: created[f"{name[0].lower()}{name[1:]}"] for name in MAPPING_SETTINGS} == MAPPING_SETTINGS
    assert [json.loads(each["pattern"]) for each in created["filterCriteria"]["filters"]] == list(PATTERNS)


def test_audit_reports_several_changed_settings_and_rows_together(audit: AuditCommand) -> None:
    audit.change(versioning_status="Suspended", concurrency=0, code="another", rows=[row(LISTED[0])])
    assert audit("--json") == 1
    assert [each["setting"] for each in audit.document["settings"]] == ["versioning", "code", "reserved concurrency"]
    assert [each["key"] for each in audit.document["findings"]] == ["b"]
    assert audit.document["summary"].startswith("audit: 3 findings about the stack; 1 difference (1 missing) in ")


def test_audit_accepts_settings_in_another_order_and_the_defaults_of_lambda(audit: AuditCommand) -> None:
    rules = [notification(LambdaFunctionArn=OTHER), notification(Events=EVENTS[::-1])]
    audit.change(rules=rules, retries={}, status="UPDATING", statements=[{**S3_STATEMENT, "Sid": "1"}])
    assert audit("--json") == 0


def test_audit_with_a_narrowed_notification_compares_all_keys_of_the_settings_document(audit: AuditCommand) -> None:
    """If the audit used the narrowed filter in AWS, it would exclude the keys whose events are lost."""
    audit.change(rules=[notification(Filter=key_filter(Prefix="a"))], rows=[row(LISTED[0])])
    assert audit("--json") == 1
    assert [each["key"] for each in audit.document["findings"]] == ["b"]
    assert (audit.document["not_indexed"], audit.document["triggered"]) == (0, True)


def test_audit_uses_bucket_and_table_of_the_settings_document(audit: AuditCommand) -> None:
    """In this test, the environment of the indexer contains another bucket, which does not exist."""
    audit.change(variables={"TAP_BUCKET_NAME": "another", "TAP_TABLE_NAME": "another"})
    assert audit("--json") == 1
    assert (audit.document["keys"], audit.document["findings"]) == (2, [])


@pytest.fixture
def outputs(tmp_path: Path) -> str:
    """Fixture: path of a file with the outputs of the stack."""
    outputs = {
        "bucket_name": "renamed since",
        "table_name": "objects",
        "lambda_function_name": "indexer",
        "lambda_function_arn": ARN,
        "failure_queue_url": "https://sqs/1/failures",
        "settings_parameter": "indexer-settings",
    }
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs), encoding="utf-8")
    return str(file)


def test_audit_with_stack_outputs_finds_the_settings_document_without_the_function(
    audit: AuditCommand, outputs: str
) -> None:
    audit.change(function_exists=False)
    assert audit("--json", "--stack-outputs", outputs) == 1
    assert [each["setting"] for each in audit.document["settings"]] == ["function"]
    assert audit.document["keys"] == 2


def test_audit_repair_compares_the_queue_of_the_stack_outputs_with_the_on_failure_destination(
    audit: AuditCommand, outputs: str
) -> None:
    assert audit("--repair", "--stack-outputs", outputs) == 0
    audit.change(destination=f"{QUEUE}-2")
    assert audit("--repair", "--stack-outputs", outputs) == 2
    assert "failures-2, but the stack outputs contain the queue https://sqs/1/failures" in audit.errors


def test_audit_without_settings_document_and_function_is_an_error(audit: AuditCommand) -> None:
    audit.change(function_exists=False, settings=None)
    assert audit() == 2
    assert audit.errors == (
        "audit: there is neither a function 'indexer' nor an SSM parameter 'indexer-settings': check the name, the "
        "region and the account. If both were deleted, see docs/runbook.md#function-deleted\n"
    )


@pytest.mark.parametrize("prefix", ["", "typo/"])
@pytest.mark.parametrize("listed", [[], [version("a")]])
def test_audit_that_compared_no_key_reports_a_finding(audit: AuditCommand, prefix: str, listed: list[Any]) -> None:
    audit.change(listed=listed, rows=[row(each) for each in listed])
    compared = bool(listed) and not prefix
    assert audit("--json", "--prefix", prefix) == (0 if compared else 1)
    if compared:
        return
    problem, remedy = {
        "": (
            "the bucket is empty",
            "upload a file, then run audit again; `pulumi stack output test_command` prints a command",
        ),
        "typo/": ("the bucket has no key with the prefix 'typo/'", "check the option --prefix of audit"),
    }[prefix]
    [finding] = audit.document["settings"]
    assert finding == {
        "setting": "compared keys",
        "problem": f"{problem}, so the audit compared nothing",
        "remedy": remedy,
        "runbook": "docs/runbook.md#audit",
    }
    assert audit.document["summary"].startswith("audit: 1 finding about the stack; no key was compared: 0 versions")


def test_audit_reports_a_finding_if_the_filter_excludes_all_keys(audit: AuditCommand) -> None:
    filtered = {"settings": {**SETTINGS, "suffix": ".pdf"}, "rules": [notification(Filter=key_filter(Suffix=".pdf"))]}
    audit.change(**filtered)
    assert audit("--json") == 1
    [finding] = audit.document["settings"]
    assert finding["problem"].startswith("the notification's filter excludes all 2 versions that were listed")
    assert finding["remedy"] == "check notificationPrefix, notificationSuffix, and the option --prefix of audit"


def test_audit_of_an_empty_bucket_with_rows_of_deleted_versions_reports_a_finding(audit: AuditCommand) -> None:
    audit.change(listed=[], rows=[row(LISTED[0], deleted_at="2026-01-31T12:00:00.000Z")])
    assert audit("--json") == 1
    assert (audit.document["rows"], audit.document["settings"][0]["setting"]) == (1, "compared keys")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "{", "is not a settings document: run: pulumi up --refresh"),
        (lambda _: "[]", "is not a settings document"),
        (lambda _: "{}", "is not a settings document"),
        (lambda values: values | {"schema": 2}, "has the schema 2, but this tool reads schemas up to 1: use the tools"),
        (lambda values: values | {"events": None}, "has no valid events: run: pulumi up --refresh"),
        (lambda values: values | {"retries": "2"}, "has no valid retries"),
        (lambda values: values | {"bucket": 1}, "has no valid bucket"),
        (lambda values: {n: v for n, v in values.items() if n != "table"}, "has no valid table"),
        (lambda values: values | {"inventory_location": ["s3://b/inventory"]}, "has no valid inventory_location"),
    ],
)
def test_invalid_settings_document_is_an_error_with_a_remedy(
    audit: AuditCommand, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    audit.change(settings=change(dict(SETTINGS)))
    assert audit() == 2
    assert audit.errors.startswith("audit: the SSM parameter 'indexer-settings' ")
    assert message in audit.errors


def test_settings_document_with_an_unknown_field_is_accepted(audit: AuditCommand) -> None:
    audit.change(settings={**SETTINGS, "added_later": 1})
    assert audit() == 0


def test_settings_document_of_the_stack_can_be_parsed() -> None:
    """The Pulumi program and the tools define the settings document separately, because neither imports the other."""
    stack = synth(region="cn-north-1", partition="aws-cn", notificationPrefix="in box/")
    expected = ExpectedSettings.parse(stack.properties("tap-settings")["insecureValue"], parameter="any")
    target = expected.target()
    assert (target.bucket, target.table) == (stack.outputs["bucket_name"], stack.outputs["table_name"])
    assert (target.function, target.function_arn) == (
        stack.outputs["lambda_function_name"],
        stack.outputs["lambda_function_arn"],
    )
    assert (target.region, expected.account) == ("cn-north-1", "123456789012")
    assert expected.bucket_arn == stack.outputs["bucket_arn"]
    assert [key in expected.key_filter for key in ("in box/a", "in+box/a")] == [True, False]
    assert SCHEMA == tap_stack.SETTINGS_SCHEMA


def test_existing_buckets_in_the_settings_document_are_parsed_by_the_tools() -> None:
    buckets = [
        {"name": "logs", "versioned": True, "prefixes": ["in box/", "é/"]},
        {"name": "rep.orts", "versioned": False},
    ]
    stack = synth(existingBuckets=json.dumps(buckets))
    expected = ExpectedSettings.parse(stack.properties("tap-settings")["insecureValue"], parameter="any")
    assert [(each.name, each.versioned, each.prefixes) for each in expected.existing_buckets] == [
        ("logs", True, ("in box/", "é/")),
        ("rep.orts", False, ()),
    ]
    variables = stack.named("tap-indexer").inputs["environment"]["variables"]
    assert buckets_in(variables) == expected.buckets_variable
    assert buckets_in(synth().named("tap-indexer").inputs["environment"]["variables"]) is None
    patterns = {each.inputs["name"]: each.inputs["eventPattern"] for each in stack.all("EventRule")}
    assert {name: json.loads(pattern) for name, pattern in patterns.items()} == {
        each.rule: event_pattern(each) for each in expected.existing_buckets
    }
    targets = {(each.inputs["arn"], each.inputs["deadLetterConfig"]["arn"]) for each in stack.all("EventTarget")}
    assert targets == {(expected.function_arn, expected.failure_destination)}


def test_audit_repair_without_on_failure_destination_is_an_error(audit: AuditCommand) -> None:
    audit.change(destination=None)
    assert audit("--repair") == 2
    assert "sends failed events to no SQS queue" in audit.errors


def test_failed_call_that_reads_a_setting_ends_the_audit(audit: AuditCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: str) -> None:
        raise OperatorError("cannot read the policy")

    monkeypatch.setattr(audit.aws, "invoke_statements", denied)
    assert audit() == 2
    assert audit.errors == "audit: cannot read the policy\n"
