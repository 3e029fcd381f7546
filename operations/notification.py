"""Creates the messages about an audit that are published to an SNS topic. Does not call AWS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from operations.tool import FAILED, FINDINGS

OUTCOMES = {FINDINGS: "found differences", FAILED: "failed"}
"""Maps each exit code that causes a message to the last words of its subject."""
MAX_SUBJECT_CHARACTERS = 99  # SNS API Reference, Publish, "Subject"
CHAPTER = "docs/runbook.md#scheduled-audit"

_TOPIC_ARN = re.compile(r"arn:[\w-]+:sns:([\w-]+):\d{12}:[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Message about the result of an audit."""

    subject: str
    text: str


def region_of_topic(arn: str) -> str | None:
    """Return the region in the ARN of an SNS topic; None if the text is not such an ARN."""
    match = _TOPIC_ARN.fullmatch(arn)
    return match[1] if match else None


def notification(stack: str, code: int, lines: Sequence[str]) -> Notification | None:
    """Return the message about an audit; None if its exit code requires no message.

    Args:
        stack: the stack, as the user specified it.
        code: the exit code of the audit.
        lines: the result of the audit, without object keys, because the topic may be unencrypted.
    """
    if code not in OUTCOMES:
        return None
    subject = re.sub(r"[^ -~]", "?", f"ALARM: the audit of {stack} {OUTCOMES[code]}")
    text = "\n".join([*lines, "", f"Exit code: {code}", f"Runbook: {CHAPTER}"])
    return Notification(subject=subject[:MAX_SUBJECT_CHARACTERS], text=text)
