"""What an emulator cannot do that AWS does, as one table. A test is skipped, or asks for less, for no other reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.index import Place


class Capability(Enum):
    """What a test may need; the value says it in words."""

    LIST_CONTROL_CHARACTERS = "list a bucket that holds a key with control characters"
    RFC_2047_METADATA = "answer HEAD with RFC 2047 words where user metadata is not ASCII"
    UTF8_FORM = "read a POST form's file name as UTF-8"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One thing that one emulator cannot do."""

    capability: Capability
    emulator: str
    why: str


GAPS = (
    Gap(
        capability=Capability.LIST_CONTROL_CHARACTERS,
        emulator="MiniStack",
        why="ListObjectVersions puts the key into XML, which cannot carry it, whatever EncodingType asks for: 500",
    ),
    Gap(
        capability=Capability.RFC_2047_METADATA,
        emulator="MiniStack",
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
