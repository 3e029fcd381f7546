"""The capabilities of AWS that emulators lack, as one table. A test is skipped, or reduced, for no other reason."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.index import AwsTarget


class Capability(Enum):
    """A capability that a test may need; the value describes it."""

    EVENTS_DURING_AN_UPDATE = "take events at once while a function is updated"
    FUNCTION_CONTAINERS = "run each function in a container of its own"
    LIST_CONTROL_CHARACTERS = "list a bucket that holds a key with control characters"
    LIST_FROM_ANY_KEY = "go on with a listing from a key that is encoded for XML"
    RFC_2047_METADATA = "answer HEAD with RFC 2047 words where user metadata is not ASCII"
    ALARMS_AT_ONCE = "evaluate an alarm as soon as its metric is put"
    ALARM_TAGS = "keep the tags that an alarm is made with"
    GROWING_SEQUENCERS = "give every event of a key a greater sequencer than the one before"
    UTF8_FORM = "read a POST form's file name as UTF-8"


LOCALSTACK, MINISTACK = "LocalStack", "MiniStack"
BYTES_AS_LATIN_1 = "it sends back the bytes that it got, which HTTP clients read as Latin-1"

GAPS: Mapping[tuple[Capability, str], str] = {
    (Capability.ALARM_TAGS, LOCALSTACK): "PutMetricAlarm drops them without a word; only TagResource would set them",
    (Capability.ALARMS_AT_ONCE, LOCALSTACK): (
        "it looks once in all of an alarm's periods, which are up to five minutes, and never at percentiles"
    ),
    (Capability.GROWING_SEQUENCERS, LOCALSTACK): (
        "every event has the same, so versions of one second cannot be put into an order"
    ),
    (Capability.EVENTS_DURING_AN_UPDATE, LOCALSTACK): (
        "the poller of the function before still gets some of them, and leaves them invisible for two minutes"
    ),
    (Capability.FUNCTION_CONTAINERS, MINISTACK): "it runs them as processes beside itself",
    (Capability.LIST_CONTROL_CHARACTERS, MINISTACK): (
        "ListObjectVersions puts the key into XML, which cannot carry it, whatever EncodingType asks for: 500"
    ),
    (Capability.LIST_FROM_ANY_KEY, LOCALSTACK): (
        "ListObjectVersions compares the key to start after with encoded keys: with a space in it, nothing comes"
    ),
    (Capability.RFC_2047_METADATA, MINISTACK): BYTES_AS_LATIN_1,
    (Capability.RFC_2047_METADATA, LOCALSTACK): BYTES_AS_LATIN_1,
    (Capability.UTF8_FORM, MINISTACK): (
        "it reads the form as Latin-1, so the key of the new object is mangled before any event"
    ),
}
"""Why an emulator lacks a capability."""


def gap(target: AwsTarget, capability: Capability) -> str | None:
    """The emulator that lacks a capability, and why; None if it has it, and on AWS."""
    for (missing, emulator), why in GAPS.items():
        if missing is capability and target.name.startswith(emulator):
            return f"{emulator} cannot {capability.value}: {why}"
    return None


def needs(target: AwsTarget, capability: Capability) -> None:
    """Skip the test where the emulator lacks a capability."""
    if reason := gap(target, capability):
        pytest.skip(reason)
