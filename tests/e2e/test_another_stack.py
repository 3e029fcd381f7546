"""A second stack beside the first: its own names, its own settings, and gone without a trace when destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from localstack.emulators.emulator import Emulator, start
from localstack.errors import DeploymentError
from tests.e2e.inventory import LISTS, everything
from tests.support import waiting
from tests.support.index import Clients, Index

if TYPE_CHECKING:
    from localstack.deployers.deployment import Deployment
    from tests.support.selection import Deploys

pytestmark = pytest.mark.not_in_a_live_account("deploys stacks of its own")

SETTINGS = {
    "env": "other",
    "readCapacity": "7",
    "writeCapacity": "9",
    "corsAllowedOrigins": '["https://app.example.com", "https://*.example.org"]',
    "notificationPrefix": "in/",
    "notificationSuffix": ".csv",
    "noncurrentDays": "30",
    "deletedRetentionDays": "0",
    "logLevel": "WARNING",
    "logRetentionDays": "7",
    "memoryMb": "1024",
    "timeoutSeconds": "30",
    "alarmEmail": "oncall@example.com",
    "owner": "lake",
    "costCenter": "42",
}


@dataclass(frozen=True, kw_only=True)
class Other:
    """The second stack, and what there was before it."""

    deployment: Deployment
    index: Index
    before: set[tuple[str, str]]


@pytest.fixture(scope="module")
def other(stack: Deployment, emulator: Emulator, clients: Clients, deploys: Deploys) -> Iterator[Other]:
    assert stack.outputs  # the first one is there
    before = everything(clients)
    deployment = deploys(emulator, config_overrides=SETTINGS)
    yield Other(deployment=deployment, index=Index(clients, deployment.outputs), before=before)
    deployment.destroy()


def test_two_stacks_share_no_name(other: Other, clients: Clients) -> None:
    added = everything(clients) - other.before
    assert {kind for kind, _ in added} == set(LISTS)
    assert ("subscription", "oncall@example.com") in added
    assert [name for kind, name in added if "tapstack-other" not in name and kind != "subscription"] == []


def test_the_second_stack_has_the_settings_that_it_was_given(other: Other, clients: Clients) -> None:
    out = other.deployment.outputs
    table = clients.dynamodb.describe_table(TableName=out["table_name"])["Table"]
    for each in (table, *table["GlobalSecondaryIndexes"]):
        units = each["ProvisionedThroughput"]
        assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (7, 9)
    [cors] = clients.s3.get_bucket_cors(Bucket=out["bucket_name"])["CORSRules"]
    assert cors["AllowedOrigins"] == ["https://app.example.com", "https://*.example.org"]
    rules = clients.s3.get_bucket_lifecycle_configuration(Bucket=out["bucket_name"])["Rules"]
    assert {"NoncurrentDays": 30} in [rule.get("NoncurrentVersionExpiration") for rule in rules]
    function = clients.function.get_function(FunctionName=out["lambda_function_name"])
    assert (function["Configuration"]["MemorySize"], function["Configuration"]["Timeout"]) == (1024, 30)
    assert function["Configuration"]["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "WARNING"
    assert function["Configuration"]["Environment"]["Variables"]["TAP_DELETED_RETENTION_DAYS"] == "0"
    assert (function["Tags"]["Environment"], function["Tags"]["Owner"]) == ("other", "lake")
    assert function["Tags"]["CostCenter"] == "42"
    [group] = clients.logs.describe_log_groups(logGroupNamePrefix=out["log_group_name"])["logGroups"]
    assert group["retentionInDays"] == 7
    [subscription] = clients.sns.list_subscriptions_by_topic(TopicArn=out["alarm_topic_arn"])["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "oncall@example.com")
    alarms = clients.cloudwatch.describe_alarms(AlarmNamePrefix="tapstack-other-")["MetricAlarms"]
    thresholds = {alarm["MetricName"]: alarm["Threshold"] for alarm in alarms}
    assert thresholds["Duration"] == 24_000
    assert thresholds["ConsumedWriteCapacityUnits"] == pytest.approx(9 * 60 * 0.8)


def test_only_keys_with_the_configured_prefix_and_suffix_are_indexed(other: Other, index: Index) -> None:
    outside = ["out/a.csv", "in/a.txt", "a.csv", "in"]
    for key in outside:
        other.index.put(key)
    inside = other.index.put("in/a.csv")
    assert other.index.wait_for_row("in/a.csv", inside)["key"] == "in/a.csv"
    assert [key for key in outside if other.index.rows(key)] == []
    assert index.rows("in/a.csv") == []  # and the first stack took no notice


def test_the_row_of_a_deleted_version_is_kept_for_ever_where_the_retention_is_0(other: Other) -> None:
    key = "in/kept-for-ever.csv"
    version_id = other.index.put(key)
    other.index.wait_for_row(key, version_id)
    other.index.delete_version(key, version_id)
    assert "expires_at" not in other.index.wait_for_deletion(key, version_id)


def test_a_log_level_above_info_silences_the_lines_and_not_the_metrics(other: Other) -> None:
    key = "in/quiet.csv"
    other.index.wait_for_row(key, other.index.put(key))
    log_group = other.deployment.outputs["log_group_name"]
    waiting.until(
        lambda: any("ObjectsIndexed" in line for line in _log(other.index, log_group)), "a metric of the second stack"
    )
    assert [line for line in _log(other.index, log_group) if '"level":"INFO"' in line] == []


def test_destroying_a_stack_leaves_nothing_behind(
    stack: Deployment, emulator: Emulator, clients: Clients, deploys: Deploys
) -> None:
    """Nor does it stop at what is in the bucket: versions, delete markers, uploads that were never finished."""
    assert stack.outputs  # the first one is there, and stays
    before = everything(clients)
    deployment = deploys(emulator, config_overrides={"env": "short-lived"})
    assert {kind for kind, _ in everything(clients) - before} == set(LISTS) - {"subscription"}
    index = Index(clients, deployment.outputs)
    for key in ("kept.csv", "deleted.csv"):
        index.wait_for_row(key, index.put(key))
    index.wait_for_row("deleted.csv", index.delete("deleted.csv"))
    clients.s3.create_multipart_upload(Bucket=index.bucket, Key="unfinished.csv")
    _wait_until_the_function_rests(index, deployment.outputs["log_group_name"])
    deployment.destroy()
    assert everything(clients) == before
    deployment.destroy()  # a second time does no harm


def test_protected_data_refuses_to_go(emulator: Emulator, deploys: Deploys) -> None:
    """In an emulator of its own, which takes along what cannot be destroyed."""
    with start(emulator.kind) as own:
        clients = Clients.of(own)
        deployment = deploys(own, config_overrides={"protectData": "true"})
        before = everything(clients)
        with pytest.raises(DeploymentError, match="protect"):
            deployment.destroy()
        assert everything(clients) == before
        table = clients.dynamodb.describe_table(TableName=deployment.outputs["table_name"])["Table"]
        assert table["DeletionProtectionEnabled"] is True


def _wait_until_the_function_rests(index: Index, log_group: str) -> None:
    """Until Lambda has written its last line about each call: a later one would make a new log group."""

    def rests() -> bool:
        reports = [line for line in _log(index, log_group) if line.startswith("REPORT RequestId")]
        return len(reports) == len(index.addresses())

    waiting.until(rests, "a REPORT line for each row")


def _log(index: Index, log_group: str) -> list[str]:
    pages = index.clients.logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
    return [event["message"] for page in pages for event in page["events"]]
