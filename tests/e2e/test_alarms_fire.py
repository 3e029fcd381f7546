"""Every alarm rings where somebody can hear it, says what to do, and says when all is well again.

In an emulator of its own, in which no alarm rings but by these tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from localstack.emulators.emulator import Emulator, start
from tests.e2e.alarms import PURPOSES, Notice, Rung, Subscriber, ring
from tests.e2e.capabilities import Capability, needs
from tests.support.index import Clients

if TYPE_CHECKING:
    from tests.support.selection import Deploys

pytestmark = pytest.mark.not_in_a_live_account("makes every alarm ring")

PREFIX = "tapstack-local-"


@pytest.fixture(scope="module")
def own(emulator: Emulator, deploys: Deploys) -> Iterator[tuple[Clients, str]]:
    """An emulator's clients, and the topic of the alarms of the stack in it."""
    needs(emulator, Capability.ALARMS_AT_ONCE)
    with start(emulator.kind) as running:
        deployment = deploys(running)
        yield Clients.of(running), deployment.outputs["alarm_topic_arn"]
        deployment.destroy()


@pytest.fixture(scope="module")
def alarms(own: tuple[Clients, str]) -> dict[str, dict[str, Any]]:
    """Every alarm that is deployed, by its name."""
    pages = own[0].cloudwatch.get_paginator("describe_alarms").paginate()
    return {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}


@pytest.fixture(scope="module")
def rung(own: tuple[Clients, str], alarms: dict[str, dict[str, Any]]) -> Rung:
    clients, topic_arn = own
    return ring(clients, list(alarms.values()), Subscriber(clients, topic_arn))


def test_every_alarm_that_is_deployed_is_tried(alarms: dict[str, dict[str, Any]]) -> None:
    assert alarms.keys() == {f"{PREFIX}{purpose}" for purpose in PURPOSES}


def test_nothing_rings_at_its_threshold(rung: Rung) -> None:
    assert rung.at_threshold, "every alarm has something to say for the first time: that all is well"
    assert [notice for notice in rung.at_threshold if notice.now != "OK"] == []


@pytest.mark.parametrize("purpose", PURPOSES)
def test_above_its_threshold_it_tells_the_subscriber_what_happened_and_what_to_do_first(
    rung: Rung, alarms: dict[str, dict[str, Any]], purpose: str
) -> None:
    alarm = alarms[f"{PREFIX}{purpose}"]
    heard = rung.above[alarm["AlarmName"]]
    assert [notice.alarm for notice in heard].count(alarm["AlarmName"]) == 1, heard
    notice = next(notice for notice in heard if notice.alarm == alarm["AlarmName"])
    assert notice == Notice(
        subject=f'ALARM: "{alarm["AlarmName"]}" in us-east-1',
        alarm=alarm["AlarmName"],
        description=alarm["AlarmDescription"],
        before="OK",
        now="ALARM",
        metric=(alarm["Namespace"], alarm["MetricName"]),
    )
    happened, _, first = notice.description.partition(" First: ")
    assert happened.endswith(".")
    assert len(first) > 20


@pytest.mark.parametrize("purpose", PURPOSES)
def test_only_alarms_on_its_metric_ring(rung: Rung, alarms: dict[str, dict[str, Any]], purpose: str) -> None:
    """The emulator does not look at dimensions; the unit tests do."""
    alarm = alarms[f"{PREFIX}{purpose}"]
    rang = {notice.alarm for notice in rung.above[alarm["AlarmName"]] if notice.now == "ALARM"}
    on_its_metric = {
        name
        for name, each in alarms.items()
        if (each["Namespace"], each["MetricName"]) == (alarm["Namespace"], alarm["MetricName"])
    }
    assert rang <= on_its_metric


@pytest.mark.parametrize("purpose", PURPOSES)
def test_when_it_has_gone_by_the_subscriber_is_told_that_all_is_well(rung: Rung, purpose: str) -> None:
    notice = rung.last.get(f"{PREFIX}{purpose}")
    assert notice, "nothing was ever heard of it"
    assert (notice.before, notice.now) == ("ALARM", "OK")
