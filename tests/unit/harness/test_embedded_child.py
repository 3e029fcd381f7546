"""Tests of the patches that the embedded emulator applies to MiniStack. End-to-end tests use the patched MiniStack."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from types import ModuleType, SimpleNamespace
from typing import IO, Any, NoReturn
from zipfile import ZipFile

import botocore.session
import pytest

from localstack.emulators import embedded_child
from localstack.emulators.embedded_child import (
    PROTOCOLS,
    RAISED,
    SharedZip,
    keep_inventory_configurations,
    patch_worker,
    queue_events,
    serve_ranges,
    set_protocols,
)
from tests.support import waiting


class FakeWorker:
    """Fake of MiniStack's Worker with the attributes that the patch uses."""

    def __init__(self, log: IO[str]) -> None:
        self._proc = SimpleNamespace(stderr=log)
        self._stderr_queue: Queue[str] = Queue()

    def _drain_stderr(self) -> str:
        return "\n".join(self._stderr_queue.get_nowait() for _ in range(self._stderr_queue.qsize()))


def test_patched_ministack_worker_returns_the_complete_invocation_log() -> None:
    runtime: Any = SimpleNamespace(Worker=FakeWorker, _PYTHON_WORKER_SCRIPT=RAISED)
    patch_worker(runtime)
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as log, os.fdopen(writer, "wb", buffering=0) as output:
        worker = runtime.Worker(log)
        assert callable(worker._read_stderr)  # MiniStack runs _read_stderr in a thread.
        output.write(b"one\ntwo\nunfin")
        assert worker._drain_stderr_bounded() == "one\ntwo"
        assert worker._drain_stderr_bounded() == ""
        output.write(b"ished\nthe last w\xffrds")
        output.close()
        assert worker._drain_stderr() == "unfinished\nthe last w\N{REPLACEMENT CHARACTER}rds"
        assert worker.log.read_available() is False


def test_ministack_patch_rejects_a_different_ministack_version() -> None:
    with pytest.raises(AssertionError):
        patch_worker(SimpleNamespace(_PYTHON_WORKER_SCRIPT="otherwise"))


MINISTACK_INVOKE = """
import contextvars, threading

def invoke_async_with_retry(function, event):
    def _run():
        results.append(_execute_function(function, event))
    threading.Thread(target=contextvars.copy_context().run, args=(_run,), daemon=True).start()
"""
"""Structure of MiniStack's function for asynchronous events, which starts a thread for each event."""


def functions_module(execute: Callable[[dict[str, Any], str], dict[str, Any]]) -> Any:  # noqa: ANN401  a module
    """Return a fake of MiniStack's module of Lambda whose events call `execute`."""
    module = ModuleType("lambda_svc")
    exec(MINISTACK_INVOKE, vars(module))  # noqa: S102  our own code
    vars(module).update(results=[], _execute_function=execute)
    return module


@pytest.mark.parametrize(
    ("wanted", "status", "body", "content_range"),
    [
        ("bytes=1-3", 206, b"bcd", "bytes 1-3/5"),
        ("bytes=3-9", 206, b"de", "bytes 3-4/5"),
        ("", 200, b"abcde", None),  # no range
    ],
)
def test_patched_ministack_returns_the_range_of_an_object_version(
    wanted: str, status: int, body: bytes, content_range: str | None
) -> None:
    """A checksum of the whole object must not be in the response, because clients would compare it with the range."""
    headers = {"ETag": "e", "Content-Length": "5", "x-amz-checksum-crc32": "c"}
    s3: Any = SimpleNamespace(
        _get_object=lambda *_: (200, headers, b"abcde"),
        _parse_range=lambda text, total: (int(text[6]), min(int(text[8]), total - 1)) if text else None,
    )
    serve_ranges(s3)
    found = s3._get_object("bucket", "key", {"range": wanted}, {})
    assert (found[0], found[2]) == (status, body)
    assert found[1].get("Content-Range") == content_range
    assert found[1]["Content-Length"] == str(len(body))
    assert ("x-amz-checksum-crc32" in found[1]) is (status == 200)


def test_patched_ministack_returns_errors_of_s3_unchanged() -> None:
    s3: Any = SimpleNamespace(_get_object=lambda *_: (404, {}, b"<Error/>"), _parse_range=lambda *_: (0, 1))
    serve_ranges(s3)
    assert s3._get_object("bucket", "key", {"range": "bytes=0-1"}) == (404, {}, b"<Error/>")


def test_patched_ministack_stores_inventory_configurations() -> None:
    requests: list[str] = []

    async def handle_request(method: str, path: str, *_: object) -> tuple[int, Any, bytes]:
        requests.append(f"{method} {path}")
        return (200 if path == "/bucket" else 404), {}, b"another response"

    s3: Any = SimpleNamespace(
        handle_request=handle_request,
        _parse_bucket_key=lambda path, _: (path.split("/")[1], "".join(path.split("/")[2:])),
        _error=lambda code, _, status: (status, {}, code.encode()),
    )
    keep_inventory_configurations(s3)

    def send(method: str, path: str = "/bucket", identifier: str = "a") -> tuple[int, bytes]:
        query = {"inventory": [""], "id": [identifier]}
        status, _headers, body = asyncio.run(s3.handle_request(method, path, {}, b"<xml/>", query))
        return status, body

    assert send("GET") == (404, b"NoSuchConfiguration")
    assert (send("PUT"), send("GET"), send("GET", identifier="b")) == (
        (200, b""),
        (200, b"<xml/>"),
        (404, b"NoSuchConfiguration"),
    )
    assert (send("DELETE"), send("DELETE")) == ((204, b""), (404, b"NoSuchConfiguration"))
    assert send("PUT", "/missing") == (404, b"another response")
    assert "DELETE /bucket" not in requests  # without the patch, MiniStack would delete the bucket
    assert asyncio.run(s3.handle_request("PUT", "/bucket", {}, b"", {})) == (200, {}, b"another response")


def test_emulator_queues_events_beyond_the_limit_and_processes_all() -> None:
    running, lock = [0, 0], threading.Lock()
    pair = threading.Barrier(2, timeout=waiting.TIMEOUT)

    def execute(_: dict[str, Any], event: str) -> dict[str, Any]:
        with lock:
            running[0] += 1
            running[1] = max(running)
        pair.wait()  # Two events must be processed at the same time.
        with lock:
            running[0] -= 1
        return {"event": event}

    functions = functions_module(execute)
    queue_events(functions, limit=2)
    for event in "abcdef":
        functions.invoke_async_with_retry({}, event)
    waiting.wait_until(lambda: len(functions.results) == 6, "six results")
    assert sorted(result["event"] for result in functions.results) == list("abcdef")
    assert running[1] == 2


def test_emulator_keeps_a_throttled_event_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_child, "THROTTLED_PAUSE", 0)
    responses: list[dict[str, Any]] = [{"throttle": True}, {"throttle": True}, {"body": 1}]
    functions = functions_module(lambda *_: responses.pop(0))
    queue_events(functions)
    functions.invoke_async_with_retry({"concurrency": 1}, "event")
    waiting.wait_until(lambda: functions.results, "a result")
    assert functions.results == [{"body": 1}]


def test_emulator_does_not_queue_events_of_a_function_without_concurrency() -> None:
    functions = functions_module(lambda *_: {"throttle": True})
    queue_events(functions)
    functions.invoke_async_with_retry({"concurrency": 0}, "event")
    waiting.wait_until(lambda: functions.results, "a result")
    assert functions.results == [{"throttle": True}]


def test_emulator_logs_an_exception_of_a_queued_event(log_text: io.StringIO) -> None:
    def fail(*_: object) -> NoReturn:
        raise KeyError("missing")

    functions = functions_module(fail)
    queue_events(functions)
    functions.invoke_async_with_retry({}, "event")
    waiting.wait_until(lambda: "KeyError: 'missing'" in log_text.getvalue(), "the exception in the log")


@pytest.mark.parametrize("service", PROTOCOLS)
def test_protocol_table_of_the_embedded_emulator_matches_botocore(service: str) -> None:
    name = "cloudwatch" if service == "monitoring" else service
    described = botocore.session.get_session().get_service_model(name).metadata
    known = {key: described[key] for key in ("protocol", "jsonVersion") if key in described}
    assert known == PROTOCOLS[service]


def test_emulator_reads_a_known_service_protocol_without_loading_the_service_model() -> None:
    loaded: list[str] = []

    def load(service: str) -> SimpleNamespace:
        loaded.append(service)
        return SimpleNamespace(metadata={}, operation_names=["Anything"])

    responses = SimpleNamespace(_service_model=load)
    set_protocols(responses)
    assert responses._service_model("sqs").metadata == {"protocol": "json", "jsonVersion": "1.0"}
    assert loaded == []
    assert responses._service_model("sqs").operation_names == ["Anything"]
    assert responses._service_model("kms").metadata == {}
    assert loaded == ["sqs", "kms"]


def unpack(archive: str, folder: Path) -> None:
    folder.mkdir()
    with SharedZip(archive) as zip_file:
        zip_file.extractall(str(folder))


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Zip archives with one file each, whose content is the name of the archive."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    paths = {name: str(tmp_path / f"{name}.zip") for name in ("same", "other")}
    for name, path in paths.items():
        with ZipFile(path, "w") as archive:
            archive.writestr("main.py", name)
    return paths


def test_shared_zip_extracts_an_archive_only_once(tmp_path: Path, archives: dict[str, str]) -> None:
    folders = [tmp_path / name for name in ("first", "second", "third")]
    names = ["same", "same", "other"]
    for folder, name in zip(folders, names, strict=True):
        unpack(archives[name], folder)
    assert [(folder / "main.py").read_text() for folder in folders] == names
    first, second, third = (folder.resolve() for folder in folders)
    assert first == second != third


def test_shared_zip_supports_concurrent_extraction_of_an_archive(
    tmp_path: Path, archives: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extract, slow, fast = ZipFile.extractall, tmp_path / "slow", tmp_path / "fast"

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(ZipFile, "extractall", extract)
        unpack(archives["same"], fast)
        extract(*arguments)

    monkeypatch.setattr(ZipFile, "extractall", overtaken)
    unpack(archives["same"], slow)
    assert (slow / "main.py").read_text() == (fast / "main.py").read_text() == "same"
    assert slow.resolve() == fast.resolve()
