"""Fixtures for the tests of the test infrastructure (`localstack/`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localstack.emulators import container, docker_engine

if TYPE_CHECKING:
    from tests.unit.harness.fake_docker import FakeEngine, Install


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    for name in ("DOCKER_HOST", container.IMAGE_VARIABLE, container.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def install(engine: FakeEngine) -> FakeEngine:
        monkeypatch.setattr(docker_engine, "connected", engine.connected)
        return engine

    return install
