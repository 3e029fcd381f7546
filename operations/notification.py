"""Creates the messages about an audit that are published to an SNS topic. Does not call AWS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from operations.tool import FAILED, FINDINGS, INTERRUPTED

OUTCOMES = {FINDINGS: "found differences", FAILED: "failed", INTERRUPTED: "was interrupted"}
"""Maps each exit code that causes a message to the last words of its subject."""
MAX_SUBJECT_CHARACTERS = 99  # SNS API Reference, Publish, "Subject"
MAX_LINE_CHARACTERS = 1000  # An error can contain the whole response of a proxy.
MAX_TEXT_BYTES = 200_000  # SNS accepts 256 KB.
CHAPTER = "docs/runbook.md#scheduled-audit"

# A FIFO topic, whose name ends in ".fifo", does not match: it cannot notify people, and requires message groups.
_TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z]+(?:-[a-z]+)+-\d+):\d{12}:[\w-]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Message about the result of an audit."""

    subject: str
    text: str


def region_of_topic(arn: str) -> str | None:
    """Return the region in the ARN of an SNS standard topic; None if the text is not such an ARN."""
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
    end = f"\n\nExit code: {code}\nRunbook: {CHAPTER}"
    return Notification(subject=subject[:MAX_SUBJECT_CHARACTERS], text=_limited(lines, MAX_TEXT_BYTES - len(end)) + end)


def _limited(lines: Sequence[str], max_bytes: int) -> str:
    """Return lines as one text with a limited size in UTF-8. An ellipsis replaces the rest of a line or of the text."""
    cut = (
        line if len(line) <= MAX_LINE_CHARACTERS else f"{line[:MAX_LINE_CHARACTERS]} …"
        for line in "\n".join(lines).split("\n")
    )
    text = "\n".join(cut)
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    return encoded[: max_bytes - len("\n…".encode())].decode(errors="ignore") + "\n…"
