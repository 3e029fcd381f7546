"""Sends events to the indexer at a limited rate."""

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
    """Invoke the indexer asynchronously for each event, in several threads.

    Args:
        aws: the AWS calls.
        function: name of the indexer's Lambda function.
        events: pairs of a subject, which can be any value, and an event.
        limiter: limits the rate; each event costs one unit.

    Yields:
        The subject of each event that Lambda accepted, in the order of the events.

    Raises:
        OperatorError: Lambda did not accept an event; later events may have been sent.
    """

    def invoke(subject_and_event: tuple[Subject, Event]) -> None:
        aws.invoke(function, subject_and_event[1])

    # The rate limiter waits in this thread, because Ctrl-C does not interrupt other threads.
    for (subject, _), _ in map_in_order(invoke, limiter.paced(events)):
        yield subject
