"""Fake Docker engine with images and containers in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from docker.errors import APIError, ImageNotFound, NotFound

from localstack.emulators.docker_engine import STOP_TIMEOUT
from localstack.image.registry import LABEL


@dataclass
class FakeContainer:
    """Fake Docker container.

    Attributes:
        removes: names of other containers that are removed when this container stops.
        output: chunks of the container's log.
        existing: all containers of the fake engine, by name.
    """

    name: str
    label: str
    removes: Sequence[str] = ()
    output: Sequence[bytes] = ()
    existing: dict[str, FakeContainer] = field(default_factory=dict, repr=False)
    stopped: bool = False

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.label}

    def stop(self, *, timeout: int) -> None:
        if self.name not in self.existing:
            raise NotFound(self.name)
        assert timeout == STOP_TIMEOUT
        self.stopped = True
        for each in self.removes:
            del self.existing[each]

    def remove(self, *, force: bool, v: bool) -> None:
        assert force
        assert v
        assert self.stopped, "an emulator must be stopped first, so that it can clean up"
        del self.existing[self.name]

    def logs(self, *, stream: bool, follow: bool) -> Iterator[bytes]:
        assert stream
        assert follow
        return iter(self.output)


@dataclass(frozen=True)
class FakeImage:
    labels: dict[str, str] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


class FakeImages:
    def __init__(self, present: dict[str, FakeImage], pullable: Sequence[str]) -> None:
        self._present, self._pullable = present, pullable
        self.pulled: list[str] = []

    def get(self, name: str) -> FakeImage:
        if " " in name:
            raise APIError("invalid reference format")
        if name not in self._present:
            raise ImageNotFound(name)
        return self._present[name]

    def pull(self, name: str) -> FakeImage:
        if name not in self._pullable:
            raise APIError("no such host")
        self.pulled.append(name)
        return FakeImage()


class FakeEvents(list[dict[str, Any]]):
    """Fake stream of past Docker events."""

    closed = False

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """Fake Docker engine.

    Args:
        containers: existing containers.
        images: images on this machine, by name.
        pullable: names of images that can be pulled.
        started: names of containers with a start event.
    """

    def __init__(
        self,
        *containers: FakeContainer,
        images: dict[str, FakeImage] | None = None,
        pullable: Sequence[str] = (),
        started: Sequence[str] = (),
    ) -> None:
        self.existing = {each.name: each for each in containers}
        for each in containers:
            each.existing = self.existing
        self.images = FakeImages(images or {}, pullable)
        self.containers = self
        self.start_events = FakeEvents({"Actor": {"ID": name, "Attributes": {"name": name}}} for name in started)

    def list(self, *, all: bool, filters: dict[str, str], ignore_removed: bool) -> list[FakeContainer]:  # noqa: A002  Docker's name
        assert all
        assert ignore_removed
        assert filters == {"label": LABEL}
        return [*self.existing.values()]

    def get(self, identity: str) -> FakeContainer:
        if identity not in self.existing:
            raise NotFound(identity)
        return self.existing[identity]

    def events(self, *, decode: bool, filters: dict[str, str]) -> FakeEvents:
        assert decode
        assert filters["label"] == f"{LABEL}=function"
        return self.start_events

    @contextmanager
    def connected(self) -> Iterator[FakeEngine]:
        yield self


Install: TypeAlias = Callable[[FakeEngine], FakeEngine]
"""Function that replaces the connection to Docker by a fake engine, and returns the engine."""
