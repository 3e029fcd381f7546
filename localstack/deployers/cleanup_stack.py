"""The objects that a deployment created, in order, and their deletion in reverse order."""

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

DELETION_TIMEOUT = 60.0
"""Seconds until a deleted object must no longer exist: SQS and DynamoDB delete asynchronously."""
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
"""Error codes of AWS's services for an object that does not exist, or whose parent does not exist."""


@dataclass
class _Entry:
    name: str
    removal: Removal
    protected: bool


@dataclass
class CleanupStack:
    """The created objects of one stack. Thread-safe; `clock` and `sleep` are used to wait for deletions."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _entries: list[_Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, removal: Removal, *, protected: bool = False) -> None:
        """Add an object that now exists; `name` is for messages, and `destroy` refuses to delete protected objects."""
        with self._lock:
            self._entries.append(_Entry(name, removal, protected))

    def destroy(self) -> None:
        """Delete everything, newest first, stop at the first failure, and wait until deleted objects no longer exist.

        Another call deletes the remaining objects.

        Raises:
            DeploymentError: names the objects that are protected, could not be deleted, or still exist.
        """
        with self._lock:
            if protected := [entry.name for entry in self._entries if entry.protected]:
                raise DeploymentError(
                    f"nothing was destroyed, because of protected resources: {', '.join(protected)}. "
                    "Deploy without protection (in TapStack: protectData false), or end the emulator with all its data"
                )
            deleted: list[_Entry] = []
            while self._entries:
                entry = self._entries[-1]
                try:
                    _none_if_not_found(entry.removal.delete)
                except Exception as error:
                    raise DeploymentError(
                        f"could not delete {entry.name}: {error}. "
                        f"It and {len(self._entries) - 1} older resources remain"
                    ) from error
                deleted.append(self._entries.pop())
            self._wait_until_deleted(deleted)

    def roll_back(self) -> list[str]:
        """Delete all objects of a failed deployment, protected or not; return those that remain, and why."""
        problems = []
        with self._lock:
            while self._entries:
                entry = self._entries.pop()
                try:
                    if entry.removal.unlock:
                        _none_if_not_found(entry.removal.unlock)
                    _none_if_not_found(entry.removal.delete)
                except Exception as error:  # noqa: BLE001  reported with the others, after all deletions
                    problems.append(f"{entry.name}: {error}")
        return problems

    def _wait_until_deleted(self, deleted: list[_Entry]) -> None:
        deadline = self.clock() + DELETION_TIMEOUT
        while remaining := [entry for entry in deleted if _exists(entry.removal)]:
            if self.clock() > deadline:
                names = ", ".join(entry.name for entry in remaining)
                raise DeploymentError(f"deleted, but still there after {DELETION_TIMEOUT:g} s: {names}")
            self.sleep(POLL_INTERVAL)
            for entry in remaining:
                # a function that was still running creates its log group again with its last line
                with suppress(ClientError):  # usually: the deletion is in progress
                    entry.removal.delete()


def _exists(removal: Removal) -> bool:
    return removal.exists is not None and bool(_none_if_not_found(removal.exists))


def _none_if_not_found(request: Callable[[], object]) -> object:
    """Return the result of the request; None if AWS responds that the object does not exist."""
    try:
        return request()
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND:
            return None
        raise
