"""Tests of the log file with the output of an emulator and of the Lambda functions that it runs."""

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


def test_emulator_log_prefixes_lines_of_its_functions_and_omits_others(install: Install, tmp_path: Path) -> None:
    engine = FakeEngine(
        FakeContainer("my_emulator", "me", output=[b"one\r\ntw", b"o\nthr\xffee"]),
        FakeContainer(NAME, FUNCTION, output=[b"START\n", b"END\n"]),
        FakeContainer("other-lambda-indexer-1", FUNCTION, output=[b"not mine\n"]),
        started=[NAME, "other-lambda-indexer-1"],
    )
    file = tmp_path / "new" / "reports" / "emulator.log"
    log = followed(file, install(engine))
    assert sorted(file.read_bytes().splitlines()) == sorted(
        [b"one", b"two", b"thr\xffee", f"{NAME} | START".encode(), f"{NAME} | END".encode()]
    )
    assert engine.start_events.closed
    assert log.tail(2) == f"two\nthr\N{REPLACEMENT CHARACTER}ee\n{NAME} | START\n{NAME} | END"


def test_emulator_log_tail_contains_emulator_lines_despite_verbose_functions(install: Install, tmp_path: Path) -> None:
    chatty = FakeContainer(NAME, FUNCTION, output=[f"{number}\n".encode() for number in range(100)])
    engine = install(FakeEngine(FakeContainer("my_emulator", "me", output=[b"a | b\n"]), chatty, started=[NAME]))
    lines = followed(tmp_path / "log", engine).tail(5).splitlines()
    assert lines == ["a | b", *(f"{NAME} | {number}" for number in range(80, 100))]


def test_emulator_log_ignores_a_container_that_is_deleted_immediately(install: Install, tmp_path: Path) -> None:
    engine = FakeEngine(FakeContainer("my_emulator", "me", output=[b"one\n"]), started=["my-emulator-lambda-deleted-1"])
    assert followed(tmp_path / "log", install(engine)).tail(5) == "one"


def test_unwritable_emulator_log_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmulatorError, match=r"cannot be written to .*file/log: .*Specify another file"):
        Log(tmp_path / "file" / "log")


def test_tail_of_a_deleted_emulator_log_is_empty(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.close()
    (tmp_path / "log").unlink()
    assert log.tail(5) == ""
