"""Parses S3 event notifications into validated records, without input or output.

Event format: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
Only `eventName`, the bucket name and the object key are required, so that an operator can write an event by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from lambda_code.errors import ForeignBucketError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENT_VERSION_MAJOR = "2"  # Minor versions of the S3 event format only add fields, so they are not checked.
# S3's limit for a decoded object key in UTF-8: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024
MAX_TEXT_BYTES = 1024  # S3's limit for a version ID. All other text fields except the key are shorter.
MAX_QUOTED_CHARACTERS = 80  # maximum length of an invalid value in an error message
# Services that deliver S3 events inside their own events, by the source of the records.
WRAPPERS = {"aws:sns": "SNS topic", "aws:sqs": "SQS queue"}
NULL_VERSION = "null"  # version ID of objects that were uploaded while versioning was off or suspended
LIFECYCLE = "LifecycleExpiration:"
TOOL_PRINCIPAL = "tapstack:"  # beginning of the principal ID in the events that the operators' tools create
REPLAYED_BY = "replayedBy"  # field that `redrive` adds to an event, beside `Records`, when it sends the event again
SMOKE_TEST = "tapstack-smoke-"  # beginning of the folder of the smoke test, which docs/testing.md describes
_SMOKE_TEST_FOLDER = re.compile(SMOKE_TEST + "[0-9a-f]{8}/")
MAX_SIZE = 2**63 - 1  # maximum accepted object size in bytes; DynamoDB numbers have up to 38 digits


class Kind(Enum):
    """Kind of change that an S3 event reports about an object version."""

    CREATED = "created"
    DELETED = "deleted"  # An object version or a delete marker was deleted permanently.
    MARKER_CREATED = "marker created"  # A delete marker became the current version.
    OTHER = "other"  # an event that changes no row, such as a restore, a tag or a replication

    @classmethod
    def of(cls, event_name: str) -> Kind:
        """Return the kind of an event name. The prefix `s3:`, which only bucket configurations use, is optional."""
        name = event_name.removeprefix("s3:")
        if name.startswith("ObjectCreated:"):
            return cls.CREATED
        if name.startswith(("ObjectRemoved:", LIFECYCLE)):
            return cls.MARKER_CREATED if name.endswith(":DeleteMarkerCreated") else cls.DELETED
        return cls.OTHER


@dataclass(frozen=True, kw_only=True)
class Record:
    """One validated and decoded record of an S3 event. A field is None if the event does not contain it."""

    index: int  # zero-based position of the record in the event
    event_name: str
    kind: Kind
    bucket: str
    key: str  # decoded
    version_id: str | None = None
    event_time: datetime | None = None  # UTC
    sequencer: str | None = None
    size: int | None = None  # bytes
    etag: str | None = None  # ETag without quotation marks
    principal: str | None = None  # identity of the caller, from `userIdentity.principalId`
    replayed: bool = False  # whether the tool `redrive` sent the event again

    @property
    def may_be_null_version(self) -> bool:
        """Whether S3 may have omitted the version ID `null`, as it does while versioning is off or suspended.

        A record without a version ID and without a sequencer is handwritten, and is about the current version.
        """
        return self.version_id is None and self.sequencer is not None

    @property
    def by_lifecycle(self) -> bool:
        """Whether a lifecycle rule of the bucket caused the event."""
        return self.event_name.removeprefix("s3:").startswith(LIFECYCLE)

    @property
    def measured(self) -> bool:
        """Whether the metric `IndexingDelay` includes the record.

        The alarm `no-uploads` counts the values of this metric, so the metric includes only events that S3 sends about
        uploads of users: no event that an operators' tool sends, and no object of the smoke test. The events of the
        tools also have old times.
        """
        by_tool = self.replayed or (self.principal or "").startswith(TOOL_PRINCIPAL)
        return not by_tool and not _SMOKE_TEST_FOLDER.search(self.key)


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A record that cannot be indexed, with its error."""

    index: int | None  # zero-based position of the record in the event; None if the whole event is invalid
    error: MalformedError | ForeignBucketError


def is_test_event(event: object) -> bool:
    """Return whether an event is the `s3:TestEvent` that S3 sends when a bucket notification is configured."""
    return isinstance(event, dict) and event.get("Event") == "s3:TestEvent" and "Records" not in event


def parse_event(event: object, *, bucket: str) -> list[Record | Rejected]:
    """Parse all records of an S3 event. An invalid record does not affect the other records.

    Args:
        event: the event, as JSON values; any shape is allowed.
        bucket: name of the indexed bucket; records about other buckets are rejected.

    Returns:
        The records in the order of the event, or one rejection if the event has no list of records.
    """
    fields = event if isinstance(event, dict) else {}
    records = fields.get("Records")
    if not isinstance(records, list) or not records:
        message = f"there is no list of Records: {_kind_of_other_event(event)}"
        return [Rejected(index=None, error=MalformedError(message, field="Records"))]
    replayed = REPLAYED_BY in fields
    return [
        _parsed_or_rejected(raw, index=index, bucket=bucket, replayed=replayed) for index, raw in enumerate(records)
    ]


def parse_record(raw: object, *, index: int, bucket: str, replayed: bool = False) -> Record:
    """Parse one record of an S3 event.

    Args:
        raw: the record, as JSON values; any shape is allowed.
        index: zero-based position of the record in the event.
        bucket: name of the indexed bucket.
        replayed: whether the tool `redrive` sent the event again.

    Raises:
        MalformedError: a field is missing, has the wrong type, is too long, or is not UTF-8 after decoding.
        ForeignBucketError: the record is about another bucket.
    """
    record = _Fields.of(raw, path=f"Records[{index}]")
    _check_format(record)
    event_name = record.text("eventName")
    s3 = record.fields("s3")
    s3_bucket = s3.fields("bucket")
    name = s3_bucket.text("name")
    if name != bucket:
        field = f"{s3_bucket.path}.name"
        message = f"{field} is {name!r}, but this function indexes only {bucket!r}"
        raise ForeignBucketError(message, field=field)
    kind = Kind.of(event_name)
    # Events of S3 Intelligent-Tiering have the field `get_object` instead of `object`.
    s3_object = s3.fields("get_object" if kind is Kind.OTHER and "object" not in s3.values else "object")
    return Record(
        index=index,
        event_name=event_name,
        kind=kind,
        bucket=name,
        key=_decoded_key(s3_object),
        version_id=s3_object.optional_text("versionId"),
        event_time=_time(record),
        sequencer=s3_object.optional_text("sequencer", may_be_empty=True) or None,
        size=_size(s3_object),
        etag=(s3_object.optional_text("eTag", may_be_empty=True) or "").strip('"') or None,
        principal=_principal(record),
        replayed=replayed,
    )


@dataclass(frozen=True)
class _Fields:
    """A JSON object in an event, with the path that error messages report."""

    values: Mapping[str, object]
    path: str

    @classmethod
    def of(cls, value: object, *, path: str) -> _Fields:
        if isinstance(value, dict):
            return cls(value, path)
        problem = "is missing" if value is None else f"is {_quoted(value)}, not an object"
        message = f"{path} {problem}"
        raise MalformedError(message, field=path)

    def fields(self, name: str) -> _Fields:
        return _Fields.of(self.values.get(name), path=f"{self.path}.{name}")

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise self.error(name, "is missing")
        return value

    def optional_text(self, name: str, *, may_be_empty: bool = False, limit: int = MAX_TEXT_BYTES) -> str | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.error(name, f"is {_quoted(value)}, not text")
        if not value and not may_be_empty:
            raise self.error(name, "is empty")
        try:
            size = len(value.encode())
        except UnicodeEncodeError as error:  # JSON can encode an unpaired surrogate, UTF-8 cannot.
            raise self.error(name, f"is not Unicode text: {error.reason}") from error
        if size > limit:
            raise self.error(name, f"has {size} bytes; the limit is {limit}")
        return value

    def error(self, name: str, what: str) -> MalformedError:
        field = f"{self.path}.{name}"
        return MalformedError(f"{field} {what}", field=field)


def _parsed_or_rejected(raw: object, *, index: int, bucket: str, replayed: bool) -> Record | Rejected:
    try:
        return parse_record(raw, index=index, bucket=bucket, replayed=replayed)
    except (MalformedError, ForeignBucketError) as error:
        return Rejected(index=index, error=error)


def _kind_of_other_event(event: object) -> str:
    """Return the kind of an event without a list of records, and the remedy, for an error message."""
    match event:
        case {"detail-type": kind, "source": source}:
            name = f"an EventBridge event ({_quoted(kind)} from {_quoted(source)})"
            return f"this is {name}. {_how_to_connect('EventBridge rule')}"
        case {"Type": "Notification", "TopicArn": _}:
            return f"this is a message of an SNS topic. {_how_to_connect('SNS topic')}"
        case {"requestContext": _, "requestPayload": _}:
            return "this is a message of the failure queue. Send its event again with the command redrive"
        case {"invocationSchemaVersion": _, "tasks": _}:
            return "this is a task of S3 Batch Operations. Index existing objects with the command backfill"
        case [{"eventSource": "aws:sqs"}, *_]:
            return f"this is a batch of SQS messages from an EventBridge pipe. {_how_to_connect('EventBridge pipe')}"
    return "this is not an S3 event notification"


def _how_to_connect(wrapper: str) -> str:
    return (
        "The indexer accepts only events that S3 sends to it directly. Add the Lambda function to the event "
        f"notifications of the bucket, and remove the {wrapper} from the triggers of the function"
    )


def _check_format(record: _Fields) -> None:
    for name in ("eventSource", "EventSource"):  # Only SNS writes the name with a capital letter.
        source = record.optional_text(name)
        if source in WRAPPERS:
            raise record.error(name, f"is {_quoted(source)}. {_how_to_connect(WRAPPERS[source])}")
        if source not in (None, "aws:s3"):
            raise record.error(name, f"is {_quoted(source)}; only 'aws:s3' is supported")
    version = record.optional_text("eventVersion")
    if version is not None and version.split(".")[0] != EVENT_VERSION_MAJOR:
        raise record.error("eventVersion", f"is {_quoted(version)}; only {EVENT_VERSION_MAJOR}.x is supported")


def _decoded_key(s3_object: _Fields) -> str:
    """Decode a form-encoded object key exactly once."""
    encoded = s3_object.optional_text(
        "key", limit=3 * MAX_KEY_BYTES
    )  # A form-encoded byte has at most three characters.
    if encoded is None:
        raise s3_object.error("key", "is missing")
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError as error:
        raise s3_object.error("key", f"is {_quoted(encoded)}, which is not UTF-8 when decoded") from error
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        raise s3_object.error("key", f"has {size} bytes when decoded; the limit is {MAX_KEY_BYTES}")
    return key


def _time(record: _Fields) -> datetime | None:
    text = record.optional_text("eventTime")
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # OverflowError: the time in UTC is outside the years 1 to 9999.
        raise record.error("eventTime", f"is {_quoted(text)}, not an ISO 8601 time") from error
    raise record.error("eventTime", f"is {_quoted(text)}, which has no time zone; S3 sends UTC, with a Z at the end")


def _principal(record: _Fields) -> str | None:
    if record.values.get("userIdentity") is None:
        return None
    return record.fields("userIdentity").optional_text("principalId", may_be_empty=True) or None


def _size(s3_object: _Fields) -> int | None:
    size = s3_object.values.get("size")
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool):
        raise s3_object.error("size", f"is {_quoted(size)}, not a whole number of bytes")
    if not 0 <= size <= MAX_SIZE:
        raise s3_object.error("size", "is not a number of bytes that an object can have")
    return size


def _quoted(value: object) -> str:
    """Return a short, escaped representation of a value for an error message; of a container, only its type."""
    text = f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}…"
