"""Why a tool could not run."""

from __future__ import annotations


class OperatorError(Exception):
    """A tool cannot go on: the message says what is wrong and what to do about it."""


class RefusedEventError(OperatorError):
    """Lambda did not accept this event, and would not accept it again; others it may."""
