"""What can go wrong in one call to AWS, how long that takes, and what botocore makes of it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from lambda_code.retry import ATTEMPT_SECONDS, CONNECT_SECONDS
from tests.support.clock import FakeClock
from tests.support.fakes import client_error
from tests.support.strategies import URL

USUAL_SECONDS = 0.01
A_MOMENT = 0.001  # seconds; no two functions are at the same point at the very same time


class Trouble(StrEnum):
    """What happens to one call. "After" means: the call took effect, and its answer was lost."""

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


AFTER = frozenset({Trouble.TIMEOUT_AFTER, Trouble.RESET_AFTER, Trouble.KILLED_AFTER})
SECONDS = {
    Trouble.NO_CONNECTION: CONNECT_SECONDS,
    Trouble.TIMEOUT_BEFORE: ATTEMPT_SECONDS,
    Trouble.TIMEOUT_AFTER: ATTEMPT_SECONDS,
    Trouble.RESET_BEFORE: 0.5,
    Trouble.RESET_AFTER: 0.5,
    Trouble.SLOW: 2.5,
}
# What can last; a process that dies, or one answer that breaks off, happens once.
LASTING = (
    Trouble.THROTTLED,
    Trouble.SERVER_ERROR,
    Trouble.NO_CONNECTION,
    Trouble.TIMEOUT_BEFORE,
    Trouble.TIMEOUT_AFTER,
    Trouble.RESET_AFTER,
    Trouble.DENIED,
    Trouble.SLOW,
)


class Killed(BaseException):
    """The end of the process, as when its memory runs out."""


# What the caller sees of it: of HeadObject, whose errors have no body and so no code, and of UpdateItem.
ERRORS: dict[Trouble, tuple[Callable[[], BaseException], Callable[[], BaseException]]] = {
    Trouble.THROTTLED: (
        lambda: client_error(503),
        lambda: client_error(400, "ProvisionedThroughputExceededException"),
    ),
    Trouble.SERVER_ERROR: (lambda: client_error(500), lambda: client_error(500, "InternalServerError")),
    Trouble.DENIED: (lambda: client_error(403), lambda: client_error(400, "AccessDeniedException")),
    Trouble.NO_CONNECTION: (lambda: ConnectTimeoutError(endpoint_url=URL),) * 2,
    Trouble.TIMEOUT_BEFORE: (lambda: ReadTimeoutError(endpoint_url=URL),) * 2,
    Trouble.TIMEOUT_AFTER: (lambda: ReadTimeoutError(endpoint_url=URL),) * 2,
    Trouble.RESET_BEFORE: (lambda: ConnectionClosedError(endpoint_url=URL),) * 2,
    Trouble.RESET_AFTER: (lambda: ConnectionClosedError(endpoint_url=URL),) * 2,
    Trouble.KILLED_BEFORE: (Killed,) * 2,
    Trouble.KILLED_AFTER: (Killed,) * 2,
}


def error_of(trouble: Trouble, operation: str) -> BaseException | None:
    """What the caller sees of it; None if nothing but the time it takes, or an answer that is not whole."""
    if trouble not in ERRORS:
        return None
    of_head, of_update = ERRORS[trouble]
    return of_head() if operation == "HeadObject" else of_update()


@dataclass
class FaultyCalls:
    """The calls to AWS: each takes time, some go wrong, and during some of them something else happens.

    Attributes:
        ahead: what happens to the next calls, one by one.
        weather: what happens to every call of an operation, until it changes.
        meanwhile: what else happens, by the number of calls until then (0: during the next one).
        injected: how often each trouble happened.
        last_trouble: that of the latest call.
    """

    clock: FakeClock
    ahead: deque[Trouble | None] = field(default_factory=deque)
    weather: dict[str, Trouble] = field(default_factory=dict)
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict)
    injected: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def one(self, operation: str) -> Iterator[Trouble | None]:
        """Around the effect of one call; yields what is wrong with it."""
        trouble = self.ahead.popleft() if self.ahead else None
        trouble = trouble or self.weather.get(operation)
        if trouble is Trouble.INCOMPLETE and operation != "HeadObject":
            trouble = Trouble.RESET_AFTER  # botocore notices a truncated body by itself
        error = error_of(trouble, operation) if trouble else None
        if trouble:
            self.injected[trouble] += 1
        self._let_others_act()
        self.clock.now += SECONDS.get(trouble, USUAL_SECONDS) if trouble else USUAL_SECONDS
        if error and trouble not in AFTER:
            raise error
        yield trouble
        if error:
            raise error

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.ahead.clear()
        self.weather.clear()
        self.meanwhile.clear()

    def _let_others_act(self) -> None:
        """Others have their own clocks: what they do here takes none of this function's time."""
        due = self.meanwhile.pop(0, None)
        self.meanwhile = {number - 1: action for number, action in self.meanwhile.items() if number > 0}
        if due:
            before = self.clock.now
            self.clock.now += A_MOMENT
            due()
            self.clock.now = before
