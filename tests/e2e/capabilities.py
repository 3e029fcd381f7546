"""The capabilities of AWS that emulators lack, as one table. A test is skipped, or reduced, for no other reason."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

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


class Gap(NamedTuple):
    """A capability that one emulator lacks, and why."""

    capability: Capability
    emulator: str
    why: str


LOCALSTACK, MINISTACK = "LocalStack", "MiniStack"
BYTES_AS_LATIN_1 = "it sends back the bytes that it got, which HTTP clients read as Latin-1"

GAPS = (
    Gap(Capability.ALARM_TAGS, LOCALSTACK, "PutMetricAlarm drops them without a word; only TagResource would set them"),
    Gap(
        *(Capability.ALARMS_AT_ONCE, LOCALSTACK),
        "it looks once in all of an alarm's periods, which are up to five minutes, and never at percentiles",
    ),
    Gap(
        *(Capability.GROWING_SEQUENCERS, LOCALSTACK),
        "every event has the same, so versions of one second cannot be put into an order",
    ),
    Gap(
        *(Capability.EVENTS_DURING_AN_UPDATE, LOCALSTACK),
        "the poller of the function before still gets some of them, and leaves them invisible for two minutes",
    ),
    Gap(Capability.FUNCTION_CONTAINERS, MINISTACK, "it runs them as processes beside itself"),
    Gap(
        *(Capability.LIST_CONTROL_CHARACTERS, MINISTACK),
        "ListObjectVersions puts the key into XML, which cannot carry it, whatever EncodingType asks for: 500",
    ),
    Gap(
        *(Capability.LIST_FROM_ANY_KEY, LOCALSTACK),
        "ListObjectVersions compares the key to start after with encoded keys: with a space in it, nothing comes",
    ),
    Gap(Capability.RFC_2047_METADATA, MINISTACK, BYTES_AS_LATIN_1),
    Gap(Capability.RFC_2047_METADATA, LOCALSTACK, BYTES_AS_LATIN_1),
    Gap(
        *(Capability.UTF8_FORM, MINISTACK),
        "it reads the form as Latin-1, so the key of the new object is mangled before any event",
    ),
)


def gap(target: AwsTarget, capability: Capability) -> Gap | None:
    """Why this emulator lacks a capability; None if it has it, and on AWS."""
    gaps = (each for each in GAPS if each.capability is capability and target.name.startswith(each.emulator))
    return next(gaps, None)


def needs(target: AwsTarget, capability: Capability) -> None:
    """Skip the test where the emulator lacks a capability."""
    if missing := gap(target, capability):
        pytest.skip(f"{missing.emulator} cannot {capability.value}: {missing.why}")
