"""An S3 event notification → typed records. Pure: arbitrary JSON causes nothing but the errors documented here.

The format: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
A record needs only `eventName`, the bucket's name and the key, so that an operator can write one by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from lambda_code.errors import ForeignBucketError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENT_VERSION_MAJOR = "2"  # AWS: compare the major number for equality, ignore fields that a minor version adds
MAX_KEY_BYTES = 1024  # of UTF-8, decoded: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_TEXT_BYTES = 1024  # S3's limit for a version id; nothing else that S3 sends here comes near it
MAX_SHOWN_CHARACTERS = 80  # of a bad value, in a message
NULL_VERSION = "null"  # what S3 calls the version of an object put while versioning is off or suspended
LIFECYCLE = "LifecycleExpiration:"
MAX_SIZE = 2**63 - 1  # bytes; beyond any object, within DynamoDB's 38 digits


class Kind(Enum):
    """What an event says about a version of an object."""

    CREATED = "created"
    DELETED = "deleted"  # for good; of a delete marker too, whose removal brings back what it hid
    MARKER = "marker"  # a delete marker was put on top of the other versions
    OTHER = "other"  # restored, tagged, replicated …: says nothing that a row holds

    @classmethod
    def of(cls, event_name: str) -> Kind:
        """The kind of an `eventName`, with or without the prefix `s3:` that only configurations carry."""
        name = event_name.removeprefix("s3:")
        if name.startswith("ObjectCreated:"):
            return cls.CREATED
        if name.startswith(("ObjectRemoved:", LIFECYCLE)):
            return cls.MARKER if name.endswith(":DeleteMarkerCreated") else cls.DELETED
        return cls.OTHER


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of an event, checked and decoded. None stands for what the event did not tell."""

    index: int  # its place in the event, from 0
    event_name: str
    kind: Kind
    bucket: str
    key: str  # as S3 has it: decoded
    version_id: str | None = None  # None: written by hand, about the current version, whichever that is
    event_time: datetime | None = None  # UTC
    sequencer: str | None = None
    size: int | None = None  # bytes
    etag: str | None = None  # without quotes
    principal: str | None = None  # who did it, as S3 calls them

    @property
    def by_lifecycle(self) -> bool:
        """Whether a rule of the bucket did it, and nobody in particular."""
        return self.event_name.removeprefix("s3:").startswith(LIFECYCLE)


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A record that cannot be worked on, with the error that says why."""

    index: int | None  # None: the event as a whole
    error: MalformedError | ForeignBucketError


def is_test_event(event: object) -> bool:
    """Whether this is the `s3:TestEvent` that S3 sends when a notification is configured; it has no records."""
    return isinstance(event, dict) and event.get("Event") == "s3:TestEvent" and "Records" not in event


def parse_event(event: object, *, bucket: str) -> list[Record | Rejected]:
    """The records of an event about `bucket`, each on its own: a bad one leaves the others alone. Raises nothing."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records:
        message = "there is no list of Records: this is not an S3 event notification"
        return [Rejected(index=None, error=MalformedError(message, field="Records"))]
    return [_parsed_or_rejected(raw, index=index, bucket=bucket) for index, raw in enumerate(records)]


def parse_record(raw: object, *, index: int, bucket: str) -> Record:
    """One record of an event.

    Raises:
        MalformedError: a field is missing, of another type than S3 sends, too long, or not UTF-8 when decoded.
        ForeignBucketError: the record is about another bucket than `bucket`.
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
    # events of intelligent tiering have it under another name, which must not make them failures
    s3_object = s3.fields("get_object" if kind is Kind.OTHER and "object" not in s3.values else "object")
    sequencer = s3_object.optional_text("sequencer", may_be_empty=True) or None
    # S3 itself sends a sequencer; without a version it speaks of a bucket whose versioning is off or suspended
    unnamed = None if sequencer is None else NULL_VERSION
    return Record(
        index=index,
        event_name=event_name,
        kind=kind,
        bucket=name,
        key=_decoded_key(s3_object),
        version_id=s3_object.optional_text("versionId") or unnamed,
        event_time=_time(record),
        sequencer=sequencer,
        size=_size(s3_object),
        etag=(s3_object.optional_text("eTag", may_be_empty=True) or "").strip('"') or None,
        principal=_principal(record),
    )


@dataclass(frozen=True)
class _Fields:
    """A JSON object of the event, with its path for messages."""

    values: Mapping[str, object]
    path: str

    @classmethod
    def of(cls, value: object, *, path: str) -> _Fields:
        if isinstance(value, dict):
            return cls(value, path)
        what = "is missing" if value is None else f"is {_shown(value)}, not an object"
        message = f"{path} {what}"
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
            raise self.error(name, f"is {_shown(value)}, not text")
        if not value and not may_be_empty:
            raise self.error(name, "is empty")
        try:
            size = len(value.encode())
        except UnicodeEncodeError as error:  # JSON can spell half of a surrogate pair, UTF-8 cannot
            raise self.error(name, f"is not Unicode text: {error.reason}") from error
        if size > limit:
            raise self.error(name, f"has {size} bytes; the limit is {limit}")
        return value

    def error(self, name: str, what: str) -> MalformedError:
        field = f"{self.path}.{name}"
        return MalformedError(f"{field} {what}", field=field)


def _parsed_or_rejected(raw: object, *, index: int, bucket: str) -> Record | Rejected:
    try:
        return parse_record(raw, index=index, bucket=bucket)
    except (MalformedError, ForeignBucketError) as error:
        return Rejected(index=index, error=error)


def _check_format(record: _Fields) -> None:
    source = record.optional_text("eventSource")
    if source not in (None, "aws:s3"):
        raise record.error("eventSource", f"is {_shown(source)}; only 'aws:s3' is understood")
    version = record.optional_text("eventVersion")
    if version is not None and version.split(".")[0] != EVENT_VERSION_MAJOR:
        raise record.error("eventVersion", f"is {_shown(version)}; only {EVENT_VERSION_MAJOR}.x is understood")


def _decoded_key(s3_object: _Fields) -> str:
    """The key as S3 has it. Notifications send it form-encoded: decode it once, and only once."""
    encoded = s3_object.optional_text("key", limit=3 * MAX_KEY_BYTES)  # a byte is at most %XX
    if encoded is None:
        raise s3_object.error("key", "is missing")
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError as error:
        raise s3_object.error("key", f"is {_shown(encoded)}, which is not UTF-8 when decoded") from error
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
    except (ValueError, OverflowError) as error:  # overflow: an offset that leads out of the years 1 to 9999
        raise record.error("eventTime", f"is {_shown(text)}, not an ISO 8601 time") from error
    raise record.error("eventTime", f"is {_shown(text)}, which has no time zone; S3 sends UTC, with a Z at the end")


def _principal(record: _Fields) -> str | None:
    if record.values.get("userIdentity") is None:
        return None
    return record.fields("userIdentity").optional_text("principalId", may_be_empty=True) or None


def _size(s3_object: _Fields) -> int | None:
    size = s3_object.values.get("size")
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool):
        raise s3_object.error("size", f"is {_shown(size)}, not a whole number of bytes")
    if not 0 <= size <= MAX_SIZE:
        raise s3_object.error("size", "is not a number of bytes that an object can have")
    return size


def _shown(value: object) -> str:
    """A value in a message: escaped, short, and of a container only its type (its depth is the sender's choice)."""
    text = f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
