"""Events: what S3 can send is understood, and what it cannot causes nothing but the documented errors."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from lambda_code.errors import ForeignBucketError, MalformedError, Reason
from lambda_code.events import MAX_KEY_BYTES, Kind, Record, Rejected, is_test_event, parse_event
from tests.support.fakes import BUCKET
from tests.support.strategies import Json, broken_records, encoded, json_values, keys, minimal_record, records, s3_event


def check_rejection(rejected: Rejected) -> None:
    """An error that a person can act on, in text that any log can carry."""
    error = rejected.error
    assert type(error) in {MalformedError, ForeignBucketError}
    assert error.reason is (Reason.FOREIGN if type(error) is ForeignBucketError else Reason.MALFORMED)
    where = "Records" if rejected.index is None else f"Records[{rejected.index}]"
    assert error.field
    assert error.field.startswith(where)
    assert where in str(error)
    assert str(error).encode()
    assert len(str(error)) < 3 * MAX_KEY_BYTES


@given(json_values())
def test_arbitrary_json_is_rejected_and_nothing_else_happens(event: Json) -> None:
    assert not is_test_event(event)
    [rejected] = parse_event(event, bucket=BUCKET)
    assert isinstance(rejected, Rejected)
    check_rejection(rejected)


@given(st.lists(json_values() | broken_records(), min_size=1, max_size=3))
@example([{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": "\ud800"}}}])
@example([{"eventName": "ObjectCreated:Put", "eventTime": "0001-01-01T00:00:00+14:00", "s3": None}])
def test_broken_records_are_rejected_one_by_one_or_still_make_sense(raw: list[Json]) -> None:
    parsed = parse_event({"Records": raw}, bucket=BUCKET)
    assert [each.index for each in parsed] == list(range(len(raw)))
    for each in parsed:
        if isinstance(each, Rejected):
            check_rejection(each)
        else:
            assert each.bucket == BUCKET
            assert 0 < len(each.key.encode()) <= MAX_KEY_BYTES


@given(st.lists(st.tuples(records(), broken_records() | json_values()), min_size=1, max_size=2))
def test_bad_records_leave_the_good_ones_of_the_same_event_alone(pairs: list[tuple[Json, Json]]) -> None:
    alone = parse_event(s3_event(*[good for good, _ in pairs]), bucket=BUCKET)
    mixed = parse_event(s3_event(*[each for pair in pairs for each in pair]), bucket=BUCKET)
    assert all(isinstance(each, Record) for each in alone)
    assert [_without_index(each) for each in mixed[::2]] == [_without_index(each) for each in alone]


@given(keys())
def test_any_key_that_s3_allows_survives_the_notification(key: str) -> None:
    [record] = parse_event(s3_event(minimal_record(key)), bucket=BUCKET)
    assert isinstance(record, Record)
    assert record.key == key


@given(keys().filter(lambda key: len(encoded(encoded(key))) <= 2 * MAX_KEY_BYTES).map(encoded))
def test_a_key_is_decoded_once_and_only_once(key: str) -> None:
    """A key that looks encoded is somebody's real key."""
    if len(key.encode()) <= MAX_KEY_BYTES:
        [record] = parse_event(s3_event(minimal_record(key)), bucket=BUCKET)
        assert isinstance(record, Record)
        assert record.key == key


@given(records())
def test_every_creation_record_of_s3_is_understood(raw: Json) -> None:
    [record] = parse_event(s3_event(raw), bucket=BUCKET)
    assert isinstance(record, Record)
    assert record.kind is Kind.CREATED
    told = raw["s3"]["object"]
    assert (record.version_id, record.size, record.etag, record.sequencer) == (
        told.get("versionId", "null"),  # it has a sequencer, so S3 sent it
        told.get("size"),
        told.get("eTag"),
        told["sequencer"],
    )
    assert record.event_time is not None
    assert record.event_time.isoformat(timespec="milliseconds").replace("+00:00", "Z") == raw["eventTime"]


def _without_index(parsed: Record | Rejected) -> dict[str, object]:
    assert isinstance(parsed, Record)
    return {name: value for name, value in vars(parsed).items() if name != "index"}
