"""Tests of the AWS calls that list object versions, with moto and with simulated HTTP responses of S3."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from urllib3 import HTTPResponse

from operations.aws import Aws
from operations.aws.listing import parse_time
from operations.errors import OperatorError

Respond: TypeAlias = Callable[[Aws, list[tuple[int, bytes]]], list[str]]
KEYS = ["a b/c+d%2B.txt", "é/\u5831\U0001f680.txt", "plain.txt", "x/tab\tand?&#.txt", "\ue000", "\U00010000"]
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@pytest.fixture
def s3_response() -> Iterator[Respond]:
    """Fixture: function that replaces the responses of S3, and returns the list of the requested URLs."""
    with ExitStack() as cleanup:

        def respond(aws: Aws, responses: list[tuple[int, bytes]]) -> list[str]:
            urls: list[str] = []

            def response(request: Any, **_: object) -> AWSResponse:  # noqa: ANN401  botocore has no types
                urls.append(request.url)
                status, body = responses.pop(0)
                headers: Any = {}
                return AWSResponse(request.url, status, headers, HTTPResponse(io.BytesIO(body), preload_content=False))

            events = aws._s3.meta.events
            events.register_first("before-send.s3.ListObjectVersions", response)
            cleanup.callback(events.unregister, "before-send.s3.ListObjectVersions", response)
            return urls

        yield respond


@pytest.fixture(scope="module")
def connected() -> Aws:
    with mock_aws():
        return Aws.connect()


def page(*keys: str, following: str = "", truncated: bool = False) -> bytes:
    """Return the body of a ListObjectVersions response with URL-encoded keys."""
    versions = "".join(
        f"<Version><Key>{key}</Key><VersionId>v1</VersionId><LastModified>2026-01-31T12:00:00.000Z</LastModified>"
        "<ETag>e</ETag><Size>1</Size></Version>"
        for key in keys
    )
    position = f"<NextKeyMarker>{following}</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>"
    return (
        f"<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>{str(truncated).lower()}</IsTruncated>"
        f"{position if following else ''}{versions}</ListVersionsResult>"
    ).encode()


def test_list_requests_of_one_worker_return_the_same_versions_as_the_boto3_paginator(
    aws: Aws, clients: dict[str, Any]
) -> None:
    """Only the end-to-end test uses several workers: moto omits a version after a key marker without a version ID."""
    clients["s3"].create_bucket(Bucket="uploads")
    clients["s3"].put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    for key in KEYS:
        for body in (b"1", b"22"):
            clients["s3"].put_object(Bucket="uploads", Key=key, Body=body)
        clients["s3"].delete_object(Bucket="uploads", Key=key)
    listed = list(aws.versions_in_any_order("uploads", workers=1, page=5))
    expected = list(aws.versions("uploads"))
    assert sorted(map(repr, listed)) == sorted(map(repr, expected))
    assert len(listed) == 3 * len(KEYS)
    some = aws.versions_in_any_order("uploads", workers=1, prefix="x/", after="plain.txt", page=5)
    assert {each.key for each in some} == {KEYS[3]}


def test_keys_and_page_markers_with_control_characters_are_url_encoded(connected: Aws, s3_response: Respond) -> None:
    pages = [(200, page("a%01%0A", following="a%01%0A", truncated=True)), (200, page("%EF%BF%BF"))]
    urls = s3_response(connected, pages)
    assert [each.key for each in connected.versions_in_any_order("uploads", workers=1)] == ["a\x01\n", "\uffff"]
    query = parse_qs(urlsplit(urls[1]).query)
    assert (query["key-marker"], query["version-id-marker"], query["encoding-type"]) == (["a\x01\n"], ["v1"], ["url"])


@pytest.mark.parametrize("following", ["", "a"])
def test_truncated_page_of_versions_without_a_next_marker_is_an_error(
    connected: Aws, s3_response: Respond, following: str
) -> None:
    pages = [(200, page("a", following="a", truncated=True)), (200, page("a", following=following, truncated=True))]
    s3_response(connected, pages)
    with pytest.raises(OperatorError, match=r"cannot list the versions in 'uploads': S3 returned an incomplete page"):
        list(connected.versions_in_any_order("uploads", workers=1))


def test_throttled_list_request_is_retried(
    connected: Aws, s3_response: Respond, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", sleeps.append)
    s3_response(connected, [(503, SLOW_DOWN), (503, SLOW_DOWN), (200, page("a"))])
    assert [each.key for each in connected.versions_in_any_order("uploads")] == ["a"]
    assert len(sleeps) == 2


def test_times_in_list_responses_are_parsed_as_utc() -> None:
    expected = datetime(2026, 1, 31, 12, tzinfo=UTC)
    values: list[str | float] = ["2026-01-31T12:00:00.000Z", "Sat, 31 Jan 2026 12:00:00 GMT", 1_769_860_800]
    assert [parse_time(each) for each in values] == [expected] * 3
    assert parse_time("2026-01-31T12:00:00Z").tzinfo is UTC
    with pytest.raises(ValueError, match="no time"):
        parse_time("no timeZ")
