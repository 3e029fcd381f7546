"""Events that cannot be indexed go to the failure queue with their reason, and do not affect valid records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.batch_upload import Upload
    from tests.e2e.failure_queue import FailureQueue, SentEvents
    from tests.support.index import Index

pytestmark = pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")


@pytest.mark.parametrize("name", ["a mixed event", "no event of S3"])
def test_an_event_that_cannot_succeed_ends_in_the_failure_queue_with_its_reason(
    failures: FailureQueue, invalid_events: SentEvents, name: str
) -> None:
    sent = invalid_events.events[name]
    failure = failures.wait_for(sent.event)
    assert failure.event == sent.event  # complete, so that it can be replayed
    assert (failure.condition, failure.attempts) == ("RetriesExhausted", 3)
    assert [part for part in sent.errors if part not in failure.error] == []


def test_the_good_records_of_a_poisoned_event_still_get_their_rows(index: Index, invalid_events: SentEvents) -> None:
    for row in invalid_events.valid:
        assert index.wait_for_row(row["key"], row["version_id"])["etag"] == row["etag"]
        assert len(index.rows(row["key"])) == 1


def test_nothing_else_ended_in_the_failure_queue(
    failures: FailureQueue, invalid_events: SentEvents, uploads: Mapping[str, Upload]
) -> None:
    assert uploads
    expected = [sent.event for sent in invalid_events.events.values()]
    assert [event for event in failures.events() if event not in expected] == []
