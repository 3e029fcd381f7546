"""Errors of the command line for operators."""

from __future__ import annotations


class OperatorError(Exception):
    """Error that ends a tool. Its message states the problem and the remedy."""


class RefusedEventError(OperatorError):
    """Error for an event that Lambda rejects permanently. Lambda may still accept other events."""
