"""Alarms notify the subscribers of the topic about each change of their state, with the first step to take.

A separate emulator is used, so that only these tests trigger alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from localstack.emulators.emulator import Emulator, start
from tests.e2e.alarms import ALARMS_OF_A_STACK, CONFIG, AlarmRun, Notification, Subscriber, metric_of
from tests.e2e.capabilities import Capability, needs
from tests.support.index import Clients
from tests.support.nonempty import nonempty

if TYPE_CHECKING:
    from tests.support.selection import DeployStack

pytestmark = [pytest.mark.slow, pytest.mark.not_in_a_live_account("triggers every alarm")]

PREFIX = "tapstack-local-"
EVERY_ALARM = pytest.mark.parametrize("purpose", ALARMS_OF_A_STACK)


@pytest.fixture(scope="module")
def isolated_stack(emulator: Emulator, deploy_stack: DeployStack) -> Iterator[tuple[Clients, str]]:
    """Clients of a separate emulator, and the ARN of its stack's alarm topic."""
    needs(emulator, Capability.ALARMS_AT_ONCE)
    with start(emulator.kind) as running:
        deployment = deploy_stack(running, config_overrides=CONFIG)
        yield Clients.of(running), deployment.outputs["alarm_topic_arn"]
        deployment.destroy()


@pytest.fixture(scope="module")
def alarms(isolated_stack: tuple[Clients, str]) -> dict[str, dict[str, Any]]:
    """All deployed alarms, by name."""
    pages = isolated_stack[0].cloudwatch.get_paginator("describe_alarms").paginate()
    return {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}


@pytest.fixture(scope="module")
def alarm_run(isolated_stack: tuple[Clients, str], alarms: dict[str, dict[str, Any]]) -> AlarmRun:
    clients, topic_arn = isolated_stack
    return AlarmRun(clients, list(alarms.values()), Subscriber(clients, topic_arn))


def test_alarm_tests_cover_every_deployed_alarm(alarms: dict[str, dict[str, Any]]) -> None:
    assert alarms.keys() == {f"{PREFIX}{purpose}" for purpose in ALARMS_OF_A_STACK}


@pytest.mark.parametrize(
    ("purpose", "metric", "period", "periods"),
    [("no-uploads", "IndexingDelay", 300, 288), ("no-audit", "SuccessfulRequestLatency", 3600, 168)],
)
def test_deployed_alarms_on_missing_data_treat_missing_data_as_breaching(
    alarms: dict[str, dict[str, Any]], purpose: str, metric: str, period: int, periods: int
) -> None:
    """The emulator never evaluates an alarm without data, so this test compares the settings."""
    expected = {
        "MetricName": metric,
        "Statistic": "SampleCount",
        "Period": period,
        "EvaluationPeriods": periods,
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 1,
        "TreatMissingData": "breaching",
    }
    alarm = alarms[f"{PREFIX}{purpose}"]
    assert {name: alarm[name] for name in expected} == expected


def test_alarms_do_not_fire_at_their_threshold(alarm_run: AlarmRun) -> None:
    assert alarm_run.at_threshold, "every alarm reports its first state, which is OK"
    assert [notification for notification in alarm_run.at_threshold if notification.now != "OK"] == []


@EVERY_ALARM
def test_notification_of_a_firing_alarm_has_cause_and_first_step(
    alarm_run: AlarmRun, alarms: dict[str, dict[str, Any]], purpose: str
) -> None:
    alarm = alarms[f"{PREFIX}{purpose}"]
    [notification] = [each for each in alarm_run.above[alarm["AlarmName"]] if each.alarm == alarm["AlarmName"]]
    assert notification == Notification(
        subject=f'ALARM: "{alarm["AlarmName"]}" in us-east-1',
        alarm=alarm["AlarmName"],
        description=alarm["AlarmDescription"],
        before="OK",
        now="ALARM",
        metric=metric_of(alarm),
    )
    assert "\n\nFirst run:\n\n    " in notification.description
    assert notification.description.endswith(f"\n\nRunbook: docs/runbook.md#{purpose}")


@EVERY_ALARM
def test_metric_above_a_threshold_fires_only_alarms_on_that_metric(
    alarm_run: AlarmRun, alarms: dict[str, dict[str, Any]], purpose: str
) -> None:
    """The emulator ignores the dimensions of metrics, so the unit tests check them."""
    alarm = alarms[f"{PREFIX}{purpose}"]
    for notification in nonempty(alarm_run.above[alarm["AlarmName"]]):
        same_metric = metric_of(alarms[notification.alarm]) == metric_of(alarm)
        assert same_metric or notification.now != "ALARM", notification


@EVERY_ALARM
def test_alarm_notifies_when_its_metric_is_back_to_normal(alarm_run: AlarmRun, purpose: str) -> None:
    notification = alarm_run.last.get(f"{PREFIX}{purpose}")
    assert notification, "the alarm never sent a notification"
    assert (notification.before, notification.now) == ("ALARM", "OK")
