"""Errors of the test infrastructure; each message names the value, the limit and the remedy."""

from __future__ import annotations


class HarnessError(Exception):
    """Base class of all errors of the test infrastructure."""


class EmulatorError(HarnessError):
    """An emulator could not be installed or started, or is reachable from other machines."""


class DeploymentError(HarnessError):
    """A stack could not be deployed or destroyed. Resources that remain are named."""
