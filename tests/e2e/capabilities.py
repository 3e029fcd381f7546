"""Lists the AWS capabilities that emulators lack. A test may be skipped or reduced only for one of these reasons."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.index import AwsTarget


class Capability(Enum):
    """AWS capability that a test may need. Its value is a text that completes "the emulator cannot …"."""

    EVENTS_DURING_AN_UPDATE = "deliver events without delay while a function is updated"
    FUNCTION_CONTAINERS = "run each function in its own container"
    LIST_CONTROL_CHARACTERS = "list a bucket that has a key with control characters"
    LIST_FROM_ANY_KEY = "continue a listing after a key that is encoded for XML"
    RFC_2047_METADATA = "return non-ASCII user metadata as RFC 2047 words in a HEAD response"
    ALARMS_AT_ONCE = "evaluate an alarm as soon as a metric value is put"
    ALARM_TAGS = "store the tags of a new alarm"
    GROWING_SEQUENCERS = "give each event of a key a greater sequencer than the previous event"
    MANY_METADATA_ENTRIES = "store an object with hundreds of user metadata entries"
    MARKER_IN_HEAD_RESPONSE = "mark a delete marker in the headers of a HEAD response"
    LISTED_STORAGE_CLASS = "list the storage class of each object version"
    ATHENA = "run queries in Athena over tables of Glue"
    EVENTBRIDGE_KEYS = "send the object key in an EventBridge event as it is"
    EVENTBRIDGE_VERSION_IDS = "send the version ID in an EventBridge event"
    STREAM_RETRIES = "end the retries of a failing stream batch after the configured number of attempts"
    UTF8_FORM = "read the file name in a POST form as UTF-8"


LOCALSTACK, MINISTACK = "LocalStack", "MiniStack"
BYTES_AS_LATIN_1 = "it returns the uploaded bytes, which HTTP clients read as Latin-1"

GAPS: Mapping[tuple[Capability, str], str] = {
    (Capability.ATHENA, LOCALSTACK): "its free image has neither Athena nor Glue",
    (Capability.ALARM_TAGS, LOCALSTACK): "PutMetricAlarm silently ignores the tags; only TagResource stores them",
    (Capability.ALARMS_AT_ONCE, LOCALSTACK): (
        "it evaluates an alarm once in its evaluation time of up to five minutes, and never evaluates percentiles"
    ),
    (Capability.GROWING_SEQUENCERS, LOCALSTACK): (
        "all events have the same sequencer, so versions of the same second have no order"
    ),
    (Capability.EVENTS_DURING_AN_UPDATE, LOCALSTACK): (
        "the poller of the previous function still receives some events, and hides them for two minutes"
    ),
    (Capability.EVENTBRIDGE_KEYS, LOCALSTACK): (
        "it percent-encodes the key, so the prefix in the pattern of a rule does not match a key with a space, + or é"
    ),
    (Capability.EVENTBRIDGE_VERSION_IDS, MINISTACK): "the event has no field version-id",
    (Capability.FUNCTION_CONTAINERS, MINISTACK): "it runs functions as processes on the same machine",
    (Capability.LIST_CONTROL_CHARACTERS, MINISTACK): (
        "ListObjectVersions ignores EncodingType, puts the key into XML, which cannot contain it, and returns 500"
    ),
    (Capability.LIST_FROM_ANY_KEY, LOCALSTACK): (
        "ListObjectVersions compares the start key with encoded keys, so a start key with a space returns nothing"
    ),
    (Capability.LISTED_STORAGE_CLASS, LOCALSTACK): "ListObjectVersions returns STANDARD for every version",
    (Capability.MANY_METADATA_ENTRIES, LOCALSTACK): "its web server rejects requests with more than 100 headers",
    (Capability.MARKER_IN_HEAD_RESPONSE, LOCALSTACK): (
        "the response with status 405 has no header x-amz-delete-marker, which only the response to GET has"
    ),
    (Capability.RFC_2047_METADATA, MINISTACK): BYTES_AS_LATIN_1,
    (Capability.RFC_2047_METADATA, LOCALSTACK): BYTES_AS_LATIN_1,
    (Capability.STREAM_RETRIES, MINISTACK): (
        "it stores the number, but repeats the batch until its maximum age, and ignores partial batch responses"
    ),
    (Capability.UTF8_FORM, MINISTACK): (
        "it reads the form as Latin-1, so the key of the new object is already wrong before any event"
    ),
}
"""Maps a capability and an emulator to the reason why the emulator lacks the capability."""


def gap(target: AwsTarget, capability: Capability) -> str | None:
    """Return the reason why the target lacks a capability, or None. AWS has all capabilities."""
    for (missing, emulator), reason in GAPS.items():
        if missing is capability and target.name.startswith(emulator):
            return f"{emulator} cannot {capability.value}: {reason}"
    return None


def needs(target: AwsTarget, capability: Capability) -> None:
    """Skip the test if the emulator lacks a capability."""
    if reason := gap(target, capability):
        pytest.skip(reason)
