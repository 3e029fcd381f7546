"""Collects diagnostics for a missing row: failed events, the indexer's log and the emulator's log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator

LINES = 12
"""Maximum number of lines, from the end of each log, that the demo prints if a row is missing."""

MESSAGES = 10
"""Maximum number of messages in a response of SQS ReceiveMessage."""


def collect(emulator: Emulator, outputs: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the lines of each source of diagnostics, by the name of the source.

    Args:
        emulator: running emulator.
        outputs: outputs of the deployed stack.

    Returns:
        A dictionary. If a source cannot be read, its only line is the error.
    """
    return {
        "Failure queue": _or_error(lambda: _failures(emulator.client("sqs"), outputs["failure_queue_url"])),
        "Last lines of the indexer's log": _or_error(
            lambda: _function_log(emulator.client("logs"), outputs["log_group_name"])
        ),
        "Last lines of the emulator's log": emulator.logs(LINES).splitlines(),
    }


def _or_error(read: Callable[[], list[str]]) -> list[str]:
    try:
        return read()
    except (ClientError, BotoCoreError) as error:
        return [f"(cannot be read: {error})"]


def _failures(sqs: Any, url: str) -> list[str]:  # noqa: ANN401  boto3 clients have no static type
    """Return a line for each failed event, at most 10. The events stay in the failure queue."""
    response = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=MESSAGES, VisibilityTimeout=0)
    return [_failure(message["Body"]) for message in response.get("Messages", ())]


def _failure(body: str) -> str:
    """Return the object keys and the error of a failed event, from the message that Lambda sends to the failure queue.

    A message in another format is returned unchanged.
    """
    try:
        message = json.loads(body)
        keys = [record["s3"]["object"]["key"] for record in message["requestPayload"]["Records"]]
        condition, payload = message["requestContext"]["condition"], message.get("responsePayload") or {}
        return f"{', '.join(keys)}: {condition}: {payload.get('errorMessage', 'no error message')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return body


def _function_log(logs: Any, group: str) -> list[str]:  # noqa: ANN401  boto3 clients have no static type
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    events = [event for page in pages for event in page["events"]]
    events.sort(key=lambda event: event["timestamp"])
    return [event["message"].rstrip() for event in events[-LINES:]]
