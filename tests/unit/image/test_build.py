"""Tests of the build of the emulator images. Docker is replaced by a script that records its calls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from localstack.errors import EmulatorError
from localstack.image import build, parts, registry, tools

DOCKER = """#!/bin/sh
echo "$@" >> {calls}
case "$1 $2" in
"version --format") {version} ;;
"image inspect") {image} ;;
"container inspect") {container} ;;
esac
"""


@dataclass(frozen=True)
class FakeDocker:
    folder: Path

    def respond(self, *, version: str = "echo 28.0", image: str = "exit 1", container: str = "exit 1") -> None:
        """Set the shell commands that replace `docker version`, `image inspect` and `container inspect`."""
        script = DOCKER.format(calls=self.folder / "calls", version=version, image=image, container=container)
        (self.folder / "docker").write_text(script, encoding="utf-8")
        (self.folder / "docker").chmod(0o755)

    def calls(self, command: str) -> list[str]:
        lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line.startswith(command)]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    """Fake Docker, which is the only program on the PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(build, "CACHE", tmp_path)
    fake = FakeDocker(tmp_path / "bin")
    fake.respond()
    return fake


def test_emulator_images_built_from_current_files_are_not_rebuilt(docker: FakeDocker) -> None:
    docker.respond(image=f"echo {parts.digest(parts.HERE)}")
    reports: list[str] = []
    build.ensure(reports.append)
    assert reports == ["the images are up to date"]
    assert docker.calls("build") == []


def test_emulator_images_built_from_other_files_are_rebuilt(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.respond(image="echo 123456789")
    part = tmp_path / "part"
    part.mkdir()
    (part / "module.py").write_text("x = 1", encoding="utf-8")
    monkeypatch.setattr(build, "check", lambda: None)
    monkeypatch.setattr(parts, "base", lambda *_, **__: None)
    monkeypatch.setattr(parts, "packages", lambda *_: part)
    monkeypatch.setattr(parts, "dynamodb_local", lambda *_: part)
    reports: list[str] = []
    build.ensure(reports.append)
    built = docker.calls("build")
    for image in (build.RUNTIME, build.EMULATOR, build.REGISTRY):
        assert [call for call in built if f"--tag {image.name} " in call and parts.digest(parts.HERE) in call]
        assert f"{image.name}, 123 MB" in reports
    assert len(built) == 3


def test_image_build_reports_all_missing_requirements_with_remedies(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert docker.folder.exists()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(tools, "find_uv", lambda: None)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    programs = "debootstrap, mvn; `apt-get install debootstrap maven`"
    with pytest.raises(EmulatorError, match=rf"(?s)only on Linux on x86_64.*`sudo`.*{programs}.*`pip install uv`"):
        build.ensure(lambda _: None)


def test_image_build_reports_an_unavailable_docker_engine_first(docker: FakeDocker) -> None:
    docker.respond(version="echo Cannot connect to the Docker daemon; exit 1")
    with pytest.raises(EmulatorError, match=r"(?s)start its engine.*Cannot connect to the Docker daemon"):
        build.ensure(lambda _: None)
    (docker.folder / "docker").unlink()
    with pytest.raises(EmulatorError, match=r"not installed: `apt-get install docker\.io`"):
        build.ensure(lambda _: None)


def test_error_of_a_failed_build_program_contains_its_last_output_lines() -> None:
    with pytest.raises(EmulatorError, match=r"exit code 3:\n  line 6\n(  line \d+\n){13}  line 20$"):
        tools.run(["/bin/sh", "-c", "i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i; done; exit 3"])


@pytest.fixture
def _registry_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_wait_until_ready", lambda _port: None)
    monkeypatch.delenv("TAP_REGISTRY_PORT", raising=False)


@pytest.mark.usefixtures("_registry_is_ready")
def test_image_registry_is_published_only_on_loopback(docker: FakeDocker, monkeypatch: pytest.MonkeyPatch) -> None:
    docker.respond(image="echo sha256:1")
    assert registry.publish("tapstack/x:1") == "localhost:5055/tapstack/x:1"
    [started] = docker.calls("run")
    assert "--publish 127.0.0.1:5055:5000" in started
    assert "--label org.tapstack.emulator=registry" in started
    assert docker.calls("tag") == ["tag tapstack/x:1 localhost:5055/tapstack/x:1"]
    assert docker.calls("push") == ["push --quiet localhost:5055/tapstack/x:1"]
    monkeypatch.setenv("TAP_REGISTRY_PORT", "6001")
    assert registry.publish("tapstack/x:1") == "localhost:6001/tapstack/x:1"


@pytest.mark.usefixtures("_registry_is_ready")
@pytest.mark.parametrize(
    ("found", "restarts"),
    [
        ("sha256:1 true 5055", False),
        ("sha256:1 false 5055", True),
        ("sha256:0 true 5055", True),
        ("sha256:1 true 6000", True),
    ],
)
def test_image_registry_restarts_only_if_its_image_port_or_state_differs(
    docker: FakeDocker, found: str, *, restarts: bool
) -> None:
    docker.respond(image="echo sha256:1", container=f"echo {found}")
    registry.publish("tapstack/x:1")
    assert bool(docker.calls("run")) == bool(docker.calls("rm --force tapstack-registry")) == restarts


def test_error_for_a_missing_registry_image_contains_the_build_command(docker: FakeDocker) -> None:
    assert docker.folder.exists()
    with pytest.raises(EmulatorError, match=r"tapstack/registry:2 is missing: `nox -s emulator-image`"):
        registry.publish("tapstack/x:1")
