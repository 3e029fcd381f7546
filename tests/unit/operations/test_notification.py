"""Tests of `audit --notify`, which publishes the results of an audit to an SNS topic."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.command import main
from operations.errors import OperatorError
from operations.notification import notification, region_of_topic
from tests.support.operations_fakes import row, version
from tests.unit.operations.conftest import LISTED

if TYPE_CHECKING:
    from operations.aws import Aws
    from tests.unit.operations.conftest import Command

TOPIC = "arn:aws:sns:eu-west-1:123456789012:tapstack-prod-alarms"
NOTIFY = ("--notify", TOPIC)
RUNBOOK = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text(encoding="utf-8")


def test_audit_without_findings_checks_the_topic_and_publishes_no_message(run: Command) -> None:
    assert run("audit", *NOTIFY) == 0
    assert run.aws.published == []
    assert run.aws.checked_topics == [TOPIC]


def test_audit_without_findings_fails_if_the_topic_does_not_exist(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise OperatorError("cannot read the topic")

    monkeypatch.setattr(run.aws, "check_topic", missing)
    assert run("audit", *NOTIFY) == 2
    assert "the table is consistent with the bucket" in run.output
    assert run.errors == ["audit: cannot read the topic"]


def test_audit_with_findings_publishes_settings_and_numbers_but_no_object_keys(run: Command) -> None:
    run.aws.listed.append(version("reports/secret.pdf"))
    run.aws.rules = []
    assert run("audit", *NOTIFY) == 1
    assert "reports/secret.pdf" in run.output
    [(topic, subject, message)] = run.aws.published
    assert (topic, subject) == (TOPIC, "ALARM: the audit of indexer found differences")
    assert message.startswith(
        "audit: 1 finding about the stack; 1 difference (1 missing) in 3 versions and 1 delete marker of 3 keys, "
        "3 rows; dry run: --repair sends an event for each difference\n\nsetting     notification: "
    )
    assert message.endswith("\n\nExit code: 1\nRunbook: docs/runbook.md#scheduled-audit")
    assert "secret" not in message
    [anchor] = re.findall(r"docs/runbook.md#([a-z-]+)$", message)
    assert f"\n## {anchor.replace('-', ' ').capitalize()}\n" in RUNBOOK


def test_audit_notification_contains_the_notes_about_other_remedies(run: Command) -> None:
    run.put_failures(2)
    run.aws.rows = []
    assert run("audit", *NOTIFY) == 1
    [(_, _, message)] = run.aws.published
    assert "\n\nnote: the table has no row of the bucket 'uploads': see docs/runbook.md#table-lost" in message
    assert "\nnote: the failure queue contains about 2 messages" in message


def test_audit_that_fails_publishes_the_error_even_if_the_stack_is_not_found(run: Command) -> None:
    run.aws.settings, run.aws.function_exists = None, False
    assert run("audit", *NOTIFY, "--json") == 2
    [(_, subject, message)] = run.aws.published
    assert subject == "ALARM: the audit of indexer failed"
    error = json.loads(run.output)["error"]
    assert error.startswith("there is neither a function 'indexer' nor")
    assert message == f"audit: {error}\n\nExit code: 2\nRunbook: docs/runbook.md#scheduled-audit"


def test_audit_notification_is_published_even_if_the_results_cannot_be_printed(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    run.aws.rules = []
    monkeypatch.setattr("operations.command.print_lines", full)
    with pytest.raises(OSError, match="disk full"):
        run("audit", *NOTIFY)
    assert len(run.aws.published) == 1


def test_interrupted_audit_publishes_a_message(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler can end an audit after its scan of the table. Then the alarm `no-audit` does not fire."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("operations.audit.Audit.compare_keys", interrupt)
    assert run("audit", *NOTIFY) == 130
    [(_, subject, message)] = run.aws.published
    assert subject == "ALARM: the audit of indexer was interrupted"
    assert message == "audit: interrupted\n\nExit code: 130\nRunbook: docs/runbook.md#scheduled-audit"


def test_audit_notification_that_cannot_be_published_is_an_error_after_the_results(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise OperatorError("cannot publish")

    run.aws.rows = [row(each) for each in LISTED[1:]]
    monkeypatch.setattr(run.aws, "publish", denied)
    assert run("audit", *NOTIFY) == 2
    assert run.lines[0].startswith("missing")
    assert run.errors == ["audit: cannot publish"]


def test_sns_topic_is_accessed_in_its_own_region(stack_outputs: Path, run: Command) -> None:
    regions: list[str | None] = []

    def connect(region: str | None) -> Aws:
        regions.append(region)
        return run.aws

    run.aws.rules = []
    topic = TOPIC.replace("eu-west-1", "us-east-1")
    assert main(["audit", "--stack-outputs", str(stack_outputs), "--notify", topic], connect=connect, grace=0) == 1
    assert regions == ["eu-west-1", "us-east-1"]
    assert run.aws.published[0][:2] == (topic, f"ALARM: the audit of {stack_outputs} found differences"[:99])


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "alarms",
        f"{TOPIC}:subscription",
        TOPIC.replace("sns", "sqs"),
        f"{TOPIC}\n",
        f"{TOPIC}.fifo",
        TOPIC.replace("eu-west-1", "eu_west_1"),
        TOPIC.replace("eu-west-1", "\u00e9\u00e9"),
        TOPIC.replace("123", "\u0661\u0662\u0663"),
    ],
)
def test_notify_rejects_a_value_that_is_not_the_arn_of_a_topic(run: Command, topic: str) -> None:
    with pytest.raises(SystemExit):
        run("audit", "--notify", topic)


def test_only_audit_has_the_option_notify(run: Command) -> None:
    for tool in ("backfill", "redrive"):
        with pytest.raises(SystemExit):
            run(tool, *NOTIFY)


def test_subject_of_an_audit_notification_has_only_characters_that_sns_accepts(run: Command) -> None:
    run.stack = ("--function", "f\u00fcnction\n" + "x" * 200)
    assert run("audit", *NOTIFY) == 2
    [(_, subject, _)] = run.aws.published
    assert subject == "ALARM: the audit of f?nction?".ljust(99, "x")


def test_audit_notification_is_sent_to_the_sns_topic(clients: dict[str, Any], aws: Aws) -> None:
    topic = clients["sns"].create_topic(Name="alarms")["TopicArn"]
    queue = clients["sqs"].create_queue(QueueName="subscriber")["QueueUrl"]
    arn = clients["sqs"].get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws.publish(topic, "subject", "text")
    [message] = clients["sqs"].receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(message["Body"])
    assert (body["Subject"], body["Message"]) == ("subject", "text")


def test_long_audit_notification_is_shortened_to_the_size_limit_of_sns() -> None:
    lines = ["\u00e9" * 400_000, "last line of the result"]
    message = notification("indexer", 2, lines)
    assert message is not None
    first, second, *_ = message.text.splitlines()
    assert (first, second) == ("\u00e9" * 1000 + " \u2026", lines[1])
    message = notification("indexer", 1, ["\u00e9" * 100] * 10_000)
    assert message is not None
    assert 199_000 < len(message.text.encode()) <= 200_000
    assert message.text.endswith("\u00e9\n\u2026\n\nExit code: 1\nRunbook: docs/runbook.md#scheduled-audit")


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "ap-southeast-5", "eusc-de-east-1"])
def test_sns_topic_can_be_in_any_region_and_partition(region: str) -> None:
    assert region_of_topic(f"arn:aws-us-gov:sns:{region}:123456789012:a_B-9") == region


def test_check_of_an_sns_topic_reads_its_attributes(clients: dict[str, Any], aws: Aws) -> None:
    aws.check_topic(clients["sns"].create_topic(Name="alarms")["TopicArn"])
    with pytest.raises(OperatorError, match=r"cannot read the topic arn.*: .*\. Check the ARN in --notify\.$"):
        aws.check_topic("arn:aws:sns:us-east-1:123456789012:none")


def test_publishing_to_a_missing_sns_topic_is_an_error_with_a_remedy(aws: Aws) -> None:
    with pytest.raises(OperatorError, match=r"cannot publish to arn.*: .*\. Check the ARN in --notify\.$"):
        aws.publish("arn:aws:sns:us-east-1:123456789012:none", "subject", "text")
