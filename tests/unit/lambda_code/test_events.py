"""Notifications as S3 sends them, as emulators and operators send them, and as nobody should."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_code.errors import ForeignBucketError, MalformedError, Reason
from lambda_code.events import Kind, Record, Rejected, is_test_event, parse_event, parse_record
from tests.support.fakes import BUCKET
from tests.support.strategies import Json, minimal_record, s3_event, s3_record

KEY = "Records[0].s3.object.key"


def changed(*path: str, to: Json) -> dict[str, Any]:
    """A good record with one value replaced, at the end of the path."""
    record = s3_record()
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return record


def without(*path: str) -> dict[str, Any]:
    record = s3_record()
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return record


def test_a_record_of_s3_is_read_completely() -> None:
    raw = s3_record("a b/é+x.txt", version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko", size=0, etag="abc-2")
    assert raw["s3"]["object"]["key"] == "a+b/%C3%A9%2Bx.txt"
    assert parse_record(raw, index=3, bucket=BUCKET) == Record(
        index=3,
        event_name="ObjectCreated:Put",
        kind=Kind.CREATED,
        bucket=BUCKET,
        key="a b/é+x.txt",
        version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko",
        event_time=datetime(2026, 1, 31, 11, 59, 58, 250_000, tzinfo=UTC),
        sequencer="0055AED6DCD90281E5",
        size=0,
        etag="abc-2",
        principal="AWS:AIDAJDPLRKLG7UEXAMPLE",
    )


def test_a_record_written_by_hand_needs_only_its_event_name_its_bucket_and_its_key() -> None:
    raw = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": "a.txt"}}}
    record = parse_record(raw, index=0, bucket=BUCKET)
    assert record == Record(index=0, event_name="ObjectCreated:Put", kind=Kind.CREATED, bucket=BUCKET, key="a.txt")
    assert raw == minimal_record("a.txt")


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("red+flower.jpg", "red flower.jpg"),  # the documentation's own example
        ("red%20flower.jpg", "red flower.jpg"),  # LocalStack
        ("a%2Bb", "a+b"),
        ("100%25", "100%"),
        ("%252B", "%2B"),  # decoded once, and only once
        ("%E6%97%A5%E6%9C%AC.txt", "日本.txt"),
        ("日本.txt", "日本.txt"),
        ("folder/", "folder/"),
        ("%", "%"),
        ("x" * 1024, "x" * 1024),
        ("%F0%9F%A6%8A" * 256, "🦊" * 256),
    ],
)
def test_a_key_is_decoded_once(encoded: str, key: str) -> None:
    record = parse_record(changed("s3", "object", "key", to=encoded), index=0, bucket=BUCKET)
    assert record.key == key


@pytest.mark.parametrize(
    ("event_name", "kind"),
    [
        ("ObjectCreated:Put", Kind.CREATED),
        ("ObjectCreated:Post", Kind.CREATED),
        ("ObjectCreated:Copy", Kind.CREATED),
        ("ObjectCreated:CompleteMultipartUpload", Kind.CREATED),
        ("s3:ObjectCreated:Put", Kind.CREATED),  # as in a configuration, and by hand
        ("ObjectRemoved:Delete", Kind.DELETED),
        ("ObjectRemoved:DeleteMarkerCreated", Kind.MARKER),
        ("s3:ObjectRemoved:DeleteMarkerCreated", Kind.MARKER),
        ("LifecycleExpiration:Delete", Kind.DELETED),
        ("LifecycleExpiration:DeleteMarkerCreated", Kind.MARKER),
        ("ObjectRemoved:SomethingNew", Kind.DELETED),  # whatever AWS may add: a version that is gone
        ("LifecycleTransition", Kind.OTHER),
        ("ObjectRestore:Completed", Kind.OTHER),
        ("ObjectTagging:Put", Kind.OTHER),
        ("ObjectCreatedByMagic", Kind.OTHER),
    ],
)
def test_an_event_name_says_what_happened(event_name: str, kind: Kind) -> None:
    assert parse_record(s3_record(event_name=event_name), index=0, bucket=BUCKET).kind is kind


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2", "2.3", "2.6", "2.99", "2"])
def test_every_minor_version_of_the_format_is_understood_with_whatever_it_adds(version: str) -> None:
    raw = {**s3_record(), "eventVersion": version, "glacierEventData": {"restoreEventData": {}}, "somethingNew": [1]}
    assert parse_record(raw, index=0, bucket=BUCKET) == parse_record(s3_record(), index=0, bucket=BUCKET)


def test_a_removal_without_size_and_tag_and_with_an_emulators_empty_ones_is_the_same() -> None:
    on_aws = s3_record(event_name="ObjectRemoved:Delete", size=None, etag=None)
    emulated = s3_record(event_name="ObjectRemoved:Delete", size=0, etag="")
    one, other = (parse_record(raw, index=0, bucket=BUCKET) for raw in (on_aws, emulated))
    assert (one.size, one.etag) == (None, None)
    assert (other.size, other.etag) == (0, None)


@pytest.mark.parametrize("raw", [without("s3", "object", "versionId"), changed("s3", "object", "versionId", to=None)])
def test_what_s3_sends_without_a_version_is_about_the_version_null(raw: Json) -> None:
    """The documentation has `versionId` of an unversioned bucket "otherwise null"; suspended, it leaves it out."""
    assert parse_record(raw, index=0, bucket=BUCKET).version_id == "null"


@pytest.mark.parametrize("sequencer", [None, ""])
def test_what_was_written_by_hand_without_a_version_is_about_whichever_is_current(sequencer: str | None) -> None:
    """Only S3 has sequencers to send."""
    raw = changed("s3", "object", "sequencer", to=sequencer)
    del raw["s3"]["object"]["versionId"]
    assert parse_record(raw, index=0, bucket=BUCKET).version_id is None


@pytest.mark.parametrize(
    ("identity", "principal"),
    [
        ({"principalId": "AWS:AROAEXAMPLE:session"}, "AWS:AROAEXAMPLE:session"),
        ({"principalId": ""}, None),
        ({"principalId": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_who_did_it_is_told_where_s3_tells_it(identity: Json, principal: str | None) -> None:
    assert parse_record(changed("userIdentity", to=identity), index=0, bucket=BUCKET).principal == principal


@pytest.mark.parametrize(
    ("event_name", "by_lifecycle"),
    [
        ("LifecycleExpiration:Delete", True),
        ("s3:LifecycleExpiration:DeleteMarkerCreated", True),
        ("ObjectRemoved:Delete", False),
    ],
)
def test_a_rule_of_the_bucket_is_told_from_a_person(event_name: str, *, by_lifecycle: bool) -> None:
    assert parse_record(s3_record(event_name=event_name), index=0, bucket=BUCKET).by_lifecycle is by_lifecycle


def test_the_version_id_null_is_a_version() -> None:
    assert parse_record(s3_record(version_id="null"), index=0, bucket=BUCKET).version_id == "null"


def test_a_time_of_another_zone_is_the_same_time() -> None:
    record = parse_record(s3_record(event_time="2026-01-31T13:00:00+01:00"), index=0, bucket=BUCKET)
    assert record.event_time == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert record.event_time.tzinfo is UTC


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "Records[0] is missing"),
        ([], "Records[0] is a list, not an object"),
        (without("eventName"), "Records[0].eventName is missing"),
        (changed("eventName", to=7), "Records[0].eventName is 7, not text"),
        (changed("eventName", to=""), "Records[0].eventName is empty"),
        (changed("eventVersion", to="3.0"), "Records[0].eventVersion is '3.0'; only 2.x is understood"),
        (changed("eventVersion", to="21.0"), "Records[0].eventVersion is '21.0'; only 2.x is understood"),
        (changed("eventVersion", to=2.1), "Records[0].eventVersion is 2.1, not text"),
        (changed("eventSource", to="aws:sqs"), "Records[0].eventSource is 'aws:sqs'; only 'aws:s3' is understood"),
        (changed("eventTime", to="yesterday"), "Records[0].eventTime is 'yesterday', not an ISO 8601 time"),
        (
            changed("eventTime", to="2026-01-31T12:00:00"),
            "Records[0].eventTime is '2026-01-31T12:00:00', which has no time",
        ),
        (
            changed("eventTime", to="0001-01-01T00:00:00+01:00"),
            "Records[0].eventTime is '0001-01-01T00:00:00+01:00', not",
        ),
        (changed("userIdentity", to="me"), "Records[0].userIdentity is 'me', not an object"),
        (changed("userIdentity", "principalId", to=1), "Records[0].userIdentity.principalId is 1, not text"),
        (without("s3"), "Records[0].s3 is missing"),
        (changed("s3", to="x" * 200), f"Records[0].s3 is '{'x' * 79}…, not an object"),
        (without("s3", "bucket"), "Records[0].s3.bucket is missing"),
        (without("s3", "bucket", "name"), "Records[0].s3.bucket.name is missing"),
        (without("s3", "object"), "Records[0].s3.object is missing"),
        (without("s3", "object", "key"), f"{KEY} is missing"),
        (changed("s3", "object", "key", to=["a"]), f"{KEY} is a list, not text"),
        (changed("s3", "object", "key", to=""), f"{KEY} is empty"),
        (changed("s3", "object", "key", to="caf%E9.txt"), f"{KEY} is 'caf%E9.txt', which is not UTF-8 when decoded"),
        (changed("s3", "object", "key", to="\ud800"), f"{KEY} is not Unicode text: surrogates not allowed"),
        (changed("s3", "object", "key", to="x" * 1025), f"{KEY} has 1025 bytes when decoded; the limit is 1024"),
        (changed("s3", "object", "key", to="%41" * 1025), f"{KEY} has 3075 bytes; the limit is 3072"),
        (changed("s3", "object", "versionId", to=""), "Records[0].s3.object.versionId is empty"),
        (
            changed("s3", "object", "versionId", to="v" * 1025),
            "Records[0].s3.object.versionId has 1025 bytes; the limit",
        ),
        (changed("s3", "object", "sequencer", to=1), "Records[0].s3.object.sequencer is 1, not text"),
        (changed("s3", "object", "size", to="1"), "Records[0].s3.object.size is '1', not a whole number of bytes"),
        (changed("s3", "object", "size", to=True), "Records[0].s3.object.size is True, not a whole number of bytes"),
        (changed("s3", "object", "size", to=1.5), "Records[0].s3.object.size is 1.5, not a whole number of bytes"),
        (
            changed("s3", "object", "size", to=-1),
            "Records[0].s3.object.size is not a number of bytes that an object can",
        ),
        (
            changed("s3", "object", "size", to=10**6000),
            "Records[0].s3.object.size is not a number of bytes that an obj",
        ),
    ],
)
def test_an_error_names_the_record_and_the_field(raw: Json, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_record(raw, index=0, bucket=BUCKET)
    assert str(caught.value).startswith(message)
    assert caught.value.reason is Reason.MALFORMED
    assert message.startswith(caught.value.field or "nowhere")


def test_another_buckets_record_is_refused_with_both_names() -> None:
    with pytest.raises(ForeignBucketError) as caught:
        parse_record(minimal_record(bucket="test"), index=2, bucket=BUCKET)
    assert str(caught.value) == "Records[2].s3.bucket.name is 'test', but this function indexes only 'uploads'"
    assert (caught.value.reason, caught.value.field) == (Reason.FOREIGN, "Records[2].s3.bucket.name")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({}, id="an empty object"),
        pytest.param({"Records": None}, id="no list of records"),
        pytest.param({"Records": {}}, id="an object of records"),
        pytest.param({"Records": []}, id="an empty list of records"),
        pytest.param({"detail-type": "Object Created", "detail": {"object": {"key": "a"}}}, id="from EventBridge"),
    ],
)
def test_an_event_without_records_is_rejected_as_a_whole(event: object) -> None:
    [rejected] = parse_event(event, bucket=BUCKET)
    assert isinstance(rejected, Rejected)
    assert rejected.index is None
    assert rejected.error.field == "Records"
    assert str(rejected.error) == "there is no list of Records: this is not an S3 event notification"


def test_each_record_of_an_event_is_read_on_its_own() -> None:
    good, foreign = s3_record("a"), minimal_record(bucket="test")
    parsed = parse_event(s3_event({}, good, foreign, good), bucket=BUCKET)
    assert [type(each) for each in parsed] == [Rejected, Record, Rejected, Record]
    assert [each.index for each in parsed] == [0, 1, 2, 3]


def test_the_test_event_of_a_new_notification_is_known() -> None:
    event = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-01-31T12:00:00.000Z",
        "Bucket": BUCKET,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }
    assert is_test_event(event)
    assert not is_test_event({**event, "Records": []})
    assert not is_test_event(s3_event(s3_record()))
    assert not is_test_event(None)
