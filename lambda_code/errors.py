"""Why a record failed: one base error, permanent and transient ones below it, and the reasons for log and metric."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(StrEnum):
    """The closed list of reasons: a log field, and the dimension `reason` of the metric ObjectsFailed."""

    DENIED = "denied"  # AWS refused the call: a missing permission, or credentials that are no longer valid
    MALFORMED = "malformed"  # the event is not an S3 notification that this code understands
    THROTTLED = "throttled"  # AWS asked to slow down until the record's time was used up
    UNAVAILABLE = "unavailable"  # no answer, a broken answer, or no time left for one
    FOREIGN = "foreign"  # the record is about another bucket
    INTERNAL = "internal"  # anything else: a bug, a missing table, a call that AWS calls invalid


class TapStackError(Exception):
    """The base of every error that this package raises on purpose."""


class ConfigurationError(TapStackError, ValueError):
    """The environment is not what the stack gives the function: names variable, value, limit and remedy."""


class RecordError(TapStackError):
    """Why one record failed.

    `field` is the path of the offending value in the event (`Records[0].s3.object.key`), where there is one;
    `attempts` counts the tries of the AWS call that failed, 0 if none was made.
    """

    def __init__(self, message: str, *, reason: Reason, field: str | None = None, attempts: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
        self.attempts = attempts


class PermanentError(RecordError):
    """Trying again cannot help: the record fails at once."""


class TransientError(RecordError):
    """Trying again later may help, but this invocation has no time or tries left for it."""


class MalformedError(PermanentError):
    """The event, or a field of a record, is missing or not what S3 sends."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, reason=Reason.MALFORMED, field=field)


class ForeignBucketError(PermanentError):
    """The record is about a bucket that this function does not index."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, reason=Reason.FOREIGN, field=field)


class IndexingError(TapStackError):
    """What the handler raises: an event of which some record failed, so that Lambda retries it or puts it in the queue.

    The message names every failed record with its reason; `errors` are the records' own errors, in the same order.
    """

    # A message goes into the failure queue together with the event: neither may crowd out the other.
    _LONGEST_LINE = 400

    def __init__(self, errors: Sequence[tuple[str, RecordError]], *, records: int) -> None:
        lines = [f"{name}: {error.reason}: {error}"[: self._LONGEST_LINE] for name, error in errors]
        super().__init__(f"{len(errors)} of {records} records failed: " + "; ".join(lines))
        self.errors = tuple(error for _, error in errors)
