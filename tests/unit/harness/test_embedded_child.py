"""A function's log as the embedded emulator is made to take it; that it works with MiniStack, the e2e tier shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from types import SimpleNamespace
from typing import IO, Any
from zipfile import ZipFile

import botocore.session
import pytest

from localstack.emulators.embedded_child import (
    PROTOCOLS,
    RAISED,
    RAISED_AND_KEPT,
    Log,
    SharedZip,
    patch_worker,
    set_protocols,
)


class Pipe:
    """What a function writes to, and the end of it that is read."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self.stream: IO[str] = os.fdopen(reading, encoding="utf-8")

    def write(self, text: str) -> None:
        os.write(self._writing, text.encode())

    def end(self) -> None:
        os.close(self._writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.stream.close()


def taken(lines: Queue[str]) -> list[str]:
    return [lines.get_nowait() for _ in range(lines.qsize())]


class MiniStackWorker:
    """As much of MiniStack's as is used here."""

    def __init__(self, pipe: Pipe) -> None:
        self._proc = SimpleNamespace(stderr=pipe.stream)
        self._stderr_queue: Queue[str] = Queue()
        self.answer: dict[str, Any] = {"status": "ok"}

    def invoke(self, _event: object) -> dict[str, Any]:
        return self.answer

    def _drain_stderr(self) -> str:
        return "\n".join(taken(self._stderr_queue))


@pytest.fixture
def runtime() -> SimpleNamespace:
    module = SimpleNamespace(Worker=MiniStackWorker, _PYTHON_WORKER_SCRIPT=f"answer({RAISED})")
    patch_worker(module)
    return module


def test_all_that_was_written_is_taken_at_once(pipe: Pipe) -> None:
    lines: Queue[str] = Queue()
    log = Log(pipe.stream, lines)
    pipe.write("one\ntwo\nunfinished")
    assert log.read_available() is True
    assert taken(lines) == ["one", "two"]
    pipe.write(" and finished\n")
    assert log.read_available() is True
    assert taken(lines) == ["unfinished and finished"]
    pipe.write("the last words")
    pipe.end()
    assert log.read_available() is False
    assert taken(lines) == ["the last words"]


def test_a_log_is_followed_to_its_end(pipe: Pipe) -> None:
    lines: Queue[str] = Queue()
    following = Thread(target=Log(pipe.stream, lines).follow)
    following.start()
    expected = [f"{number:09}" for number in range(20_000)]  # more than a pipe holds
    pipe.write("\n".join(expected) + "\n")
    pipe.end()
    following.join()
    assert taken(lines) == expected


def test_the_log_of_a_call_is_whole_though_nobody_followed_it_in_time(runtime: SimpleNamespace, pipe: Pipe) -> None:
    worker = runtime.Worker(pipe)
    assert callable(worker._read_stderr)  # what its thread would do
    pipe.write("one\ntwo\n")
    assert worker._drain_stderr_bounded() == "one\ntwo"
    assert worker._drain_stderr_bounded() == ""
    pipe.end()


def test_an_exception_comes_out_as_the_error_that_it_is(runtime: SimpleNamespace, pipe: Pipe) -> None:
    assert f"answer({RAISED_AND_KEPT})" == runtime._PYTHON_WORKER_SCRIPT
    worker = runtime.Worker(pipe)
    assert worker.invoke({}) == {"status": "ok"}
    worker.answer = {"status": "ok", "raised": {"error": "no", "trace": "line 1"}, "log": "words"}
    assert worker.invoke({}) == {"status": "error", "error": "no", "trace": "line 1", "log": "words"}
    pipe.end()


def test_another_ministack_is_noticed() -> None:
    with pytest.raises(AssertionError):
        patch_worker(SimpleNamespace(Worker=MiniStackWorker, _PYTHON_WORKER_SCRIPT="otherwise"))


@pytest.mark.parametrize("service", PROTOCOLS)
def test_a_service_has_the_protocol_that_botocore_describes(service: str) -> None:
    name = "cloudwatch" if service == "monitoring" else service
    described = botocore.session.get_session().get_service_model(name).metadata
    known = {key: described[key] for key in ("protocol", "jsonVersion") if key in described}
    assert known == PROTOCOLS[service]


def test_other_services_and_whatever_else_is_asked_are_looked_up() -> None:
    asked: list[str] = []

    def describe(service: str) -> SimpleNamespace:
        asked.append(service)
        return SimpleNamespace(metadata={}, operation_names=["Anything"])

    responses = SimpleNamespace(_service_model=describe)
    set_protocols(responses)
    assert responses._service_model("sqs").metadata == {"protocol": "json", "jsonVersion": "1.0"}
    assert asked == []
    assert responses._service_model("sqs").operation_names == ["Anything"]
    assert responses._service_model("kms").metadata == {}
    assert asked == ["sqs", "kms"]


def test_an_archive_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("same", "other"):
        with ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("main.py", name)
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder, name in zip(folders, ("same", "same", "other"), strict=True):
        folder.mkdir()
        with SharedZip(str(tmp_path / f"{name}.zip")) as archive:
            archive.extractall(str(folder))
    assert [(folder / "main.py").read_text() for folder in folders] == ["same", "same", "other"]
    first, second, third = (folder.resolve() for folder in folders)
    assert first == second != third


def test_two_threads_may_unpack_an_archive_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("main.py", "code")
    extract, folders = ZipFile.extractall, [tmp_path / "slow", tmp_path / "quick"]

    def unpack(folder: Path) -> None:
        folder.mkdir()
        with SharedZip(str(tmp_path / "code.zip")) as archive:
            archive.extractall(str(folder))

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(ZipFile, "extractall", extract)
        unpack(folders[1])
        extract(*arguments)

    monkeypatch.setattr(ZipFile, "extractall", overtaken)
    unpack(folders[0])
    assert [(folder / "main.py").read_text() for folder in folders] == ["code", "code"]
    assert folders[0].resolve() == folders[1].resolve()
