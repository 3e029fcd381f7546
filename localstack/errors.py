"""Exceptions of the test infrastructure. Each message contains the invalid value, the limit and the remedy."""

from __future__ import annotations


class HarnessError(Exception):
    """Base class of all exceptions of the test infrastructure."""


class EmulatorError(HarnessError):
    """An emulator cannot be installed or started, or other machines can connect to it."""


class DeploymentError(HarnessError):
    """A Pulumi stack cannot be deployed or destroyed. The message lists the resources that still exist."""
