"""Parses a message of the failure queue: the event that failed, the reason, and the objects. Pure.

The message: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from lambda_code.errors import Reason
from operations.target import Target, same_function

TIMEOUT, CRASH, TOO_OLD, UNKNOWN = "timeout", "crash", "too-old", "unknown"
"""Reasons that the function itself cannot report: Lambda stopped it; it died, or raised another error than its own; the
event was too old when its turn came; the text is cut off (a very long key)."""

REASONS = (*(reason.value for reason in Reason), TIMEOUT, CRASH, TOO_OLD, UNKNOWN)

# The text of IndexingError (an emulator reports another type) names the record, its key and the reason, such as
# "denied" in: 1 of 2 records failed: record 0 (key 'a b'): denied: HeadObject: …
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_FAILED = r"\d+ of \d+ records failed: "
_LINE = re.compile(
    rf"(?:^{_FAILED}|; )(?:record \d+(?: \(key (?:{_QUOTED})\))?|the event): "
    rf"({'|'.join(reason.value for reason in Reason)}): "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A message as SQS delivers it; `receipt` is needed to delete or to release it."""

    id: str
    receipt: str
    body: str
    sent_ms: int  # since 1970


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An event that Lambda gave up on.

    Attributes:
        event: the event to replay.
        reasons: members of REASONS, in alphabetical order.
        error: the text of the function, or of Lambda.
        objects: the keys in the event, as far as they can be parsed.
    """

    event: Any
    reasons: tuple[str, ...]
    error: str
    objects: tuple[str, ...]

    @property
    def group(self) -> str:
        """The name under which failures of the same reasons are shown."""
        return ", ".join(self.reasons)


class ForeignMessageError(Exception):
    """The message is not about a failed event of this function; the text says why."""


def parse(body: str, target: Target) -> Failure:
    """Read a message's body.

    Raises:
        ForeignMessageError: it is nothing that Lambda wrote about an event of this stack's function.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):  # the latter: nested deeper than anything that Lambda writes
        raise ForeignMessageError("it is not JSON") from None
    context = _fields(message, "requestContext")
    arn = context.get("functionArn")
    if not isinstance(arn, str):
        raise ForeignMessageError("it is not what Lambda sends: there is no requestContext.functionArn")
    if not same_function(arn, target.function_arn):
        raise ForeignMessageError(f"it is about another function: {arn}")
    if "requestPayload" not in message:
        raise ForeignMessageError("there is no requestPayload, so there is no event to replay")
    response = _fields(message, "responsePayload")
    error = response.get("errorMessage")
    return Failure(
        event=message["requestPayload"],
        reasons=_reasons(response, context),
        error=error if isinstance(error, str) else f"no answer of the function ({context.get('condition')})",
        objects=tuple(_objects(message["requestPayload"])),
    )


def _reasons(response: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[str, ...]:
    error, kind = str(response.get("errorMessage", "")), str(response.get("errorType", ""))
    if re.match(_FAILED, error):
        return tuple(sorted(set(_LINE.findall(error)))) or (UNKNOWN,)
    if "Timedout" in kind or "Task timed out" in error:
        return (TIMEOUT,)
    if not response and context.get("condition") == "EventAgeExceeded":
        return (TOO_OLD,)
    return (CRASH,)


def _objects(event: object) -> list[str]:
    records = event.get("Records") if isinstance(event, dict) else None
    keys = []
    for record in records if isinstance(records, list) else ():
        key = _fields(_fields(record, "s3"), "object").get("key")
        if isinstance(key, str):
            keys.append(unquote_plus(key))
    return keys


def _fields(value: object, name: str) -> Mapping[str, Any]:
    """A JSON object inside another; empty if it is none."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
