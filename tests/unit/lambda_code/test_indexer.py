"""The results, outcomes and errors of events, case by case."""

from __future__ import annotations

import pytest
from botocore.exceptions import ReadTimeoutError

from lambda_code.errors import IndexingError, PermanentError, Reason, TransientError
from lambda_code.indexer import Indexer
from lambda_code.storage import Storage
from tests.support.fakes import START_SECONDS, TABLE, Fault, IndexerHarness, client_error
from tests.support.strategies import URL, head, minimal_record, s3_event, s3_record

KEY = "photos/cat.jpg"
THROTTLED = Fault(client_error(400, "ProvisionedThroughputExceededException"))


def test_a_new_version_becomes_a_row(harness: IndexerHarness) -> None:
    assert harness.handle(s3_event(s3_record())) == {"indexed": 1}
    row = harness.dynamodb.row(KEY, "v1")
    assert (row["size_bytes"], row["content_type"], row["request_id"]) == (1024, "image/jpeg", "request-1")
    assert harness.calls.operations == ["HeadObject", "UpdateItem"]


def test_a_record_written_by_hand_becomes_the_row_of_the_current_version(harness: IndexerHarness) -> None:
    harness.s3.put(KEY, "v7", head(VersionId="v7"))
    assert harness.handle(s3_event(minimal_record())) == {"indexed": 1}
    assert harness.dynamodb.row(KEY, "v7")["event_name"] == "ObjectCreated:Put"


def test_a_row_of_an_events_own_words_is_completed_when_the_object_can_be_read_after_all(
    harness: IndexerHarness,
) -> None:
    """S3 may respond with 404 for 15 minutes after versioning was first enabled."""
    event = s3_event(s3_record("late.txt", size=5))
    assert harness.handle(event) == {"gone": 1}
    row = harness.dynamodb.row("late.txt", "v1")
    assert (row["size_bytes"], row["uploaded_at"]) == (5, "2026-01-31T11:59:58.250Z")
    assert "content_type" not in row
    harness.s3.put("late.txt", "v1", head(ContentLength=6))
    assert harness.handle(event) == {"indexed": 1}
    row = harness.dynamodb.row("late.txt", "v1")
    assert (row["size_bytes"], row["content_type"]) == (6, "image/jpeg")


def test_an_object_that_is_gone_and_whose_version_nobody_knows_is_only_told(harness: IndexerHarness) -> None:
    assert harness.handle(s3_event(minimal_record("gone.txt"))) == {"gone": 1}
    assert harness.dynamodb.rows == {}
    assert harness.calls.operations == ["HeadObject"]


def test_the_test_event_of_a_new_notification_is_answered_and_noted(harness: IndexerHarness) -> None:
    assert harness.handle({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads"}) == {}
    assert "s3:TestEvent" in harness.telemetry.notes[0]
    assert harness.calls.made == []


def test_throttling_is_waited_out(harness: IndexerHarness) -> None:
    harness.calls.faults.extend([Fault(), THROTTLED, THROTTLED])
    assert harness.handle(s3_event(s3_record())) == {"indexed": 1}
    [outcome] = harness.telemetry.outcomes
    assert (outcome.attempts, outcome.retries) == (4, 2)
    assert harness.clock.sleeps == pytest.approx([0.1, 0.2])


def test_an_outcome_says_how_long_everything_took(harness: IndexerHarness) -> None:
    harness.calls.faults.extend([Fault(seconds=0.25), Fault(seconds=0.5)])
    harness.handle(s3_event(s3_record()))
    [outcome] = harness.telemetry.outcomes
    assert (outcome.head_ms, outcome.write_ms, outcome.duration_ms) == pytest.approx((250, 500, 750))
    assert outcome.indexing_delay_ms == pytest.approx(1750 + 750)  # the event is older than the clock's start


def test_an_outcome_says_what_it_is_about(harness: IndexerHarness) -> None:
    harness.handle(s3_event(s3_record("other"), s3_record()))
    outcome = harness.telemetry.outcomes[1]
    assert (outcome.index, outcome.bucket, outcome.key, outcome.version_id) == (1, "uploads", KEY, "v1")
    assert (outcome.event_name, outcome.request_id, outcome.error) == ("ObjectCreated:Put", "request-1", None)


def test_a_delay_is_only_told_of_a_row_that_was_just_written(harness: IndexerHarness) -> None:
    records = s3_record(), s3_record(), s3_record("gone"), minimal_record()
    for number, record in enumerate(records):
        harness.handle(s3_event(record), request_id=f"request-{number}")
    delays = [outcome.indexing_delay_ms for outcome in harness.telemetry.outcomes]
    assert [delay is not None for delay in delays] == [True, False, False, False]


def test_a_delay_is_never_negative_although_two_clocks_may_differ(harness: IndexerHarness) -> None:
    harness.handle(s3_event(s3_record(event_time="2026-01-31T12:00:05.000Z")))
    assert harness.telemetry.outcomes[0].indexing_delay_ms == 0


def test_a_write_whose_answer_was_lost_is_made_again_and_still_counts_as_the_first(harness: IndexerHarness) -> None:
    harness.calls.faults.extend([Fault(), Fault(ReadTimeoutError(endpoint_url=URL), when="after")])
    assert harness.handle(s3_event(s3_record())) == {"indexed": 1}
    assert harness.calls.operations == ["HeadObject", "UpdateItem", "UpdateItem"]


@pytest.mark.parametrize(
    ("error", "reason", "kind", "attempts"),
    [
        (client_error(403), Reason.DENIED, PermanentError, 1),
        (client_error(400), Reason.INTERNAL, PermanentError, 1),
        (client_error(503), Reason.THROTTLED, TransientError, None),
        (client_error(500), Reason.UNAVAILABLE, TransientError, None),
        (RuntimeError("a bug"), Reason.INTERNAL, PermanentError, 1),
    ],
)
def test_a_call_that_fails_fails_its_record_with_its_reason(
    harness: IndexerHarness, error: Exception, reason: Reason, kind: type[Exception], attempts: int | None
) -> None:
    harness.calls.faults.extend([Fault(error)] * 100)
    with pytest.raises(IndexingError, match=rf"^1 of 1 records failed: record 0 \(key '{KEY}'\): {reason}: HeadObject"):
        harness.handle(s3_event(s3_record()))
    [outcome] = harness.telemetry.outcomes
    assert outcome.result == "failed"
    assert isinstance(outcome.error, kind)
    assert (outcome.error.reason, outcome.error.__cause__) == (reason, error)
    assert outcome.attempts == attempts or (attempts is None and outcome.attempts > 1)
    assert set(harness.calls.operations) == {"HeadObject"}
    assert harness.dynamodb.rows == {}


def test_every_record_is_tried_and_one_error_names_all_that_failed(harness: IndexerHarness) -> None:
    harness.calls.faults.append(Fault(client_error(403)))
    malformed, foreign = {"eventName": "ObjectCreated:Put"}, minimal_record(bucket="test")
    with pytest.raises(IndexingError) as caught:
        harness.handle(s3_event(malformed, s3_record("denied"), s3_record(), foreign))
    assert str(caught.value) == (
        "3 of 4 records failed: "
        "record 1 (key 'denied'): denied: HeadObject: ClientError: "
        "An error occurred (403) when calling the UpdateItem operation: as the test wishes; "
        "record 0: malformed: Records[0].s3 is missing; "
        "record 3: foreign: Records[3].s3.bucket.name is 'test', but this function indexes only 'uploads'"
    )
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert caught.value.__cause__.exceptions == caught.value.errors
    assert harness.dynamodb.row(KEY, "v1")


def test_the_error_of_a_single_failure_is_caused_by_it(harness: IndexerHarness) -> None:
    with pytest.raises(
        IndexingError, match=r"^1 of 1 records failed: the event: malformed: there is no list"
    ) as caught:
        harness.handle({"Records": []})
    assert caught.value.__cause__ is caught.value.errors[0]


def test_a_bug_fails_its_record_and_leaves_the_others_alone(harness: IndexerHarness) -> None:
    harness.s3.put("bad", "v1", head(LastModified="yesterday"))
    with pytest.raises(
        IndexingError, match=r"1 of 2 records failed: record 0 \(key 'bad'\): internal: AttributeError: "
    ):
        harness.handle(s3_event(s3_record("bad"), s3_record()))
    assert harness.dynamodb.row(KEY, "v1")
    assert isinstance(harness.telemetry.outcomes[0].error, PermanentError)
    assert isinstance(harness.telemetry.outcomes[0].error.__cause__, AttributeError)


@pytest.mark.parametrize("missing", ["LastModified", "ETag", "ContentLength"])
def test_an_answer_that_arrives_incomplete_is_no_answer(harness: IndexerHarness, missing: str) -> None:
    """A connection that breaks among the headers of a HEAD looks like a response with fewer of them."""
    incomplete = head()
    del incomplete[missing]
    harness.s3.put("cut", "v1", incomplete)
    message = f"unavailable: HeadObject failed [0-9]+ times, .*'s response has no {missing}: it arr"
    with pytest.raises(IndexingError, match=message):
        harness.handle(s3_event(s3_record("cut")))
    assert harness.dynamodb.rows == {}


def test_a_message_stays_short_whatever_a_record_is_called(harness: IndexerHarness) -> None:
    event = s3_event(*[s3_record("\x00" * 1024)] * 50, *[{"eventName": "x" * 1000, "s3": 1}] * 50)
    harness.calls.faults.extend([Fault(client_error(403))] * 50)
    with pytest.raises(IndexingError, match="100 of 100") as caught:
        harness.handle(event)
    assert len(str(caught.value)) < 100 * 410


@pytest.mark.parametrize(
    ("seconds", "head_seconds", "message", "operations"),
    [
        (3, 0, r"HeadObject was not tried: an attempt may take 4.0 s, and 2.0 s are", []),
        (6, 2, "UpdateItem was not tried", ["HeadObject"]),
    ],
)
def test_with_three_seconds_left_the_handler_fails_by_itself_without_a_call(
    harness: IndexerHarness, seconds: float, head_seconds: float, message: str, operations: list[str]
) -> None:
    harness.calls.faults.append(Fault(seconds=head_seconds))
    with pytest.raises(IndexingError, match=f"unavailable: {message}"):
        harness.handle(s3_event(s3_record()), seconds=seconds)
    assert harness.calls.operations == operations
    assert harness.dynamodb.rows == {}


def test_records_share_the_time_that_is_left_equally(harness: IndexerHarness) -> None:
    """The first hangs for its time budget of 10 s, a quarter of 41 - 1; the others share the time that is left."""
    harness.calls.hanging.add("hangs")
    with pytest.raises(IndexingError, match="1 of 4"):
        harness.handle(s3_event(s3_record("hangs"), *[s3_record()] * 3), seconds=41)
    used = next(started for _, key, started in harness.calls.made if key == KEY) - START_SECONDS
    assert 8 <= used <= 10


def test_an_event_of_many_records_is_worked_on_although_no_share_of_its_time_covers_a_call(
    harness: IndexerHarness,
) -> None:
    assert harness.handle(s3_event(*[s3_record()] * 200)) == {"indexed": 1, "duplicate": 199}


def test_one_hanging_record_among_many_costs_two_calls_and_no_other_record(harness: IndexerHarness) -> None:
    harness.calls.hanging.add("hangs")
    with pytest.raises(IndexingError, match=r"^1 of 50 records failed: record 0 \(key 'hangs'\)"):
        harness.handle(s3_event(s3_record("hangs"), *[s3_record()] * 49))
    assert [key for _, key, _ in harness.calls.made].count("hangs") <= 2


def test_an_indexer_works_with_the_real_clock_unless_told_otherwise(harness: IndexerHarness) -> None:
    storage = Storage(s3=harness.s3, dynamodb=harness.dynamodb, bucket_name="uploads", table_name=TABLE)
    indexer = Indexer(bucket_name="uploads", deleted_retention_days=90, storage=storage, telemetry=harness.telemetry)
    assert indexer.handle(s3_event(s3_record("gone")), request_id="r", deadline=indexer.clock() + 60) == {"gone": 1}
    assert harness.telemetry.outcomes[0].duration_ms < 60_000
    assert indexer.now().utcoffset() is not None
