"""AWS calls of the indexer: requests and the parsing of responses, with moto and with stubbed responses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from botocore.validate import ParamValidationDecorator

from lambda_code.events import parse_record
from lambda_code.head_result import DeleteMarker, Unreadable
from lambda_code.metadata import deletion_at, from_deletion, from_event, from_head, provenance_of
from lambda_code.storage import RecordCalls, Storage
from lambda_common.clients import CLIENT_CONFIG, parse_time
from lambda_common.errors import PermanentError, Reason, TransientError
from tests.support.fakes import BUCKET, BUCKETS, START, TABLE, Client, RecordingInvocation, unlimited_calls
from tests.support.strategies import s3_record
from tests.support.update_expressions import plain

if TYPE_CHECKING:
    from lambda_code.events import Record
    from lambda_code.settings import Settings
    from lambda_code.update import Update
    from lambda_common.attributes import Attributes


@pytest.fixture
def storage(s3: Client, dynamodb: Client) -> Storage:
    return Storage(s3=s3, dynamodb=dynamodb, bucket_name=BUCKET, table_name=TABLE)


def with_client(client: Client) -> Storage:
    """Return a storage whose fake clock advances so fast that the deadline of `one_attempt` allows one attempt only."""
    ticks = count(0.0)
    return Storage(
        s3=client, dynamodb=client, bucket_name=BUCKET, table_name=TABLE, clock=lambda: next(ticks), rng=lambda: 0.0
    )


def one_attempt() -> RecordCalls:
    return RecordCalls(invocation=RecordingInvocation(), deadline=6.0)


def head(storage: Storage, key: str, version_id: str | None = None) -> dict[str, Any]:
    """Return the head result of an object that exists."""
    result = storage.head(BUCKET, key, version_id, unlimited_calls())
    assert isinstance(result, dict)
    return result


def record(key: str, version_id: str | None = None) -> Record:
    return parse_record(s3_record(key, version_id=version_id), index=0, buckets=BUCKETS)


def provenance(each: Record) -> Attributes:
    return provenance_of(each, request_id="request-1", processed_at=START)


def event_update(key: str) -> Update:
    each = record(key, "v1")
    return from_event(each, version_id="v1", provenance=provenance(each))


def item(dynamodb: Client, key: str, version_id: str) -> dict[str, Any]:
    address = {"object_id": {"S": f"{BUCKET}/{key}"}, "version_id": {"S": version_id}}
    found: dict[str, Any] = dynamodb.get_item(TableName=TABLE, Key=address)["Item"]
    return found


def row(dynamodb: Client, key: str, version_id: str) -> dict[str, Any]:
    return {name: plain(value) for name, value in item(dynamodb, key, version_id).items()}


def respond(
    client: Client, event: str, headers: dict[str, str], *, status: int = 200, body: bytes = b""
) -> list[AWSRequest]:
    """Make a client receive the given response to every request, and return the growing list of requests."""
    requests = []

    def response(request: AWSRequest, **_: object) -> AWSResponse:
        requests.append(request)
        raw = HTTPHeaders()
        for name, value in headers.items():
            raw[name] = value
        return AWSResponse(request.url or "", status, raw, SimpleNamespace(stream=lambda: iter([body])))

    client.meta.events.register(f"before-send.{event}", response)
    return requests


def test_head_returns_the_headers_of_the_requested_version(storage: Storage, s3: Client) -> None:
    put = {"Bucket": BUCKET, "Key": "a b+é"}
    first = s3.put_object(**put, Body=b"one", ContentType="text/plain", Metadata={"a": "b"})["VersionId"]
    second = s3.put_object(**put, Body=b"four", ChecksumAlgorithm="SHA256")["VersionId"]
    named, current = head(storage, "a b+é", first), head(storage, "a b+é")
    assert (named["ContentLength"], named["ContentType"], named["Metadata"]) == (3, "text/plain", {"a": "b"})
    assert (current["ContentLength"], current["VersionId"]) == (4, second)
    assert current["ChecksumSHA256"]  # S3 returns a checksum only on request.
    assert "ResponseMetadata" not in current  # `ResponseMetadata` differs between responses about the same object.


def test_head_returns_none_for_a_deleted_object_or_version(storage: Storage, s3: Client) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="a", Body=b"one")["VersionId"]
    s3.delete_object(Bucket=BUCKET, Key="a", VersionId=version)
    for key, version_id in (("a", version), ("a", None), ("never", None)):
        assert storage.head(BUCKET, key, version_id, unlimited_calls()) is None


def test_head_distinguishes_a_delete_marker_from_a_deleted_version(storage: Storage, s3: Client) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="a", Body=b"one")["VersionId"]
    marker = s3.delete_object(Bucket=BUCKET, Key="a")["VersionId"]
    assert isinstance(storage.head(BUCKET, "a", marker, unlimited_calls()), DeleteMarker)
    assert head(storage, "a", version)  # A delete marker only hides older versions.
    # S3 returns 404 for a HEAD request without a version ID if the current version is a delete marker.
    assert storage.head(BUCKET, "a", None, unlimited_calls()) is None
    s3.delete_object(Bucket=BUCKET, Key="a", VersionId=marker)
    assert storage.head(BUCKET, "a", marker, unlimited_calls()) is None


@pytest.mark.parametrize(
    ("headers", "time"),
    [
        ({"last-modified": "Sat, 31 Jan 2026 11:59:58 GMT"}, datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC)),
        ({"last-modified": "Sat, 31 Jan 2026 12:59:58 +0100"}, datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC)),
        ({"last-modified": "Sat, 31 Jan 2026 11:59:58 -0000"}, None),  # The offset -0000 means an unknown time zone.
        ({"last-modified": "yesterday"}, None),
        ({}, None),  # Emulators omit the header Last-Modified.
    ],
)
def test_head_of_a_delete_marker_returns_its_time_if_s3_sends_it(
    session: botocore.session.Session, headers: dict[str, str], time: datetime | None
) -> None:
    client: Client = session.create_client("s3")
    headers = {"x-amz-delete-marker": "true", **headers}
    with Stubber(client) as stub:
        stub.add_client_error("head_object", http_status_code=405, response_meta={"HTTPHeaders": headers})
        assert with_client(client).head(BUCKET, "a", "m1", one_attempt()) == DeleteMarker(last_modified=time)


@pytest.mark.parametrize("headers", [{}, {"x-amz-delete-marker": "false"}, {"allow": "DELETE"}])
def test_head_status_405_without_the_marker_header_means_a_lost_object(
    session: botocore.session.Session, headers: dict[str, str]
) -> None:
    client: Client = session.create_client("s3")
    with Stubber(client) as stub:
        stub.add_client_error("head_object", http_status_code=405, response_meta={"HTTPHeaders": headers})
        assert with_client(client).head(BUCKET, "a", "v1", one_attempt()) == Unreadable(encryption=None)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_head_raises_a_transient_error_without_a_get_request(session: botocore.session.Session, status: int) -> None:
    client: Client = session.create_client("s3")
    with Stubber(client) as stub:
        stub.add_client_error("head_object", http_status_code=status, service_error_code=str(status))
        with pytest.raises(TransientError) as caught:
            with_client(client).head(BUCKET, "a", None, one_attempt())
    assert isinstance(caught.value.__cause__, ClientError)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (301, "PermanentRedirect", Reason.INTERNAL),
        (400, "ExpiredToken", Reason.DENIED),
        (400, "KMS.DisabledException", Reason.DENIED),
        (400, "InvalidArgument", Reason.INTERNAL),
        (403, "AccessDenied", Reason.DENIED),
        (403, "RequestTimeTooSkewed", Reason.DENIED),
    ],
)
def test_permanent_head_error_is_raised_with_the_error_code_of_get(
    session: botocore.session.Session, status: int, code: str, reason: Reason
) -> None:
    client: Client = session.create_client("s3")
    address = {"Bucket": BUCKET, "Key": "a", "VersionId": "v1"}
    with Stubber(client) as stub:
        stub.add_client_error("head_object", http_status_code=status, service_error_code=str(status))
        stub.add_client_error(
            "get_object",
            http_status_code=status,
            service_error_code=code,
            expected_params={**address, "Range": "bytes=0-0"},
        )
        with pytest.raises(PermanentError, match=rf"^GetObject: \w+: An error occurred \({code}\)") as caught:
            with_client(client).head(BUCKET, "a", "v1", unlimited_calls())
    assert caught.value.reason is reason


def test_get_request_after_a_failed_head_starts_only_if_enough_time_is_left(session: botocore.session.Session) -> None:
    client: Client = session.create_client("s3")
    with Stubber(client) as stub:
        stub.add_client_error("head_object", http_status_code=400, service_error_code="400")
        with pytest.raises(TransientError, match="GetObject was not tried"):
            with_client(client).head(BUCKET, "a", "v1", one_attempt())


def test_storage_update_returns_the_previous_row_if_one_existed(storage: Storage, s3: Client, dynamodb: Client) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="a.txt", Body=b"one")["VersionId"]
    each = record("a.txt", version)
    update = from_head(each, head(storage, "a.txt", version), provenance=provenance(each))
    assert storage.update(update, unlimited_calls()) == {}
    old = storage.update(update, unlimited_calls())
    assert old
    assert old == item(dynamodb, "a.txt", version)
    assert old["size_bytes"] == {"N": "3"}


def test_storage_update_of_an_existing_row_only_creates_no_row(storage: Storage, dynamodb: Client) -> None:
    update = event_update("a")
    conditional = replace(update, only_existing=True)
    assert storage.update(conditional, unlimited_calls()) is None
    assert dynamodb.scan(TableName=TABLE)["Items"] == []
    storage.update(update, unlimited_calls())
    before = item(dynamodb, "a", "v1")
    assert storage.update(conditional, unlimited_calls()) == before
    assert item(dynamodb, "a", "v1") == before


def test_storage_update_raises_for_other_errors_with_status_400(session: botocore.session.Session) -> None:
    client: Client = session.create_client("dynamodb")
    with Stubber(client) as stub:
        stub.add_client_error("update_item", service_error_code="ValidationException", http_status_code=400)
        with pytest.raises(PermanentError, match="ValidationException"):
            with_client(client).update(replace(event_update("a"), only_existing=True), one_attempt())


def test_dynamodb_removes_attributes_that_the_object_does_not_have(storage: Storage, dynamodb: Client) -> None:
    each = record("a", "v1")
    response = {"LastModified": START, "ETag": '"e"', "ContentLength": 1, "Metadata": {"a": "b"}, "ChecksumSHA1": "c"}
    storage.update(from_head(each, response, provenance=provenance(each)), unlimited_calls())
    before = row(dynamodb, "a", "v1")
    del response["Metadata"], response["ChecksumSHA1"]
    storage.update(from_head(each, response, provenance=provenance(each)), unlimited_calls())
    assert before.keys() - row(dynamodb, "a", "v1").keys() == {"user_metadata", "checksum"}


@pytest.mark.parametrize("body", [b"", b'{"Attributes":{"a"'])
def test_storage_update_raises_for_an_incomplete_response(session: botocore.session.Session, body: bytes) -> None:
    client: Client = session.create_client("dynamodb", config=CLIENT_CONFIG)
    complete = b'{"Attributes":{"a":{"S":"b"}}}'
    respond(client, "dynamodb.UpdateItem", {"Content-Length": str(len(complete))}, body=body)
    with pytest.raises(TransientError, match="UpdateItem's response of 30 bytes arrived incomplete"):
        with_client(client).update(event_update("a"), one_attempt())


def test_updates_from_head_and_event_give_the_same_row_in_any_order(
    storage: Storage, s3: Client, dynamodb: Client
) -> None:
    rows = []
    for key in ("one", "other"):
        version = s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")["VersionId"]
        each = record(key, version)
        updates = [
            from_head(each, head(storage, key, version), provenance=provenance(each)),
            from_event(each, version_id=version, provenance=provenance(each)),
        ]
        for update in updates if key == "one" else reversed(updates):
            storage.update(update, unlimited_calls())
        address = {"object_id", "version_id", "key", "filename", "uploaded_at"}
        rows.append({name: value for name, value in row(dynamodb, key, version).items() if name not in address})
    assert rows[0] == rows[1]


def test_dynamodb_keeps_the_first_deletion_with_a_numeric_expiry(storage: Storage, dynamodb: Client) -> None:
    each = record("a", "v1")
    for days in (90, 15):
        deletion = deletion_at(START, retention_days=days)
        storage.update(from_deletion(each, deletion, version_id="v1", provenance=provenance(each)), unlimited_calls())
    found = item(dynamodb, "a", "v1")
    assert found["deleted_at"] == {"S": "2026-01-31T12:00:00.000Z"}
    assert found["expires_at"] == {"N": str(int(START.timestamp()) + 90 * 24 * 3600)}


def test_update_of_version_null_removes_attributes_of_the_replaced_object(
    storage: Storage, s3: Client, dynamodb: Client
) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    each = record("a")
    for body, metadata in ((b"one", {"a": "b"}), (b"three", {})):
        s3.put_object(Bucket=BUCKET, Key="a", Body=body, Metadata=metadata)
        storage.update(from_head(each, head(storage, "a"), provenance=provenance(each)), unlimited_calls())
    found = row(dynamodb, "a", "null")
    assert found["size_bytes"] == 5
    assert "user_metadata" not in found


def test_botocore_sends_only_one_request_for_a_failed_call(session: botocore.session.Session) -> None:
    client: Client = session.create_client("s3", config=CLIENT_CONFIG)
    requests = respond(client, "s3.HeadObject", {}, status=503)
    with pytest.raises(TransientError):
        with_client(client).head(BUCKET, "a", None, one_attempt())
    assert len(requests) == 1


@pytest.fixture(params=["s3", "dynamodb"])
def client(settings: Settings, request: pytest.FixtureRequest) -> Client:
    """An S3 or DynamoDB client with the configuration of the indexer."""
    return getattr(Storage.connect(settings), request.param)


def test_botocore_clients_make_one_attempt_of_at_most_four_seconds(client: Client) -> None:
    config = client.meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (1, 3)
    assert config.tcp_keepalive


def test_botocore_clients_do_not_validate_request_parameters(client: Client) -> None:
    """Botocore validation uses 9 % of the CPU time. Instead, tests/property/test_storage.py validates the requests."""
    assert not isinstance(client._serializer, ParamValidationDecorator)
    usual: Client = botocore.session.get_session().create_client("s3")
    assert isinstance(usual._serializer, ParamValidationDecorator)


def test_botocore_clients_send_tapstack_as_the_user_agent(client: Client) -> None:
    assert client.meta.config.user_agent.startswith(f"TapStack Botocore/{botocore.__version__}")


def test_storage_creates_clients_without_listing_all_aws_services(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.loaders.Loader.list_available_services", None)
    storage = Storage.connect(settings)
    assert (storage.bucket_name, storage.table_name) == (BUCKET, TABLE)
    names = [client.meta.service_model.service_name for client in (storage.s3, storage.dynamodb)]
    assert names == ["s3", "dynamodb"]


@pytest.mark.parametrize(
    "expires",
    [
        pytest.param("Sat, 31 Jan 2026 12:00:00 GMT", id="valid time"),
        pytest.param("soon", id="not a time"),
        pytest.param("Sat, 31 Jan 2026 1999999999999999999992:0 0:08 GMT", id="number too large for Python"),
        pytest.param("1:76983999999999999999999990800", id="number too large for dateutil"),
    ],
)
def test_head_ignores_valid_and_invalid_expires_headers(settings: Settings, expires: str) -> None:
    """Owners can set `Expires` to any text. An object whose HEAD response cannot be parsed would have no row."""
    result = connected_head(settings, Expires=expires)
    assert result["ContentLength"] == 3
    assert "Expires" not in result


def test_botocore_clients_do_not_use_the_slow_default_time_parser(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Botocore's default parser of times is slow. No other test detects its use."""
    monkeypatch.delattr("botocore.utils._parse_timestamp_with_tzinfo")
    assert connected_head(settings)["LastModified"] == START


def connected_head(settings: Settings, **headers: str) -> dict[str, Any]:
    storage = Storage.connect(settings)
    usual = {"Last-Modified": "Sat, 31 Jan 2026 12:00:00 GMT", "ETag": '"e"', "Content-Length": "3"}
    respond(storage.s3, "s3.HeadObject", usual | headers)
    return head(storage, "a")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Sat, 31 Jan 2026 12:00:00 GMT", id="HTTP date"),
        pytest.param("Sat, 31 Jan 2026 12:00:00 -0000", id="HTTP date without time zone"),
        pytest.param("2026-01-31T12:00:00.000Z", id="ISO 8601"),
        pytest.param(1769860800, id="seconds"),
        pytest.param("1769860800", id="seconds as text"),
    ],
)
def test_parse_time_accepts_http_dates_iso_8601_and_seconds(value: str | float) -> None:
    time = parse_time(value)
    assert time == START
    assert time.tzinfo is not None  # Only botocore's result for a number has the time zone of the machine.


@pytest.mark.parametrize("value", ["soon", "Sat, 31 Jan 2026 12:00:99999999999999999999 GMT"])
def test_parse_time_raises_for_text_that_is_not_a_time(value: str) -> None:
    with pytest.raises(PermanentError, match=value) as caught:
        parse_time(value)
    assert caught.value.reason is Reason.UNPARSABLE
