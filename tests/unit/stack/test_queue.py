"""The queue for what could not be indexed."""

from __future__ import annotations

import pytest

from tests.support.expected import QUEUE, QUEUE_ARN, QUEUE_URL, TAGS, tls_only
from tests.support.synth import policy, synth

COVERS = {"tap-failures", "tap-failures-policy"}


@pytest.mark.control("SQS.1")
def test_the_failure_queue_is_encrypted_and_keeps_messages_for_14_days() -> None:
    assert synth().one("Queue").inputs == {
        "name": QUEUE,
        "messageRetentionSeconds": 14 * 24 * 3600,
        "sqsManagedSseEnabled": True,
        "tags": TAGS,
    }


@pytest.mark.control("SQS.3")
def test_the_failure_queue_refuses_requests_without_tls_and_allows_nobody_by_itself() -> None:
    queue_policy = synth().one("QueuePolicy")
    assert queue_policy.inputs["queueUrl"] == QUEUE_URL
    assert policy(queue_policy) == {"Version": "2012-10-17", "Statement": [tls_only("sqs:*", QUEUE_ARN)]}


def test_the_export_is_the_queues_url() -> None:
    assert synth().outputs["failure_queue_url"] == QUEUE_URL


def test_the_queues_policy_waits_for_the_queue() -> None:
    stack = synth()
    assert stack.needs(stack.one("QueuePolicy"), stack.one("Queue"))
