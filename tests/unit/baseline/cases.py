"""The inputs of baseline 2: events, each with the scripted responses of S3 and DynamoDB. All follow from one seed.

A response is a dictionary: `status`, `headers` and `body` of an HTTP response, `raises` (a botocore exception
instead), or `table` (DynamoDB applies the update to an in-memory table and returns the previous row). The last response
of a list repeats.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

SEED = 13
GENERATED = 500
BUCKET = "uploads"
REAL_EVENTS = Path(__file__).with_name("real_events.json")

Case = dict[str, Any]
Response = dict[str, Any]

HEAD_HEADERS = {
    "Last-Modified": "Sat, 31 Jan 2026 11:59:58 GMT",
    "ETag": '"d41d8cd98f00b204e9800998ecf8427e"',
    "Content-Length": "1024",
    "Content-Type": "image/jpeg",
    "Accept-Ranges": "bytes",
    "x-amz-request-id": "5582815E1AEA5ADF",
    "x-amz-version-id": "v1",
}
MORE_HEADERS: list[dict[str, str]] = [
    {},
    {},
    {"x-amz-server-side-encryption": "AES256"},
    {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:us-east-1:123456789012:key/k",
        "x-amz-server-side-encryption-bucket-key-enabled": "true",
    },
    {"x-amz-server-side-encryption": "aws:kms:dsse"},
    {"x-amz-checksum-crc64nvme": "ynIoRb1s2ao=", "x-amz-checksum-type": "FULL_OBJECT"},
    {"x-amz-checksum-crc32": "AAAAAA==-3", "x-amz-checksum-type": "COMPOSITE"},
    {"x-amz-checksum-crc32c": "yZRlqg=="},
    {"x-amz-checksum-sha1": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
    {"x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "x-amz-checksum-type": "COMPOSITE"},
    {"x-amz-checksum-sha256": "a", "x-amz-checksum-crc32": "b", "x-amz-checksum-type": "FULL_OBJECT"},
    {"x-amz-meta-owner": "alice", "x-amz-meta-camera": "x 100"},
    {"x-amz-meta-title": "=?UTF-8?Q?caf=C3=A9_du_nord?="},
    {"x-amz-meta-title": "=?UTF-8?B?w6nDqA==?= =?utf-8?q?=E2=82=AC?= plain"},
    {"x-amz-meta-title": "=?UTF-8?B?w6nDq===?=", "x-amz-meta-other": "=?UTF-8?B?/w==?="},
    {"x-amz-meta-title": "=?ISO-8859-1?Q?caf=E9?=", "x-amz-meta-raw": "caf\u00e9"},
    {"x-amz-meta-": "no name", "x-amz-meta-a": ""},
    {"x-amz-storage-class": "GLACIER_IR"},
    {"x-amz-storage-class": "DEEP_ARCHIVE", "x-amz-restore": 'ongoing-request="true"', "x-amz-archive-status": "x"},
    {"x-amz-replication-status": "REPLICA", "x-amz-tagging-count": "3", "x-amz-mp-parts-count": "4"},
    {"Expires": "never", "Cache-Control": "no-store", "Content-Language": "de"},
    {"Content-Length": "0", "ETag": '"abc-12"', "Content-Type": ""},
    {"Content-Length": "5497558138880", "x-amz-object-lock-mode": "GOVERNANCE"},
    {"Last-Modified": "2026-01-31T11:59:58.123Z"},
    {"Last-Modified": "1769860798"},
]
BROKEN_HEADS: list[Response] = [
    {"without": ["ETag"]},
    {"without": ["Last-Modified", "Content-Length"]},
    {"without": ["Content-Type"]},
    {"headers": {"Last-Modified": "yesterday"}},
    {"headers": {"Last-Modified": "Sun, 29 Feb 2032 23:59:60 GMT"}},
    {"headers": {"Content-Length": "many"}},
    {"without": list(HEAD_HEADERS)},
]
HEAD_ERRORS: list[Response] = [
    {"status": 404},
    {"status": 404, "headers": {"x-amz-delete-marker": "true", "x-amz-version-id": "m1"}},
    {
        "status": 405,
        "headers": {"x-amz-delete-marker": "true", "Last-Modified": "Sat, 31 Jan 2026 12:00:03 GMT", "Allow": "DELETE"},
    },
    {"status": 405},
    {"status": 405, "headers": {"x-amz-delete-marker": "true", "Last-Modified": "some day"}},
    {"status": 405, "headers": {"Last-Modified": "Sat, 31 Jan 2026 12:00:03"}},
    {"status": 403},
    {"status": 400},
    {"status": 401},
    {"status": 412},
    {"status": 429},
    {"status": 500},
    {"status": 503},
    {"status": 504},
    {"status": 503, "body": "<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"},
    {"status": 400, "body": "<Error><Code>ExpiredToken</Code></Error>"},
]
RAISES = [
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "EndpointConnectionError",
    "HTTPClientError",
]
EMPTY_ROW: Response = {"status": 200, "body": "{}"}
TABLE: Response = {"table": True}


def _dynamodb_error(code: str, status: int = 400, **more: str) -> Response:
    return {
        "status": status,
        "body": json.dumps(
            {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": f"It says {code}", **more}
        ),
    }


UPDATE_ERRORS: list[Response] = [
    *(_dynamodb_error(code) for code in ("ProvisionedThroughputExceededException", "ThrottlingException")),
    *(_dynamodb_error(code) for code in ("ProvisionedThroughputExceededException", "RequestLimitExceeded")),
    *(_dynamodb_error(code) for code in ("ValidationException", "ResourceNotFoundException", "AccessDeniedException")),
    *(_dynamodb_error(code) for code in ("UnrecognizedClientException", "ExpiredTokenException")),
    *(_dynamodb_error(code) for code in ("ItemCollectionSizeLimitExceededException", "TransactionInProgressException")),
    _dynamodb_error("InternalServerError", 500),
    _dynamodb_error("ServiceUnavailable", 503),
    {"status": 503, "body": "<html>Service Unavailable</html>"},
    {"status": 413, "body": ""},
    {"status": 500, "body": ""},
    {"status": 200, "body": '{"Attributes": {"bucket": {"S": "upl', "length": 400},
    {"status": 200, "body": "", "length": 300},
    {"status": 200, "body": "{}", "length": 300},
    {"status": 200, "body": "{}", "headers": {"x-amz-crc32": "1"}},
    {"table": True, "raises": "ReadTimeoutError"},
    {"table": True, "raises": "ConnectionClosedError"},
]
OLD_ROWS: list[dict[str, Any]] = [
    {"bucket": {"S": BUCKET}},
    {"processed_at": {"S": "2026-01-01T00:00:00.000Z"}, "request_id": {"S": "earlier"}},
    {"content_type": {"S": "image/jpeg"}, "processed_at": {"S": "2026-01-01T00:00:00.000Z"}},
    {"delete_marker": {"BOOL": True}},
    {"delete_marker": {"BOOL": True}, "deleted_at": {"S": "2026-01-01T00:00:00.000Z"}},
]
KEYS = [
    "photos/cat.jpg", "a+b%2Bc.txt", "caf%C3%A9/%E2%82%AC.PDF", "a%2525b", "%20lead+trail+", "no-extension", "dir/",
    ".hidden", "a.tar.gz", "%F0%9F%98%80.png", "%22quoted%22%27.csv", "tab%09new%0Aline.txt", "%26%3D%3F%23.html",
    "a//b/../c.TXT", "e%CC%81.txt", "x" * 1024, "%00", "caf\u00e9 raw.txt", "100%25", "%zz.txt", "%2Fslash",
]  # fmt: skip
BAD_KEYS = ["%FF", "%C3", "x" * 1025, "%41" * 1025, "", "x" * 4000]
CREATED = ["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload"]
REMOVED = ["ObjectRemoved:Delete", "LifecycleExpiration:Delete", "s3:ObjectRemoved:Delete"]
MARKED = ["ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:DeleteMarkerCreated"]
OTHERS = ["ObjectRestore:Completed", "ObjectTagging:Put", "IntelligentTiering", "ReducedRedundancyLostObject", "Odd"]
WRONG_VALUES: list[Any] = [
    None,
    5,
    -1,
    1.5,
    True,
    [],
    {},
    "",
    "x" * 1025,
    "\ud800",
    {"a": [1]},
    2**63,
    "5",
    "\u00e9" * 600,
]
NONSENSE: list[Any] = [
    None, 5, "text", [], {}, True, {"Records": None}, {"Records": {}}, {"Records": []}, {"Records": "x"},
    {"Records": [None]}, {"Records": [1, "x", [], {}]}, {"Records": [{"s3": None, "eventName": "ObjectCreated:Put"}]},
    {"Event": "s3:TestEvent", "Records": []}, {"Event": "s3:Other"}, [{"Records": []}],
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-31T12:00:00.000Z", "Bucket": BUCKET},
]  # fmt: skip
TIMES = [
    "2026-01-31T11:59:59.000Z", "2026-01-31T12:00:00.123Z", "2026-01-31T13:30:00+01:30", "2026-02-01T00:00:00Z",
    "1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2026-01-31T11:59:59.123456Z",
]  # fmt: skip
BAD_TIMES = ["yesterday", "2026-01-31T12:00:00", "0001-01-01T00:00:00+10:00", "2026-02-30T00:00:00Z"]


def head(rng: random.Random, version: str | None) -> Response:
    """Return a response to HeadObject for an existing object."""
    headers = dict(HEAD_HEADERS)
    for more in rng.sample(MORE_HEADERS, 3):
        headers |= more
    if version is None or version == "null":
        del headers["x-amz-version-id"]
        if rng.random() < 0.3:
            headers["x-amz-version-id"] = "null"
    else:
        headers["x-amz-version-id"] = version
    response: Response = {"status": 200, "headers": headers}
    if rng.random() < 0.08:
        broken = rng.choice(BROKEN_HEADS)
        headers |= broken.get("headers", {})
        response["headers"] = {name: value for name, value in headers.items() if name not in broken.get("without", [])}
    return response


def s3_responses(rng: random.Random, version: str | None) -> list[Response]:
    """Return what S3 answers to one case's HeadObject calls."""
    chance = rng.random()
    if chance < 0.5:
        return [head(rng, version)]
    if chance < 0.6:  # the object changes between two calls
        return [head(rng, version), rng.choice([head(rng, version), {"status": 404}, HEAD_ERRORS[2]])]
    failure = rng.choice([*HEAD_ERRORS, *({"raises": name} for name in RAISES)])
    failures = [failure] * rng.choice([1, 1, 2, 5])
    return failures if chance < 0.8 else [*failures, head(rng, version)]


def dynamodb_responses(rng: random.Random) -> list[Response]:
    """Return what DynamoDB answers to one case's UpdateItem calls."""
    chance = rng.random()
    if chance < 0.45:
        return [TABLE]
    if chance < 0.55:
        return [EMPTY_ROW]
    if chance < 0.7:
        return [{"status": 200, "body": json.dumps({"Attributes": rng.choice(OLD_ROWS)})}]
    failure = rng.choice([*UPDATE_ERRORS, *({"raises": name} for name in RAISES)])
    failures = [failure] * rng.choice([1, 1, 2, 5])
    return failures if chance < 0.8 else [*failures, TABLE]


def record(rng: random.Random) -> tuple[dict[str, Any], str | None]:
    """Return a record of an event, and the version that it names."""
    kind = rng.random()
    names = CREATED if kind < 0.5 else REMOVED if kind < 0.7 else MARKED if kind < 0.9 else OTHERS
    name = rng.choice(names)
    version = rng.choice(["v1", "v1", "v1", "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY", "null", None])
    s3_object: dict[str, Any] = {"key": rng.choice(KEYS)}
    by_hand = version is None and rng.random() < 0.5
    if version is not None:
        s3_object["versionId"] = version
    if not by_hand:
        s3_object["sequencer"] = rng.choice(["0055AED6DCD90281E5", "", "00"])
        s3_object["size"] = rng.choice([0, 1024, 2**40])
        s3_object["eTag"] = rng.choice(["d41d8cd98f00b204e9800998ecf8427e", '"quoted"', ""])
    raw: dict[str, Any] = {
        "eventName": name,
        "s3": {"bucket": {"name": BUCKET, "arn": f"arn:aws:s3:::{BUCKET}"}, "object": s3_object},
    }
    if not by_hand or rng.random() < 0.3:
        raw |= {
            "eventVersion": rng.choice(["2.1", "2.2", "2.6", "2"]),
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": rng.choice(TIMES),
            "userIdentity": {"principalId": rng.choice(["AWS:AIDA1", "s3.amazonaws.com", ""])},
            "requestParameters": {"sourceIPAddress": "203.0.113.1"},
        }
    if name == "IntelligentTiering":
        raw["s3"]["get_object"] = raw["s3"].pop("object")
    return raw, version


def spoil(rng: random.Random, raw: dict[str, Any]) -> None:
    """Make one field of a record wrong."""
    s3_object = raw["s3"].get("object", raw["s3"].get("get_object"))
    match rng.randrange(10):
        case 0:
            s3_object["key"] = rng.choice(BAD_KEYS)
        case 1:
            raw["eventTime"] = rng.choice(BAD_TIMES)
        case 2:
            raw["eventVersion"] = rng.choice(["1.0", "3.0", "2x", "", 2])
        case 3:
            raw["s3"]["bucket"]["name"] = rng.choice(["another", "UPLOADS", 5, None])
        case 4:
            raw["eventSource"] = rng.choice(["aws:sqs", "", 5])
        case _:
            holder = rng.choice([raw, raw, raw["s3"], raw["s3"]["bucket"], s3_object, s3_object, s3_object])
            name = rng.choice(sorted(holder))
            if rng.random() < 0.3:
                del holder[name]
            else:
                holder[name] = rng.choice(WRONG_VALUES)


def generated(number: int) -> Case:
    """Return one of the generated cases."""
    rng = random.Random(f"{SEED}-{number}")  # noqa: S311  inputs of tests
    case: Case = {
        "name": f"generated {number:03}",
        "milliseconds": rng.choice([60_000] * 12 + [600_000, 8_000, 6_000, 900]),
    }
    if number < len(NONSENSE):
        return case | {"event": NONSENSE[number], "s3": [{"status": 404}], "dynamodb": [TABLE]}
    several = rng.random() < 0.2
    chosen = [record(rng) for _ in range(rng.choice([2, 3, 5]) if several else 1)]
    for raw, _version in chosen:
        if rng.random() < 0.25:
            spoil(rng, raw)
    return case | {
        "event": {"Records": [raw for raw, _version in chosen]},
        "s3": s3_responses(rng, chosen[0][1]),
        "dynamodb": dynamodb_responses(rng),
        "deliveries": rng.choice([1, 1, 1, 2, 3]),
    }


def cases() -> list[Case]:
    """Return all cases: first the events that AWS documents, then the generated ones."""
    found = []
    there = {"object": {"status": 200, "headers": HEAD_HEADERS}, "marker": HEAD_ERRORS[2], None: {"status": 404}}
    for real in json.loads(REAL_EVENTS.read_text(encoding="utf-8")):
        responses = {"s3": [there[real["there"]]], "dynamodb": [TABLE]}
        found.append({"name": f"real: {real['name']}", "event": real["event"], "milliseconds": 60_000, **responses})
    return found + [generated(number) for number in range(GENERATED)]
