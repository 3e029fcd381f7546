"""Containers that interrupted runs left behind, and a Docker engine that does not respond."""

from __future__ import annotations

import os
import re
import socket

import pytest

from localstack.emulators import docker_engine
from localstack.emulators.docker_engine import FUNCTION, clean, main, owner
from tests.unit.harness.fake_docker import FakeContainer, FakeEngine, Install

ALIVE = owner()
HERE = socket.gethostname()
DEAD = f"{HERE}/4194999/1"  # above the greatest number that Linux gives a process
REUSED = f"{HERE}/{os.getpid()}/1"  # the number of this process, but of an earlier one
ELSEWHERE = "another-host/1/1"
REGISTRY = FakeContainer("tapstack-registry", "registry")


def function(of: str) -> FakeContainer:
    return FakeContainer(f"{of.replace('_', '-')}-lambda-indexer-1", FUNCTION)


@pytest.mark.parametrize(
    ("containers", "removed"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(
            [FakeContainer("left", DEAD), function("left")], ["left", "left-lambda-indexer-1"], id="a killed run"
        ),
        pytest.param(
            [function("left"), FakeContainer("left", DEAD, removes=["left-lambda-indexer-1"])],
            ["left", "left-lambda-indexer-1"],
            id="an emulator that takes its functions along",
        ),
        pytest.param([FakeContainer("used_one", ALIVE), function("used_one")], [], id="a run that goes on"),
        pytest.param([FakeContainer("old", REUSED)], ["old"], id="a run whose number another process has by now"),
        pytest.param([FakeContainer("theirs", ELSEWHERE), function("theirs")], [], id="a run on another machine"),
        pytest.param([REGISTRY, FakeContainer("left", DEAD)], ["left"], id="the registry, which all runs share"),
        pytest.param([function("gone")], ["gone-lambda-indexer-1"], id="a function without its emulator"),
    ],
)
def test_what_interrupted_runs_left_is_removed_and_what_is_in_use_stays(
    install: Install, containers: list[FakeContainer], removed: list[str]
) -> None:
    engine = install(FakeEngine(*containers))
    assert sorted(clean()) == sorted(removed)
    assert sorted(engine.existing) == sorted({each.name for each in containers} - set(removed))


def test_everything_goes_if_that_is_asked_for(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    engine = install(
        FakeEngine(FakeContainer("mine", ALIVE), function("mine"), FakeContainer("theirs", ELSEWHERE), REGISTRY)
    )
    assert main(["--all"]) == 0
    assert engine.existing == {}
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "removed mine",
        "removed mine-lambda-indexer-1",
        "removed tapstack-registry",
        "removed theirs",
    ]
    assert main([]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"


def test_where_the_kernel_does_not_tell_when_a_process_started_its_number_has_to_do() -> None:
    assert docker_engine._is_running(os.getpid(), "")
    assert not docker_engine._is_running(4194999, "")


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            "unix:///nowhere/docker.sock",
            "^Docker does not respond.*systemctl start docker.*DOCKER_HOST.*embedded emulator",
        ),
        ("tcp://build.example.com:2376", "^DOCKER_HOST is tcp://build.example.com:2376: .*use the embedded emulator"),
        ("ssh://me@build.example.com", "^DOCKER_HOST is ssh://me@build.example.com: .*use the embedded emulator"),
    ],
)
def test_without_an_engine_on_this_machine_the_message_has_the_reason_and_a_remedy(
    monkeypatch: pytest.MonkeyPatch, host: str, message: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert re.search(message, docker_engine.problem() or "")


def test_nothing_can_be_removed_without_docker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert main([]) == 1
    assert "Docker does not respond" in capsys.readouterr().err
