"""The handler against a bucket, a table and a clock that fail as AWS does: nothing is lost, nothing is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from lambda_code.errors import IndexingError, RecordError
from lambda_code.outcome import Result
from lambda_code.retry import ATTEMPT_SECONDS, RESERVE_SECONDS
from tests.support.fakes import BUCKET, Fault, IndexerHarness
from tests.support.strategies import (
    Json,
    broken_records,
    faults,
    head,
    heads,
    json_values,
    minimal_record,
    s3_event,
    s3_record,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDING = 1e-6  # seconds; sums of floats

# A few keys and versions, so that events meet the same row more than once.
UPLOADS = st.lists(st.tuples(st.sampled_from(["a", "b/c d", "é+"]), st.sampled_from(["v1", "v2", "null"])), max_size=6)


def harness_with(uploads: Sequence[tuple[str, str]], script: Sequence[Fault] = ()) -> IndexerHarness:
    harness = IndexerHarness()
    for key, version in uploads:
        harness.s3.put(key, version, head(VersionId=version))
    harness.calls.faults.extend(script)
    return harness


def event_about(uploads: Sequence[tuple[str, str]]) -> Json:
    return s3_event(*[s3_record(key, version_id=version) for key, version in uploads])


@given(UPLOADS.filter(bool), UPLOADS, st.lists(faults()), st.floats(-1, 120))
def test_every_record_ends_as_its_row_or_in_the_error(
    there: list[tuple[str, str]], gone: list[tuple[str, str]], script: list[Fault], seconds: float
) -> None:
    told = [*there, *gone]
    harness = harness_with(there, script)
    answer = harness.deliver(event_about(told), seconds=seconds)
    outcomes = harness.telemetry.outcomes
    failed = [outcome for outcome in outcomes if outcome.error]
    assert len(outcomes) == len(told)
    assert isinstance(answer, IndexingError) == bool(failed)
    if isinstance(answer, IndexingError):
        assert len(answer.errors) == len(failed)
        assert all(f"record {outcome.index} (key {outcome.key!r}): " in str(answer) for outcome in failed)
    else:
        assert sum(answer.values()) == len(told)
    rows = {(object_id.split("/", 1)[1], version) for object_id, version in harness.dynamodb.rows}
    assert set(told) - {(outcome.key, outcome.version_id) for outcome in failed} <= rows <= set(told)


@given(UPLOADS.filter(bool), st.lists(faults()), st.floats(-1, 120))
def test_the_handler_ends_by_itself_before_its_time_is_up(
    uploads: list[tuple[str, str]], script: list[Fault], seconds: float
) -> None:
    harness = harness_with(uploads, script)
    deadline = harness.clock() + seconds
    harness.deliver(event_about(uploads), seconds=seconds)
    if harness.calls.made:
        assert harness.clock() <= deadline - RESERVE_SECONDS + ROUNDING
    assert all(
        started + ATTEMPT_SECONDS + RESERVE_SECONDS <= deadline + ROUNDING for _, _, started in harness.calls.made
    )


@given(st.lists(heads(), min_size=1, max_size=3))
def test_the_same_event_again_changes_nothing(told: list[Json]) -> None:
    harness = IndexerHarness()
    for number, each in enumerate(told):
        harness.s3.put("key", f"v{number}", {**each, "VersionId": f"v{number}"})
    event = s3_event(*[s3_record("key", version_id=f"v{number}") for number in range(len(told))])
    assert harness.handle(event) == {"indexed": len(told)}
    before = {address: dict(row) for address, row in harness.dynamodb.rows.items()}
    assert harness.handle(event, request_id="request-2") == {"duplicate": len(told)}
    assert harness.dynamodb.rows == before


@given(st.integers(2, 10), st.data())
def test_a_record_that_hangs_does_not_take_the_others_with_it(records: int, data: st.DataObject) -> None:
    harness = IndexerHarness()
    keys = [f"key{number}" for number in range(records)]
    hanging = data.draw(st.sampled_from(keys))
    for key in keys:
        if key != hanging:
            harness.s3.put(key, "v1", head())
    harness.calls.hanging.add(hanging)
    error = harness.deliver(s3_event(*[s3_record(key) for key in keys]), seconds=60)
    assert isinstance(error, IndexingError)
    assert len(error.errors) == 1
    assert repr(hanging) in str(error)
    assert {key for key, _ in harness.dynamodb.rows} == {f"{BUCKET}/{key}" for key in keys if key != hanging}


@given(json_values() | st.lists(json_values() | broken_records(), max_size=2).map(lambda each: {"Records": each}))
def test_arbitrary_json_ends_in_the_documented_error_or_in_work_done(event: Json) -> None:
    harness = IndexerHarness()
    answer = harness.deliver(event)
    assert len(harness.telemetry.outcomes) >= 1
    if isinstance(answer, IndexingError):
        assert all(isinstance(each, RecordError) for each in answer.errors)
        assert answer.__cause__ is not None
        assert str(answer).encode()
        assert len(str(answer)) < 500 * (len(answer.errors) + 1)
    else:
        assert sum(answer.values()) == len(event["Records"])


@given(st.lists(st.sampled_from(["good", "bad", "foreign"]), min_size=1, max_size=8))
def test_good_records_are_worked_on_before_anything_is_said_about_bad_ones(kinds: list[str]) -> None:
    harness = IndexerHarness()
    harness.s3.put("key", "v1", head())
    made = {"good": s3_record("key"), "bad": {"eventName": 1}, "foreign": minimal_record(bucket="test")}
    answer = harness.deliver(s3_event(*[made[kind] for kind in kinds]))
    bad = sum(kind != "good" for kind in kinds)
    assert len(answer.errors if isinstance(answer, IndexingError) else []) == bad
    told = [outcome.result is Result.FAILED for outcome in harness.telemetry.outcomes]
    assert told == sorted(told)
    assert len(told) == len(kinds)
    assert bool(harness.dynamodb.rows) == ("good" in kinds)
