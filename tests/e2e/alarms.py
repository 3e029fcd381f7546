"""Making alarms ring, and hearing what they say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.support import waiting

if TYPE_CHECKING:
    from tests.support.index import Client, Clients

PURPOSES = (
    *("function-errors", "function-throttles", "function-duration", "events-dropped", "failure-delivery"),
    *("failed-denied", "failed-malformed", "failed-throttled", "failed-unavailable", "failed-foreign"),
    *("failed-internal", "failure-queue", "table-read-throttles", "table-write-throttles", "table-write-capacity"),
    *("index-read-throttles", "index-write-throttles", "index-write-capacity"),
    *("table-errors-getitem", "table-errors-query", "table-errors-updateitem"),
)
"""What every alarm's name ends in, after the stack's prefix."""

LASTS = 3.0
"""Seconds after which what was put is too old for the alarm."""

PATIENCE = 3.0
"""Seconds for a notification, which the emulator sends before it answers."""

Alarm: TypeAlias = Mapping[str, Any]
"""An alarm as DescribeAlarms has it."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What somebody is told who subscribed to the topic."""

    subject: str
    alarm: str
    description: str
    before: str
    now: str
    metric: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """What was heard of the alarms.

    Attributes:
        at_threshold: while every metric was exactly at its threshold.
        above: by alarm, from when its metric was put above its threshold until it rang.
        last: by alarm, the last that was heard of it, when all should have gone by.
    """

    at_threshold: list[Notice] = field(default_factory=list)
    above: dict[str, list[Notice]] = field(default_factory=dict)
    last: dict[str, Notice] = field(default_factory=dict)


class Subscriber:
    """An SQS queue that is subscribed to the topic."""

    def __init__(self, clients: Clients, topic_arn: str) -> None:
        self._sqs: Client = clients.sqs
        self.url: str = clients.sqs.create_queue(QueueName="tapstack-alarms-heard")["QueueUrl"]
        attributes = clients.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": attributes["QueueArn"],
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        clients.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})
        clients.sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=attributes["QueueArn"])

    def hear(self) -> list[Notice]:
        """Everything that is there, taken off the queue."""
        heard: list[Notice] = []
        while messages := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                heard.append(_notice(json.loads(message["Body"])))
        return heard


def ring(clients: Clients, alarms: list[Alarm], subscriber: Subscriber) -> Rung:
    """Put every alarm's metric on its threshold, then above it, then wait until that has gone by.

    An emulator that looks at all dimensions of a metric lets the alarms on one metric ring together, so those that have
    rung are quietened before the next of them is tried.
    """
    cloudwatch, rung, heard = clients.cloudwatch, Rung(), list[Notice]()

    def hear() -> list[Notice]:
        new = subscriber.hear()
        heard.extend(new)
        return new

    of_each_metric = {_metric(alarm): alarm for alarm in alarms}.values()
    for alarm in of_each_metric:
        _put(cloudwatch, alarm, alarm["Threshold"])
    rung.at_threshold.extend(hear())
    for alarm in alarms:
        for other in alarms:
            if _metric(other) == _metric(alarm):
                cloudwatch.set_alarm_state(AlarmName=other["AlarmName"], StateValue="OK", StateReason="the next test")
        hear()
        _put(cloudwatch, alarm, alarm["Threshold"] + 1)
        rung.above[alarm["AlarmName"]] = _until_it_rings(alarm, hear)

    def not_yet_well() -> set[str]:
        rung.last.update({notice.alarm: notice for notice in heard})
        return {name for name, notice in rung.last.items() if notice.now != "OK"}

    def all_well() -> bool:
        for alarm in of_each_metric:  # with which the emulator looks again
            _put(cloudwatch, alarm, 0.0)
        hear()
        return not not_yet_well()

    with suppress(waiting.NothingCameError):  # the tests say which
        waiting.until(all_well, "the all-clear of some", patience=LASTS + PATIENCE, interval=0.25)
    return rung


def _until_it_rings(alarm: Alarm, hear: Callable[[], list[Notice]]) -> list[Notice]:
    """What was heard until this alarm was among it, or should have been."""
    heard: list[Notice] = []

    def rings() -> bool:
        heard.extend(hear())
        return any(notice.alarm == alarm["AlarmName"] for notice in heard)

    with suppress(waiting.NothingCameError):  # the tests say which
        waiting.until(rings, "its notification", patience=PATIENCE)
    return heard


def _put(cloudwatch: Client, alarm: Alarm, value: float) -> None:
    """Put a value into the oldest of the periods that the alarm looks at, which it leaves after `LASTS`.

    One value is enough for an alarm that needs it in five periods: the emulator makes one of them.
    """
    moment = time.time() - alarm["Period"] * alarm["EvaluationPeriods"] + LASTS
    cloudwatch.put_metric_data(
        Namespace=alarm["Namespace"],
        MetricData=[
            {
                "MetricName": alarm["MetricName"],
                "Dimensions": alarm["Dimensions"],
                "Value": float(value),
                "Timestamp": moment,
            }
        ],
    )


def _metric(alarm: Alarm) -> tuple[str, str]:
    return alarm["Namespace"], alarm["MetricName"]


def _notice(body: Mapping[str, str]) -> Notice:
    message = json.loads(body["Message"])
    trigger = message["Trigger"]
    return Notice(
        subject=body["Subject"],
        alarm=message["AlarmName"],
        description=message["AlarmDescription"],
        before=message["OldStateValue"],
        now=message["NewStateValue"],
        metric=(trigger["Namespace"], trigger["MetricName"]),
    )
