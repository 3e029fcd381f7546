"""What an emulator cannot do that AWS does, as one table. A test is skipped, or asks for less, for no other reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.index import Place


class Capability(Enum):
    """What a test may need; the value says it in words."""

    EVENTS_DURING_AN_UPDATE = "take events at once while a function is updated"
    FUNCTION_CONTAINERS = "run each function in a container of its own"
    LIST_CONTROL_CHARACTERS = "list a bucket that holds a key with control characters"
    LIST_FROM_ANY_KEY = "go on with a listing from a key that is encoded for XML"
    RFC_2047_METADATA = "answer HEAD with RFC 2047 words where user metadata is not ASCII"
    ALARMS_AT_ONCE = "evaluate an alarm as soon as its metric is put"
    ALARM_TAGS = "keep the tags that an alarm is made with"
    GROWING_SEQUENCERS = "give every event of a key a greater sequencer than the one before"
    UTF8_FORM = "read a POST form's file name as UTF-8"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One thing that one emulator cannot do."""

    capability: Capability
    emulator: str
    why: str


GAPS = (
    Gap(
        capability=Capability.ALARM_TAGS,
        emulator="LocalStack",
        why="PutMetricAlarm drops them without a word; only TagResource would set them",
    ),
    Gap(
        capability=Capability.ALARMS_AT_ONCE,
        emulator="LocalStack",
        why="it looks once in all of an alarm's periods, which are up to five minutes, and never at percentiles",
    ),
    Gap(
        capability=Capability.GROWING_SEQUENCERS,
        emulator="LocalStack",
        why="every event has the same, so versions of one second cannot be put into an order",
    ),
    Gap(
        capability=Capability.EVENTS_DURING_AN_UPDATE,
        emulator="LocalStack",
        why="the poller of the function before still gets some of them, and leaves them invisible for two minutes",
    ),
    Gap(
        capability=Capability.FUNCTION_CONTAINERS,
        emulator="MiniStack",
        why="it runs them as processes beside itself",
    ),
    Gap(
        capability=Capability.LIST_CONTROL_CHARACTERS,
        emulator="MiniStack",
        why="ListObjectVersions puts the key into XML, which cannot carry it, whatever EncodingType asks for: 500",
    ),
    Gap(
        capability=Capability.LIST_FROM_ANY_KEY,
        emulator="LocalStack",
        why="ListObjectVersions compares the key to start after with encoded keys: with a space in it, nothing comes",
    ),
    Gap(
        capability=Capability.RFC_2047_METADATA,
        emulator="MiniStack",
        why="it sends back the bytes that it got, which HTTP clients read as Latin-1",
    ),
    Gap(
        capability=Capability.RFC_2047_METADATA,
        emulator="LocalStack",
        why="it sends back the bytes that it got, which HTTP clients read as Latin-1",
    ),
    Gap(
        capability=Capability.UTF8_FORM,
        emulator="MiniStack",
        why="it reads the form as Latin-1, so the key of the new object is mangled before any event",
    ),
)


def gap(place: Place, capability: Capability) -> Gap | None:
    """Why this emulator lacks a capability; None if it has it, or if this is AWS."""
    known = (each for each in GAPS if each.capability is capability and place.name.startswith(each.emulator))
    return next(known, None)


def needs(place: Place, capability: Capability) -> None:
    """Skip the test, with the reason, where the emulator lacks what it needs."""
    if lacking := gap(place, capability):
        pytest.skip(f"{lacking.emulator} cannot {capability.value}: {lacking.why}")
