"""Records the AWS resources that a deployment creates, and deletes them in reverse order."""

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
"""Maximum seconds to wait until a deleted resource no longer exists. SQS and DynamoDB delete asynchronously."""
POLL_INTERVAL = 0.05

NOT_FOUND = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "DashboardNotFoundError",
        "EntityNotFoundException",
        "NoSuchBucket",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)
"""AWS error codes for a resource that does not exist, or whose parent resource does not exist."""


@dataclass
class _Entry:
    name: str
    removal: Removal
    protected: bool


@dataclass
class CleanupStack:
    """The AWS resources that one deployment created. Thread-safe.

    Attributes:
        clock: monotonic clock, in seconds, for the deletion timeout.
        sleep: waits a number of seconds between two checks of whether deleted resources still exist.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _entries: list[_Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, removal: Removal, *, protected: bool = False) -> None:
        """Record a resource that was just created.

        Args:
            name: name of the resource in messages.
            removal: functions that delete the resource.
            protected: whether `destroy` must refuse to delete the resource.
        """
        with self._lock:
            self._entries.append(_Entry(name, removal, protected))

    def destroy(self) -> None:
        """Delete all recorded resources, newest first, and wait until they no longer exist.

        The first failure stops the deletion. Another call continues with the remaining resources.

        Raises:
            DeploymentError: a resource is protected (then none was deleted), cannot be deleted, or still exists.
        """
        with self._lock:
            if protected := [entry.name for entry in self._entries if entry.protected]:
                raise DeploymentError(
                    f"nothing was destroyed, because of protected resources: {', '.join(protected)}. "
                    "Deploy without protection (TapStack: protectData false), or stop the emulator to delete its data"
                )
            deleted: list[_Entry] = []
            while self._entries:
                entry = self._entries[-1]
                try:
                    _none_if_not_found(entry.removal.delete)
                except Exception as error:
                    raise DeploymentError(
                        f"could not delete {entry.name}: {error}. "
                        f"This and {len(self._entries) - 1} older resources still exist"
                    ) from error
                deleted.append(self._entries.pop())
            self._wait_until_deleted(deleted)

    def roll_back(self) -> list[str]:
        """Delete all resources of a failed deployment, even protected ones; return one error message per failure."""
        problems = []
        with self._lock:
            while self._entries:
                entry = self._entries.pop()
                try:
                    if entry.removal.unlock:
                        _none_if_not_found(entry.removal.unlock)
                    _none_if_not_found(entry.removal.delete)
                except Exception as error:  # noqa: BLE001  all errors are reported together, after the last deletion
                    problems.append(f"{entry.name}: {error}")
        return problems

    def _wait_until_deleted(self, deleted: list[_Entry]) -> None:
        deadline = self.clock() + DELETION_TIMEOUT
        while remaining := [entry for entry in deleted if _exists(entry.removal)]:
            if self.clock() > deadline:
                names = ", ".join(entry.name for entry in remaining)
                raise DeploymentError(
                    f"these resources still exist {DELETION_TIMEOUT:g} s after their deletion: {names}"
                )
            self.sleep(POLL_INTERVAL)
            for entry in remaining:
                # Delete again, because a Lambda function that is still running recreates its deleted log group.
                # AWS usually rejects a second deletion while the first is in progress.
                with suppress(ClientError):
                    entry.removal.delete()


def _exists(removal: Removal) -> bool:
    return removal.exists is not None and bool(_none_if_not_found(removal.exists))


def _none_if_not_found(request: Callable[[], object]) -> object:
    """Return the result of an AWS request; None if AWS responds that the resource does not exist."""
    try:
        return request()
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND:
            return None
        raise
