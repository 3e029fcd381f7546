"""What cannot be indexed ends in the failure queue with its reason, and takes nothing else with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.failures import FailureQueue, Poisoned
    from tests.e2e.uploading import Upload
    from tests.support.index import Index

pytestmark = pytest.mark.not_in_a_live_account("makes the function fail, which raises its alarm")


@pytest.mark.parametrize("name", ["a mixed event", "no event of S3"])
def test_an_event_that_cannot_succeed_ends_in_the_failure_queue_with_its_reason(
    failures: FailureQueue, poisoned: Poisoned, name: str
) -> None:
    failure = failures.wait_for(poisoned.events[name].event)
    assert failure.event == poisoned.events[name].event  # what it takes to try again
    assert (failure.condition, failure.tries) == ("RetriesExhausted", 3)
    assert [part for part in poisoned.events[name].says if part not in failure.error] == []


def test_the_good_records_of_a_poisoned_event_still_get_their_rows(index: Index, poisoned: Poisoned) -> None:
    for row in poisoned.good:
        again = index.wait_for_row(row["key"], row["version_id"])
        assert again["etag"] == row["etag"]
        assert len(index.rows(row["key"])) == 1


def test_nothing_else_ended_in_the_failure_queue(
    failures: FailureQueue, poisoned: Poisoned, uploads: Mapping[str, Upload]
) -> None:
    assert uploads
    expected = [poison.event for poison in poisoned.events.values()]
    assert [event for event in failures.events() if event not in expected] == []
