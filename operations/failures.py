"""Parses messages of the failure queue: the failed event, the reason, and the objects. Does not call AWS.

Message format: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
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

TIMEOUT, CRASH, TOO_OLD, ZERO_CONCURRENCY, UNKNOWN = "timeout", "crash", "too-old", "zero-concurrency", "unknown"
"""Reasons for a failed event that the indexer cannot report itself.

- timeout: Lambda stopped the indexer after its timeout.
- crash: the process of the indexer ended or did not start, or its code raised an error that is not about a record.
- too-old: the event exceeded its maximum age.
- zero-concurrency: the reserved concurrency of the indexer was 0, so Lambda did not run it.
- unknown: the error message is truncated before the reason, because the object key is very long.
"""

REASONS = (*(reason.value for reason in Reason), TIMEOUT, CRASH, TOO_OLD, ZERO_CONCURRENCY, UNKNOWN)

# The text of IndexingError contains the record number, the object key and the reason. An example with the reason
# "denied" is: 1 of 2 records failed: record 0 (key 'a b'): denied: HeadObject: …
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_FAILED = r"\d+ of \d+ records failed: "
_LINE = re.compile(
    rf"(?:^{_FAILED}|; )(?:record \d+(?: \(key (?:{_QUOTED})\))?|the event): "
    rf"({'|'.join(reason.value for reason in Reason)}): "
)
_RECORD = re.compile(rf"record \d+(?: \(key (?:(?:{_QUOTED})\)|.*$))?")
"""Number and object key of a record; the key can be truncated."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!\w)(?![45]\d\d\b(?!\.\d))\d[\d.:TZ-]*")
"""A number or a time, except an HTTP status code of an error, such as 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A message of an SQS queue.

    Attributes:
        receipt: receipt handle, with which the message can be deleted or made visible again.
        sent_ms: time at which Lambda sent the message, in milliseconds since 1970 (UTC).
    """

    id: str
    receipt: str
    body: str
    sent_ms: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An event that the indexer could not process, although Lambda retried it.

    Attributes:
        event: the event, as the indexer received it.
        reasons: members of REASONS, in alphabetical order.
        error: the error message of the indexer or of Lambda.
        error_type: the type of the error, such as `Runtime.ExitError`; empty if Lambda reports none.
        objects: the object keys in the event that can be parsed.
    """

    event: Any
    reasons: tuple[str, ...]
    error: str
    error_type: str
    objects: tuple[str, ...]

    @property
    def group(self) -> str:
        """The reasons of a failure, separated by commas. Failures with the same reasons are displayed as a group."""
        return ", ".join(self.reasons)

    @property
    def typed_error(self) -> str:
        """The error message, after the type of the error if the indexer did not report failed records."""
        return (
            self.error if not self.error_type or re.match(_FAILED, self.error) else f"{self.error_type}: {self.error}"
        )

    @property
    def error_kind(self) -> str:
        """The error type and message without the parts that differ between events with the same cause.

        These parts are object keys, times, request IDs and numbers. HTTP status codes are kept.
        """
        text = _RECORD.sub("record", re.sub(f"^{_FAILED}", "", self.typed_error))
        for key in self.objects:
            text = text.replace(f"/{key}", "/key")  # AWS's messages contain the ARN of an object.
        text = _NUMBER.sub("#", _UUID.sub("#", text))
        return "; ".join(dict.fromkeys(text.split("; ")))  # Several records of one event can have the same error.


class ForeignMessageError(Exception):
    """Error for an SQS message that does not contain a failed event of this stack's indexer."""


def parse(body: str, target: Target) -> Failure:
    """Parse the body of a message.

    Args:
        body: JSON text that Lambda sent to the failure queue.
        target: the deployed stack.

    Raises:
        ForeignMessageError: the message is from another sender, or about another Lambda function.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):  # Deeply nested JSON raises RecursionError.
        raise ForeignMessageError("it is not JSON") from None
    context = _fields(message, "requestContext")
    arn = context.get("functionArn")
    if not isinstance(arn, str):
        raise ForeignMessageError("not a message from Lambda, because requestContext.functionArn is missing")
    if not same_function(arn, target.function_arn):
        raise ForeignMessageError(f"a message about another Lambda function: {arn}")
    if "requestPayload" not in message:
        raise ForeignMessageError("no event to send again, because requestPayload is missing")
    payload = message.get("responsePayload")
    response = {"errorMessage": payload} if isinstance(payload, str) else _fields(message, "responsePayload")
    error, kind = response.get("errorMessage"), response.get("errorType")
    return Failure(
        event=message["requestPayload"],
        reasons=_reasons(response, context),
        error=error if isinstance(error, str) else f"the function returned no response ({context.get('condition')})",
        error_type=kind if isinstance(kind, str) else "",
        objects=tuple(_objects(message["requestPayload"])),
    )


def _reasons(response: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[str, ...]:
    if context.get("condition") == "ZeroReservedConcurrency":
        return (ZERO_CONCURRENCY,)
    error, kind = str(response.get("errorMessage", "")), str(response.get("errorType", ""))
    if re.match(_FAILED, error):
        return tuple(sorted(set(_LINE.findall(error)))) or (UNKNOWN,)
    if "timedout" in kind.lower() or "Task timed out" in error:
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
    """Return the JSON object in a field of `value`, or an empty one if the field is missing or is not an object."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
