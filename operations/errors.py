"""Errors of the command line for operators."""

from __future__ import annotations


class OperatorError(Exception):
    """A tool cannot continue; the message states the problem and the remedy."""


class RefusedEventError(OperatorError):
    """Lambda rejects this event permanently, but may accept other events."""
