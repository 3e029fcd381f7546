"""Tests of files that change while they are uploaded, with boto3 and an HTTP server that stores objects."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from localstack.showcase.demo.file_body import FileBody, FileError
from localstack.showcase.demo.files import Source
from localstack.showcase.demo.store import Store
from tests.support.serving import serving

SIZE = 200_000
CHANGED = rf"changed while it was uploaded, or it does not have the {SIZE} bytes .*upload a copy"


class Objects(BaseHTTPRequestHandler):
    """HTTP server that stores the bodies of PUT requests, and keeps its connections open as S3 does."""

    protocol_version = "HTTP/1.1"
    stored: dict[str, bytes]

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) == length:
            self.stored[self.path.rpartition("/")[2]] = content
        self.send_response(200)
        self.send_header("x-amz-version-id", "v1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Suppress the log lines of HTTP requests."""


@pytest.fixture
def objects() -> Iterator[tuple[Any, dict[str, bytes]]]:
    """boto3 client for the server `Objects`, with one connection, and the stored objects."""
    stored: dict[str, bytes] = {}
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Objects,), {"stored": stored}))) as server:
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=1, proxies={}),
        )
        yield client, stored
        client.close()  # The server waits for the end of its connections.


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, SIZE // 2)


def overwrite(path: Path) -> None:
    """Replace the content by content of the same size."""
    path.write_bytes(b"y" * SIZE)
    os.utime(path, ns=(1, 1))  # The clock of some file systems is so slow that the time would not change in a test.


@pytest.mark.parametrize("event", ["before-parameter-build", "before-sign", "before-send"])
@pytest.mark.parametrize("change", [grow, shrink, overwrite])
def test_file_that_changes_during_its_upload_is_reported_and_does_not_disturb_the_next_upload(
    change: Callable[[Path], None], event: str, objects: tuple[Any, dict[str, bytes]], tmp_path: Path
) -> None:
    client, stored = objects
    store = Store(client, None, bucket="uploads", table="objects")
    small, log = (Source(path=tmp_path / name, key=name, content_type=None) for name in ("small", "log"))
    small.path.write_bytes(b"small")
    log.path.write_bytes(b"x" * SIZE)
    assert store.put(small) == "v1"
    client.meta.events.register(f"{event}.s3.PutObject", lambda **_: change(log.path), unique_id="change")
    with pytest.raises(FileError, match=CHANGED):
        store.put(log)
    client.meta.events.unregister(f"{event}.s3.PutObject", unique_id="change")
    stored.clear()
    assert store.put(small) == "v1"
    assert stored == {"small": b"small"}
    assert store.put(log) == "v1"
    assert stored["log"] == log.path.read_bytes()


@pytest.mark.parametrize("size", [0, 4096])
def test_file_without_a_correct_size_is_reported(size: int, tmp_path: Path) -> None:
    """On Linux, files in /proc have the size 0, and files in /sys have the size 4096."""

    class Generated(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            return b"x"[:size]

    (tmp_path / "file").write_bytes(bytes(size))
    with Generated(str(tmp_path / "file")) as file, pytest.raises(FileError, match=f"does not have the {size} bytes"):
        FileBody(file).read()


def test_file_with_a_read_error_is_reported_with_the_cause(tmp_path: Path) -> None:
    class Broken(io.FileIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    (tmp_path / "file").write_bytes(b"x")
    with Broken(str(tmp_path / "file")) as file, pytest.raises(FileError, match="cannot be read: Input/output error"):
        FileBody(file).read(1)


def test_missing_file_is_reported_as_unreadable(tmp_path: Path) -> None:
    store = Store(None, None, bucket="uploads", table="objects")
    with pytest.raises(FileError, match="cannot be read: No such file or directory"):
        store.put(Source(path=tmp_path / "deleted", key="deleted", content_type=None))


def test_file_body_has_the_content_and_the_positions_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        body = FileBody(file)
        assert (body.read(4), body.tell(), body.read(-1), body.read(), body.read(4)) == (
            b"0123",
            4,
            b"456789",
            b"",
            b"",
        )
        assert (body.seek(-1, io.SEEK_END), body.read()) == (9, b"9")
        assert (body.seek(2), body.seek(1, io.SEEK_CUR), body.read(3)) == (2, 3, b"345")
