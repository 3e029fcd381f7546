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
    Log,
    SharedZip,
    patch_worker,
    set_protocols,
)


class Pipe:
    """A pipe, as between a function's standard error and its reader."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        self.stream: IO[str] = os.fdopen(reader, encoding="utf-8")

    def write(self, text: str) -> None:
        os.write(self._writer, text.encode())

    def close_writer(self) -> None:
        os.close(self._writer)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.stream.close()


def drained(lines: Queue[str]) -> list[str]:
    return [lines.get_nowait() for _ in range(lines.qsize())]


class FakeWorker:
    """The attributes of MiniStack's Worker that are used."""

    def __init__(self, pipe: Pipe) -> None:
        self._proc = SimpleNamespace(stderr=pipe.stream)
        self._stderr_queue: Queue[str] = Queue()

    def _drain_stderr(self) -> str:
        return "\n".join(drained(self._stderr_queue))


def test_all_that_was_written_is_taken_at_once(pipe: Pipe) -> None:
    lines: Queue[str] = Queue()
    log = Log(pipe.stream, lines)
    pipe.write("one\ntwo\nunfinished")
    assert log.read_available() is True
    assert drained(lines) == ["one", "two"]
    pipe.write(" and finished\n")
    assert log.read_available() is True
    assert drained(lines) == ["unfinished and finished"]
    pipe.write("the last words")
    pipe.close_writer()
    assert log.read_available() is False
    assert drained(lines) == ["the last words"]


def test_a_log_is_followed_to_its_end(pipe: Pipe) -> None:
    lines: Queue[str] = Queue()
    following = Thread(target=Log(pipe.stream, lines).follow)
    following.start()
    expected = [f"{number:09}" for number in range(20_000)]  # more than a pipe holds
    pipe.write("\n".join(expected) + "\n")
    pipe.close_writer()
    following.join()
    assert drained(lines) == expected


def test_the_log_of_a_call_is_whole_though_nobody_followed_it_in_time(pipe: Pipe) -> None:
    runtime: Any = SimpleNamespace(Worker=FakeWorker, _PYTHON_WORKER_SCRIPT=RAISED)
    patch_worker(runtime)
    worker = runtime.Worker(pipe)
    assert callable(worker._read_stderr)  # the target of a thread
    pipe.write("one\ntwo\n")
    assert worker._drain_stderr_bounded() == "one\ntwo"
    assert worker._drain_stderr_bounded() == ""
    pipe.close_writer()


def test_another_ministack_is_noticed() -> None:
    with pytest.raises(AssertionError):
        patch_worker(SimpleNamespace(Worker=FakeWorker, _PYTHON_WORKER_SCRIPT="otherwise"))


@pytest.mark.parametrize("service", PROTOCOLS)
def test_a_service_has_the_protocol_that_botocore_describes(service: str) -> None:
    name = "cloudwatch" if service == "monitoring" else service
    described = botocore.session.get_session().get_service_model(name).metadata
    known = {key: described[key] for key in ("protocol", "jsonVersion") if key in described}
    assert known == PROTOCOLS[service]


def test_other_services_and_whatever_else_is_asked_are_looked_up() -> None:
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
    """Archives whose only file has the name of the archive as its content."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    paths = {name: str(tmp_path / f"{name}.zip") for name in ("same", "other")}
    for name, path in paths.items():
        with ZipFile(path, "w") as archive:
            archive.writestr("main.py", name)
    return paths


def test_an_archive_is_unpacked_once(tmp_path: Path, archives: dict[str, str]) -> None:
    folders = [tmp_path / name for name in ("first", "second", "third")]
    names = ["same", "same", "other"]
    for folder, name in zip(folders, names, strict=True):
        unpack(archives[name], folder)
    assert [(folder / "main.py").read_text() for folder in folders] == names
    first, second, third = (folder.resolve() for folder in folders)
    assert first == second != third


def test_two_threads_may_unpack_an_archive_at_the_same_time(
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
