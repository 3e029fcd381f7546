"""Hypothesis strategies, and the plain shapes they are made of: keys, events, answers of HEAD, errors of AWS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from hypothesis import strategies as st

from tests.support.fakes import BUCKET, Fault, client_error

if TYPE_CHECKING:
    from collections.abc import Callable

Json = Any  # what json.loads returns

MAX_KEY_BYTES = 1024
URL = "https://uploads.s3.amazonaws.com/"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:tapstack-dev-indexer"


def encoded(key: str) -> str:
    """A key as S3 notifications have it: form-encoded, with `/` as it is."""
    return quote_plus(key, safe="/-_.*")


def s3_record(
    key: str = "photos/cat.jpg",
    *,
    version_id: str | None = "v1",
    event_name: str = "ObjectCreated:Put",
    bucket: str = BUCKET,
    size: int | None = 1024,
    etag: str | None = "d41d8cd98f00b204e9800998ecf8427e",
    event_time: str = "2026-01-31T11:59:58.250Z",
    sequencer: str = "0055AED6DCD90281E5",
) -> dict[str, Any]:
    """A record as AWS sends it (the example of the notification documentation), with the given words in it."""
    fields = {"key": encoded(key), "size": size, "eTag": etag, "versionId": version_id, "sequencer": sequencer}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": event_time,
        "eventName": event_name,
        "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "203.0.113.1"},
        "responseElements": {
            "x-amz-request-id": "C3D13FE58DE4C810",
            "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "tapstack",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {name: value for name, value in fields.items() if value is not None},
        },
    }


def minimal_record(key: str = "photos/cat.jpg", *, bucket: str = BUCKET) -> dict[str, Any]:
    """The least that an operator has to write by hand."""
    return {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": encoded(key)}}}


def s3_event(*records: Json) -> dict[str, Any]:
    """An event with these records."""
    return {"Records": list(records)}


def failure_message(payload: Json, *, request_id: str, attempts: int, error_type: str, message: str) -> dict[str, Any]:
    """Build the message that Lambda sends to the failure queue about an event.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    return {
        "version": "1.0",
        "timestamp": "2026-01-31T12:03:05.568Z",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{FUNCTION_ARN}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": error_type, "errorMessage": message, "stackTrace": []},
    }


def head(**changes: Any) -> dict[str, Any]:
    """What botocore returns for the HEAD of an ordinary object."""
    return {
        "LastModified": datetime(2026, 1, 31, 11, 59, 58, tzinfo=UTC),
        "ContentLength": 1024,
        "ETag": '"d41d8cd98f00b204e9800998ecf8427e"',
        "VersionId": "v1",
        "ContentType": "image/jpeg",
        "ServerSideEncryption": "AES256",
        "ChecksumCRC64NVME": "ynIoRb1s2ao=",
        "ChecksumType": "FULL_OBJECT",
        "Metadata": {},
        **changes,
    }


def text(*, max_bytes: int = 200, min_size: int = 0) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can carry, up to this many bytes."""
    return st.text(st.characters(codec="utf-8"), min_size=min_size, max_size=max_bytes).filter(
        lambda value: len(value.encode()) <= max_bytes
    )


def keys() -> st.SearchStrategy[str]:
    """Any key that S3 allows: up to 1024 bytes of UTF-8, the edge_cases ones more often than chance has it."""
    edge_cases = st.sampled_from(
        [
            "a b+c%20.txt",
            "é+x.txt",
            "日本語/写真.JPG",
            "..",
            "folder/",
            "//",
            "100%",
            "%",
            "%2B",
            "+",
            "\x00",
            "🦊" * 256,
        ]
    )
    long = st.integers(900, MAX_KEY_BYTES).map("k".__mul__)
    return st.one_of(text(max_bytes=MAX_KEY_BYTES, min_size=1), edge_cases, long)


def json_values(*, max_leaves: int = 8) -> st.SearchStrategy[Json]:
    """Any JSON, including what only JSON can spell: half surrogate pairs, NaN, numbers of any size."""
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()))
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner), max_leaves=max_leaves
    )


def removals() -> st.SearchStrategy[dict[str, Any]]:
    """Real-shaped removals of versions and of delete markers, as AWS sends them: without size and ETag."""
    names = ("ObjectRemoved:Delete", "LifecycleExpiration:Delete")
    markers = ("ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:DeleteMarkerCreated")
    return st.builds(
        lambda record, name: {
            **record,
            "eventName": name,
            "s3": {
                **record["s3"],
                "object": {k: v for k, v in record["s3"]["object"].items() if k not in ("size", "eTag")},
            },
        },
        records(),
        st.sampled_from([*names, *markers]),
    )


def records() -> st.SearchStrategy[dict[str, Any]]:
    """Real-shaped creation records, with the fields that S3 sometimes leaves out sometimes left out."""
    return st.builds(
        s3_record,
        keys(),
        version_id=st.none() | st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._", min_size=1),
        event_name=st.sampled_from(["Put", "Post", "Copy", "CompleteMultipartUpload"]).map("ObjectCreated:".__add__),
        size=st.none() | st.integers(0, 50 * 2**40),
        etag=st.none() | st.text("0123456789abcdef-", min_size=1, max_size=40),
        event_time=times().map(lambda time: time.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
        sequencer=st.text("0123456789ABCDEF", min_size=1, max_size=20),
    )


@st.composite
def broken_records(draw: st.DrawFn) -> Json:
    """A real-shaped record of which one value, at any depth, is something else, or is missing."""
    record = draw(records())
    path = draw(st.sampled_from(sorted(_paths(record))))
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    if draw(st.booleans()):
        del inner[path[-1]]
    else:
        inner[path[-1]] = draw(json_values())
    return record


def times() -> st.SearchStrategy[datetime]:
    """Times in UTC."""
    return st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


def user_metadata() -> st.SearchStrategy[dict[str, str]]:
    """User metadata as its owner wrote it, within S3's 2 KB: names in small letters, values of any text on one line."""
    names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)
    values = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=60).map(str.strip)
    return st.dictionaries(names, values, max_size=5)


def heads() -> st.SearchStrategy[dict[str, Any]]:
    """Answers to HeadObject, with the fields that S3 leaves out when there is nothing to say sometimes left out."""
    optional = {
        "ContentType": text(),
        "StorageClass": st.sampled_from(["STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE"]),
        "ServerSideEncryption": st.sampled_from(["AES256", "aws:kms"]),
        "ChecksumSHA256": st.text("abcdef+/=", min_size=1, max_size=50),
        "ChecksumType": st.sampled_from(["FULL_OBJECT", "COMPOSITE"]),
        "VersionId": st.text("abcdef._", min_size=1, max_size=32),
        "Metadata": user_metadata(),
    }
    required = {
        "LastModified": times().map(lambda time: time.replace(microsecond=0)),
        "ContentLength": st.integers(0, 50 * 2**40),
        "ETag": st.text("0123456789abcdef-", min_size=1, max_size=40).map('"{}"'.format),
    }
    return st.fixed_dictionaries(required, optional=optional)


# What the AWS calls may raise; made anew each time, because raising adds a traceback.
TRANSIENT_ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: client_error(400, "ProvisionedThroughputExceededException"),
    lambda: client_error(400, "ThrottlingException"),
    lambda: client_error(503, "SlowDown"),
    lambda: client_error(500, "InternalServerError"),
    lambda: client_error(503),
    lambda: client_error(502),
    lambda: ReadTimeoutError(endpoint_url=URL),
    lambda: ConnectTimeoutError(endpoint_url=URL),
    lambda: ConnectionClosedError(endpoint_url=URL),
    lambda: EndpointConnectionError(endpoint_url=URL),
)
PERMANENT_ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: client_error(403),
    lambda: client_error(400, "AccessDeniedException"),
    lambda: client_error(400, "ResourceNotFoundException"),
    lambda: client_error(400, "ValidationException"),
    lambda: client_error(400, "ItemCollectionSizeLimitExceededException"),
    lambda: ParamValidationError(report="as the test wishes"),
    lambda: KeyError("a bug"),
)


def transient_errors() -> st.SearchStrategy[Exception]:
    """Errors after which the same call may succeed."""
    return st.sampled_from(TRANSIENT_ERRORS).map(lambda make: make())


def permanent_errors() -> st.SearchStrategy[Exception]:
    """Errors after which it cannot."""
    return st.sampled_from(PERMANENT_ERRORS).map(lambda make: make())


def faults(errors: st.SearchStrategy[Exception] | None = None) -> st.SearchStrategy[Fault]:
    """What may happen to a call, which never takes longer than botocore's time-outs let it."""
    return st.builds(
        Fault,
        st.none() | (transient_errors() | permanent_errors() if errors is None else errors),
        st.sampled_from(["before", "after"]),
        st.floats(0, 4),
    )


def _paths(value: Json, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = (
        [] if not isinstance(value, dict) else [each for name in value for each in _paths(value[name], (*path, name))]
    )
    return ([path] if path else []) + below
