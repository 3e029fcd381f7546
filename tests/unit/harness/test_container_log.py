"""The log file with the output of an emulator and of its functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localstack.emulators.container_log import Log
from localstack.emulators.docker_engine import FUNCTION
from localstack.errors import EmulatorError
from tests.unit.harness.fake_docker import FakeContainer, FakeEngine, Install

NAME = "my-emulator-lambda-indexer-1"


def followed(file: Path, engine: FakeEngine) -> Log:
    log = Log(file)
    emulator: Any = engine.existing["my_emulator"]
    with log.following(emulator):
        pass
    log.close()
    return log


def test_the_lines_of_functions_carry_their_container_and_those_of_others_are_left_out(
    install: Install, tmp_path: Path
) -> None:
    engine = FakeEngine(
        FakeContainer("my_emulator", "me", output=[b"one\r\ntw", b"o\nthr\xffee"]),
        FakeContainer(NAME, FUNCTION, output=[b"START\n", b"END\n"]),
        FakeContainer("other-lambda-indexer-1", FUNCTION, output=[b"not mine\n"]),
        started=[NAME, "other-lambda-indexer-1"],
    )
    file = tmp_path / "reports" / "emulator.log"
    log = followed(file, install(engine))
    assert sorted(file.read_bytes().splitlines()) == sorted(
        [b"one", b"two", b"thr\xffee", f"{NAME} | START".encode(), f"{NAME} | END".encode()]
    )
    assert engine.start_events.closed
    assert log.tail(2) == f"two\nthr\N{REPLACEMENT CHARACTER}ee\n{NAME} | START\n{NAME} | END"


def test_the_functions_do_not_crowd_out_the_emulator(install: Install, tmp_path: Path) -> None:
    chatty = FakeContainer(NAME, FUNCTION, output=[f"{number}\n".encode() for number in range(100)])
    engine = install(FakeEngine(FakeContainer("my_emulator", "me", output=[b"a | b\n"]), chatty, started=[NAME]))
    lines = followed(tmp_path / "log", engine).tail(5).splitlines()
    assert lines == ["a | b", *(f"{NAME} | {number}" for number in range(80, 100))]


def test_a_container_that_goes_at_once_leaves_the_others_followed(install: Install, tmp_path: Path) -> None:
    engine = FakeEngine(FakeContainer("my_emulator", "me", output=[b"one\n"]), started=["my-emulator-lambda-deleted-1"])
    assert followed(tmp_path / "log", install(engine)).tail(5) == "one"


def test_a_log_that_cannot_be_written_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmulatorError, match=r"cannot be written to .*file/log: .*Specify another file"):
        Log(tmp_path / "file" / "log")


def test_the_end_of_a_log_that_is_gone_is_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.close()
    (tmp_path / "log").unlink()
    assert log.tail(5) == ""
