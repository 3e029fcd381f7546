"""The calls to AWS, against moto: what is asked, what comes back, and that nothing else is called."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from botocore.validate import ParamValidationDecorator

import lambda_code
from lambda_code.errors import TransientError
from lambda_code.events import parse_record
from lambda_code.metadata import DeleteMarker, deletion_at, from_deletion, from_event, from_head, provenance_of
from lambda_code.storage import CLIENT_CONFIG, AwsStorage, parse_time
from tests.support.fakes import BUCKET, START, TABLE, Client, plain
from tests.support.strategies import s3_record

if TYPE_CHECKING:
    from lambda_code.events import Record
    from lambda_code.metadata import Attributes
    from lambda_code.settings import Settings

PACKAGE = Path(lambda_code.__file__).parent


@pytest.fixture
def storage(s3: Client, dynamodb: Client) -> AwsStorage:
    return AwsStorage(s3=s3, dynamodb=dynamodb, bucket_name=BUCKET, table_name=TABLE)


def record(key: str, version_id: str | None = None) -> Record:
    return parse_record(s3_record(key, version_id=version_id), index=0, bucket=BUCKET)


def provenance(each: Record) -> Attributes:
    return provenance_of(each, request_id="request-1", processed_at=START)


def row(dynamodb: Client, key: str, version_id: str) -> dict[str, Any]:
    address = {"object_id": {"S": f"{BUCKET}/{key}"}, "version_id": {"S": version_id}}
    item = dynamodb.get_item(TableName=TABLE, Key=address)["Item"]
    return {name: plain(value) for name, value in item.items()}


def test_head_says_what_s3_says_of_the_version_asked_for(storage: AwsStorage, s3: Client) -> None:
    first = s3.put_object(Bucket=BUCKET, Key="a b+é", Body=b"one", ContentType="text/plain", Metadata={"a": "b"})[
        "VersionId"
    ]
    second = s3.put_object(Bucket=BUCKET, Key="a b+é", Body=b"four")["VersionId"]
    told = storage.head("a b+é", first)
    assert isinstance(told, dict)
    assert (told["ContentLength"], told["ContentType"], told["Metadata"]) == (3, "text/plain", {"a": "b"})
    current = storage.head("a b+é", None)
    assert isinstance(current, dict)
    assert (current["ContentLength"], current["VersionId"]) == (4, second)
    assert "ResponseMetadata" not in current  # differs from one answer to the next; the object does not


def test_head_asks_for_the_checksum(storage: AwsStorage, s3: Client) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"one", ChecksumAlgorithm="SHA256")
    told = storage.head("a", None)
    assert isinstance(told, dict)
    assert told["ChecksumSHA256"]


def test_an_object_or_version_that_is_gone_is_none(storage: AwsStorage, s3: Client) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="a", Body=b"one")["VersionId"]
    s3.delete_object(Bucket=BUCKET, Key="a", VersionId=version)
    assert storage.head("a", version) is None
    assert storage.head("a", None) is None
    assert storage.head("never", None) is None


def test_a_delete_marker_is_told_from_what_is_gone(storage: AwsStorage, s3: Client) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="a", Body=b"one")["VersionId"]
    marker = s3.delete_object(Bucket=BUCKET, Key="a")["VersionId"]
    assert isinstance(storage.head("a", marker), DeleteMarker)
    assert isinstance(storage.head("a", version), dict)  # it only hides what is below
    assert storage.head("a", None) is None  # asked for without its id, it answers 404
    s3.delete_object(Bucket=BUCKET, Key="a", VersionId=marker)
    assert storage.head("a", marker) is None


@pytest.mark.parametrize(
    ("headers", "time"),
    [
        ({"last-modified": "Sat, 31 Jan 2026 11:59:58 GMT"}, datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC)),
        ({"last-modified": "Sat, 31 Jan 2026 12:59:58 +0100"}, datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC)),
        ({"last-modified": "Sat, 31 Jan 2026 11:59:58 -0000"}, None),  # in some zone or other
        ({"last-modified": "yesterday"}, None),
        ({}, None),  # emulators
    ],
)
def test_a_delete_marker_says_when_it_was_put_if_its_answer_does(
    session: botocore.session.Session, headers: dict[str, str], time: datetime | None
) -> None:
    client: Client = session.create_client("s3")
    with Stubber(client) as stub:
        stub.add_client_error("head_object", http_status_code=405, response_meta={"HTTPHeaders": headers})
        storage = AwsStorage(s3=client, dynamodb=client, bucket_name=BUCKET, table_name=TABLE)
        assert storage.head("a", "m1") == DeleteMarker(last_modified=time)


@pytest.mark.parametrize("status", [301, 400, 403, 429, 500, 503])
def test_any_other_answer_of_head_is_an_error(session: botocore.session.Session, status: int) -> None:
    client: Client = session.create_client("s3")
    with Stubber(client) as stub:
        stub.add_client_error("head_object", http_status_code=status, service_error_code=str(status))
        with pytest.raises(ClientError):
            AwsStorage(s3=client, dynamodb=client, bucket_name=BUCKET, table_name=TABLE).head("a", None)


def test_the_first_write_finds_nothing_and_the_second_the_first(
    storage: AwsStorage, s3: Client, dynamodb: Client
) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="a.txt", Body=b"one")["VersionId"]
    told = storage.head("a.txt", version)
    assert isinstance(told, dict)
    each = record("a.txt", version)
    update = from_head(each, told, provenance=provenance(each))
    assert storage.update(update) == {}
    old = storage.update(update)
    assert old
    assert {name: plain(value) for name, value in old.items()} == row(dynamodb, "a.txt", version)
    assert row(dynamodb, "a.txt", version)["size_bytes"] == 3


@pytest.mark.parametrize("arrived", [b"", b'{"Attributes":{"a"'])
def test_an_answer_that_breaks_off_is_not_taken_for_one_that_there_was_no_row(
    session: botocore.session.Session, arrived: bytes
) -> None:
    def answer(request: AWSRequest, **_: object) -> AWSResponse:
        headers = HTTPHeaders()
        headers["Content-Length"] = str(len(b'{"Attributes":{"a":{"S":"b"}}}'))
        return AWSResponse(request.url or "", 200, headers, SimpleNamespace(stream=lambda: iter([arrived])))

    client: Client = session.create_client("dynamodb", config=CLIENT_CONFIG)
    client.meta.events.register("before-send.dynamodb.UpdateItem", answer)
    each = record("a", "v1")
    update = from_event(each, version_id="v1", provenance=provenance(each))
    with pytest.raises(TransientError, match="UpdateItem's answer of 30 bytes arrived incomplete"):
        AwsStorage(s3=client, dynamodb=client, bucket_name=BUCKET, table_name=TABLE).update(update)


def test_dynamodb_understands_facts_and_words_in_any_order(storage: AwsStorage, s3: Client, dynamodb: Client) -> None:
    rows = []
    for key in ("one", "other"):
        version = s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")["VersionId"]
        each, told = record(key, version), storage.head(key, version)
        assert isinstance(told, dict)
        facts = from_head(each, told, provenance=provenance(each))
        words = from_event(each, version_id=version, provenance=provenance(each))
        for update in (facts, words) if key == "one" else (words, facts):
            storage.update(update)
        found = row(dynamodb, key, version)
        rows.append(
            {name: found[name] for name in found.keys() - {"object_id", "version_id", "key", "filename", "uploaded_at"}}
        )
    assert rows[0] == rows[1]


def test_dynamodb_keeps_the_first_deletion_and_its_expiry_as_a_number(storage: AwsStorage, dynamodb: Client) -> None:
    each = record("a", "v1")
    for days in (90, 15):
        deletion = deletion_at(START, retention_days=days)
        storage.update(from_deletion(each, deletion, version_id="v1", provenance=provenance(each)))
    address = {"object_id": {"S": f"{BUCKET}/a"}, "version_id": {"S": "v1"}}
    item = dynamodb.get_item(TableName=TABLE, Key=address)["Item"]
    assert item["deleted_at"] == {"S": "2026-01-31T12:00:00.000Z"}
    assert item["expires_at"] == {"N": str(int(START.timestamp()) + 90 * 24 * 3600)}


def test_dynamodb_understands_the_rewriting_of_a_whole_row(storage: AwsStorage, s3: Client, dynamodb: Client) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    for body, metadata in ((b"one", {"a": "b"}), (b"three", {})):
        s3.put_object(Bucket=BUCKET, Key="a", Body=body, Metadata=metadata)
        told = storage.head("a", None)
        assert isinstance(told, dict)
        each = record("a")
        storage.update(from_head(each, told, provenance=provenance(each)))
    found = row(dynamodb, "a", "null")
    assert found["size_bytes"] == 5
    assert "user_metadata" not in found


def test_botocore_makes_one_attempt_and_gives_up_in_four_seconds(settings: Settings) -> None:
    storage = AwsStorage.connect(settings)
    clients: tuple[Client, ...] = (storage.s3, storage.dynamodb)
    for client in clients:
        config = client.meta.config
        assert config.retries["total_max_attempts"] == 1
        assert (config.connect_timeout, config.read_timeout) == (1, 3)
        assert config.tcp_keepalive
    assert (storage.bucket_name, storage.table_name) == (BUCKET, TABLE)


HEADERS = {"Last-Modified": "Sat, 31 Jan 2026 12:00:00 GMT", "ETag": '"e"', "Content-Length": "3"}


def answered_head(settings: Settings, headers: dict[str, str]) -> dict[str, Any]:
    """What the function's own client makes of an answer of S3's."""

    def answer(request: AWSRequest, **_: object) -> AWSResponse:
        written = HTTPHeaders()
        for name, value in headers.items():
            written[name] = value
        return AWSResponse(request.url or "", 200, written, SimpleNamespace(stream=lambda: iter(())))

    storage = AwsStorage.connect(settings)
    client: Client = storage.s3
    client.meta.events.register("before-send.s3.HeadObject", answer)
    told = storage.head("a", None)
    assert isinstance(told, dict)
    return told


def test_what_is_asked_is_not_checked_again_at_each_call(settings: Settings) -> None:
    """It would be a tenth of an event's CPU; tests/property/test_storage.py asks botocore's check instead."""
    storage = AwsStorage.connect(settings)
    clients: tuple[Client, ...] = (storage.s3, storage.dynamodb)
    for client in clients:
        assert not isinstance(client._serializer, ParamValidationDecorator)
    usual: Client = botocore.session.get_session().create_client("s3")
    assert isinstance(usual._serializer, ParamValidationDecorator)


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_aws_is_told_who_calls(settings: Settings, service: str) -> None:
    client: Client = getattr(AwsStorage.connect(settings), service)
    assert client.meta.config.user_agent.startswith(f"TapStack Botocore/{botocore.__version__}")


@pytest.mark.parametrize(
    "expires",
    [
        pytest.param("Sat, 31 Jan 2026 12:00:00 GMT", id="a time"),
        pytest.param("soon", id="no time"),
        pytest.param("Sat, 31 Jan 2026 1999999999999999999992:0 0:08 GMT", id="too large for Python"),
        pytest.param("1:76983999999999999999999990800", id="too large for dateutil"),
    ],
)
def test_an_owner_may_write_anything_for_when_an_object_expires(settings: Settings, expires: str) -> None:
    """It is a header that S3 keeps as it comes. An object whose HEAD cannot be read would have no row."""
    told = answered_head(settings, {**HEADERS, "Expires": expires})
    assert told["ContentLength"] == 3
    assert "Expires" not in told


def test_a_start_does_not_look_through_all_services_that_botocore_knows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.loaders.Loader.list_available_services", None)
    storage = AwsStorage.connect(settings)
    clients: tuple[Client, ...] = (storage.s3, storage.dynamodb)
    assert [client.meta.service_model.service_name for client in clients] == ["s3", "dynamodb"]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("Sat, 31 Jan 2026 12:00:00 GMT", id="as HTTP writes it"),
        pytest.param("Sat, 31 Jan 2026 12:00:00 -0000", id="in no zone that is told"),
        pytest.param("2026-01-31T12:00:00.000Z", id="as XML and JSON have it"),
        pytest.param(1769860800, id="in seconds"),
        pytest.param("1769860800", id="in seconds, as text"),
    ],
)
def test_a_time_is_read_however_it_is_written(told: str | float) -> None:
    time = parse_time(told)
    assert time == START
    assert time.utcoffset() == timedelta(0)


@pytest.mark.parametrize("told", ["soon", "Sat, 31 Jan 2026 12:00:99999999999999999999 GMT"])
def test_what_is_no_time_is_an_error_as_it_is_to_botocore(told: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=told):
        parse_time(told)


def test_the_clients_read_times_that_way(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What guesses how a time is written is slow; only this would tell that it is asked again."""
    monkeypatch.delattr("botocore.utils._parse_timestamp_with_tzinfo")

    assert answered_head(settings, HEADERS)["LastModified"] == START


def test_one_call_is_one_request_even_when_it_fails(session: botocore.session.Session) -> None:
    requests = []

    def answer(request: AWSRequest, **_: object) -> AWSResponse:
        requests.append(request)
        return AWSResponse(request.url or "", 503, HTTPHeaders(), SimpleNamespace(stream=lambda: iter(())))

    client: Client = session.create_client("s3", config=CLIENT_CONFIG)
    client.meta.events.register("before-send.s3.HeadObject", answer)
    with pytest.raises(ClientError):
        AwsStorage(s3=client, dynamodb=client, bucket_name=BUCKET, table_name=TABLE).head("a", None)
    assert len(requests) == 1


def test_no_other_module_of_the_function_imports_an_sdk_or_reads_the_environment() -> None:
    allowed = {
        "botocore.session": {"storage"},
        "botocore.config": {"storage"},
        "botocore.exceptions": {"storage", "retry"},
        "botocore.loaders": {"storage"},
        "botocore.utils": {"storage"},
        "aws_lambda_powertools": {"telemetry"},
        "aws_xray_sdk": {"telemetry"},
        "os": {"settings"},
        "boto3": set(),
    }
    for path in PACKAGE.glob("*.py"):
        for name in _imported(path):
            for restricted, modules in allowed.items():
                if name == restricted or name.startswith(f"{restricted}."):
                    assert path.stem in modules, f"{path.name} imports {name}"


def _imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
