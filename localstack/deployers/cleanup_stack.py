"""What was made, in order, and how all of it is undone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from localstack.errors import DeploymentError

if TYPE_CHECKING:
    from localstack.deployers.resources.base import Removal

GONE_TIMEOUT = 60.0
"""Seconds until a deleted thing must be gone: SQS and DynamoDB take their time."""
POLL_INTERVAL = 0.05

NOT_FOUND = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "DashboardNotFoundError",
        "NoSuchBucket",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)
"""Error codes by which AWS's services say that a thing, or what it is a part of, does not exist."""


@dataclass
class _Entry:
    what: str
    removal: Removal
    protected: bool


@dataclass
class Ledger:
    """The things of one stack. Safe to use from several threads; `clock` and `sleep` are for waiting."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _entries: list[_Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, what: str, removal: Removal, *, protected: bool = False) -> None:
        """Note a thing that now exists; `what` names it in messages, `protected` things refuse to be destroyed."""
        with self._lock:
            self._entries.append(_Entry(what, removal, protected))

    def destroy(self) -> None:
        """Delete everything, newest first, stop at the first failure, and make sure that what was deleted is gone.

        What is left can be destroyed by another call.

        Raises:
            DeploymentError: names what is protected, failed, or is still there.
        """
        with self._lock:
            if protected := [entry.what for entry in self._entries if entry.protected]:
                raise DeploymentError(
                    f"nothing was destroyed, because of protected resources: {', '.join(protected)}. "
                    "Deploy without protection (in TapStack: protectData false), or end the emulator with all its data"
                )
            deleted: list[_Entry] = []
            while self._entries:
                entry = self._entries[-1]
                try:
                    _unless_gone(entry.removal.delete)
                except Exception as error:
                    raise DeploymentError(
                        f"could not delete {entry.what}: {error}. "
                        f"It and {len(self._entries) - 1} older resources remain"
                    ) from error
                deleted.append(self._entries.pop())
            self._make_sure(deleted)

    def roll_back(self) -> list[str]:
        """Delete all that a failed deployment left, protected or not; return what could not be deleted, and why."""
        problems = []
        with self._lock:
            while self._entries:
                entry = self._entries.pop()
                try:
                    if entry.removal.unlock:
                        _unless_gone(entry.removal.unlock)
                    _unless_gone(entry.removal.delete)
                except Exception as error:  # noqa: BLE001  reported with the others; each shall have its try
                    problems.append(f"{entry.what}: {error}")
        return problems

    def _make_sure(self, deleted: list[_Entry]) -> None:
        deadline = self.clock() + GONE_TIMEOUT
        while remaining := [entry for entry in deleted if _exists(entry.removal)]:
            if self.clock() > deadline:
                names = ", ".join(entry.what for entry in remaining)
                raise DeploymentError(f"deleted, but still there after {GONE_TIMEOUT:g} s: {names}")
            self.sleep(POLL_INTERVAL)
            for entry in remaining:
                # the last line of a function that was still running makes its log group anew
                with suppress(ClientError):  # mostly: it is being deleted already
                    entry.removal.delete()


def _exists(removal: Removal) -> bool:
    return removal.exists is not None and bool(_unless_gone(removal.exists))


def _unless_gone(act: Callable[[], object]) -> object:
    """Return what `act` returns; None if AWS says that there is no such thing."""
    try:
        return act()
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND:
            return None
        raise
