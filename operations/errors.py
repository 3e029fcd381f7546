"""Errors of the tools."""

from __future__ import annotations


class OperatorError(Exception):
    """A tool cannot continue: the message names the problem and the remedy."""


class RefusedEventError(OperatorError):
    """Lambda never accepts this event, but may accept others."""
