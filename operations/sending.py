"""Sends events to the function asynchronously, at a limited rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from operations.pool import map_in_order

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.events import Event
    from operations.rate import RateLimiter

Subject = TypeVar("Subject")


def send(
    aws: Aws, function: str, events: Iterable[tuple[Subject, Event]], *, limiter: RateLimiter
) -> Iterator[Subject]:
    """Send events, and yield the subject of each one that Lambda has accepted, in the order of the events.

    Raises:
        OperatorError: Lambda did not accept an event; events after it may have been sent.
    """

    def invoke(subject_and_event: tuple[Subject, Event]) -> None:
        aws.invoke(function, subject_and_event[1])

    # paced before the threads, so that an interrupt ends the wait
    for (subject, _), _ in map_in_order(invoke, limiter.paced(events)):
        yield subject
