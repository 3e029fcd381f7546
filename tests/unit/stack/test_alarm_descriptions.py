"""Tests of the alarm descriptions: causes that match the stack, a first command, and the chapter of the runbook."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import tap_stack
from tap_stack import TapStackArgs, make_alarms, make_names
from tests.support.default_stack import CUSTOM, FULL, FUNCTION, INSPECTOR, LIMITED, LOG_GROUP, ON_DEMAND, QUEUE, TABLE
from tests.support.nonempty import nonempty
from tests.support.shell_commands import problems
from tests.support.synth import synth
from tests.unit.stack.test_alarms import ALARMS, EXISTING_ALARMS, EXPECTING_ALARMS, OPTIONAL_ALARMS

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
EVERY_ALARM = pytest.mark.parametrize("purpose", ALARMS)
# The longest URL that the configuration accepts.
LONGEST_URL = "https://example.com/".ljust(tap_stack.RUNBOOK_URL_LENGTH.stop - 1, "a")


OPTIONAL_KEYS = ("expectUploadEveryHours", "expectAuditEveryHours", "existingBuckets", "alarmOnMismatch")


class Description(NamedTuple):
    """The three parts of an alarm description."""

    cause: str
    command: str
    runbook: str


def parse(description: str) -> Description:
    match = re.fullmatch(r"(.+\.)\n\nFirst run:\n\n    (.+)\n\nRunbook: (\S+)", description)
    assert match, description
    return Description(*match.groups())


def described(purpose: str, config: Mapping[str, str] | None = None) -> Description:
    """Return the description of the deployed alarm with this purpose."""
    if purpose in OPTIONAL_ALARMS:
        config = {**(config or {}), **{key: FULL[key] for key in OPTIONAL_KEYS}}
    alarms = [each.inputs for each in synth(**(config or {})).all("MetricAlarm")]
    name = re.compile(rf"tapstack-[a-z]+-{purpose}")
    [description] = [each["alarmDescription"] for each in alarms if name.fullmatch(each["name"])]
    return parse(description)


def heading(purpose: str) -> str:
    """Return the heading of an alarm's chapter in the runbook. Alarms of existing buckets share one chapter."""
    return "undelivered" if purpose in EXISTING_ALARMS else purpose


def chapter(purpose: str) -> str:
    """Return the chapter of the runbook about an alarm."""
    match = re.search(rf"^## {heading(purpose)}$(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert match, f"the runbook has no chapter {heading(purpose)}"
    return match[1]


def called(pattern: str, methods: Mapping[str, str]) -> set[str]:
    """Return the DynamoDB operations whose boto3 method, or paginator, the modules with a path pattern use."""
    nodes = [node for path in ROOT.glob(pattern) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {operation for method, operation in methods.items() if method in names}


@EVERY_ALARM
def test_alarm_description_contains_the_path_of_its_runbook_chapter(purpose: str) -> None:
    assert described(purpose).runbook == f"docs/runbook.md#{heading(purpose)}"
    assert chapter(purpose)


@EVERY_ALARM
def test_alarm_description_links_to_the_chapter_if_runbook_url_is_set(purpose: str) -> None:
    url = CUSTOM["runbookUrl"]
    assert described(purpose, CUSTOM).runbook == f"{url}#{heading(purpose)}"


@EVERY_ALARM
def test_first_command_of_an_alarm_about_a_metric_prints_60_periods_or_a_week(purpose: str) -> None:
    command = described(purpose).command
    if "get-metric-statistics" in command:
        match = re.search(r" --period (\d+) --start-time \$\(\( \$\(date \+%s\) - (\d+) \)\) --end-time", command)
        assert match, command
        periods = 168 if purpose == "no-audit" else 60
        assert int(match[2]) == periods * int(match[1])


@EVERY_ALARM
def test_first_command_of_an_alarm_is_valid_and_is_in_the_runbook_chapter(purpose: str) -> None:
    command = described(purpose).command
    assert problems(command) == []
    assert "us-east-1" in command
    pattern = re.search(r"\{ \$\..+ \}", command)
    words = command.split()
    expected = pattern[0] if pattern else " ".join(words[:3]) if words[0] == "aws" else f"tapstack {words[2]}"
    assert expected in chapter(purpose)
    metric = re.search(r"--metric-name \w+|--dimensions (.+?) --", command)
    if metric:
        _, name, dimensions, *_ = ALARMS[purpose]
        assert f"--metric-name {name} " in command
        assert all(f"Name={key},Value={value}" in command for key, value in nonempty(dimensions.items()))
        chapter_dimensions = [
            re.sub("tapstack-dev_acme.+", '"$RULE"', f"Name={key},Value={value}")
            .replace(TABLE, '"$TABLE"')
            .replace(FUNCTION, '"$FUNCTION"')
            .replace(INSPECTOR, '"$INSPECTOR"')
            for key, value in dimensions.items()
        ]
        assert f"--metric-name {name} " in chapter(purpose).replace("\n", " ")
        assert [each for each in chapter_dimensions if each not in chapter(purpose)] == []


@pytest.mark.parametrize("hours", ["24", "168"])
def test_first_command_of_no_audit_is_that_of_the_runbook(hours: str) -> None:
    deployed = synth(**{**FULL, "expectAuditEveryHours": hours}).all("MetricAlarm")
    [alarm] = [each.inputs for each in deployed if each.inputs["name"].endswith("-no-audit")]
    match = re.search(r"\$ (aws cloudwatch get-metric-statistics .+?)\n   ```", chapter("no-audit"), re.DOTALL)
    assert match
    expected = match[1].replace("\\\n", " ").replace('"$TABLE"', alarm["dimensions"]["TableName"])
    command = parse(alarm["alarmDescription"]).command.replace("--region us-east-1 ", "")
    assert command.split() == expected.split()


def test_first_commands_use_the_names_of_the_stack() -> None:
    for purpose, name in (("function-errors", LOG_GROUP), ("failure-delivery", QUEUE), ("failure-queue", FUNCTION)):
        assert f" {name}" in described(purpose).command
    assert described("function-throttles").command.endswith(f" {FUNCTION}")


@pytest.mark.parametrize("config", [{}, CUSTOM, FULL], ids=["default", "custom", "full"])
def test_first_commands_change_nothing(config: dict[str, str]) -> None:
    for purpose in nonempty(ALARMS):
        words = described(purpose, config).command.split()
        assert re.match(r"(get|filter)-", words[2]) or words[1:3] == ["tapstack", "redrive"], purpose
        assert "--replay" not in words


def test_longest_alarm_descriptions_do_not_exceed_the_limit_of_cloudwatch() -> None:
    """The names have their maximum lengths; PutMetricAlarm allows 1,024 characters (CloudWatch API Reference)."""
    env, region = "e" * 12, "ap-southeast-1"
    args = TapStackArgs(
        environment_suffix=env,
        table_name="t" * 255,
        max_capacity=40_000,
        expect_upload_every_hours=168,
        expect_audit_every_hours=168,
        runbook_url=LONGEST_URL,
        cors_allowed_origins=("https://a.com",),
        existing_buckets=(tap_stack.ExistingBucket(name="b" * 63, versioned=True),),
    )
    names = make_names(args, project="tapstack", account="123456789012", region=region)
    assert len(names.upload_bucket) > 55
    assert max(len(each.description) for each in make_alarms(names, args, region=region)) in range(900, 1025)


def test_alarm_causes_and_commands_are_unique() -> None:
    """Alarms for different failure reasons also have different first commands."""
    descriptions = [described(purpose) for purpose in ALARMS]
    assert len({each.cause for each in descriptions}) == len(descriptions)
    assert len({each.command for each in descriptions}) == len(descriptions)


@pytest.mark.parametrize("config", [{}, CUSTOM, FULL], ids=["default", "custom", "full"])
def test_numbers_in_alarm_causes_match_the_resources(config: dict[str, str]) -> None:
    stack = synth(**config)
    retries = stack.one("FunctionEventInvokeConfig").inputs
    hours = f"{retries['maximumEventAgeInSeconds'] // 3600} hours"
    mapping = stack.one("EventSourceMapping").inputs
    stream_hours = f"{mapping['maximumRecordAgeInSeconds'] // 3600} hours"
    days = f"{stack.one('Queue').inputs['messageRetentionSeconds'] // 86400} days"
    units = config.get("maxCapacity") or config.get("writeCapacity") or "100"
    capacity = f"its {'maximum ' * ('maxCapacity' in config)}write capacity of {units} units"
    expected = {
        "function-errors": [f"retries the event {retries['maximumRetryAttempts']} times"],
        "function-throttles": [f"up to {hours}"],
        **{
            f"{part}-duration": [f"timeout of {stack.named(name).inputs['timeout']} s", "80%", "10%", "5 minutes"]
            for part, name in (("function", "tap-indexer"), ("inspector", "tap-inspector"))
        },
        "inspector-errors": [f"retries each batch {mapping['maximumRetryAttempts']} times"],
        "inspector-throttles": [f"up to {stream_hours}"],
        "inspector-iterator-age": ["over 1 hour", f"After {stream_hours}"],
        "events-dropped": [f"older than {hours}", f"failed {retries['maximumRetryAttempts'] + 1} times"],
        "failure-queue": [f"for {days}"],
        "indexing-delay": [f"more than {config.get('maxDelaySeconds', '60')} s", "1%", "5 minutes"],
        "event-age": ["over 5 minutes", f"after {hours}"],
        "no-uploads": ["For 24 hours"],
        "no-audit": ["For 168 hours"],
        "table-write-capacity": [capacity, "80%", "5 minutes"],
        "index-write-capacity": [capacity, "80%", "5 minutes"],
    }
    for purpose, parts in nonempty(expected.items()):
        cause = described(purpose, config).cause
        assert [part for part in parts if part not in cause] == [], cause
        if purpose in {"indexing-delay", "event-age", "inspector-iterator-age"} or purpose in EXPECTING_ALARMS:
            continue  # these causes contain the period, the age and the configured hours
        periods = next(
            each.inputs["evaluationPeriods"]
            for each in stack.all("MetricAlarm")
            if each.inputs["name"].endswith(f"-{purpose}")
        )
        assert (f"{periods} minutes" in cause) == (periods > 1), cause
    for purpose in nonempty(ALARMS.keys() - expected):
        numbers = re.findall(r"(?<!S)\b\d+\b", described(purpose, config).cause)
        assert numbers == [], f"no resource is compared with {numbers} in {purpose}"


@pytest.mark.parametrize("part", ["table", "index"])
@pytest.mark.parametrize(
    ("config", "reads", "writes"),
    [
        ({}, "its provisioned read capacity was used up.", "its provisioned write capacity was used up."),
        (
            ON_DEMAND,
            "the limit of a partition or a quota, or doubled",
            "the limit of a partition or a quota, or doubled",
        ),
        (LIMITED, "the configured maximum of 300 units per second", "the configured maximum of 200 units per second"),
    ],
    ids=["provisioned", "on-demand", "with a maximum"],
)
def test_cause_of_a_throttling_alarm_depends_on_the_billing_mode(
    config: dict[str, str], reads: str, writes: str, part: str
) -> None:
    assert reads in described(f"{part}-read-throttles", config).cause
    assert writes in described(f"{part}-write-throttles", config).cause


def test_only_alarms_on_calls_of_the_indexer_claim_that_it_retries() -> None:
    """The role also allows GetItem and Query, which the indexer does not call."""
    methods = {"get_item": "GetItem", "query": "Query", "update_item": "UpdateItem", "scan": "Scan"}
    by_indexer = called("lambda_code/*.py", methods)
    by_tools = called("operations/aws/*.py", methods)
    assert by_indexer == {"UpdateItem"}
    assert by_tools == {"Query", "Scan", "UpdateItem"}  # Only restore-rows calls UpdateItem.
    for operation in ("GetItem", "Query", "UpdateItem"):
        text = described(f"table-errors-{operation.lower()}").cause
        assert ("retries" in text) == (operation in by_indexer), text
        assert (f"The indexer does not call {operation}" in text) == (operation not in by_indexer), text
        assert ("audit" in text) == (operation in by_tools - by_indexer), text
    for part in ("table", "index"):
        assert "The indexer reads no rows." in described(f"{part}-read-throttles").cause
        assert "The indexer retries its writes." in described(f"{part}-write-throttles").cause


def test_runbook_names_only_existing_alarms_and_reasons_of_failures() -> None:
    named = set(re.findall(r"\(#((?:function|failed|failure|table|index|events?|indexing|no)-[\w-]+)\)", RUNBOOK))
    assert (
        named - {"function-broken", "function-deleted", "table-lost", "table-damaged", "no-backup-exists"}
        <= ALARMS.keys()
    )
    assert len(named) > 15
