"""The errors of a record, permanent or transient, and their reasons, which log lines and metrics use."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(StrEnum):
    """The closed list of reasons: a log field, and the dimension `reason` of the metric ObjectsFailed."""

    DENIED = "denied"  # AWS denied the call: a permission is missing, or the credentials expired
    MALFORMED = "malformed"  # the event is not an S3 notification that this code understands
    THROTTLED = "throttled"  # AWS throttled the call until the time budget of the record was used up
    UNAVAILABLE = "unavailable"  # no response, a broken response, or no time left for one
    FOREIGN = "foreign"  # the record is about another bucket
    INTERNAL = "internal"  # anything else: a bug, a missing table, an invalid request


class TapStackError(Exception):
    """Base class of all errors that this package raises."""


class ConfigurationError(TapStackError, ValueError):
    """An environment variable is missing or not acceptable. The message has its value, limit and remedy."""


class RecordError(TapStackError):
    """One record failed.

    Attributes:
        reason: the class of the error.
        field: path of the invalid value in the event (`Records[0].s3.object.key`); None if there is none.
        attempts: number of attempts of the AWS call that failed; 0 if there was none.
    """

    def __init__(self, message: str, *, reason: Reason, field: str | None = None, attempts: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
        self.attempts = attempts


class PermanentError(RecordError):
    """A retry cannot succeed: the record fails at once."""


class TransientError(RecordError):
    """A later retry may succeed, but this invocation has no time or attempts left."""


class MalformedError(PermanentError):
    """The event, or a field of a record, is missing or not as S3 sends it."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, reason=Reason.MALFORMED, field=field)


class ForeignBucketError(PermanentError):
    """The record is about a bucket that this indexer does not index."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, reason=Reason.FOREIGN, field=field)


class IndexingError(TapStackError):
    """At least one record of an event failed, so Lambda must retry the event or send it to the failure queue.

    The message names every failed record with its reason.

    Attributes:
        errors: the errors of the records, in the order of the message.
    """

    # The failure queue receives the message together with the event, and both must fit.
    _MAX_CHARACTERS_PER_RECORD = 400

    def __init__(self, errors: Sequence[tuple[str, RecordError]], *, records: int) -> None:
        lines = [f"{name}: {error.reason}: {error}"[: self._MAX_CHARACTERS_PER_RECORD] for name, error in errors]
        super().__init__(f"{len(errors)} of {records} records failed: " + "; ".join(lines))
        self.errors = tuple(error for _, error in errors)
