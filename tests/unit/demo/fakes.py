"""A bucket whose objects become rows of a table at once, unless told otherwise, with a boto3 client's shape."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from localstack.deployers.deployment import Deployment, Progress, Resource
from localstack.emulators.emulator import Emulator
from localstack.showcase.demo.files import Source, content_type
from localstack.showcase.demo.store import Upload

BUCKET, TABLE = "uploads", "objects"
OUTPUTS = {
    "bucket_name": BUCKET,
    "table_name": TABLE,
    "failure_queue_url": "http://127.0.0.1:4566/failures",
    "log_group_name": "/aws/lambda/indexer",
}
UPLOADED = datetime(2026, 11, 22, 14, 3, 7, tzinfo=UTC)


class Clock:
    """A clock that moves only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def source(key: str, folder: Path = Path("given")) -> Source:
    return Source(path=folder / key, key=key, content_type=content_type(key))


def upload(key: str) -> Upload:
    return Upload(source=source(key), version_id="v1", finished=0.0)


def refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "so it is"}}, operation)


@dataclass
class FakeAws:
    """S3 and DynamoDB in one.

    `lost` keys never get a row, `refused` ones are not taken, the files of `unreadable` ones cannot be read,
    and `wrong` ones get a row with a wrong size.
    """

    lost: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    wrong: frozenset[str] = frozenset()
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _versions: Iterator[int] = field(default_factory=itertools.count)

    def put_object(self, *, Bucket: str, Key: str, Body: BinaryIO, **content_type_argument: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        if Key in self.refused:
            raise refusal("AccessDenied", "PutObject")
        if Key in self.unreadable:
            raise PermissionError(13, "Permission denied")
        content = Body.read()
        head = {
            "ContentLength": len(content),
            "ContentType": content_type_argument.get("ContentType", "binary/octet-stream"),
            "ETag": f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"',
            "LastModified": UPLOADED,
            "ServerSideEncryption": "AES256",
        }
        with self._lock:
            version = f"v{next(self._versions)}"
            self.objects[f"{Bucket}/{Key}", version] = {**head, "VersionId": version}
        return {"VersionId": version}

    def head_object(self, *, Bucket: str, Key: str, VersionId: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        try:
            return self.objects[f"{Bucket}/{Key}", VersionId]
        except KeyError:
            raise refusal("404", "HeadObject") from None

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  boto3's name
        keys = RequestItems[TABLE]["Keys"]
        assert 1 <= len(keys) <= 100  # as DynamoDB insists
        found = [self._row(key["object_id"]["S"], key["version_id"]["S"]) for key in keys]
        return {"Responses": {TABLE: [row for row in found if row]}}

    def _row(self, object_id: str, version: str) -> dict[str, Any] | None:
        bucket, key = object_id.split("/", 1)
        head = self.objects.get((object_id, version))
        if head is None or key in self.lost:
            return None
        return row(bucket, key, version, {**head, "ContentLength": head["ContentLength"] + (key in self.wrong)})


def row(bucket: str, key: str, version: str, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item of an object as DynamoDB sends it."""
    return {
        "object_id": {"S": f"{bucket}/{key}"},
        "version_id": {"S": version},
        "bucket": {"S": bucket},
        "key": {"S": key},
        "size_bytes": {"N": str(head["ContentLength"])},
        "content_type": {"S": head["ContentType"]},
        "etag": {"S": head["ETag"].strip('"')},
        "storage_class": {"S": "STANDARD"},
        "encryption": {"S": head["ServerSideEncryption"]},
        "uploaded_at": {"S": head["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z")},
    }


class FakeEmulator(Emulator):
    """An emulator without a process, whose clients are given."""

    def __init__(self, clients: Mapping[str, Any]) -> None:
        super().__init__(
            kind="embedded",
            name="FakeStack 1.0",
            endpoint="http://127.0.0.1:4566",
            region="us-east-1",
            why="it was asked for",
            logs=lambda _lines: "the emulator's last words",
        )
        self.given = clients
        self.running = self.started = False

    def client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401  as the real one
        assert region is None
        return self.given[service]

    @contextmanager
    def start(self, kind: str, *, port: int | None, report: Callable[[str], None]) -> Iterator[Emulator]:
        assert kind == "embedded"
        self.endpoint = f"http://127.0.0.1:{port or 4566}"
        report("making its environment")
        self.running = self.started = True
        try:
            yield self
        finally:
            self.running = False


def deploy(_where: Emulator, *, on_resource: Callable[[Progress], None]) -> Deployment:
    on_resource(Progress(type="aws:s3/bucket:Bucket", name="uploads", seconds=0.1))
    made = Resource(type="aws:s3/bucket:Bucket", name="uploads", id=BUCKET)
    return Deployment(outputs=OUTPUTS, resources=(made,), seconds=1.5, _destroy=lambda: None)


class FakeQueue:
    def __init__(self, *bodies: str) -> None:
        self.bodies = bodies

    def receive_message(self, **_: object) -> dict[str, Any]:
        return {"Messages": [{"Body": body} for body in self.bodies]} if self.bodies else {}


class FakeLogs:
    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def get_paginator(self, operation: str) -> FakeLogs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, **_: object) -> list[dict[str, Any]]:
        return [{"events": [{"timestamp": at, "message": f"{line}\n"}]} for at, line in enumerate(self.lines)]
