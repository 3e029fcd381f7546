"""Faults of AWS calls: how long each takes, and the error that botocore raises."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from lambda_code.retry import ATTEMPT_SECONDS, CONNECT_SECONDS
from tests.support.fakes import CallLog, client_error
from tests.support.strategies import URL

USUAL_SECONDS = 0.01
A_MOMENT = 0.001  # seconds; no two functions are at the same point at the very same time


class FaultKind(StrEnum):
    """A fault of one call. "After" means that the call took effect, and its response was lost."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server error"
    NO_CONNECTION = "no connection"
    TIMEOUT_BEFORE = "time-out before"
    TIMEOUT_AFTER = "time-out after"
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    INCOMPLETE = "incomplete answer"
    DENIED = "denied"
    SLOW = "slow answer"
    KILLED_BEFORE = "sandbox killed before"
    KILLED_AFTER = "sandbox killed after"


AFTER = frozenset({FaultKind.TIMEOUT_AFTER, FaultKind.RESET_AFTER, FaultKind.KILLED_AFTER})
SECONDS: dict[FaultKind | None, float] = {
    FaultKind.NO_CONNECTION: CONNECT_SECONDS,
    FaultKind.TIMEOUT_BEFORE: ATTEMPT_SECONDS,
    FaultKind.TIMEOUT_AFTER: ATTEMPT_SECONDS,
    FaultKind.RESET_BEFORE: 0.5,
    FaultKind.RESET_AFTER: 0.5,
    FaultKind.SLOW: 2.5,
}
# A process that dies, or a response that breaks off, happens once.
LASTING = (
    FaultKind.THROTTLED,
    FaultKind.SERVER_ERROR,
    FaultKind.NO_CONNECTION,
    FaultKind.TIMEOUT_BEFORE,
    FaultKind.TIMEOUT_AFTER,
    FaultKind.RESET_AFTER,
    FaultKind.DENIED,
    FaultKind.SLOW,
)


class Killed(BaseException):
    """The process ends, as when its memory runs out."""


# The errors of HeadObject, which have no body and so no error code, and those of UpdateItem.
RESPONSES = {
    FaultKind.THROTTLED: ((503, None), (400, "ProvisionedThroughputExceededException")),
    FaultKind.SERVER_ERROR: ((500, None), (500, "InternalServerError")),
    FaultKind.DENIED: ((403, None), (400, "AccessDeniedException")),
}
CONNECTION_ERRORS = {
    FaultKind.NO_CONNECTION: ConnectTimeoutError,
    FaultKind.TIMEOUT_BEFORE: ReadTimeoutError,
    FaultKind.TIMEOUT_AFTER: ReadTimeoutError,
    FaultKind.RESET_BEFORE: ConnectionClosedError,
    FaultKind.RESET_AFTER: ConnectionClosedError,
}


def error_of(fault: FaultKind | None, operation: str) -> BaseException | None:
    """The error that the caller sees; None if the call is only slow, or its response incomplete."""
    match fault:
        case FaultKind.THROTTLED | FaultKind.SERVER_ERROR | FaultKind.DENIED:
            return client_error(*RESPONSES[fault][operation != "HeadObject"])
        case FaultKind.KILLED_BEFORE | FaultKind.KILLED_AFTER:
            return Killed()
        case None | FaultKind.INCOMPLETE | FaultKind.SLOW:
            return None
        case _:
            error: BaseException = CONNECTION_ERRORS[fault](endpoint_url=URL)
            return error


@dataclass
class FaultyCalls(CallLog):
    """Calls with injected faults, during some of which another action happens.

    Attributes:
        upcoming: the faults of the next calls; None for no fault.
        lasting: the fault of every call of an operation, until it is removed.
        meanwhile: actions, by the number of calls before them (0: during the next call).
        injected: how often each fault was injected.
    """

    upcoming: deque[FaultKind | None] = field(default_factory=deque)
    lasting: dict[str, FaultKind] = field(default_factory=dict)
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict)
    injected: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def call(self, operation: str, key: str) -> Iterator[FaultKind | None]:  # noqa: ARG002 - the base class names it
        """Context manager for the effect of one call; yields its fault."""
        fault = self.upcoming.popleft() if self.upcoming else None
        fault = fault or self.lasting.get(operation)
        if fault is FaultKind.INCOMPLETE and operation != "HeadObject":
            fault = FaultKind.RESET_AFTER  # botocore detects a truncated body
        error = error_of(fault, operation)
        if fault:
            self.injected[fault] += 1
        self._let_others_act()
        self.clock.advance(SECONDS.get(fault, USUAL_SECONDS))
        if error and fault not in AFTER:
            raise error
        yield fault
        if error:
            raise error

    def stop_faults(self) -> None:
        """Remove all faults and actions that are still to come."""
        self.upcoming.clear()
        self.lasting.clear()
        self.meanwhile.clear()

    def _let_others_act(self) -> None:
        """Run the action that is due. It has a clock of its own, so it takes no time of this indexer."""
        due = self.meanwhile.pop(0, None)
        self.meanwhile = {number - 1: action for number, action in self.meanwhile.items() if number > 0}
        if due:
            before = self.clock.now
            self.clock.now += A_MOMENT
            due()
            self.clock.now = before
