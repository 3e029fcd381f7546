"""Tests of the removal of containers from interrupted test runs, and of a Docker engine that does not respond."""

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
DEAD = f"{HERE}/4194999/1"  # Linux assigns no process ID this high.
REUSED = f"{HERE}/{os.getpid()}/1"  # The owner has ended, and its process ID now belongs to this test.
ELSEWHERE = "another-host/1/1"
REGISTRY = FakeContainer("tapstack-registry", "registry")


def function(of: str) -> FakeContainer:
    return FakeContainer(f"{of.replace('_', '-')}-lambda-indexer-1", FUNCTION)


@pytest.mark.parametrize(
    ("containers", "removed"),
    [
        pytest.param([], [], id="no containers"),
        pytest.param(
            [FakeContainer("left", DEAD), function("left")], ["left", "left-lambda-indexer-1"], id="killed run"
        ),
        pytest.param(
            [function("left"), FakeContainer("left", DEAD, removes=["left-lambda-indexer-1"])],
            ["left", "left-lambda-indexer-1"],
            id="emulator that removes its functions",
        ),
        pytest.param([FakeContainer("used_one", ALIVE), function("used_one")], [], id="active run"),
        pytest.param([FakeContainer("old", REUSED)], ["old"], id="killed run with reused process ID"),
        pytest.param([FakeContainer("theirs", ELSEWHERE), function("theirs")], [], id="run on another machine"),
        pytest.param([REGISTRY, FakeContainer("left", DEAD)], ["left"], id="shared registry"),
        pytest.param([function("gone")], ["gone-lambda-indexer-1"], id="function without emulator"),
    ],
)
def test_container_cleanup_removes_only_containers_of_interrupted_runs(
    install: Install, containers: list[FakeContainer], removed: list[str]
) -> None:
    engine = install(FakeEngine(*containers))
    assert sorted(clean()) == sorted(removed)
    assert sorted(engine.existing) == sorted({each.name for each in containers} - set(removed))


def test_container_cleanup_with_option_all_removes_every_container(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_process_without_a_known_start_time_is_identified_by_its_id() -> None:
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
def test_message_about_a_missing_docker_engine_has_a_reason_and_a_remedy(
    monkeypatch: pytest.MonkeyPatch, host: str, message: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert re.search(message, docker_engine.problem() or "")


def test_container_cleanup_without_docker_exits_with_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert main([]) == 1
    assert "Docker does not respond" in capsys.readouterr().err
