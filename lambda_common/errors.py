"""Exceptions of the Lambda functions, and the failure reasons that log lines and metrics report."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Reason for the failure of a record: a log field, and a dimension of ObjectsFailed and InspectFailed."""

    DENIED = "denied"  # AWS denied the call: missing permission or expired credentials
    MALFORMED = "malformed"  # the event is not a valid S3 event, or not a valid record of the table's stream
    THROTTLED = "throttled"  # AWS throttled the call until the time budget of the record was used up
    UNAVAILABLE = "unavailable"  # no response from AWS, an incomplete response, or no time left for a request
    UNPARSABLE = "unparsable"  # AWS or a proxy sent a complete response that the client library cannot parse
    FOREIGN = "foreign"  # the record is about a bucket or an object key that is not indexed
    INTERNAL = "internal"  # any other failure, such as a bug, a missing table or an invalid request


class TapStackError(Exception):
    """Base class of all exceptions of the Lambda functions."""


class ConfigurationError(TapStackError, ValueError):
    """Error for a missing or invalid environment variable. The message contains the value, the limit and the remedy."""


class RecordError(TapStackError):
    """Error that made one record fail.

    Attributes:
        reason: category of the error.
        field: path of the invalid value in the event, such as `Records[0].s3.object.key`; None if no value is invalid.
        attempts: number of attempts of the failed AWS call; 0 if no call was made.
    """

    def __init__(self, message: str, *, reason: Reason, field: str | None = None, attempts: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
        self.attempts = attempts


class PermanentError(RecordError):
    """Error that another attempt would not resolve, so the record fails immediately."""


def internal_error(bug: Exception) -> PermanentError:
    """Return the error of a record that failed because of an unexpected exception, with the exception as its cause."""
    error = PermanentError(f"{type(bug).__name__}: {bug}", reason=Reason.INTERNAL)
    error.__cause__ = bug
    return error


class TransientError(RecordError):
    """Error that a later retry may resolve. The current invocation has no time or attempts left for a retry."""


class MalformedError(PermanentError):
    """Error for an event or a record in which a field is missing or invalid."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, reason=Reason.MALFORMED, field=field)
