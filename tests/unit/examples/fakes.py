"""A stack in memory, a server on a free port, and requests as a page sends them."""

from __future__ import annotations

import functools
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from examples.upload.server import UploadServer
from examples.upload.stack import Stack, s3_config
from examples.upload.upload_requests import Rules

REGION = "eu-west-1"
RULES = Rules(prefix="in/", max_bytes=1000, seconds=60)


@functools.cache
def signer() -> Any:  # noqa: ANN401  boto3 makes its classes while it runs
    return boto3.client("s3", region_name=REGION, config=s3_config(custom_endpoint=False))


class FakeS3:
    """Signs with boto3's own client, and says what the bucket's CORS rules are; a text is an error's code."""

    def __init__(self, origins: list[str] | str, methods: tuple[str, ...] = ("PUT", "POST")) -> None:
        self.origins = origins
        self._methods = list(methods)
        self.generate_presigned_post = signer().generate_presigned_post

    def get_bucket_cors(self, **_: str) -> dict[str, Any]:
        if isinstance(self.origins, str):
            raise ClientError({"Error": {"Code": self.origins, "Message": "no"}}, "GetBucketCors")
        return {"CORSRules": [{"AllowedMethods": self._methods, "AllowedOrigins": self.origins}]}


class FakeDynamoDb:
    """Answers every question with the same items, and keeps the questions; an error is raised instead."""

    def __init__(self, items: list[dict[str, Any]] | Exception) -> None:
        self.items = items
        self.asked: list[dict[str, Any]] = []

    def query(self, **question: Any) -> dict[str, Any]:
        self.asked.append(question)
        if isinstance(self.items, Exception):
            raise self.items
        return {"Items": self.items}


def stack(s3: FakeS3 | None = None, dynamodb: FakeDynamoDb | None = None) -> Stack:
    return Stack(
        s3 or FakeS3(["http://localhost:*"]), dynamodb or FakeDynamoDb([]), bucket="uploads", table="t", rules=RULES
    )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A server's response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever JSON it is
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json["error"]["code"]


class Sender:
    """Sends what a page of this server would send, and what others might."""

    def __init__(self, server: UploadServer) -> None:
        self.server = server

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, content: object, **headers: str) -> Answer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        page = {"Origin": self.server.origin, "Content-Type": "application/json", **headers}
        return self.send("POST", "/api/uploads", body, page)

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send a request; names of `headers` may have _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        named = {"Host": self.server.authority, **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(status=response.status, headers=dict(response.getheaders()), body=response.read())
        finally:
            connection.close()


@contextmanager
def served(which: Stack) -> Iterator[Sender]:
    with UploadServer(which, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.001})
        thread.start()
        try:
            yield Sender(server)
        finally:
            server.shutdown()
            thread.join()
