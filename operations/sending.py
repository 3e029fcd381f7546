"""Gives the function facts about versions, as asynchronous events at a bounded rate: the work itself runs on Lambda."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from operations.pool import in_order

if TYPE_CHECKING:
    from operations.aws import Aws, Capacity
    from operations.events import Event
    from operations.rate import Rate
    from operations.target import Target

Fact = TypeVar("Fact")

SHARE = 0.5
"""Of the table's capacity that a tool takes by itself: the other half is for what is going on meanwhile."""

ON_DEMAND_RATE = 100.0
"""Events a second for a table that is billed per request: it takes far more, but Lambda has others to serve too."""


def default_rate(capacity: Capacity) -> float:
    """Events a second: each costs the table, and each of its indexes, one write unit (a row is below 1 KB)."""
    return ON_DEMAND_RATE if capacity.write is None else SHARE * capacity.write


class Sender:
    """Sends one event for each fact.

    Attributes:
        sent: events that Lambda has accepted, in the order of the facts.
    """

    def __init__(self, aws: Aws, target: Target, rate: Rate) -> None:
        self.sent = 0
        self._aws = aws
        self._target = target
        self._rate = rate

    def send(self, facts: Iterable[Fact], event: Callable[[Fact], Event], *, accepted: Callable[[Fact], None]) -> None:
        """Send the event of each fact, and tell of each that Lambda has accepted, in the order of the facts.

        Raises:
            OperatorError: Lambda did not accept one; those after it may have been sent.
        """

        def work(fact: Fact) -> None:
            self._aws.invoke(self._target.function, event(fact))

        # paced before the threads, so that whoever interrupts it interrupts the waiting
        for fact, _ in in_order(work, self._rate.paced(facts)):
            self.sent += 1
            accepted(fact)
