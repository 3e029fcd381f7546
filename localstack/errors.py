"""What can go wrong with the harness; each message names the value, the limit and the remedy."""

from __future__ import annotations


class HarnessError(Exception):
    """Base of everything that the harness raises on purpose."""


class EmulatorError(HarnessError):
    """An emulator could not be installed, started or kept where it belongs."""


class DeploymentError(HarnessError):
    """A stack could not be deployed or destroyed. What was already created is named, or gone again."""
