"""Fakes for tests of the upload server: an in-memory stack, a server on a free port, and an HTTP client."""

from __future__ import annotations

import functools
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from examples.upload.server import UploadServer
from examples.upload.stack import Stack, s3_config
from examples.upload.upload_requests import Rules
from tests.support.serving import serving

REGION = "eu-west-1"
RULES = Rules(prefix="in/", max_bytes=1000, seconds=60)


@functools.cache
def signing_client() -> Any:  # noqa: ANN401  boto3 makes its classes while it runs
    return boto3.client("s3", region_name=REGION, config=s3_config(custom_endpoint=False))


class FakeS3:
    """Fake S3 client that signs requests with a real boto3 client.

    Args:
        origins: allowed origins of the bucket's CORS rule, or the error code or the exception of GetBucketCors.
        methods: allowed HTTP methods of the CORS rule.
    """

    def __init__(self, origins: list[str] | str | Exception, methods: tuple[str, ...] = ("PUT", "POST")) -> None:
        self._origins, self._methods = origins, list(methods)
        self.generate_presigned_post = signing_client().generate_presigned_post

    def get_bucket_cors(self, **_: str) -> dict[str, Any]:
        if isinstance(self._origins, Exception):
            raise self._origins
        if isinstance(self._origins, str):
            raise ClientError({"Error": {"Code": self._origins, "Message": "no"}}, "GetBucketCors")
        return {"CORSRules": [{"AllowedMethods": self._methods, "AllowedOrigins": self._origins}]}


class FakeDynamoDb:
    """Fake DynamoDB client that records each query, and returns fixed items or raises an exception."""

    def __init__(self, items: list[dict[str, Any]] | Exception) -> None:
        self._items = items
        self.queries: list[dict[str, Any]] = []

    def query(self, **query: Any) -> dict[str, Any]:
        self.queries.append(query)
        if isinstance(self._items, Exception):
            raise self._items
        return {"Items": self._items}


def fake_stack(s3: FakeS3 | None = None, dynamodb: FakeDynamoDb | None = None) -> Stack:
    s3, dynamodb = s3 or FakeS3(["http://localhost:*"]), dynamodb or FakeDynamoDb([])
    return Stack(s3, dynamodb, bucket="uploads", table="t", rules=RULES)


@dataclass(frozen=True, kw_only=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever JSON it is
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json["error"]["code"]


class PageClient:
    """HTTP client that sends requests like the upload page. Headers can simulate other pages."""

    def __init__(self, server: UploadServer) -> None:
        self.server = server

    def get(self, path: str, **headers: str) -> Response:
        return self.send("GET", path, None, headers)

    def post(self, content: object, **headers: str) -> Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        defaults = {"Origin": self.server.origin, "Content-Type": "application/json"}
        return self.send("POST", "/api/uploads", body, {**defaults, **headers})

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        """Send an HTTP request. An underscore in a header name becomes a hyphen."""
        fields = {"Host": self.server.authority, **{name.replace("_", "-"): value for name, value in headers.items()}}
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)) as connection:
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            return Response(status=response.status, headers=dict(response.getheaders()), body=response.read())

    def send_raw(self, request: str) -> bytes:
        """Send a request as text, and return all bytes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
            connection.sendall(request.encode())
            return b"".join(iter(lambda: connection.recv(65_536), b""))


@contextmanager
def serve(stack: Stack) -> Iterator[PageClient]:
    with serving(UploadServer(stack, port=0)) as server:
        yield PageClient(server)
