"""The handler against a bucket, a table and a clock that fail as AWS does: nothing is lost, nothing is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from lambda_code.errors import IndexingError, RecordError
from lambda_code.retry import ATTEMPT_SECONDS, RESERVE_SECONDS
from lambda_code.outcome import Result
from tests.support.fakes import BUCKET, Fault, World
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


def world_with(uploads: Sequence[tuple[str, str]], script: Sequence[Fault] = ()) -> World:
    world = World()
    for key, version in uploads:
        world.s3.put(key, version, head(VersionId=version))
    world.calls.faults.extend(script)
    return world


def event_about(uploads: Sequence[tuple[str, str]]) -> Json:
    return s3_event(*[s3_record(key, version_id=version) for key, version in uploads])


@given(UPLOADS.filter(bool), UPLOADS, st.lists(faults()), st.floats(-1, 120))
def test_every_record_ends_as_its_row_or_in_the_error(
    there: list[tuple[str, str]], gone: list[tuple[str, str]], script: list[Fault], seconds: float
) -> None:
    told = [*there, *gone]
    world = world_with(there, script)
    answer = world.deliver(event_about(told), seconds=seconds)
    outcomes = world.telemetry.outcomes
    failed = [outcome for outcome in outcomes if outcome.error]
    assert len(outcomes) == len(told)
    assert isinstance(answer, IndexingError) == bool(failed)
    if isinstance(answer, IndexingError):
        assert len(answer.errors) == len(failed)
        assert all(f"record {outcome.index} (key {outcome.key!r}): " in str(answer) for outcome in failed)
    else:
        assert sum(answer.values()) == len(told)
    rows = {(object_id.split("/", 1)[1], version) for object_id, version in world.dynamodb.rows}
    assert set(told) - {(outcome.key, outcome.version_id) for outcome in failed} <= rows <= set(told)


@given(UPLOADS.filter(bool), st.lists(faults()), st.floats(-1, 120))
def test_the_handler_ends_by_itself_before_its_time_is_up(
    uploads: list[tuple[str, str]], script: list[Fault], seconds: float
) -> None:
    world = world_with(uploads, script)
    deadline = world.clock() + seconds
    world.deliver(event_about(uploads), seconds=seconds)
    if world.calls.made:
        assert world.clock() <= deadline - RESERVE_SECONDS + ROUNDING
    assert all(started + ATTEMPT_SECONDS + RESERVE_SECONDS <= deadline + ROUNDING for _, _, started in world.calls.made)


@given(UPLOADS.filter(bool), st.lists(faults()))
def test_an_event_that_is_delivered_until_it_succeeds_leaves_the_rows_that_it_leaves_without_any_fault(
    uploads: list[tuple[str, str]], script: list[Fault]
) -> None:
    event = event_about(uploads)
    calm, rough = world_with(uploads), world_with(uploads, script)
    calm.handle(event)
    for _ in range(len(script) + 1):  # a delivery that fails uses up a fault at least
        if not isinstance(rough.deliver(event), IndexingError):
            break
    assert _but_for_the_time_of_writing(rough) == _but_for_the_time_of_writing(calm)


@given(st.lists(heads(), min_size=1, max_size=3))
def test_the_same_event_again_changes_nothing(told: list[Json]) -> None:
    world = World()
    for number, each in enumerate(told):
        world.s3.put("key", f"v{number}", {**each, "VersionId": f"v{number}"})
    event = s3_event(*[s3_record("key", version_id=f"v{number}") for number in range(len(told))])
    assert world.handle(event) == {"indexed": len(told)}
    before = {address: dict(row) for address, row in world.dynamodb.rows.items()}
    assert world.handle(event, request_id="request-2") == {"duplicate": len(told)}
    assert world.dynamodb.rows == before


@given(
    st.lists(st.sampled_from(["put", "mark", "delete"]), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), max_size=6),
    st.data(),
)
def test_the_row_of_the_version_null_ends_as_what_is_there_whenever_its_events_come(
    history: list[str], repeated: list[int], data: st.DataObject
) -> None:
    """Each thing that happens has its event, delivered at once or when all is over, in any order, and some again."""
    world, late = World(), []
    for number, what in enumerate(history):
        event = _happens(world, what, number)
        if data.draw(st.booleans(), "at once"):
            world.handle(event)
        else:
            late.append(event)
    for event in data.draw(st.permutations(late + [late[each] for each in repeated if each < len(late)])):
        world.handle(event)
    row = world.dynamodb.row("key", "null")
    if history[-1] == "put":
        assert (row["etag"], row["content_type"]) == (str(len(history) - 1), "image/jpeg")
    assert ("delete_marker" in row and "deleted_at" not in row) == (history[-1] == "mark")
    assert ("deleted_at" in row) == ("expires_at" in row) == (history[-1] == "delete")


@given(st.integers(2, 10), st.data())
def test_a_record_that_hangs_does_not_take_the_others_with_it(records: int, data: st.DataObject) -> None:
    world = World()
    keys = [f"key{number}" for number in range(records)]
    hanging = data.draw(st.sampled_from(keys))
    for key in keys:
        if key != hanging:
            world.s3.put(key, "v1", head())
    world.calls.hanging.add(hanging)
    error = world.deliver(s3_event(*[s3_record(key) for key in keys]), seconds=60)
    assert isinstance(error, IndexingError)
    assert len(error.errors) == 1
    assert repr(hanging) in str(error)
    assert {key for key, _ in world.dynamodb.rows} == {f"{BUCKET}/{key}" for key in keys if key != hanging}


@given(json_values() | st.lists(json_values() | broken_records(), max_size=2).map(lambda each: {"Records": each}))
def test_arbitrary_json_ends_in_the_documented_error_or_in_work_done(event: Json) -> None:
    world = World()
    answer = world.deliver(event)
    assert len(world.telemetry.outcomes) >= 1
    if isinstance(answer, IndexingError):
        assert all(isinstance(each, RecordError) for each in answer.errors)
        assert answer.__cause__ is not None
        assert str(answer).encode()
        assert len(str(answer)) < 500 * (len(answer.errors) + 1)
    else:
        assert sum(answer.values()) == len(event["Records"])


@given(st.lists(st.sampled_from(["good", "bad", "foreign"]), min_size=1, max_size=8))
def test_good_records_are_worked_on_before_anything_is_said_about_bad_ones(kinds: list[str]) -> None:
    world = World()
    world.s3.put("key", "v1", head())
    made = {"good": s3_record("key"), "bad": {"eventName": 1}, "foreign": minimal_record(bucket="test")}
    answer = world.deliver(s3_event(*[made[kind] for kind in kinds]))
    bad = sum(kind != "good" for kind in kinds)
    assert len(answer.errors if isinstance(answer, IndexingError) else []) == bad
    told = [outcome.result is Result.FAILED for outcome in world.telemetry.outcomes]
    assert told == sorted(told)
    assert len(told) == len(kinds)
    assert bool(world.dynamodb.rows) == ("good" in kinds)


def _happens(world: World, what: str, number: int) -> Json:
    """Let something happen to the version `null` of one key; the event that S3 sends of it."""
    time = f"2026-01-31T11:59:{number:02}.000Z"
    if what == "put":
        world.s3.put("key", "null", head(VersionId="null", ETag=f'"{number}"'))
        return s3_event(s3_record("key", version_id=None, event_time=time))
    if what == "mark":
        world.s3.put_marker("key", "null", world.clock.now())
    else:
        world.s3.delete("key", "null")
    name = "DeleteMarkerCreated" if what == "mark" else "Delete"
    removed = s3_record("key", version_id="null", event_name=f"ObjectRemoved:{name}", event_time=time)
    return s3_event(removed)


def _but_for_the_time_of_writing(world: World) -> Json:
    return {
        address: {name: value for name, value in row.items() if name != "processed_at"}
        for address, row in world.dynamodb.rows.items()
    }
