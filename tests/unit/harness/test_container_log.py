"""One file with what the emulator and its functions print, and the end of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localstack.emulators import docker_engine
from localstack.emulators.container_log import Log
from localstack.emulators.docker_engine import FUNCTION
from localstack.errors import EmulatorError
from tests.unit.harness.docker_fakes import Container, Engine

NAME = "my-emulator-lambda-indexer-1"


def followed(monkeypatch: pytest.MonkeyPatch, file: Path, engine: Engine) -> Log:
    monkeypatch.setattr(docker_engine, "connected", engine.connected)
    log = Log(file)
    emulator: Any = engine.everybody["my_emulator"]
    with log.following(emulator):
        pass
    log.close()
    return log


def test_the_lines_of_functions_carry_their_container_and_those_of_others_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = Engine(
        Container("my_emulator", "me", prints=[b"one\r\ntw", b"o\nthr\xffee"]),
        Container(NAME, FUNCTION, prints=[b"START\n", b"END\n"]),
        Container("other-lambda-indexer-1", FUNCTION, prints=[b"not mine\n"]),
        start=[NAME, "other-lambda-indexer-1"],
    )
    file = tmp_path / "reports" / "emulator.log"
    log = followed(monkeypatch, file, engine)
    assert sorted(file.read_bytes().splitlines()) == sorted(
        [b"one", b"two", b"thr\xffee", f"{NAME} | START".encode(), f"{NAME} | END".encode()]
    )
    assert engine.heard.closed
    assert log.tail(2) == f"two\nthr\N{REPLACEMENT CHARACTER}ee\n{NAME} | START\n{NAME} | END"


def test_the_functions_do_not_crowd_out_the_emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chatty = Container(NAME, FUNCTION, prints=[f"{number}\n".encode() for number in range(100)])
    engine = Engine(Container("my_emulator", "me", prints=[b"a | b\n"]), chatty, start=[NAME])
    lines = followed(monkeypatch, tmp_path / "log", engine).tail(5).splitlines()
    assert lines == ["a | b", *(f"{NAME} | {number}" for number in range(80, 100))]


def test_a_container_that_goes_at_once_leaves_the_others_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = Engine(Container("my_emulator", "me", prints=[b"one\n"]), start=["my-emulator-lambda-gone-1"])
    assert followed(monkeypatch, tmp_path / "log", engine).tail(5) == "one"


def test_a_log_that_cannot_be_written_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmulatorError, match=r"cannot be written to .*file/log: .*Name another file"):
        Log(tmp_path / "file" / "log")


def test_the_end_of_a_log_that_is_gone_is_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.close()
    (tmp_path / "log").unlink()
    assert log.tail(5) == ""
